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
	struct tls_server *tls;		      /* held; NULL: none */
	const struct config_listener *wanted; /* during listeners_apply: what it is to serve now */
};

struct listeners {
	struct listener **items;
	size_t count;
};

/* Makes the listeners of WORKER those of CONFIG: an address that was there keeps its socket, a new
 * one is opened, one that is gone is closed. All or nothing: on an error (E says which address)
 * everything is as before. Logs each new address. */
int listeners_apply(struct worker *worker, const struct config *config, struct error *e);

/* Stops listening everywhere. */
void listeners_close(struct listeners *listeners);
