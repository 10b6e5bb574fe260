/* command_check.c - "popgate check-config": everything that is wrong, in one go. */
#include <stdio.h>
#include <sysexits.h>

#include "gateway/command.h"
#include "gateway/config.h"

int
command_check(const struct command_line *line)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	int rc;

	rc = config_load(line->config, &config, &report);
	config_report_print(&report, line->config, stderr);
	if (rc == 0)
		printf("%s: ok\n", line->config);
	config_unref(config);
	config_report_clear(&report);
	if (rc == ERR_NO_MEMORY)
		return EX_OSERR;
	return rc == 0 ? 0 : EX_CONFIG;
}
