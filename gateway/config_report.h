/* config_report.h - everything that is wrong with a configuration, not only the first thing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "gateway/log.h"

enum config_severity {
	CONFIG_FAULT,	/* the configuration cannot be used */
	CONFIG_WARNING, /* it can, but somebody should know */
};

struct config_remark {
	enum config_severity severity;
	unsigned line; /* 0: the file as a whole */
	char *text;
};

struct config_report {
	struct config_remark *remarks;
	size_t count;
	size_t faults;	/* how many of them are faults */
	bool no_memory; /* a remark was lost */
};

/* An empty report owns nothing; { 0 } is one. */
void config_report_clear(struct config_report *report);

/* Adds a remark about LINE. */
void config_report_add(struct config_report *report, enum config_severity severity, unsigned line,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What setting NAME, on LINE, is for failed with E: adds a fault that says so, and returns 0; or returns
 * ERR_NO_MEMORY where that was the reason. */
int config_report_error(
    struct config_report *report, unsigned line, const char *name, const struct error *e);

/* Puts the remarks in the order of their lines; those about the file as a whole come last. */
void config_report_sort(struct config_report *report);

/* "FILE:12: TEXT", "FILE:12: warning: TEXT" or "FILE: TEXT" for remark INDEX, cut to ROOM. */
void config_report_format(
    const struct config_report *report, size_t index, const char *file, char *out, size_t room);

/* Prints all remarks to OUT, one a line. */
void config_report_print(const struct config_report *report, const char *file, FILE *out);

/* Logs all remarks, one a line. */
void config_report_log(const struct config_report *report, const char *file, struct log *log);
