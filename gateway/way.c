/* way.c - see way.h. */
#include "gateway/way.h"

#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "gateway/auth_message.h"
#include "gateway/table.h"

/* The mailbox that the user wants, if any. */
static int
choose_mailbox(struct way *w, struct error *e)
{
	w->mailbox[0] = '\0';
	if (w->name.folder[0] == '\0')
		return 0;
	if (route_expand(w->route->folder_mailbox, &w->name, w->mailbox, sizeof(w->mailbox)) != 0)
		return error_set(e, ERR_PERMANENT, "the folder's name is too long");
	mailbox_name_settle(w->mailbox);
	return 0;
}

/* What the route R itself says of its account. */
static int
follow(const struct route *r, struct way *w, struct error *e)
{
	int rc;

	memcpy(w->upstreams, r->upstreams, sizeof(w->upstreams));
	w->count = r->upstream_count;
	rc = route_expand(r->login, &w->name, w->login, sizeof(w->login));
	if (rc == 0 && w->login[0] == '\0')
		rc = ERR_INVALID;
	if (rc != 0)
		return error_set(e, ERR_PERMANENT, "login = \"%s\" of the route %s: the name %s", r->login,
		    r->label, rc == ERR_LIMIT ? "becomes too long" : "has no such part");
	return choose_mailbox(w, e);
}

/* The upstreams that LINE of the route's table names; without any, the route's own stay. */
static int
choose_upstreams(const struct config *config, const struct table_line *line, struct way *w,
    struct error *e)
{
	char labels[TABLE_UPSTREAMS_TEXT], *rest = labels, *label;

	if (line->upstreams[0] == '\0')
		return w->count > 0 ? 0
				    : error_set(e, ERR_PERMANENT,
					  "neither the route %s nor its table names an upstream",
					  w->route->label);
	snprintf(labels, sizeof(labels), "%s", line->upstreams);
	for (w->count = 0; w->count < ROUTE_UPSTREAMS_MAX && (label = strsep(&rest, ",")) != NULL;
	     w->count++)
		if ((w->upstreams[w->count] = config_upstream(config, label)) == NULL)
			return error_set(e, ERR_PERMANENT,
			    "the table of the route %s names the upstream %s, which there is not",
			    w->route->label, label);
	return 0;
}

/* What the route's table says of its account, LINE, counts more. */
static int
follow_line(const struct config *config, const struct table_line *line, struct way *w,
    struct error *e)
{
	if (line->login[0] != '\0')
		memcpy(w->login, line->login, sizeof(w->login));
	if (line->mailbox[0] != '\0' && w->name.folder[0] == '\0')
		memcpy(w->mailbox, line->mailbox, sizeof(w->mailbox));
	return choose_upstreams(config, line, w, e);
}

static int
follow_table(const struct config *config, struct way *w, struct error *e)
{
	struct table_line line;
	int rc;

	if ((rc = table_find(w->route->table, w->name.user, &line, e)) != 0)
		return rc;
	if ((rc = follow(w->route, w, e)) != 0)
		return rc;
	return follow_line(config, &line, w, e);
}

int
way_find(const struct config *config, const char *account, struct way *out, struct error *e)
{
	const struct route *r = NULL;
	int rc = ERR_GONE;

	while (rc == ERR_GONE) {
		r = route_next(config->routes, config->route_count, account, r);
		if (r == NULL)
			return error_set(e, ERR_GONE, "no route fits the user");
		out->route = r;
		route_read(r, account, &out->name);
		rc = r->table != NULL ? follow_table(config, out, e) : follow(r, out, e);
	}
	return rc;
}

static bool
is_at(const struct upstream *u, const struct auth_reply *reply)
{
	return strcmp(u->host, reply->server) == 0 &&
	       (reply->port == 0 || reply->port == u->imap.port);
}

static bool
is_allowed(const struct route *r, const char *address)
{
	struct sockaddr_storage peer = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		memcpy(&peer, &in, sizeof(in));
	else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
		memcpy(&peer, &in6, sizeof(in6));
	else
		return false;
	return network_list_contains(&r->auth_servers, &peer);
}

/* Makes ELSEWHERE of BASE at ADDRESS. It has BASE's name, by which all that is remembered is kept: the next
 * login may be sent to another server of the same farm, and the mailboxes there are the same. Its
 * certificate bears BASE's name too, and no connection is kept: those are known by the place of their
 * upstream in memory. */
static void
move_elsewhere(
    struct way_elsewhere *elsewhere, const struct upstream *base, const char *address)
{
	elsewhere->base = base;
	elsewhere->upstream = *base;
	snprintf(elsewhere->host, sizeof(elsewhere->host), "%s", address);
	elsewhere->upstream.host = elsewhere->host;
	elsewhere->upstream.imap.host = elsewhere->host;
	if (base->imap.verify_name == NULL)
		elsewhere->upstream.imap.verify_name = base->imap.host;
	elsewhere->upstream.reuse_ms = 0;
}

int
way_follow_reply(struct way *w, const struct auth_reply *reply, struct way_elsewhere *elsewhere,
    struct error *e)
{
	const struct upstream *base = w->upstreams[0];

	if (reply->login.user != NULL)
		snprintf(w->login, sizeof(w->login), "%s", reply->login.user);
	if (reply->server[0] == '\0')
		return 0;
	for (size_t i = 0; i < w->count; i++) {
		if (!is_at(w->upstreams[i], reply))
			continue;
		w->upstreams[0] = w->upstreams[i];
		w->count = 1;
		return 0;
	}
	if (!is_allowed(w->route, reply->server) ||
	    (reply->port != 0 && reply->port != base->imap.port))
		return error_set(e, ERR_PERMANENT,
		    "auth_http chose %s port %u: make it the host of an upstream of the route %s, or name "
		    "it in its auth_http_servers, which have port %u",
		    reply->server, (unsigned) (reply->port != 0 ? reply->port : base->imap.port),
		    w->route->label,
		    (unsigned) base->imap.port);
	move_elsewhere(elsewhere, base, reply->server);
	w->upstreams[0] = &elsewhere->upstream;
	w->count = 1;
	return 0;
}

void
way_prefer(struct way *w, size_t which)
{
	const struct upstream *first = w->upstreams[which];

	memmove(&w->upstreams[1], &w->upstreams[0], which * sizeof(w->upstreams[0]));
	w->upstreams[0] = first;
}

bool
way_leads_to(const struct way *w, const struct upstream *upstream)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->upstreams[i] == upstream)
			return true;
	return false;
}

int
way_aim(const struct way *w, const struct upstream *upstream, struct target *out, struct error *e)
{
	char *only[] = { (char *) (uintptr_t) w->mailbox };
	const struct text_list one = { only, 1 };
	const struct text_list *mailboxes = &upstream->mailboxes;

	if (w->mailbox[0] != '\0')
		mailboxes = &one;
	else if (w->route->mailboxes.count > 0)
		mailboxes = &w->route->mailboxes;
	if (target_set(out, upstream, w->login, mailboxes) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < mailboxes->count; i++)
		if (target_is_trash(upstream, mailboxes->items[i]))
			return error_set(e, ERR_PERMANENT, "\"%s\" is the trash_mailbox",
			    mailboxes->items[i]);
	return 0;
}
