/* log.c - where log lines go. What they look like is log_line.c. */
#include "gateway/log.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "gateway/log_line.h"

struct log {
	struct log_options options;
	bool to_journal;	 /* stderr is journald's socket */
	char line[LOG_LINE_MAX]; /* here and not on a fiber's stack: it would stay touched */
};

/* Whether stderr is the stream that systemd connected to the journal: JOURNAL_STREAM is
 * "device:inode" of it. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st) != 0)
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

int
log_new(const struct log_options *options, struct log **out)
{
	struct log *log;

	if ((log = calloc(1, sizeof(*log))) == NULL)
		return ERR_NO_MEMORY;
	log->to_journal = stderr_is_journal();
	log_set_options(log, options);
	*out = log;
	return 0;
}

void
log_free(struct log *log)
{
	if (log != NULL && log->options.destination == LOG_TO_SYSLOG)
		closelog();
	free(log);
}

void
log_set_options(struct log *log, const struct log_options *options)
{
	log->options = *options;
	if (options->destination == LOG_TO_SYSLOG)
		openlog("popgate", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

static void
log_write(struct log *log, const struct log_line *line, const struct log_field *fields,
    const struct log_field *fields_more)
{
	size_t len = log_line_write(line, fields, fields_more, log->line);

	if (log->options.destination == LOG_TO_SYSLOG) {
		syslog(log_level_priority(line->level), "%.*s", (int) len - 1, log->line);
		return;
	}
	if (write(STDERR_FILENO, log->line, len) < 0)
		return; /* Nobody is left to be told. */
}

static void
log_fields(struct log *log, enum log_level level, const char *session_id, const char *message,
    const struct log_field *fields, const struct log_field *fields_more)
{
	struct log_line line = { .level = level, .session_id = session_id, .message = message };

	if (log == NULL || level > log->options.level)
		return;
	line.format = log->options.format;
	if (log->options.destination == LOG_TO_SYSLOG)
		line.heading = LOG_HEADING_NONE;
	else
		line.heading = log->to_journal ? LOG_HEADING_PRIORITY_AND_TIME : LOG_HEADING_TIME;
	clock_gettime(CLOCK_REALTIME, &line.time);
	log_write(log, &line, fields, fields_more);
}

void
log_event(struct log *log, enum log_level level, const char *session_id, const char *message,
    const struct log_field *fields)
{
	log_fields(log, level, session_id, message, fields, NULL);
}

void
log_error(struct log *log, enum log_level level, const char *session_id, const char *message,
    const struct error *e, const struct log_field *fields)
{
	log_fields(log, level, session_id, message, fields,
	    LOG_FIELDS(LOG_TEXT("code", error_name(e->code)),
		LOG_TEXT("error", e->text[0] != '\0' ? e->text : NULL)));
}
