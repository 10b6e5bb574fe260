/* command_settings.c - "popgate settings": the table of settings, for people and for the manual's
 * test.
 *
 * Columns are separated by two blanks or more and hold no two blanks in a row: block, name, what it
 * may hold, default
 * ("-" where there is none), meaning. */
#include <stdio.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/settings.h"

enum { COLUMN_MAX = 128 };

static const char *
default_shown(const struct setting *s)
{
	if (s->default_text == NULL)
		return "-";
	return s->default_text[0] == '\0' ? "\"\"" : s->default_text;
}

static int
wider(int width, const char *text)
{
	return (int) strlen(text) > width ? (int) strlen(text) : width;
}

int
command_settings(const struct command_line *line)
{
	int name_width = 0, value_width = 0, default_width = 0;
	char value[COLUMN_MAX];
	const struct setting *s;

	(void) line;
	for (s = settings; s < settings + settings_count; s++) {
		setting_describe(s, value, sizeof(value));
		name_width = wider(name_width, s->name);
		value_width = wider(value_width, value);
		default_width = wider(default_width, default_shown(s));
	}
	for (s = settings; s < settings + settings_count; s++) {
		setting_describe(s, value, sizeof(value));
		printf("%-8s  %-*s  %-*s  %-*s  %s\n", setting_block_name(s->block), name_width,
		    s->name, value_width, value, default_width, default_shown(s), s->help);
	}
	return 0;
}
