/* config_report.c - everything that is wrong with a configuration. */
#include "gateway/config_report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { REMARK_MAX = 1024 }; /* octets of a formatted remark */

void
config_report_clear(struct config_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->remarks[i].text);
	free(report->remarks);
	memset(report, 0, sizeof(*report));
}

void
config_report_add(struct config_report *report, enum config_severity severity, unsigned line,
    const char *format, ...)
{
	struct config_remark *grown, remark = { .severity = severity, .line = line };
	va_list args;
	int len;

	if (severity == CONFIG_FAULT)
		report->faults++;
	grown = realloc(report->remarks, (report->count + 1) * sizeof(*grown));
	if (grown == NULL) {
		report->no_memory = true;
		return;
	}
	report->remarks = grown;
	va_start(args, format);
	len = vasprintf(&remark.text, format, args);
	va_end(args);
	if (len < 0)
		report->no_memory = true;
	else
		report->remarks[report->count++] = remark;
}

int
config_report_error(
    struct config_report *report, unsigned line, const char *name, const struct error *e)
{
	if (e->code == ERR_NO_MEMORY)
		return ERR_NO_MEMORY;
	config_report_add(report, CONFIG_FAULT, line, "%s: %s", name, e->text);
	return 0;
}

static bool
comes_before(const struct config_remark *a, const struct config_remark *b)
{
	return a->line != 0 && (b->line == 0 || a->line < b->line);
}

/* By insertion: a few remarks, nearly in order, and those of one line keep theirs. */
void
config_report_sort(struct config_report *report)
{
	struct config_remark remark;
	size_t at;

	for (size_t i = 1; i < report->count; i++) {
		remark = report->remarks[i];
		for (at = i; at > 0 && comes_before(&remark, &report->remarks[at - 1]); at--)
			report->remarks[at] = report->remarks[at - 1];
		report->remarks[at] = remark;
	}
}

void
config_report_format(
    const struct config_report *report, size_t index, const char *file, char *out, size_t room)
{
	const struct config_remark *remark = &report->remarks[index];
	const char *kind = remark->severity == CONFIG_WARNING ? "warning: " : "";

	if (remark->line == 0)
		snprintf(out, room, "%s: %s%s", file, kind, remark->text);
	else
		snprintf(out, room, "%s:%u: %s%s", file, remark->line, kind, remark->text);
}

void
config_report_print(const struct config_report *report, const char *file, FILE *out)
{
	char line[REMARK_MAX];

	for (size_t i = 0; i < report->count; i++) {
		config_report_format(report, i, file, line, sizeof(line));
		fprintf(out, "%s\n", line);
	}
}

void
config_report_log(const struct config_report *report, const char *file, struct log *log)
{
	enum log_level level;
	char text[LOG_VALUE_MAX];

	for (size_t i = 0; i < report->count; i++) {
		level = report->remarks[i].severity == CONFIG_FAULT ? LOG_LEVEL_ERROR
								    : LOG_LEVEL_WARNING;
		config_report_format(report, i, file, text, sizeof(text));
		log_event(log, level, NULL, "configuration", LOG_FIELDS(LOG_TEXT("remark", text)));
	}
}
