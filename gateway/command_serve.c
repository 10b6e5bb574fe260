/* command_serve.c - "popgate serve": loads the configuration and runs a worker with it. */
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/log.h"
#include "gateway/worker.h"

static int
serve(struct config *config, const struct config_report *report, const char *config_file)
{
	struct log *log;
	int status;

	if (log_new(&config->log, &log) != 0)
		return EX_OSERR;
	log_event(log, LOG_LEVEL_INFO, NULL, "starting",
	    LOG_FIELDS(LOG_TEXT("version", POPGATE_VERSION)));
	config_report_log(report, config_file, log);
	status = worker_run(config, config_file, log);
	log_free(log);
	return status;
}

int
command_serve(const struct command_line *line)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	int rc, status;

	umask(077);
	rc = config_load(line->config, &config, &report);
	if (rc == 0) {
		status = serve(config, &report, line->config);
	} else {
		/* Where the log goes is not known. */
		config_report_print(&report, line->config, stderr);
		status = rc == ERR_NO_MEMORY ? EX_OSERR : EX_CONFIG;
	}
	config_report_clear(&report);
	config_unref(config);
	return status;
}
