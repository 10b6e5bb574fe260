/* log.h - what popgate tells its administrator.
 *
 * A log line is a message of ours, fixed at compile time, and named fields. Whatever a field's text
 * holds, control and 8-bit octets are escaped and the rest is cut, so that nobody can forge a line
 * or speak to a terminal. A line is written whole, with one system call. Nothing here suspends; one
 * thread uses a log. */
#pragma once
#include <stdint.h>

#include "base/error.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum log_destination {
	LOG_TO_STDERR, /* with journald's "<N>" priorities when stderr is the journal */
	LOG_TO_SYSLOG,
};

enum log_format {
	LOG_PLAIN, /* 2024-05-01T12:00:00.000Z info MESSAGE name=value name="two words" */
	LOG_JSON,  /* {"time":"...","level":"info","event":"MESSAGE","name":"value"} */
};

enum log_field_type {
	LOG_FIELD_TEXT,
	LOG_FIELD_NUMBER,
};

enum { LOG_VALUE_MAX = 256 }; /* octets of an escaped text; longer ones end in "..." */

struct log_field {
	const char *name; /* ours: lower-case letters and "_"; NULL ends a list of fields */
	enum log_field_type type;
	const char *text; /* foreign octets are welcome; NULL: the field is left out */
	uint64_t number;
};

/* LOG_FIELDS(LOG_TEXT("user", user), LOG_NUMBER("messages", n)) is the list of fields that
 * log_event takes. */
#define LOG_TEXT(name, text)                      \
	{                                         \
		(name), LOG_FIELD_TEXT, (text), 0 \
	}
#define LOG_NUMBER(name, number)                         \
	{                                                \
		(name), LOG_FIELD_NUMBER, NULL, (number) \
	}
#define LOG_FIELDS(...)                               \
	(const struct log_field[])                    \
	{                                             \
		__VA_ARGS__,                          \
		{                                     \
			NULL, LOG_FIELD_TEXT, NULL, 0 \
		}                                     \
	}

struct log;

struct log_options {
	enum log_destination destination;
	enum log_format format;
	enum log_level level; /* lines of a later level are dropped */
};

/* Begins a log. Returns 0 or ERR_NO_MEMORY. */
int log_new(const struct log_options *options, struct log **out);
void log_free(struct log *log); /* NULL is allowed */

/* From now on by OPTIONS; for a reload. Holders of LOG need not know. */
void log_set_options(struct log *log, const struct log_options *options);

/* Writes one line: MESSAGE (ours) about session SESSION_ID (NULL: about none), with FIELDS
 * (LOG_FIELDS(...), or NULL). A line that cannot be written is lost: a full disk must not stop the
 * mail. A NULL LOG writes nothing. */
void log_event(struct log *log, enum log_level level, const char *session_id, const char *message,
    const struct log_field *fields);

/* As log_event, with FIELDS (may be NULL) followed by E as "code" and "error". */
void log_error(struct log *log, enum log_level level, const char *session_id, const char *message,
    const struct error *e, const struct log_field *fields);
