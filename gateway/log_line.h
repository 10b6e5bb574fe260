/* log_line.h - how a log line is written down. Pure. */
#pragma once
#include <stddef.h>
#include <time.h>

#include "gateway/log.h"

/* Octets of a line, with LF and NUL: as many as go into a pipe in one piece (PIPE_BUF), so that
 * lines of several processes do not mix. */
enum { LOG_LINE_MAX = 4096 };

enum log_heading { /* what a line of LOG_PLAIN begins with; LOG_JSON always has time and level */
	LOG_HEADING_NONE, /* nothing: syslog(3) has both */
	LOG_HEADING_TIME,
	LOG_HEADING_PRIORITY_AND_TIME, /* "<6>" for journald first; in JSON too */
};

struct log_line {
	enum log_format format;
	enum log_heading heading;
	enum log_level level;
	struct timespec time;	/* CLOCK_REALTIME */
	const char *session_id; /* may be NULL */
	const char *message;
};

/* Writes LINE with FIELDS, then FIELDS_MORE (lists ended by a NULL name; either may be NULL) to BUF
 * (LOG_LINE_MAX octets), with a final LF and NUL. A field that does not fit any more is left out
 * whole. Returns the length without the NUL. */
size_t log_line_write(const struct log_line *line, const struct log_field *fields,
    const struct log_field *fields_more, char *buf);

/* "error", "warning", "info" or "debug". */
const char *log_level_name(enum log_level level);

/* The priority of syslog(3) for LEVEL. */
int log_level_priority(enum log_level level);
