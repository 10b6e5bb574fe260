/* listeners.c - the addresses that a worker listens on. */
#include "gateway/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fiberio/acceptor.h"
#include "gateway/connection.h"
#include "gateway/legacy.h"
#include "gateway/worker.h"

static void
on_accept(void *arg, int fd, const struct sockaddr_storage *peer)
{
	const struct listener *l = arg;

	connection_accept(l->worker, l, fd, peer);
}

/* Sessions last, and whoever happens to be quick would get most of them. */
static bool
is_our_turn(void *arg)
{
	const struct listener *l = arg;

	return !census_is_ahead(l->worker->census);
}

static void
listener_close(struct listener *l)
{
	acceptor_close(l->acceptor);
	tls_server_unref(l->tls);
	free(l->address);
	free(l);
}

/* A listener that accepts from a duplicate of SOCKET. */
static int
listener_open(struct worker *worker, const char *address, int socket, struct listener **out,
    struct error *e)
{
	struct listener *l;
	int fd, rc;

	if ((l = calloc(1, sizeof(*l))) == NULL || (l->address = strdup(address)) == NULL) {
		free(l);
		return error_set(e, ERR_NO_MEMORY, "no memory for a listener");
	}
	l->worker = worker;
	if ((fd = fcntl(socket, F_DUPFD_CLOEXEC, 0)) < 0)
		rc = error_set(
		    e, ERR_TEMPORARY, "cannot listen on %s: %s", address, strerror(errno));
	else
		rc = acceptor_open(
		    worker->fibers, fd, is_our_turn, on_accept, l, &l->acceptor, e);
	if (rc != 0) {
		listener_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

/* The listener of LISTENERS at ADDRESS that nobody has claimed yet, or NULL. */
static struct listener *
find_unclaimed(const struct listeners *listeners, const char *address)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->items[i]->wanted == NULL &&
		    strcmp(listeners->items[i]->address, address) == 0)
			return listeners->items[i];
	return NULL;
}

static bool
contains(const struct listeners *listeners, const struct listener *l)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->items[i] == l)
			return true;
	return false;
}

/* Closes and forgets those of LISTENERS that are not in KEPT. */
static void
close_others(struct listeners *listeners, const struct listeners *kept)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (!contains(kept, listeners->items[i]))
			listener_close(listeners->items[i]);
	free(listeners->items);
	listeners->items = NULL;
	listeners->count = 0;
}

static int
claim_or_open(struct worker *worker, const struct config_listener *wanted, const char *address,
    int socket, struct listeners *next, struct error *e)
{
	struct listener *l = find_unclaimed(&worker->listeners, address);
	int rc;

	if (l == NULL && (rc = listener_open(worker, address, socket, &l, e)) != 0)
		return rc;
	l->wanted = wanted;
	next->items[next->count++] = l;
	return 0;
}

/* Fills NEXT with a listener for each address of CONFIG. */
static int
collect(struct worker *worker, const struct config *config, const int *sockets,
    struct listeners *next, struct error *e)
{
	const struct config_listener *wanted;
	int rc;

	next->items = calloc(config_address_count(config), sizeof(struct listener *));
	if (next->items == NULL)
		return error_set(e, ERR_NO_MEMORY, "no memory for listeners");
	for (size_t i = 0; i < config->listener_count; i++) {
		wanted = &config->listeners[i];
		for (size_t j = 0; j < wanted->addresses.count; j++) {
			rc = claim_or_open(worker, wanted, wanted->addresses.items[j],
			    sockets[next->count], next, e);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

int
listeners_apply(
    struct worker *worker, const struct config *config, const int *sockets, struct error *e)
{
	struct listeners next = { 0 };
	struct listener *l;
	int rc;

	if ((rc = collect(worker, config, sockets, &next, e)) != 0) {
		close_others(&next, &worker->listeners);
		for (size_t i = 0; i < worker->listeners.count; i++)
			worker->listeners.items[i]->wanted = NULL;
		return rc;
	}
	for (size_t i = 0; i < next.count; i++) {
		l = next.items[i];
		tls_server_unref(l->tls);
		l->tls = l->wanted->tls != NULL ? tls_server_ref(l->wanted->tls) : NULL;
		l->protocol = l->wanted->protocol;
		l->certificate_user = l->wanted->client_certificate_user;
		l->config = l->wanted;
		l->wanted = NULL;
	}
	close_others(&worker->listeners, &next);
	worker->listeners = next;
	return 0;
}

void
listeners_end_legacy(struct worker *worker, int64_t now)
{
	struct listeners *listeners = &worker->listeners;
	struct listener *l;
	size_t kept = 0;

	for (size_t i = 0; i < listeners->count; i++) {
		l = listeners->items[i];
		if (!l->config->legacy || !legacy_is_over(l->config->legacy_until, now)) {
			listeners->items[kept++] = l;
			continue;
		}
		log_event(worker->log, LOG_LEVEL_WARNING, NULL, "legacy listener closed",
		    LOG_FIELDS(LOG_TEXT("address", l->address),
			LOG_TEXT("reason", "legacy_until is over")));
		listener_close(l);
	}
	listeners->count = kept;
}

void
listeners_close(struct listeners *listeners)
{
	const struct listeners none = { 0 };

	close_others(listeners, &none);
}
