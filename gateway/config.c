/* config.c - from a file to a struct config: the parser's events meet the table of settings. */
#include "gateway/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "gateway/config_check.h"
#include "gateway/config_parse.h"
#include "gateway/config_route.h"
#include "gateway/settings.h"
#include "gateway/suggestion.h"

enum { CONFIG_FILE_MAX = 1024 * 1024, SHOWN_MAX = 64, LABEL_MAX = 64 };

/* A file on its way into CONFIG. */
struct loader {
	struct config *config;
	struct config_report *report;
	struct config_lines lines;
	char *folder;		  /* of the file; "" is the current one */
	enum setting_block block; /* where the next setting stands */
	void *target;		  /* its struct; NULL in an unknown block */
	struct setting_lines *target_lines;
	bool no_memory;
};

static const struct {
	const char *kind;
	enum setting_block block;
} blocks[] = {
	{ "listener", SETTING_LISTENER },
	{ "upstream", SETTING_UPSTREAM },
	{ "route", SETTING_ROUTE },
};

enum { BLOCKS = sizeof(blocks) / sizeof(blocks[0]) };

const char *
listener_protocol_name(enum listener_protocol protocol)
{
	return protocol == LISTENER_POP3S ? "pop3s" : "pop3";
}

unsigned
config_worker_count(const struct config *config)
{
	unsigned processors;

	if (config->workers != WORKERS_AUTO)
		return config->workers;
	processors = uv_available_parallelism();
	return processors < WORKERS_MAX ? processors : WORKERS_MAX;
}

const struct upstream *
config_upstream(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].name != NULL &&
		    strcmp(config->upstreams[i].name, name) == 0)
			return &config->upstreams[i];
	return NULL;
}

size_t
config_address_count(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->listener_count; i++)
		count += config->listeners[i].addresses.count;
	return count;
}

struct config *
config_ref(struct config *config)
{
	config->references++;
	return config;
}

bool
network_list_is_everywhere(const struct network_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].bits == 0)
			return true;
	return false;
}

void
config_listener_clear(struct config_listener *l)
{
	tls_server_unref(l->tls);
	settings_clear(SETTING_LISTENER, l);
}

static void
upstream_clear(struct upstream *u)
{
	tls_client_unref(u->imap.tls);
	uidl_template_free(u->uidl);
	credentials_clear(&u->master);
	free(u->name);
	free(u->label);
	settings_clear(SETTING_UPSTREAM, u);
}

void
config_unref(struct config *config)
{
	if (config == NULL || --config->references > 0)
		return;
	for (size_t i = 0; i < config->listener_count; i++)
		config_listener_clear(&config->listeners[i]);
	for (size_t i = 0; i < config->upstream_count; i++)
		upstream_clear(&config->upstreams[i]);
	for (size_t i = 0; i < config->route_count; i++)
		config_route_clear(&config->routes[i]);
	free(config->routes);
	free(config->listeners);
	free(config->upstreams);
	settings_clear(SETTING_GLOBAL, config);
	free(config);
}

/* TEXT of the file, short and safe. */
static const char *
shown(const char *text, char buf[SHOWN_MAX])
{
	text_escape(text, strlen(text), buf, SHOWN_MAX);
	return buf;
}

/* ITEMS (COUNT of SIZE octets) made longer by one, which is zeroed; or NULL, and ITEMS is as
 * before. */
static void *
grow(void *items, size_t count, size_t size)
{
	char *grown;

	if ((grown = realloc(items, (count + 1) * size)) != NULL)
		memset(grown + count * size, 0, size);
	return grown;
}

/* Leaves the block that was begun, if any. */
static void
enter_global(struct loader *l)
{
	l->block = SETTING_GLOBAL;
	l->target = l->config;
	l->target_lines = &l->lines.global;
}

static int
begin_listener(struct loader *l, unsigned line, const char *label)
{
	struct config *config = l->config;
	struct config_listener *listeners, *listener;
	struct setting_lines *lines;
	char buf[SHOWN_MAX];

	listeners = grow(config->listeners, config->listener_count, sizeof(*listeners));
	if (listeners == NULL)
		return ERR_NO_MEMORY;
	config->listeners = listeners;
	lines = grow(l->lines.listeners, config->listener_count, sizeof(*lines));
	if (lines == NULL)
		return ERR_NO_MEMORY;
	l->lines.listeners = lines;
	l->target_lines = &lines[config->listener_count];
	l->target = listener = &listeners[config->listener_count++];
	if (strcmp(label, "pop3s") == 0)
		listener->protocol = LISTENER_POP3S;
	else if (strcmp(label, "pop3") != 0)
		config_report_add(l->report, CONFIG_FAULT, line,
		    "listener: expected pop3 or pop3s, found \"%s\"", shown(label, buf));
	return settings_assign_defaults(SETTING_LISTENER, listener);
}

/* Labels end up in log lines, tables and command lines, and are parted by blanks and commas there. */
static bool
is_label(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (strchr("-_.", text[i]) == NULL && !(text[i] >= '0' && text[i] <= '9') &&
		    !((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z'))
			return false;
	return len > 0 && len <= LABEL_MAX && text[0] != '-';
}

static void
check_label(struct loader *l, unsigned line, const char *kind, const char *label)
{
	char buf[SHOWN_MAX];

	if (!is_label(label))
		config_report_add(l->report, CONFIG_FAULT, line,
		    "%s: expected a label of letters, digits, \".\", \"-\" and \"_\", found \"%s\"",
		    kind, shown(label, buf));
}

static int
begin_upstream(struct loader *l, unsigned line, const char *label)
{
	struct config *config = l->config;
	struct upstream *upstreams, *upstream;
	struct setting_lines *lines;

	upstreams = grow(config->upstreams, config->upstream_count, sizeof(*upstreams));
	if (upstreams == NULL)
		return ERR_NO_MEMORY;
	config->upstreams = upstreams;
	lines = grow(l->lines.upstreams, config->upstream_count, sizeof(*lines));
	if (lines == NULL)
		return ERR_NO_MEMORY;
	l->lines.upstreams = lines;
	l->target_lines = &lines[config->upstream_count];
	l->target = upstream = &upstreams[config->upstream_count++];
	if (label[0] != '\0')
		check_label(l, line, "upstream", label);
	if ((upstream->label = strdup(label)) == NULL)
		return ERR_NO_MEMORY;
	return settings_assign_defaults(SETTING_UPSTREAM, upstream);
}

static int
begin_route(struct loader *l, unsigned line, const char *label)
{
	struct config *config = l->config;
	struct route *routes, *route;
	struct setting_lines *lines;

	routes = grow(config->routes, config->route_count, sizeof(*routes));
	if (routes == NULL)
		return ERR_NO_MEMORY;
	config->routes = routes;
	lines = grow(l->lines.routes, config->route_count, sizeof(*lines));
	if (lines == NULL)
		return ERR_NO_MEMORY;
	l->lines.routes = lines;
	l->target_lines = &lines[config->route_count];
	l->target = route = &routes[config->route_count++];
	check_label(l, line, "route", label);
	if ((route->label = strdup(label)) == NULL)
		return ERR_NO_MEMORY;
	return settings_assign_defaults(SETTING_ROUTE, route);
}

static void
unknown_block(struct loader *l, unsigned line, const char *kind)
{
	struct suggestion nearest;
	char buf[SHOWN_MAX];

	suggestion_begin(&nearest, kind, strlen(kind));
	for (size_t i = 0; i < BLOCKS; i++)
		suggestion_offer(&nearest, blocks[i].kind);
	if (suggestion_best(&nearest) != NULL)
		config_report_add(l->report, CONFIG_FAULT, line,
		    "unknown block \"%s\"; did you mean \"%s\"?", shown(kind, buf),
		    suggestion_best(&nearest));
	else
		config_report_add(
		    l->report, CONFIG_FAULT, line, "unknown block \"%s\"", shown(kind, buf));
}

static void
on_block_begin(void *ctx, unsigned line, const char *kind, const char *label)
{
	struct loader *l = ctx;
	size_t i = 0;
	int rc;

	while (i < BLOCKS && strcmp(blocks[i].kind, kind) != 0)
		i++;
	if (i == BLOCKS) {
		unknown_block(l, line, kind);
		l->target = NULL;
		return;
	}
	l->block = blocks[i].block;
	l->target_lines = NULL;
	if (l->block == SETTING_LISTENER)
		rc = begin_listener(l, line, label);
	else if (l->block == SETTING_ROUTE)
		rc = begin_route(l, line, label);
	else
		rc = begin_upstream(l, line, label);
	if (rc != 0) {
		l->no_memory = true;
		l->target = NULL;
		return;
	}
	l->target_lines->begin = line;
}

static void
on_block_end(void *ctx, unsigned line)
{
	(void) line;
	enter_global(ctx);
}

/* A setting of another block, a mistyped one, or none of ours at all. */
static void
unknown_setting(struct loader *l, unsigned line, const char *name)
{
	struct suggestion nearest;
	char buf[SHOWN_MAX];

	shown(name, buf);
	for (enum setting_block b = SETTING_GLOBAL; b < SETTING_BLOCKS; b++) {
		if (setting_find(b, name) == NULL)
			continue;
		config_report_add(l->report, CONFIG_FAULT, line,
		    b == SETTING_GLOBAL ? "\"%s\" belongs outside of blocks"
					: "\"%s\" belongs in a block \"%s\"",
		    name, setting_block_name(b));
		return;
	}
	suggestion_begin(&nearest, name, strlen(name));
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].block == l->block)
			suggestion_offer(&nearest, settings[i].name);
	for (size_t i = 0; i < BLOCKS && l->block == SETTING_GLOBAL; i++)
		suggestion_offer(&nearest, blocks[i].kind);
	if (suggestion_best(&nearest) != NULL)
		config_report_add(l->report, CONFIG_FAULT, line,
		    "unknown setting \"%s\"; did you mean \"%s\"?", buf, suggestion_best(&nearest));
	else
		config_report_add(l->report, CONFIG_FAULT, line, "unknown setting \"%s\"", buf);
}

static void
on_setting(void *ctx, unsigned line, const char *name, const char *const *items, size_t count)
{
	struct loader *l = ctx;
	char message[SETTING_MESSAGE_MAX];
	const struct setting *s;
	unsigned *at;
	int rc;

	if (l->target == NULL)
		return;
	if ((s = setting_find(l->block, name)) == NULL) {
		unknown_setting(l, line, name);
		return;
	}
	at = &l->target_lines->at[s - settings];
	if (*at != 0) {
		config_report_add(
		    l->report, CONFIG_FAULT, line, "%s is set twice; first in line %u", name, *at);
		return;
	}
	*at = line;
	rc = setting_assign(s, l->target, items, count, l->folder, message);
	if (rc == ERR_NO_MEMORY)
		l->no_memory = true;
	else if (rc != 0)
		config_report_add(l->report, CONFIG_FAULT, line, "%s", message);
}

static void
on_fault(void *ctx, unsigned line, const char *message)
{
	struct loader *l = ctx;

	config_report_add(l->report, CONFIG_FAULT, line, "%s", message);
}

/* The folder of PATH, allocated. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == path)
		return strdup("/");
	return slash == NULL ? strdup("") : strndup(path, (size_t) (slash - path));
}

static int
loader_run(struct loader *l, const char *text, size_t len)
{
	static const struct config_events events = {
		.block_begin = on_block_begin,
		.block_end = on_block_end,
		.setting = on_setting,
		.fault = on_fault,
	};
	int rc;

	if ((rc = settings_assign_defaults(SETTING_GLOBAL, l->config)) != 0)
		return rc;
	enter_global(l);
	if ((rc = config_parse(text, len, &events, l)) != 0)
		return rc;
	if (l->no_memory)
		return ERR_NO_MEMORY;
	if ((rc = config_check(l->config, &l->lines, l->report)) != 0)
		return rc;
	config_report_sort(l->report);
	if (l->report->no_memory)
		return ERR_NO_MEMORY;
	return l->report->faults > 0 ? ERR_INVALID : 0;
}

static int
load_text(const char *path, const char *text, size_t len, bool outline, struct config **out,
    struct config_report *report)
{
	struct loader l = { .report = report, .folder = folder_of(path) };
	int rc = ERR_NO_MEMORY;

	l.config = calloc(1, sizeof(*l.config));
	if (l.config != NULL && l.folder != NULL) {
		l.config->references = 1;
		l.config->is_outline = outline;
		rc = loader_run(&l, text, len);
	}
	free(l.folder);
	free(l.lines.listeners);
	free(l.lines.upstreams);
	free(l.lines.routes);
	if (rc == 0)
		*out = l.config;
	else if (l.config != NULL && l.config->references > 0)
		config_unref(l.config);
	else
		free(l.config);
	return rc;
}

int
config_load_text(const char *path, const char *text, size_t len, struct config **out,
    struct config_report *report)
{
	return load_text(path, text, len, false, out, report);
}

int
config_load_outline(const char *path, const char *text, size_t len, struct config **out,
    struct config_report *report)
{
	return load_text(path, text, len, true, out, report);
}

/* Reads the file at PATH to *TEXT, allocated. Returns 0, ERR_LIMIT, ERR_TEMPORARY (errno says why)
 * or ERR_NO_MEMORY. */
static int
read_file(const char *path, char **text, size_t *len)
{
	FILE *file;
	int rc, saved;

	if ((file = fopen(path, "re")) == NULL)
		return ERR_TEMPORARY;
	rc = ERR_NO_MEMORY;
	if ((*text = malloc(CONFIG_FILE_MAX + 1)) != NULL) {
		*len = fread(*text, 1, CONFIG_FILE_MAX + 1, file);
		rc = ferror(file) ? ERR_TEMPORARY : *len > CONFIG_FILE_MAX ? ERR_LIMIT : 0;
	}
	saved = errno;
	fclose(file);
	if (rc != 0)
		free(*text);
	errno = saved;
	return rc;
}

int
config_read(const char *path, char **text, size_t *len, struct config_report *report)
{
	int rc;

	if ((rc = read_file(path, text, len)) == 0 || rc == ERR_NO_MEMORY)
		return rc;
	config_report_add(report, CONFIG_FAULT, 0, "cannot be read: %s",
	    rc == ERR_LIMIT ? "it is larger than 1 MiB" : strerror(errno));
	return ERR_INVALID;
}

int
config_load(const char *path, struct config **out, struct config_report *report)
{
	char *text;
	size_t len;
	int rc;

	if ((rc = config_read(path, &text, &len, report)) != 0)
		return rc;
	rc = config_load_text(path, text, len, out, report);
	free(text);
	return rc;
}
