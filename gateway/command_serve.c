/* command_serve.c - "popgate serve": loads the configuration and has it served, by workers under a
 * supervisor or by this process alone. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/alone.h"
#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/log.h"
#include "gateway/privacy.h"
#include "gateway/supervisor.h"

/* A configuration that was loaded, and what from. */
struct source {
	const char *file;
	char *text;
	size_t len;
	struct config *config;
	struct config_report report;
};

static int
serve(const struct source *source)
{
	struct config *config = source->config;
	struct log *log;
	int status;

	if (log_new(&config->log, &log) != 0)
		return EX_OSERR;
	log_event(log, LOG_LEVEL_INFO, NULL, "starting",
	    LOG_FIELDS(LOG_TEXT("version", POPGATE_VERSION)));
	config_report_log(&source->report, source->file, log);
	if (geteuid() == 0)
		log_event(log, LOG_LEVEL_WARNING, NULL,
		    "running as root, which popgate never needs", NULL);
	if (config_worker_count(config) == 0)
		status = serve_alone(config, source->file, log);
	else
		status = supervisor_run(config, source->text, source->len, source->file, log);
	log_free(log);
	return status;
}

int
command_serve(const struct command_line *line)
{
	struct source source = { .file = line->config };
	int rc, status;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
	umask(077);
	privacy_begin();
	rc = config_read(source.file, &source.text, &source.len, &source.report);
	if (rc == 0)
		rc = config_load_text(
		    source.file, source.text, source.len, &source.config, &source.report);
	if (rc == 0) {
		status = serve(&source);
	} else {
		/* Where the log goes is not known. */
		config_report_print(&source.report, source.file, stderr);
		status = rc == ERR_NO_MEMORY ? EX_OSERR : EX_CONFIG;
	}
	free(source.text);
	config_report_clear(&source.report);
	config_unref(source.config);
	return status;
}
