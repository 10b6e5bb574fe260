/* way.h - the way of one login: which upstreams may be tried for the account, what they call the user,
 * and which mailbox is shown. */
#pragma once
#include "base/error.h"
#include "gateway/config.h"
#include "gateway/route.h"
#include "gateway/target.h"

struct auth_reply;

/* An upstream at an address that a service has chosen: all else is as at another one. */
struct way_elsewhere {
	struct upstream upstream; /* owns nothing */
	const struct upstream *base;
	char host[64];
};

struct way {
	const struct route *route;
	struct route_name name;
	const struct upstream *upstreams[ROUTE_UPSTREAMS_MAX]; /* to be tried in this order */
	size_t count;
	char login[USER_NAME_MAX + 1];
	char mailbox[MAILBOX_NAME_MAX + 1]; /* "": those of the route, or of the upstream */
};

/* Finds the way of ACCOUNT by the routes of CONFIG. Returns 0; ERR_GONE: there is none; ERR_PERMANENT: the
 * account's name does not fit its route; ERR_TEMPORARY: a table cannot be read; ERR_NO_MEMORY;
 * ERR_CANCELLED. Suspends. */
int way_find(
    const struct config *config, const char *account, struct way *out, struct error *e);

/* Goes where REPLY says, but for its password; a server that is none of W's upstreams is made ELSEWHERE,
 * which must outlive the session. Returns 0; ERR_PERMANENT: the configuration does not allow that. */
int way_follow_reply(struct way *w, const struct auth_reply *reply,
    struct way_elsewhere *elsewhere, struct error *e);

/* Puts upstream WHICH before the others, which keep their order. */
void way_prefer(struct way *w, size_t which);

/* Whether UPSTREAM is one of W's. */
bool way_leads_to(const struct way *w, const struct upstream *upstream);

/* Sets OUT to UPSTREAM and to what the account of W is called and shown there. Returns 0; ERR_PERMANENT:
 * that is where deletions go; ERR_NO_MEMORY. */
int way_aim(
    const struct way *w, const struct upstream *upstream, struct target *out, struct error *e);
