/* command_check.c - "popgate check-config": everything that is wrong, in one go. */
#include <pwd.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/identity.h"

static int
status_of(int rc)
{
	if (rc == ERR_NO_MEMORY)
		return EX_OSERR;
	return rc == 0 ? 0 : EX_CONFIG;
}

/* The same once more for root, as the user who is to serve: that user must be able to read it all.
 * A fault where the setting "user" says who that is. Else it is the owner of the state directory, to
 * whom a unit of systemd may give more than we can see from here. */
static int
check_as_user(const char *file, const struct config *config)
{
	struct config_report report = { 0 };
	struct config *again = NULL;
	struct error e = { 0 };
	const struct passwd *user;
	int rc;

	if (geteuid() != 0)
		return 0;
	if (identity_assume_owner(config->user, config->state_directory, &e) != 0) {
		fprintf(stderr, "%s: %s\n", file, e.text);
		return EX_CONFIG;
	}
	if (geteuid() == 0)
		return 0; /* nobody else is known */
	if ((rc = config_load(file, &again, &report)) != 0) {
		user = getpwuid(geteuid());
		fprintf(stderr, "%s: for the user %s%s:\n", file, user != NULL ? user->pw_name : "",
		    config->user[0] != '\0' ? "" : ", who owns the state directory");
		config_report_print(&report, file, stderr);
	}
	config_unref(again);
	config_report_clear(&report);
	return config->user[0] != '\0' ? status_of(rc) : 0;
}

int
command_check(const struct command_line *line)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	int status;

	status = status_of(config_load(line->config, &config, &report));
	config_report_print(&report, line->config, stderr);
	if (status == 0)
		status = check_as_user(line->config, config);
	if (status == 0)
		printf("%s: ok\n", line->config);
	config_unref(config);
	config_report_clear(&report);
	return status;
}
