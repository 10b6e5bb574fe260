/* worker.h - one event loop that serves POP3 sessions, from the first accept to the end of the
 * drain.
 *
 * Everything a worker knows hangs from struct worker. Nothing in it assumes to be the only one:
 * what must hold between processes (maildrop locks) is the kernel's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "fiberio/fiber.h"
#include "gateway/census.h"
#include "gateway/config.h"
#include "gateway/connection.h"
#include "gateway/journal.h"
#include "gateway/listeners.h"
#include "gateway/log.h"
#include "gateway/retrieval.h"

enum { WORKER_SIGNALS = 3 };

struct worker {
	uv_loop_t loop;
	struct fiber_runtime *fibers;
	struct log *log;
	struct census *census;
	struct journal *journal;
	struct retrieval_pool prefetch;
	const char *config_file;
	struct config *config; /* for connections that come from now on */
	struct listeners listeners;
	struct connections connections;
	uv_signal_t signals[WORKER_SIGNALS];
	uv_timer_t drain_timer;
	uv_timer_t trim_timer;
	uint64_t ended_since_trim; /* connections */
	bool draining;
};

/* Serves CONFIG (a reference is taken), which came from CONFIG_FILE, until SIGTERM or SIGINT and
 * the drain that follows; reloads CONFIG_FILE at SIGHUP. Returns an exit status of sysexits.h: 0
 * after a drain. */
int worker_run(struct config *config, const char *config_file, struct log *log);

/* The last connection may have ended: a draining worker ends with it. Called by connection.c. */
void worker_connection_ended(struct worker *worker);
