/* dispatch.h - from who logs in to an open maildrop: where the account's mail is, whether the password
 * may be tried there, and which kind of server it is.
 *
 * A session knows its upstream only once it knows its user. What has to be said before (mechanisms,
 * say) is what any of the upstreams allows; at the login it is asked again whether the one that the
 * user has allows it. */
#pragma once
#include "gateway/gatekeeper.h"
#include "gateway/maildrop.h"
#include "gateway/preference.h"
#include "gateway/target.h"
#include "pop3front/session.h"

struct auth_http;
struct way_elsewhere;

struct dispatch {
	/* Filled by the owner; upstream, account and mailbox are set at each login. */
	struct maildrop_context maildrop;
	struct gatekeeper *gatekeeper;
	struct preference preference; /* among several upstreams; its ledger has the states, too */
	struct auth_http *auth_http;

	struct gate_visit visit; /* the last try to log in */
	struct stream *client;
	struct target target; /* of the last try */
	struct way_elsewhere *elsewhere; /* where that may be; NULL: nowhere but at an upstream */
	struct credentials instead; /* whose password the server is told; of the last try */
	unsigned attempts; /* of this session, that were let in */
	char account[USER_NAME_MAX + 1];
	const struct pop3_backend *backend; /* of the open maildrop */
	void *handle;			    /* its */
};

/* D, filled by its owner and else zeroed, is to serve CLIENT. Sets in SETTINGS what depends on the
 * upstreams. */
void dispatch_begin(struct dispatch *d, struct stream *client, struct pop3_settings *settings);

/* After the session. */
void dispatch_end(struct dispatch *d);

/* Its open, refused and hold_back take a struct dispatch as CTX. */
extern const struct pop3_backend dispatch_backend;
