/* config_check.c - what one setting says about another, and what the settings lead to. */
#include "gateway/config_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "gateway/config_login.h"
#include "gateway/config_route.h"
#include "gateway/config_tls.h"
#include "gateway/identity.h"
#include "gateway/suggestion.h"
#include "gateway/target.h"
#include "gateway/upstream_preset.h"

enum { IMAP_PORT = 143, POP3_PORT = 110, POP3S_PORT = 995, RFC1939_IDLE_MS = 10 * 60 * 1000 };

unsigned
line_of(const struct setting_lines *lines, enum setting_block block, const char *name)
{
	return lines->at[setting_find(block, name) - settings];
}

unsigned
line_near(const struct setting_lines *lines, enum setting_block block, const char *name)
{
	unsigned line = line_of(lines, block, name);

	return line != 0 ? line : lines->begin;
}

/* Only root becomes somebody else. Others, and workers in their sandbox, are not to ask for it: the
 * list of users may be on another machine. */
static void
check_user(
    const struct config *config, const struct setting_lines *lines, struct config_report *report)
{
	struct identity identity;
	struct error e;

	if (config->user[0] != '\0' && geteuid() == 0 &&
	    identity_find(config->user, &identity, &e) != 0)
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_GLOBAL, "user"),
		    "user: %s", e.text);
}

static void
check_global(struct config *config, const struct setting_lines *lines, struct config_report *report)
{
	if (config->pop3.idle_ms < RFC1939_IDLE_MS)
		config_report_add(report, CONFIG_WARNING,
		    line_of(lines, SETTING_GLOBAL, "idle_timeout"),
		    "idle_timeout: RFC 1939 asks for 10m or more; clients may be cut off");
	if (network_list_is_everywhere(&config->plaintext_networks))
		config_report_add(report, CONFIG_WARNING,
		    line_of(lines, SETTING_GLOBAL, "plaintext_networks"),
		    "plaintext_networks: passwords are accepted without TLS from everywhere");
	config_check_names(config, lines, report);
	check_user(config, lines, report);
}

static bool
listens_beyond_loopback(const struct config_listener *l)
{
	for (size_t i = 0; i < l->addresses.count; i++)
		if (strncmp(l->addresses.items[i], "127.", 4) != 0 &&
		    strncmp(l->addresses.items[i], "[::1]", 5) != 0)
			return true;
	return false;
}

static void
check_proxy(const struct config_listener *l, const struct setting_lines *lines,
    struct config_report *report)
{
	if (l->proxy_protocol && l->proxy_networks.count == 0)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_LISTENER, "proxy_protocol"),
		    "proxy_protocol: needs proxy_networks, the addresses of the proxies");
	else if (!l->proxy_protocol && l->proxy_networks.count > 0)
		config_report_add(report, CONFIG_WARNING,
		    line_of(lines, SETTING_LISTENER, "proxy_networks"),
		    "proxy_networks: means nothing without proxy_protocol = yes");
	else if (network_list_is_everywhere(&l->proxy_networks))
		config_report_add(report, CONFIG_WARNING,
		    line_of(lines, SETTING_LISTENER, "proxy_networks"),
		    "proxy_networks: anybody can claim to be any client");
}

static int
check_listener(struct config *config, struct config_listener *l, const struct setting_lines *lines,
    struct config_report *report)
{
	int rc;

	if (line_of(lines, SETTING_LISTENER, "address") == 0)
		config_report_add(
		    report, CONFIG_FAULT, lines->begin, "listener: address is missing");
	if (l->protocol == LISTENER_POP3 && l->certificates.count == 0 &&
	    config->plaintext_networks.count == 0 && listens_beyond_loopback(l))
		config_report_add(report, CONFIG_WARNING, lines->begin,
		    "listener pop3: without a certificate only clients on this machine can log in "
		    "here");
	check_proxy(l, lines, report);
	if ((rc = config_check_listener_tls(config, l, lines, report)) != 0)
		return rc;
	return config_check_client_certificates(l, lines, report);
}

/* Reports ADDRESS of listener L (INDEX) where an earlier one has it too. Port 0 is a new one each
 * time. */
static void
check_address_unique(const struct config *config, const struct config_lines *lines, size_t l,
    size_t index, struct config_report *report)
{
	const char *address = config->listeners[l].addresses.items[index];
	const struct text_list *other;
	unsigned port;

	if (!network_is_endpoint(address, &port) || port == 0)
		return;
	for (size_t i = 0; i <= l; i++) {
		other = &config->listeners[i].addresses;
		for (size_t j = 0; j < other->count && (i < l || j < index); j++) {
			if (strcmp(other->items[j], address) != 0)
				continue;
			config_report_add(report, CONFIG_FAULT,
			    line_of(&lines->listeners[l], SETTING_LISTENER, "address"),
			    "address: %s is given twice; first in line %u", address,
			    line_of(&lines->listeners[i], SETTING_LISTENER, "address"));
			return;
		}
	}
}

static int
check_listeners(
    struct config *config, const struct config_lines *lines, struct config_report *report)
{
	struct config_listener *l;
	int rc;

	if (config->listener_count == 0)
		config_report_add(
		    report, CONFIG_FAULT, 0, "no listener block: nobody could connect");
	if (config_address_count(config) > CONFIG_ADDRESSES_MAX)
		config_report_add(report, CONFIG_FAULT, 0, "more than %d addresses to listen on",
		    CONFIG_ADDRESSES_MAX);
	for (size_t i = 0; i < config->listener_count; i++) {
		l = &config->listeners[i];
		if ((rc = check_listener(config, l, &lines->listeners[i], report)) != 0)
			return rc;
		for (size_t j = 0; j < l->addresses.count; j++)
			check_address_unique(config, lines, i, j, report);
	}
	config_end_legacy(config, lines->listeners, (int64_t) time(NULL), report);
	return 0;
}

/* A word that is no preset's name. */
static int
report_preset(
    const struct upstream *u, const struct setting_lines *lines, struct config_report *report)
{
	struct suggestion nearest;
	const char *best;

	suggestion_begin(&nearest, u->uidl_text, strlen(u->uidl_text));
	for (const struct uidl_preset *p = uidl_presets; p->name != NULL; p++)
		suggestion_offer(&nearest, p->name);
	best = suggestion_best(&nearest);
	config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "uidl"),
	    "uidl: \"%s\" is neither a template with a UID such as %%08Xu nor a known name%s%s%s",
	    u->uidl_text, best != NULL ? "; did you mean \"" : "", best != NULL ? best : "",
	    best != NULL ? "\"?" : "");
	return 0;
}

static int
resolve_uidl(struct upstream *u, const struct setting_lines *lines, struct config_report *report)
{
	size_t at;
	int rc;

	rc = uidl_template_parse(u->uidl_text, &u->uidl, &at);
	if (rc == 0 && !u->uidl_ledger && uidl_template_attribute(u->uidl) != UIDL_OF_NUMBERS)
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "uidl"),
		    "uidl: \"%s\" needs uidl_ledger = yes", u->uidl_text);
	if (rc == 0 || rc == ERR_NO_MEMORY)
		return rc;
	if (strchr(u->uidl_text, '%') == NULL)
		return report_preset(u, lines, report);
	if (at >= strlen(u->uidl_text))
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "uidl"),
		    "uidl: \"%s\" ends too early or has no UID such as %%08Xu", u->uidl_text);
	else
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "uidl"),
		    "uidl: \"%s\" cannot be understood from \"%s\" on", u->uidl_text,
		    u->uidl_text + at);
	return 0;
}

void
config_check_mailboxes(
    const struct text_list *names, unsigned line, struct config_report *report)
{
	if (names->count > UPSTREAM_MAILBOXES_MAX)
		config_report_add(report, CONFIG_FAULT, line, "mailbox: at most %d can be shown",
		    UPSTREAM_MAILBOXES_MAX);
	for (size_t i = 0; i < names->count; i++) {
		mailbox_name_settle(names->items[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(names->items[i], names->items[j]) == 0)
				config_report_add(report, CONFIG_FAULT, line,
				    "mailbox: \"%s\" is given twice", names->items[i]);
	}
}

static void
check_mailboxes(
    const struct upstream *u, const struct setting_lines *lines, struct config_report *report)
{
	config_check_mailboxes(
	    &u->mailboxes, line_of(lines, SETTING_UPSTREAM, "mailbox"), report);
	for (size_t i = 0; i < u->mailboxes.count; i++)
		if (target_is_trash(u, u->mailboxes.items[i]))
			config_report_add(report, CONFIG_FAULT,
			    line_of(lines, SETTING_UPSTREAM, "trash_mailbox"),
			    "trash_mailbox: must be another mailbox than \"%s\"",
			    u->mailboxes.items[i]);
}

/* What the settings about deletion say about each other. */
static void
check_deletion(
    const struct upstream *u, const struct setting_lines *lines, struct config_report *report)
{
	const char *keyword = u->mark_keyword;

	if (u->delete == DELETION_TRASH && u->trash_mailbox[0] == '\0')
		config_report_add(report, CONFIG_FAULT,
		    line_near(lines, SETTING_UPSTREAM, "delete"),
		    "delete: trash needs a trash_mailbox, such as trash_mailbox = Trash");
	if (keyword[0] != '\0' && !text_is_atom(keyword, strlen(keyword)))
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_UPSTREAM, "mark_keyword"),
		    "mark_keyword: \"%s\" is not an IMAP keyword: letters and digits such as "
		    "PopDeleted",
		    keyword);
	else if (keyword[0] != '\0' && u->delete != DELETION_MARK)
		config_report_add(report, CONFIG_WARNING,
		    line_of(lines, SETTING_UPSTREAM, "mark_keyword"),
		    "mark_keyword: means nothing without delete = mark");
	if (u->delete == DELETION_MARK && keyword[0] == '\0' && u->deleted == DELETED_SHOW)
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "deleted"),
		    "deleted: show would bring back what delete = mark has marked; set a "
		    "mark_keyword, or leave deleted = hide");
}

/* What it is called wherever it is spoken of. */
static int
name_upstream(struct upstream *u)
{
	if (u->label[0] != '\0')
		return (u->name = strdup(u->label)) != NULL ? 0 : ERR_NO_MEMORY;
	if (asprintf(&u->name, strchr(u->host, ':') != NULL ? "[%s]:%u" : "%s:%u", u->host,
		(unsigned) u->imap.port) >= 0)
		return 0;
	u->name = NULL;
	return ERR_NO_MEMORY;
}

static uint16_t
usual_port(const struct upstream *u)
{
	bool implicit = u->imap.security == IMAP_TLS_IMPLICIT;

	if (u->protocol == UPSTREAM_POP3)
		return implicit ? POP3S_PORT : POP3_PORT;
	return implicit ? u->imap.port : IMAP_PORT;
}

/* Where sessions are passed on, the old server decides about mailboxes and messages. */
static void
check_protocol(
    const struct upstream *u, const struct setting_lines *lines, struct config_report *report)
{
	static const char *const imap_only[] = { "preset", "keepalive_interval", "reconnect", "reuse",
		"mailbox", "uidl", "mark_seen", "deleted", "delete", "mark_keyword", "without_uidplus",
		"trash_mailbox", "max_messages", "index_cache", "size_mode", "send_id",
		"forward_client", "learn", "learn_timeout", "learn_failure", "remember_identity" };

	if (u->protocol != UPSTREAM_POP3)
		return;
	for (size_t i = 0; i < sizeof(imap_only) / sizeof(imap_only[0]); i++) {
		unsigned line = line_of(lines, SETTING_UPSTREAM, imap_only[i]);

		if (line != 0)
			config_report_add(report, CONFIG_WARNING, line,
			    "%s: means nothing with protocol = pop3", imap_only[i]);
	}
}

static int
check_upstream(const struct config *config, struct upstream *u, const struct setting_lines *lines,
    struct config_report *report)
{
	int rc;

	if ((rc = upstream_preset_apply(u, lines)) != 0 ||
	    (rc = resolve_uidl(u, lines, report)) != 0 ||
	    (rc = config_check_logins(config, u, lines, report)) != 0)
		return rc;
	check_mailboxes(u, lines, report);
	check_deletion(u, lines, report);
	if (u->forward_client && u->reuse_ms > 0)
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "reuse"),
		    "reuse: does not go with forward_client; the server was told who the client is "
		    "when the connection began");
	if (u->size_mode != SIZES_FAST && !u->index_cache)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_UPSTREAM, "size_mode"),
		    "size_mode: sizes are learned into the index, so index_cache = no does not go "
		    "with it");
	if (line_of(lines, SETTING_UPSTREAM, "port") == 0)
		u->imap.port = usual_port(u);
	check_protocol(u, lines, report);
	if (u->host == NULL) {
		if (line_of(lines, SETTING_UPSTREAM, "host") == 0)
			config_report_add(
			    report, CONFIG_FAULT, lines->begin, "upstream: host is missing");
		return 0;
	}
	u->imap.host = u->host;
	u->imap.verify_name = u->verify_name;
	if ((rc = name_upstream(u)) != 0)
		return rc;
	return config_check_upstream_tls(config, u, lines, report);
}

/* Reports upstream I where its label does not tell it from the others. */
static void
check_label(const struct config *config, const struct config_lines *lines, size_t i,
    struct config_report *report)
{
	const char *label = config->upstreams[i].label;

	if (label[0] == '\0' && config->upstream_count > 1)
		config_report_add(report, CONFIG_FAULT, lines->upstreams[i].begin,
		    "upstream: where there are several, each needs a label, such as \"upstream new {\"");
	for (size_t j = 0; j < i && label[0] != '\0'; j++) {
		if (strcmp(config->upstreams[j].label, label) != 0)
			continue;
		config_report_add(report, CONFIG_FAULT, lines->upstreams[i].begin,
		    "upstream: %s is there twice; first in line %u", label,
		    lines->upstreams[j].begin);
		return;
	}
}

/* Finds the old server of U. */
static void
find_old(struct config *config, struct upstream *u, const struct setting_lines *lines,
    struct config_report *report)
{
	unsigned line = line_of(lines, SETTING_UPSTREAM, "old");

	if (u->old_label[0] == '\0')
		return;
	for (size_t i = 0; i < config->upstream_count; i++)
		if (strcmp(config->upstreams[i].label, u->old_label) == 0)
			u->old = &config->upstreams[i];
	if (u->old == NULL)
		config_report_add(
		    report, CONFIG_FAULT, line, "old: there is no upstream %s", u->old_label);
	else if (u->old->protocol != UPSTREAM_POP3 || u->protocol == UPSTREAM_POP3)
		config_report_add(report, CONFIG_FAULT, line,
		    "old: names an upstream with protocol = pop3, in one with protocol = imap");
}

/* A name is split before it is known which upstream it is of. */
static void
check_separators(
    const struct config *config, const struct config_lines *lines, struct config_report *report)
{
	const struct upstream *first = NULL;

	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct upstream *u = &config->upstreams[i];

		if (u->master_separator[0] == '\0')
			continue;
		if (first == NULL)
			first = u;
		else if (strcmp(first->master_separator, u->master_separator) != 0)
			config_report_add(report, CONFIG_FAULT,
			    line_of(&lines->upstreams[i], SETTING_UPSTREAM, "master_separator"),
			    "master_separator: must be the same in all upstreams that have one");
	}
}

/* Finds the old server that the users of U were at. */
static void
check_learning(const struct config *config, struct upstream *u, const struct setting_lines *lines,
    struct config_report *report)
{
	const struct upstream *old = config->upstreams;

	if (u->learn[0] == '\0')
		return;
	while (old < config->upstreams + config->upstream_count && strcmp(old->label, u->learn) != 0)
		old++;
	if (old == config->upstreams + config->upstream_count)
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "learn"),
		    "learn: there is no upstream \"%s\"", u->learn);
	else if (old->protocol != UPSTREAM_POP3)
		config_report_add(report, CONFIG_FAULT, line_of(lines, SETTING_UPSTREAM, "learn"),
		    "learn: upstream \"%s\" needs protocol = pop3", u->learn);
	else
		u->learn_from = old;
}

static int
check_upstreams(
    struct config *config, const struct config_lines *lines, struct config_report *report)
{
	int rc;

	if (config->upstream_count == 0)
		config_report_add(
		    report, CONFIG_FAULT, 0, "no upstream block: there is no IMAP server");
	for (size_t i = 0; i < config->upstream_count; i++) {
		check_label(config, lines, i, report);
		if ((rc = check_upstream(config, &config->upstreams[i], &lines->upstreams[i], report)) != 0)
			return rc;
		find_old(config, &config->upstreams[i], &lines->upstreams[i], report);
	}
	for (size_t i = 0; i < config->upstream_count; i++)
		check_learning(config, &config->upstreams[i], &lines->upstreams[i], report);
	return 0;
}

int
config_check(struct config *config, const struct config_lines *lines, struct config_report *report)
{
	int rc;

	check_global(config, &lines->global, report);
	if ((rc = check_listeners(config, lines, report)) != 0)
		return rc;
	if ((rc = check_upstreams(config, lines, report)) != 0)
		return rc;
	if ((rc = config_check_routes(config, lines, report)) != 0)
		return rc;
	check_separators(config, lines, report);
	config_check_external(config, lines, report);
	return 0;
}
