/* fuzz_config.c - configuration files: parser, table of settings, cross checks.
 *
 * Whatever the file holds: no crash, either a configuration or at least one fault, every fault
 * within the file's lines, and blocks that begin and end in turn. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gateway/config.h"
#include "gateway/config_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct seen {
	unsigned lines;
	int open;
};

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
check_line(const struct seen *seen, unsigned line)
{
	check(line >= 1 && line <= seen->lines);
}

static void
on_block_begin(void *ctx, unsigned line, const char *kind, const char *label)
{
	struct seen *seen = ctx;

	check_line(seen, line);
	check(!seen->open && kind[0] != '\0' && strlen(label) < SIZE_MAX);
	seen->open = 1;
}

static void
on_block_end(void *ctx, unsigned line)
{
	struct seen *seen = ctx;

	check_line(seen, line);
	check(seen->open);
	seen->open = 0;
}

static void
on_setting(void *ctx, unsigned line, const char *name, const char *const *items, size_t count)
{
	check_line(ctx, line);
	check(name[0] != '\0' && count >= 1 && count <= CONFIG_ITEMS_MAX);
	for (size_t i = 0; i < count; i++)
		check(memchr(items[i], '\n', strlen(items[i])) == NULL);
}

static void
on_fault(void *ctx, unsigned line, const char *message)
{
	check_line(ctx, line);
	check(message[0] != '\0' && strchr(message, '\n') == NULL);
}

static unsigned
count_lines(const uint8_t *data, size_t len)
{
	unsigned lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	return lines;
}

/* What OpenSSL does with files is not our question, and reading the system's roots takes nearly all
 * the time. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	return 0;
}

static int
leads_to_files(const uint8_t *data, size_t len)
{
	return memmem(data, len, "certificate", 11) != NULL ||
	       memmem(data, len, "ca_file", 7) != NULL || memmem(data, len, "key", 3) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct config_events events = { on_block_begin, on_block_end, on_setting,
		on_fault };
	struct seen seen = { .lines = count_lines(data, len) };
	struct config_report report = { 0 };
	struct config *config = NULL;
	int rc;

	check(config_parse((const char *) data, len, &events, &seen) == 0);
	check(!seen.open);
	if (leads_to_files(data, len))
		return 0;
	rc = config_load_text("folder/popgate.conf", (const char *) data, len, &config, &report);
	check(rc == 0 || rc == ERR_INVALID);
	check((rc == 0) == (report.faults == 0) && (rc == 0) == (config != NULL));
	for (size_t i = 0; i < report.count; i++)
		check(report.remarks[i].line <= seen.lines);
	config_unref(config);
	config_report_clear(&report);
	return 0;
}
