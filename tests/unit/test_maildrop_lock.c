/* Tests of gateway/maildrop_lock.c: who holds a maildrop, across sessions and processes. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/maildrop_lock.h"

static char state[64]; /* the state directory of this run */

static int
take(const char *user, const char *mailbox, struct maildrop_lock **out)
{
	struct error e = { 0 };

	return maildrop_lock_take(state, "imap.example.org:993", user, mailbox, out, &e);
}

/* How many lock files there are. */
static int
lock_files(void)
{
	char path[80];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/locks", state);
	if ((dir = opendir(path)) == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void
remove_lock_files(void)
{
	char path[400];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/locks", state);
	if ((dir = opendir(path)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/locks/%s", state, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	closedir(dir);
}

static void
second_session_is_refused(void)
{
	struct maildrop_lock *first = NULL, *second = NULL;

	CU_ASSERT_EQUAL(take("jane", "INBOX", &first), 0);
	CU_ASSERT_EQUAL(take("jane", "INBOX", &second), ERR_IN_USE);
	CU_ASSERT_EQUAL(take("Jane", "INBOX", &second), ERR_IN_USE);
	maildrop_lock_release(first);
	CU_ASSERT_EQUAL(take("jane", "INBOX", &second), 0);
	maildrop_lock_release(second);
}

static void
other_maildrops_are_free(void)
{
	struct maildrop_lock *locks[4] = { NULL };
	struct error e;

	CU_ASSERT_EQUAL(take("jane", "INBOX", &locks[0]), 0);
	CU_ASSERT_EQUAL(take("jan", "INBOX", &locks[1]), 0);
	CU_ASSERT_EQUAL(take("jane", "Archive", &locks[2]), 0);
	CU_ASSERT_EQUAL(
	    maildrop_lock_take(state, "other.example.org:993", "jane", "INBOX", &locks[3], &e), 0);
	for (int i = 0; i < 4; i++)
		maildrop_lock_release(locks[i]);
}

static void
many_maildrops_need_few_files(void)
{
	enum { MAILDROPS = 1000 };
	struct maildrop_lock *locks[MAILDROPS] = { NULL }, *again = NULL;
	char user[32];

	for (int i = 0; i < MAILDROPS; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		UNIT_CHECK(take(user, "INBOX", &locks[i]) == 0, user);
	}
	UNIT_CHECK(lock_files() <= 256, "a file for each first octet of a digest");
	for (int i = 0; i < MAILDROPS; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		UNIT_CHECK(take(user, "INBOX", &again) == ERR_IN_USE, user);
		maildrop_lock_release(locks[i]);
		UNIT_CHECK(take(user, "INBOX", &again) == 0, user);
		maildrop_lock_release(again);
	}
	maildrop_lock_release(NULL);
}

/* Somebody cleans up while a session holds its lock; the next one is refused nothing for ever. */
static void
a_removed_file_is_made_anew(void)
{
	struct maildrop_lock *lock = NULL;

	remove_lock_files();
	CU_ASSERT_EQUAL(take("jane", "INBOX", &lock), 0);
	CU_ASSERT_EQUAL(lock_files(), 1);
	remove_lock_files();
	maildrop_lock_release(lock);
	CU_ASSERT_EQUAL(take("jane", "INBOX", &lock), 0);
	CU_ASSERT_EQUAL(lock_files(), 1);
	maildrop_lock_release(lock);
}

static void
user_names_cannot_leave_the_folder(void)
{
	struct maildrop_lock *lock = NULL;
	char path[96];

	remove_lock_files();
	CU_ASSERT_EQUAL(take("../../escaped", "../INBOX", &lock), 0);
	CU_ASSERT_EQUAL(lock_files(), 1);
	snprintf(path, sizeof(path), "%s/escaped", state);
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	maildrop_lock_release(lock);
}

/* A process that holds the lock until it is killed. Returns its id once it has it. */
static pid_t
holder(const char *user)
{
	struct maildrop_lock *lock = NULL;
	int ready[2];
	char octet;
	pid_t pid;

	if (pipe(ready) != 0)
		return -1;
	fflush(stdout);
	if ((pid = fork()) == 0) {
		octet = take(user, "INBOX", &lock) == 0 ? 'y' : 'n';
		if (write(ready[1], &octet, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &octet, 1) != 1 || octet != 'y')
		CU_FAIL("the child could not take the lock");
	close(ready[0]);
	return pid;
}

static void
other_process_holds_it(void)
{
	struct maildrop_lock *lock = NULL;
	pid_t pid = holder("joe");

	CU_ASSERT_EQUAL(take("joe", "INBOX", &lock), ERR_IN_USE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* Its file is still there; the lock is not. */
	CU_ASSERT_EQUAL(take("joe", "INBOX", &lock), 0);
	maildrop_lock_release(lock);
}

/* Takes and releases the lock TURNS times, and counts on a file how many hold it at once. Exits
 * with 1 if two did. */
static void
contend(const char *inside, int turns)
{
	struct maildrop_lock *lock;
	int rc;

	for (int held = 0; held < turns;) {
		rc = take("race", "INBOX", &lock);
		if (rc == ERR_IN_USE)
			continue;
		if (rc != 0 || mkdir(inside, 0700) != 0 || rmdir(inside) != 0)
			_exit(1);
		maildrop_lock_release(lock);
		held++;
	}
	_exit(0);
}

static void
processes_never_hold_it_together(void)
{
	enum { PROCESSES = 4, TURNS = 2000 };
	pid_t pids[PROCESSES];
	char inside[96];
	int status;

	snprintf(inside, sizeof(inside), "%s/inside", state);
	fflush(stdout);
	for (int i = 0; i < PROCESSES; i++)
		if ((pids[i] = fork()) == 0)
			contend(inside, TURNS);
	for (int i = 0; i < PROCESSES; i++) {
		CU_ASSERT_EQUAL(waitpid(pids[i], &status, 0), pids[i]);
		CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

static void
links_are_not_followed(void)
{
	struct maildrop_lock *lock = NULL;
	char path[160], target[96], name[80] = "";
	struct dirent *entry;
	DIR *dir;

	remove_lock_files();
	CU_ASSERT_EQUAL(take("link", "INBOX", &lock), 0);
	snprintf(path, sizeof(path), "%s/locks", state);
	dir = opendir(path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			snprintf(name, sizeof(name), "%.70s", entry->d_name);
	closedir(dir);
	maildrop_lock_release(lock);
	snprintf(path, sizeof(path), "%s/locks/%s", state, name);
	unlink(path);
	snprintf(target, sizeof(target), "%s/target", state);
	CU_ASSERT_EQUAL(symlink(target, path), 0);
	CU_ASSERT_EQUAL(take("link", "INBOX", &lock), ERR_TEMPORARY);
	CU_ASSERT_NOT_EQUAL(access(target, F_OK), 0);
	unlink(path);
}

static void
missing_folder_is_temporary(void)
{
	struct maildrop_lock *lock = NULL;
	struct error e = { 0 };

	CU_ASSERT_EQUAL(maildrop_lock_take("/nonexistent/popgate", "u", "jane", "INBOX", &lock, &e),
	    ERR_TEMPORARY);
	CU_ASSERT_EQUAL(e.code, ERR_TEMPORARY);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "No such file"));
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a second session on a maildrop is refused", second_session_is_refused },
		{ "other maildrops are free", other_maildrops_are_free },
		{ "many maildrops need few files", many_maildrops_need_few_files },
		{ "a removed file is made anew", a_removed_file_is_made_anew },
		{ "user names cannot leave the folder", user_names_cannot_leave_the_folder },
		{ "another process holds it until it dies", other_process_holds_it },
		{ "processes never hold it together", processes_never_hold_it_together },
		{ "links are not followed", links_are_not_followed },
		{ "a missing folder is a temporary failure", missing_folder_is_temporary },
	};
	char path[80];
	int result;

	snprintf(state, sizeof(state), "/tmp/test_maildrop_lock.XXXXXX");
	if (mkdtemp(state) == NULL)
		return 2;
	snprintf(path, sizeof(path), "%s/locks", state);
	if (mkdir(path, 0700) != 0)
		return 2;
	result = unit_run("maildrop_lock", tests, sizeof(tests) / sizeof(tests[0]));
	remove_lock_files();
	rmdir(path);
	rmdir(state);
	return result;
}
