/* worker.h - one event loop that serves POP3 sessions, from the first accept to the end of the
 * drain.
 *
 * Everything a worker knows hangs from struct worker. Nothing in it assumes to be the only one:
 * what must hold between processes is the kernel's (maildrop locks) or lies in shared memory (the
 * census). Who tells it to reload and to end is not known here: a supervisor (command_worker.c), or
 * signals where there is no supervisor (alone.c). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "fiberio/fiber.h"
#include "gateway/auth_http.h"
#include "gateway/census.h"
#include "gateway/config.h"
#include "gateway/connection.h"
#include "gateway/gatekeeper.h"
#include "gateway/http.h"
#include "gateway/journal.h"
#include "gateway/ledger.h"
#include "gateway/listeners.h"
#include "gateway/log.h"
#include "gateway/retrieval.h"
#include "gateway/reuse.h"
#include "gateway/tls_upkeep.h"
#include "gateway/winners.h"

struct worker {
	uv_loop_t loop;
	struct fiber_runtime *fibers;
	struct log *log;
	struct census *census;
	struct gatekeeper *gatekeeper;
	struct journal *journal;
	struct ledger *ledger;
	struct ledger *routing; /* the same store for who looks for a way, and soon gives up */
	struct retrieval_pool prefetch;
	struct reuse *reuse;
	struct winners *winners;
	struct http *http;
	struct auth_http *auth_http;
	struct config *config; /* for connections that come from now on */
	struct listeners listeners;
	struct connections connections;
	struct tls_upkeep upkeep;
	uv_timer_t drain_timer;
	uv_timer_t trim_timer;
	uint64_t ended_since_trim; /* connections */
	bool retired;  /* admits nobody, and ends with the last connection */
	bool draining; /* and has asked all sessions to end */
};

/* What a worker is to serve. */
struct worker_task {
	struct config *config;
	const int *sockets; /* listening, one for each of its addresses; the worker makes its own
			       duplicates */
	unsigned workers;   /* processes that share the work */
	struct tls_tickets *tickets; /* keys for its listeners, to outlive the worker */
};

/* A worker that serves TASK (a reference to its configuration is taken) as soon as its loop runs.
 * CENSUS and GATEKEEPER become the worker's, also on failure. Returns 0, or an exit status of sysexits.h with the
 * reason logged. */
int worker_new(struct log *log, struct census *census, struct gatekeeper *gatekeeper,
    const struct worker_task *task, struct worker **out);

/* Serves TASK from now on, all or nothing; running sessions go on with what they began with. */
int worker_take(struct worker *worker, const struct worker_task *task, struct error *e);

/* Accepts no more, and ends itself with the last of its sessions, which go on as long as they like.
 */
void worker_retire(struct worker *worker);

/* Accepts no more, asks all sessions to end, and ends itself with the last of them, or after
 * drain_timeout. Nothing new when it is draining already. */
void worker_drain(struct worker *worker);

/* Ends what is left, without waiting; WHY is for the log. */
void worker_cut(struct worker *worker, const char *why);

/* Runs the loop until the drain is over. */
void worker_run(struct worker *worker);

/* Frees it. Handles that somebody else has put on its loop must be closing; their callbacks are
 * called here. */
void worker_free(struct worker *worker);

/* The last connection may have ended: a retired worker ends with it. Called by connection.c. */
void worker_connection_ended(struct worker *worker);
