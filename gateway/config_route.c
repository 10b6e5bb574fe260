/* config_route.c - see config_route.h. */
#include "gateway/config_route.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "gateway/curl_library.h"
#include "gateway/suggestion.h"
#include "gateway/table.h"
#include "gateway/table_file.h"
#include "gateway/target.h"

void
config_route_clear(struct route *r)
{
	free(r->label);
	table_unref(r->table);
	free(r->auth_host);
	settings_clear(SETTING_ROUTE, r);
}

static void
report_unknown(const struct config *config, const char *label, unsigned line,
    struct config_report *report)
{
	struct suggestion nearest;

	suggestion_begin(&nearest, label, strlen(label));
	for (size_t i = 0; i < config->upstream_count; i++)
		suggestion_offer(&nearest, config->upstreams[i].label);
	if (suggestion_best(&nearest) != NULL)
		config_report_add(report, CONFIG_FAULT, line,
		    "upstream: there is no upstream %s; did you mean \"%s\"?", label,
		    suggestion_best(&nearest));
	else
		config_report_add(
		    report, CONFIG_FAULT, line, "upstream: there is no upstream %s", label);
}

/* Finds the upstreams that R leads to; an only one need not be named. */
static void
resolve_upstreams(const struct config *config, struct route *r, const struct setting_lines *lines,
    struct config_report *report)
{
	unsigned line = line_of(lines, SETTING_ROUTE, "upstream");
	const struct text_list *labels = &r->upstream_labels;
	const struct upstream *found;

	if (line == 0 && config->upstream_count == 1) {
		r->upstreams[r->upstream_count++] = &config->upstreams[0];
		return;
	}
	if (line == 0 && r->table_path == NULL)
		config_report_add(
		    report, CONFIG_FAULT, lines->begin, "route: upstream is missing");
	if (labels->count > ROUTE_UPSTREAMS_MAX) {
		config_report_add(report, CONFIG_FAULT, line, "upstream: more than %d upstreams",
		    ROUTE_UPSTREAMS_MAX);
		return;
	}
	for (size_t i = 0; i < labels->count; i++) {
		if ((found = config_upstream(config, labels->items[i])) == NULL)
			report_unknown(config, labels->items[i], line, report);
		else
			r->upstreams[r->upstream_count++] = found;
	}
}

static void
check_template(const char *template, const char *name, const char *letters,
    const struct setting_lines *lines, struct config_report *report)
{
	size_t at;

	if (route_template_check(template, letters, &at) != 0)
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_ROUTE, name),
		    "%s: \"%s\" cannot be understood from \"%s\" on", name, template, template + at);
}

/* What a deletion moves away must not end up where it was. */
static void
check_mailbox(const struct route *r, const struct setting_lines *lines, struct config_report *report)
{
	unsigned line = line_of(lines, SETTING_ROUTE, "mailbox");

	config_check_mailboxes(&r->mailboxes, line, report);
	for (size_t i = 0; i < r->upstream_count * r->mailboxes.count; i++) {
		const struct upstream *upstream = r->upstreams[i / r->mailboxes.count];
		const char *mailbox = r->mailboxes.items[i % r->mailboxes.count];

		if (target_is_trash(upstream, mailbox))
			config_report_add(report, CONFIG_FAULT, line,
			    "mailbox: \"%s\" is the trash_mailbox of upstream %s", mailbox,
			    upstream->name);
	}
}

static bool
is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	       strcmp(host, "localhost") == 0;
}

/* Reads R's URL as libcurl will. */
static bool
read_url(const struct curl_library *curl, struct route *r, unsigned line,
    struct config_report *report)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;
	CURLU *url = curl->url();
	uint64_t number = 0;
	size_t len;
	bool good;

	good = url != NULL && curl->url_set(url, CURLUPART_URL, r->auth_http, 0) == CURLUE_OK &&
	       curl->url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	       curl->url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	       curl->url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	       text_to_number(port, strlen(port), 65535, &number) == 0 && number != 0 &&
	       curl->url_get(url, CURLUPART_USER, &user, 0) != CURLUE_OK &&
	       (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	if (good) {
		len = strlen(host);
		r->auth_host = host[0] == '[' ? strndup(host + 1, len - 2) : strdup(host);
		r->auth_port = (uint16_t) number;
	} else {
		config_report_add(report, CONFIG_FAULT, line,
		    "auth_http: expected a URL such as http://127.0.0.1:8080/auth, found \"%s\"",
		    r->auth_http);
	}
	if (good && strcmp(scheme, "http") == 0 && !is_loopback(r->auth_host))
		config_report_add(report, CONFIG_WARNING, line,
		    "auth_http: passwords are sent to %s without TLS", host);
	curl->free(scheme);
	curl->free(host);
	curl->free(port);
	curl->free(user);
	curl->url_cleanup(url);
	return good;
}

/* The same, where libcurl can be had; nothing can be asked without it. */
static int
check_url(struct route *r, unsigned line, struct config_report *report)
{
	struct curl_library curl;
	struct error e = { 0 };

	if (curl_library_load(&curl, &e) != 0)
		config_report_add(
		    report, CONFIG_FAULT, line, "auth_http: libcurl cannot be used: %s", e.text);
	else if (read_url(&curl, r, line, report) && r->auth_host == NULL)
		return ERR_NO_MEMORY;
	return 0;
}

static int
check_auth_http(struct route *r, const struct setting_lines *lines, struct config_report *report)
{
	static const char *const others[] = { "auth_http_servers", "auth_http_timeout",
		"auth_http_cache", "auth_http_header", "auth_http_ca_file", "auth_http_pass" };
	unsigned line = line_of(lines, SETTING_ROUTE, "auth_http");

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && r->auth_http == NULL; i++)
		if (line_of(lines, SETTING_ROUTE, others[i]) != 0)
			config_report_add(report, CONFIG_WARNING,
			    line_of(lines, SETTING_ROUTE, others[i]),
			    "%s: means nothing without auth_http", others[i]);
	if (r->auth_http == NULL)
		return 0;
	if (r->table_path != NULL)
		config_report_add(report, CONFIG_FAULT, line,
		    "auth_http: not with a table; two routes can have one each");
	if (r->auth_header[0] != '\0' && strchr(r->auth_header, ':') == NULL)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_ROUTE, "auth_http_header"),
		    "auth_http_header: expected a field such as \"X-Key: secret\"");
	return check_url(r, line, report);
}

/* A route with a table lets others pass by. */
static int
open_table(struct route *r, const struct setting_lines *lines, struct config_report *report)
{
	unsigned line = line_of(lines, SETTING_ROUTE, "table");
	int rc;

	if (r->table_path == NULL)
		return 0;
	if ((rc = table_file_check(r->table_path)) == ERR_GONE)
		config_report_add(report, CONFIG_FAULT, line,
		    "table: %s has no index; \"popgate table build %s\" makes it", r->table_path,
		    r->table_path);
	else if (rc == ERR_INVALID)
		config_report_add(report, CONFIG_WARNING, line,
		    "table: %s is newer than its index; \"popgate table build\" makes that anew",
		    r->table_path);
	return table_new(r->table_path, &r->table);
}

static int
check_route(const struct config *config, struct route *r, const struct setting_lines *lines,
    struct config_report *report)
{
	char separator = r->folder_separator[0];
	int rc;

	resolve_upstreams(config, r, lines, report);
	check_template(r->login, "login", "und", lines, report);
	check_template(r->folder_mailbox, "folder_mailbox", "f", lines, report);
	if (separator != '\0' && strchr("!#$%&*+,-./:;=^_|~", separator) == NULL)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_ROUTE, "folder_separator"),
		    "folder_separator: expected a sign such as \"+\", found \"%c\"", separator);
	check_mailbox(r, lines, report);
	if ((rc = check_auth_http(r, lines, report)) != 0)
		return rc;
	return open_table(r, lines, report);
}

/* A second one of the same label, or one that nobody gets to. */
static void
check_beside(const struct config *config, const struct config_lines *lines, size_t i,
    struct config_report *report)
{
	const struct route *r = &config->routes[i], *other;
	unsigned line = lines->routes[i].begin;

	for (size_t j = 0; j < i; j++) {
		other = &config->routes[j];
		if (strcmp(other->label, r->label) == 0)
			config_report_add(report, CONFIG_FAULT, line,
			    "route: %s is there twice; first in line %u", r->label,
			    lines->routes[j].begin);
		else if (other->users.count == 0 && other->table_path == NULL &&
			 r->users.count == 0)
			config_report_add(report, CONFIG_FAULT, line,
			    "route: without users, as the route of line %u, which everybody takes",
			    lines->routes[j].begin);
	}
}

/* The route of a configuration without any. */
static int
add_route(struct config *config)
{
	struct route *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ERR_NO_MEMORY;
	config->routes = r;
	config->route_count = 1;
	r->upstreams[r->upstream_count++] = &config->upstreams[0];
	return (r->label = strdup("")) != NULL ? settings_assign_defaults(SETTING_ROUTE, r)
					       : ERR_NO_MEMORY;
}

int
config_check_routes(
    struct config *config, const struct config_lines *lines, struct config_report *report)
{
	int rc;

	if (config->route_count == 0 && config->upstream_count > 0)
		return add_route(config);
	for (size_t i = 0; i < config->route_count; i++) {
		rc = check_route(config, &config->routes[i], &lines->routes[i], report);
		if (rc != 0)
			return rc;
		check_beside(config, lines, i, report);
	}
	return 0;
}
