/* fuzz_table_line.c - lines of a table of users, and templates of names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gateway/table_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* What is made of a name fits where it goes to, whatever the template is. */
static void
check_names(const struct table_line *l)
{
	const struct route r = { .folder_separator = "+" };
	struct route_name name;
	char out[64];
	size_t at;

	route_read(&r, l->user, &name);
	check(strlen(name.user) + strlen(name.folder) <= strlen(l->user));
	if (route_template_check(l->mailbox, "undf", &at) != 0)
		check(at <= strlen(l->mailbox));
	else if (route_expand(l->mailbox, &name, out, sizeof(out)) == 0)
		check(strlen(out) < sizeof(out));
	check(!pattern_fits("?*", ""));
	(void) pattern_fits(l->mailbox, l->user);
	check(pattern_fits("*", l->user));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct table_line line;
	const char *what;

	if (table_line_parse((const char *) data, size, &line, &what) != 0) {
		check(what != NULL);
		return 0;
	}
	check(what == NULL && text_is_utf8(line.user, strlen(line.user)));
	check(line.user[0] != '\0' || line.upstreams[0] == '\0');
	check_names(&line);
	return 0;
}
