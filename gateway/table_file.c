/* table_file.c - see table_file.h. */
#include "gateway/table_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/text.h"

enum { BUSY_MS = 2000, FAULTS_SHOWN = 20 };

#define FORM "PRAGMA application_id = 1886353524; PRAGMA user_version = 1;"

static const char is_ours[] = "SELECT application_id = 1886353524 AND user_version = 1 "
			      "FROM pragma_application_id, pragma_user_version";
static const char find_text[] =
    "SELECT upstreams, login, mailbox FROM entry WHERE user = ?1";

struct table_file {
	char *path; /* of the index */
	sqlite3 *db; /* NULL: not open */
	sqlite3_stmt *find;
	struct stat seen; /* of the file that is open */
};

static char *
index_path(const char *path, const char *more)
{
	char *out;

	return asprintf(&out, "%s" TABLE_INDEX_SUFFIX "%s", path, more) < 0 ? NULL : out;
}

/* ---- building ---- */

struct builder {
	FILE *source;
	FILE *remarks;
	sqlite3 *db;
	sqlite3_stmt *insert;
	uint64_t line, users, faults;
};

static void
report(struct builder *b, const char *what)
{
	if (++b->faults <= FAULTS_SHOWN)
		fprintf(b->remarks, "line %llu: %s\n", (unsigned long long) b->line, what);
}

static int
insert(struct builder *b, const struct table_line *l)
{
	const char *const fields[] = { l->user, l->upstreams, l->login, l->mailbox };
	int rc;

	for (int i = 0; i < 4; i++)
		sqlite3_bind_text(b->insert, i + 1, fields[i], -1, SQLITE_STATIC);
	rc = sqlite3_step(b->insert);
	sqlite3_reset(b->insert);
	if (rc == SQLITE_CONSTRAINT) {
		report(b, "the user has a line already");
		return 0;
	}
	b->users += rc == SQLITE_DONE;
	return rc == SQLITE_DONE ? 0 : ERR_TEMPORARY;
}

static int
read_lines(struct builder *b, struct error *e)
{
	struct table_line line;
	char *text = NULL;
	const char *what;
	size_t room = 0, mark;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && (len = getline(&text, &room, b->source)) >= 0) {
		b->line++;
		if (len > 0 && text[len - 1] == '\n')
			len--;
		mark = b->line == 1 ? text_mark(text, (size_t) len) : 0;
		if (len > TABLE_LINE_MAX)
			report(b, "longer than 4096 octets");
		else if (table_line_parse(text + mark, (size_t) len - mark, &line, &what) != 0)
			report(b, what);
		else if (line.user[0] != '\0')
			rc = insert(b, &line);
	}
	if (rc == 0 && ferror(b->source))
		rc = error_set(e, ERR_TEMPORARY, "cannot be read: %s", strerror(errno));
	else if (rc != 0)
		error_set(e, rc, "the index: %s", sqlite3_errmsg(b->db));
	free(text);
	return rc;
}

static int
fill(struct builder *b, const char *path, struct error *e)
{
	/* Nobody else sees the file before it is complete. */
	static const char begin[] =
	    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -131072; " FORM
	    "CREATE TABLE entry (user TEXT PRIMARY KEY, upstreams TEXT NOT NULL, login TEXT NOT NULL, "
	    "mailbox TEXT NOT NULL) WITHOUT ROWID; BEGIN";
	int rc;

	if (sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
		SQLITE_OK ||
	    sqlite3_exec(b->db, begin, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(b->db, "INSERT INTO entry VALUES (?1, ?2, ?3, ?4)", -1, &b->insert,
		NULL) != SQLITE_OK)
		return error_set(e, ERR_TEMPORARY, "%s: %s", path, sqlite3_errmsg(b->db));
	if ((rc = read_lines(b, e)) != 0)
		return rc;
	if (sqlite3_exec(b->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return error_set(e, ERR_TEMPORARY, "%s: %s", path, sqlite3_errmsg(b->db));
	return 0;
}

/* What was renamed to PATH has that name after a crash too. */
static int
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t) (slash - path);
	char *folder = strndup(slash == NULL ? "." : path, len);
	int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, rc = -1;

	if (fd >= 0) {
		rc = fsync(fd);
		close(fd);
	}
	free(folder);
	return rc;
}

/* Puts what is at FROM in the place of TO, for good. Whoever may read the table may read its index. */
static int
settle(const struct builder *b, const char *from, const char *to, struct error *e)
{
	struct stat st;
	int fd = open(from, O_RDWR | O_CLOEXEC), rc = 0;

	if (fd < 0 || fstat(fileno(b->source), &st) != 0 || fchmod(fd, st.st_mode & 0777) != 0 ||
	    (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0) || fsync(fd) != 0 ||
	    rename(from, to) != 0 || sync_folder(to) != 0)
		rc = error_set(e, ERR_TEMPORARY, "%s: %s", from, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Makes an empty file that nobody else reads, of which there is one at a time: half of another one's must not
 * become the index. The lock goes with the source. */
static int
begin_draft(const struct builder *b, const char *draft, struct error *e)
{
	int fd;

	if (flock(fileno(b->source), LOCK_EX | LOCK_NB) != 0)
		return error_set(e, ERR_TEMPORARY, "%s: %s", draft,
		    errno == EWOULDBLOCK ? "another build is under way" : strerror(errno));
	unlink(draft); /* of one that did not get to its end */
	if ((fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
		return error_set(e, ERR_TEMPORARY, "%s: %s", draft, strerror(errno));
	close(fd);
	return 0;
}

static int
build(struct builder *b, const char *index, const char *draft, struct error *e)
{
	int rc;

	if ((rc = begin_draft(b, draft, e)) != 0)
		return rc;
	rc = fill(b, draft, e);
	sqlite3_finalize(b->insert);
	sqlite3_close(b->db);
	if (rc == 0 && b->faults > FAULTS_SHOWN)
		fprintf(b->remarks, "... and %llu more\n",
		    (unsigned long long) (b->faults - FAULTS_SHOWN));
	if (rc == 0 && b->faults > 0)
		rc = error_set(e, ERR_INVALID, "there are faulty lines; the index is as before");
	if (rc == 0)
		rc = settle(b, draft, index, e);
	if (rc != 0)
		unlink(draft);
	return rc;
}

int
table_build(const char *path, FILE *remarks, uint64_t *count, struct error *e)
{
	struct builder b = { .remarks = remarks };
	char *index = index_path(path, ""), *draft = index_path(path, ".new");
	int rc = ERR_NO_MEMORY;

	if (index == NULL || draft == NULL)
		error_set(e, rc, "out of memory");
	else if ((b.source = fopen(path, "re")) == NULL)
		rc = error_set(e, ERR_TEMPORARY, "cannot be read: %s", strerror(errno));
	else
		rc = build(&b, index, draft, e);
	*count = b.users;
	if (b.source != NULL)
		fclose(b.source);
	free(index);
	free(draft);
	return rc;
}

/* ---- finding ---- */

int
table_file_new(const char *path, struct table_file **out)
{
	struct table_file *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->path = index_path(path, "")) == NULL) {
		free(t);
		return ERR_NO_MEMORY;
	}
	*out = t;
	return 0;
}

static void
close_index(struct table_file *t)
{
	sqlite3_finalize(t->find);
	sqlite3_close(t->db);
	t->find = NULL;
	t->db = NULL;
}

void
table_file_free(struct table_file *t)
{
	if (t == NULL)
		return;
	close_index(t);
	free(t->path);
	free(t);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int
fail(struct table_file *t, struct error *e)
{
	error_set(e, ERR_TEMPORARY, "the table's index %s: %s; \"popgate table build\" makes it",
	    t->path, sqlite3_errmsg(t->db));
	close_index(t);
	return ERR_TEMPORARY;
}

static bool
has_our_form(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	bool ours = sqlite3_prepare_v2(db, is_ours, -1, &statement, NULL) == SQLITE_OK &&
		    sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) == 1;

	sqlite3_finalize(statement);
	return ours;
}

/* Opens the index where it is not, or is another by now. Nothing in its schema is trusted. */
static int
open_index(struct table_file *t, struct error *e)
{
	struct stat st;

	if (stat(t->path, &st) != 0)
		return error_set(e, ERR_TEMPORARY, "%s: %s; \"popgate table build\" makes it", t->path,
		    strerror(errno));
	if (t->db != NULL && same_file(&st, &t->seen))
		return 0;
	close_index(t);
	t->seen = st;
	if (sqlite3_open_v2(t->path, &t->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return fail(t, e);
	sqlite3_busy_timeout(t->db, BUSY_MS);
	sqlite3_db_config(t->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(t->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (!has_our_form(t->db)) {
		close_index(t);
		return error_set(e, ERR_TEMPORARY,
		    "%s: not an index of ours; \"popgate table build\" makes it", t->path);
	}
	if (sqlite3_prepare_v2(t->db, find_text, -1, &t->find, NULL) != SQLITE_OK)
		return fail(t, e);
	return 0;
}

/* Copies column AT; foreign octets are cut rather than trusted to fit. */
static void
copy_column(sqlite3_stmt *statement, int at, char *out, size_t room)
{
	const unsigned char *text = sqlite3_column_text(statement, at);

	snprintf(out, room, "%s", text != NULL ? (const char *) text : "");
}

static int
find_name(struct table_file *t, const char *name, struct table_line *out, struct error *e)
{
	int rc;

	sqlite3_bind_text(t->find, 1, name, -1, SQLITE_STATIC);
	if ((rc = sqlite3_step(t->find)) == SQLITE_ROW) {
		copy_column(t->find, 0, out->upstreams, sizeof(out->upstreams));
		copy_column(t->find, 1, out->login, sizeof(out->login));
		copy_column(t->find, 2, out->mailbox, sizeof(out->mailbox));
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return fail(t, e);
	sqlite3_reset(t->find);
	sqlite3_clear_bindings(t->find);
	return rc == SQLITE_ROW ? 0 : error_set(e, ERR_GONE, "the user is not in the table");
}

int
table_file_find(
    struct table_file *t, const char *user, struct table_line *out, struct error *e)
{
	const char *domain;
	int rc;

	memset(out, 0, sizeof(*out));
	table_fold(user, strlen(user), out->user);
	domain = strrchr(out->user, '@');
	if ((rc = open_index(t, e)) != 0)
		return rc;
	rc = find_name(t, out->user, out, e);
	return rc == ERR_GONE && domain != NULL ? find_name(t, domain, out, e) : rc;
}

int
table_file_check(const char *path)
{
	char *index = index_path(path, "");
	struct stat table, made;
	int rc = 0;

	if (index == NULL || stat(index, &made) != 0)
		rc = ERR_GONE;
	else if (stat(path, &table) == 0 &&
		 (table.st_mtim.tv_sec > made.st_mtim.tv_sec ||
		     (table.st_mtim.tv_sec == made.st_mtim.tv_sec &&
			 table.st_mtim.tv_nsec > made.st_mtim.tv_nsec)))
		rc = ERR_INVALID;
	free(index);
	return rc;
}
