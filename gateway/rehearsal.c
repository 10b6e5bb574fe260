/* rehearsal.c - see rehearsal.h. */
#include "gateway/rehearsal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/config.h"

enum { EXIT_GOOD, EXIT_FAULTY, EXIT_NO_MEMORY };

/* A remark on its way to the one who asked; its text follows. Both are the same program. */
struct remark_head {
	enum config_severity severity;
	unsigned line;
	size_t len;
};

static int
write_report(const struct config_report *report, FILE *out)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct config_remark *remark = &report->remarks[i];
		const struct remark_head head = {
			remark->severity, remark->line, strlen(remark->text)
		};

		if (fwrite(&head, sizeof(head), 1, out) != 1 ||
		    fwrite(remark->text, 1, head.len, out) != head.len)
			return ERR_NO_MEMORY;
	}
	return fflush(out) == 0 ? 0 : ERR_NO_MEMORY;
}

static int
read_report(FILE *in, struct config_report *report)
{
	struct remark_head head;
	char *text;

	rewind(in);
	while (fread(&head, sizeof(head), 1, in) == 1) {
		if ((text = malloc(head.len + 1)) == NULL)
			return ERR_NO_MEMORY;
		text[fread(text, 1, head.len, in)] = '\0';
		config_report_add(report, head.severity, head.line, "%s", text);
		free(text);
	}
	return report->no_memory ? ERR_NO_MEMORY : 0;
}

/* In the process of its own. Whatever was open or begun before belongs to the other one. */
static _Noreturn void
perform(const char *path, const char *text, size_t len, FILE *out)
{
	struct config_report report = { 0 };
	struct config *config;
	int rc = config_load_text(path, text, len, &config, &report);

	if (write_report(&report, out) != 0 || rc == ERR_NO_MEMORY)
		_exit(EXIT_NO_MEMORY);
	_exit(rc == 0 ? EXIT_GOOD : EXIT_FAULTY);
}

/* What the end of PID means. */
static int
judge(pid_t pid, struct config_report *report)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(pid, &status, 0);
	while (ended < 0 && errno == EINTR);
	if (ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_GOOD)
		return 0;
	if (ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_MEMORY)
		return ERR_NO_MEMORY;
	if (ended != pid || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAULTY)
		config_report_add(report, CONFIG_FAULT, 0,
		    "the process that looks at it was ended from outside or crashed; try "
		    "\"popgate check-config\"");
	return ERR_INVALID;
}

/* Without signals: those for the one who asks, to its whole group perhaps, are not for both. */
static pid_t
fork_deaf(void)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int
rehearse(const char *path, const char *text, size_t len, struct config_report *report)
{
	int memory = memfd_create("popgate-report", MFD_CLOEXEC);
	FILE *remarks = memory >= 0 ? fdopen(memory, "w+") : NULL;
	int rc = ERR_NO_MEMORY;
	pid_t pid;

	if (remarks == NULL)
		goto out;
	pid = fork_deaf();
	if (pid == 0)
		perform(path, text, len, remarks);
	if (pid > 0 && (rc = judge(pid, report)) != ERR_NO_MEMORY &&
	    read_report(remarks, report) != 0)
		rc = ERR_NO_MEMORY;
out:
	if (remarks != NULL)
		fclose(remarks);
	else if (memory >= 0)
		close(memory);
	return rc;
}
