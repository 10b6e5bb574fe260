/* http.h - HTTP requests of fibers: libcurl's multi interface on libuv.
 *
 * libcurl says which sockets to watch and when to call it again; the loop does that, and the fiber
 * that asked sleeps meanwhile. No redirects, no proxies of the environment, no cookies; what a server
 * may send is bounded. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"

struct http; /* one per worker */

struct http_request {
	const char *url;
	const char *host; /* of the URL, without brackets; looked up on the thread pool */
	uint16_t port;
	const char *ca_file; /* PEM: whom to trust; NULL: whom the system trusts */
	uint64_t timeout_ms;
	char *const *fields; /* header fields, "Name: value" */
	size_t field_count;
	/* Gets each line of the reply's header, its line end included. */
	void (*on_line)(void *ctx, const char *line, size_t len);
	void *ctx;
};

/* Returns 0 or ERR_NO_MEMORY. */
int http_new(uv_loop_t *loop, struct http **out);

/* Loads libcurl, once, and before the process locks itself in: without it there are no requests. Returns 0;
 * ERR_TEMPORARY with E: it cannot be had; ERR_NO_MEMORY. */
int http_prepare(struct http *http, struct error *e);

/* When no fiber is inside any more. Its handles are closed on the loop, which is to run once more. NULL is
 * allowed. */
void http_free(struct http *http);

/* GET, after http_prepare. Returns 0 when a whole reply has come, whatever its status is; ERR_TEMPORARY with E; ERR_CANCELLED;
 * ERR_NO_MEMORY. Suspends. */
int http_get(struct http *http, const struct http_request *q, struct error *e);
