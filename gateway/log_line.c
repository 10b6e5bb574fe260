/* log_line.c - how a log line is written down.
 *
 * A value is first made safe (text_escape), then given the quotes of its format. Both formats show
 * the same escapes, so that what one greps for does not depend on the format. */
#include "gateway/log_line.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/text.h"

struct writer {
	char *buf;
	size_t at;
	size_t room; /* what is kept free for the line's end does not count */
	bool full;
};

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

const char *
log_level_name(enum log_level level)
{
	return levels[level].name;
}

int
log_level_priority(enum log_level level)
{
	return levels[level].priority;
}

static void
put_octet(struct writer *w, char octet)
{
	if (w->at == w->room)
		w->full = true;
	else
		w->buf[w->at++] = octet;
}

static void
put(struct writer *w, const char *text)
{
	for (; *text != '\0'; text++)
		put_octet(w, *text);
}

/* TEXT has been through text_escape: printable ASCII, in which a backslash begins an escape. OCTETS
 * get a backslash. */
static void
put_quoted(struct writer *w, const char *text, const char *octets)
{
	put_octet(w, '"');
	for (; *text != '\0'; text++) {
		if (strchr(octets, *text) != NULL)
			put_octet(w, '\\');
		put_octet(w, *text);
	}
	put_octet(w, '"');
}

/* Quoted only where the value's end would be in doubt. */
static void
put_plain_value(struct writer *w, const char *text)
{
	if (*text != '\0' && strpbrk(text, " \"=") == NULL)
		put(w, text);
	else
		put_quoted(w, text, "\"");
}

static void
put_value(struct writer *w, enum log_format format, const struct log_field *field)
{
	char safe[LOG_VALUE_MAX + 1];

	if (field->type == LOG_FIELD_NUMBER) {
		snprintf(safe, sizeof(safe), "%" PRIu64, field->number);
		put(w, safe);
		return;
	}
	text_escape(field->text, strlen(field->text), safe, sizeof(safe));
	if (format == LOG_JSON)
		put_quoted(w, safe, "\"\\");
	else
		put_plain_value(w, safe);
}

/* One field, or nothing at all where it does not fit. */
static void
put_field(struct writer *w, enum log_format format, const struct log_field *field)
{
	size_t before = w->at;

	if (field->type == LOG_FIELD_TEXT && field->text == NULL)
		return;
	if (format == LOG_JSON) {
		put(w, before > 0 && w->buf[before - 1] == '{' ? "\"" : ",\"");
		put(w, field->name);
		put(w, "\":");
	} else {
		put(w, " ");
		put(w, field->name);
		put(w, "=");
	}
	put_value(w, format, field);
	if (w->full) {
		w->at = before;
		w->full = false;
	}
}

static void
put_fields(struct writer *w, enum log_format format, const struct log_field *fields)
{
	for (; fields != NULL && fields->name != NULL; fields++)
		put_field(w, format, fields);
}

/* RFC 3339, UTC, milliseconds. */
static void
format_time(const struct timespec *when, char *out, size_t room)
{
	struct tm tm;
	char seconds[32];

	gmtime_r(&when->tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, room, "%s.%03dZ", seconds, (int) (when->tv_nsec / 1000000));
}

static void
put_heading(struct writer *w, const struct log_line *line)
{
	char when[64], priority[16];

	format_time(&line->time, when, sizeof(when));
	if (line->heading == LOG_HEADING_PRIORITY_AND_TIME) {
		snprintf(priority, sizeof(priority), "<%d>", log_level_priority(line->level));
		put(w, priority);
	}
	if (line->format == LOG_JSON) {
		put(w, "{");
		put_fields(w, LOG_JSON,
		    LOG_FIELDS(LOG_TEXT("time", when),
			LOG_TEXT("level", log_level_name(line->level)),
			LOG_TEXT("event", line->message)));
		return;
	}
	if (line->heading != LOG_HEADING_NONE) {
		put(w, when);
		put(w, " ");
		put(w, log_level_name(line->level));
		put(w, " ");
	}
	put(w, line->message);
}

size_t
log_line_write(const struct log_line *line, const struct log_field *fields,
    const struct log_field *fields_more, char *buf)
{
	struct writer w = { .buf = buf, .room = LOG_LINE_MAX - sizeof("}\n") };

	put_heading(&w, line);
	put_fields(&w, line->format, LOG_FIELDS(LOG_TEXT("session", line->session_id)));
	put_fields(&w, line->format, fields);
	put_fields(&w, line->format, fields_more);
	w.room = LOG_LINE_MAX - 1;
	put(&w, line->format == LOG_JSON ? "}\n" : "\n");
	buf[w.at] = '\0';
	return w.at;
}
