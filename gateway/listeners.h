/* listeners.h - the addresses that a worker listens on, as its configuration says, across reloads.
 */
#pragma once
#include <stddef.h>

#include "base/error.h"
#include "gateway/config.h"

struct acceptor;
struct worker;

/* One address. What it serves may change by a reload, its socket stays. */
struct listener {
	struct worker *worker;
	struct acceptor *acceptor;
	char *address; /* as written */
	enum listener_protocol protocol;
	enum stream_peer_name certificate_user;
	struct tls_server *tls;		      /* held; NULL: none */
	const struct config_listener *config; /* in the worker's present configuration */
	const struct config_listener *wanted; /* during listeners_apply: what it is to serve now */
};

struct listeners {
	struct listener **items;
	size_t count;
};

/* Makes the listeners of WORKER those of CONFIG: an address that was there keeps its listener, one
 * that is gone is closed, and a new one accepts from a duplicate of its socket in SOCKETS, which
 * has one for each address, in the order of CONFIG. All or nothing: on an error (E says which
 * address) everything is as before. */
int listeners_apply(
    struct worker *worker, const struct config *config, const int *sockets, struct error *e);

/* Closes those with legacy_tls whose last day is over at NOW (seconds since 1970), and says so. */
void listeners_end_legacy(struct worker *worker, int64_t now);

/* Accepts no more. */
void listeners_close(struct listeners *listeners);
