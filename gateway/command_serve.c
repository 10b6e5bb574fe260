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
#include "gateway/identity.h"
#include "gateway/inherited.h"
#include "gateway/log.h"
#include "gateway/privacy.h"
#include "gateway/rehearsal.h"
#include "gateway/signals.h"
#include "gateway/supervisor.h"

/* A configuration that was loaded, and what from. */
struct source {
	const char *file;
	char *text;
	size_t len;
	struct config *config;
	struct config_report report;
	size_t inherited; /* sockets that came along */
};

/* What a supervisor needs of it, where there is to be one and the rest is good too; else all. */
static int
load(struct source *source)
{
	struct config_report said_again = { 0 };
	int rc = config_load_outline(
	    source->file, source->text, source->len, &source->config, &said_again);

	config_report_clear(&said_again);
	if (rc == 0 && config_worker_count(source->config) > 0)
		return rehearse(source->file, source->text, source->len, &source->report);
	config_unref(source->config);
	source->config = NULL;
	return config_load_text(
	    source->file, source->text, source->len, &source->config, &source->report);
}

/* Loads it once more: what the one that we are now may not read is found out here, and not by the
 * workers one after another. */
static int
load_again(struct source *source, struct log *log)
{
	int rc;

	config_unref(source->config);
	source->config = NULL;
	config_report_clear(&source->report);
	if ((rc = load(source)) == 0)
		return 0;
	config_report_log(&source->report, source->file, log);
	return rc == ERR_NO_MEMORY ? EX_OSERR : EX_CONFIG;
}

/* Binds what may be root's to bind, and then is root no more. Returns an exit status; E says what
 * failed. */
static int
become_user(struct source *source, struct sockets *sockets, struct log *log, struct error *e)
{
	const struct config *config = source->config;
	struct identity identity;
	struct sockets next;
	int status;

	if (identity_find(config->user, &identity, e) != 0)
		return EX_NOUSER;
	if (identity_check_owner(&identity, config->state_directory, e) != 0)
		return EX_CANTCREAT;
	if (sockets_prepare(sockets, config, &next, e) != 0)
		return EX_OSERR;
	sockets_commit(sockets, &next, config, log);
	if (identity_assume(&identity, e) != 0)
		return EX_NOPERM;
	privacy_begin(); /* which setuid(2) has undone */
	log_event(log, LOG_LEVEL_INFO, NULL, "not root any more",
	    LOG_FIELDS(LOG_TEXT("user", config->user)));
	if ((status = load_again(source, log)) != 0)
		error_set(e, ERR_INVALID, "the user cannot use the configuration");
	return status;
}

/* The sockets that are there before anything serves, and who serves. As become_user. */
static int
settle(struct source *source, struct sockets *sockets, struct log *log, struct error *e)
{
	if (sockets_inherit(sockets, source->inherited, source->config, log, e) != 0)
		return EX_OSERR;
	if (geteuid() != 0)
		return 0;
	if (source->config->user[0] != '\0')
		return become_user(source, sockets, log, e);
	log_event(log, LOG_LEVEL_WARNING, NULL, "running as root, which popgate never needs", NULL);
	return 0;
}

static int
serve(struct source *source)
{
	struct sockets sockets = { 0 };
	struct error e = { 0 };
	struct log *log;
	int status;

	if (log_new(&source->config->log, &log) != 0)
		return EX_OSERR;
	log_event(log, LOG_LEVEL_INFO, NULL, "starting",
	    LOG_FIELDS(LOG_TEXT("version", POPGATE_VERSION)));
	config_report_log(&source->report, source->file, log);
	signals_hold();
	if ((status = settle(source, &sockets, log, &e)) != 0)
		log_error(log, LOG_LEVEL_ERROR, NULL, "cannot start", &e, NULL);
	else if (config_worker_count(source->config) == 0)
		status = serve_alone(source->config, source->file, &sockets, log);
	else
		status = supervisor_run(
		    source->config, source->text, source->len, source->file, &sockets, log);
	sockets_close(&sockets);
	log_free(log);
	return status;
}

int
command_serve(const struct command_line *line)
{
	struct source source = { .file = line->config, .inherited = inherited_take() };
	int rc, status;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
	umask(077);
	privacy_begin();
	rc = config_read(source.file, &source.text, &source.len, &source.report);
	if (rc == 0)
		rc = load(&source);
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
