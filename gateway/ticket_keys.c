/* ticket_keys.c - see ticket_keys.h. */
#include "gateway/ticket_keys.h"

#include <stdlib.h>

#include "gateway/shared.h"

struct ticket_keys {
	struct shared *shared; /* never locked, see tls_tickets.h */
	struct log *log;
	uv_timer_t rotation;
};

static int
wrap(struct shared *shared, struct ticket_keys **out)
{
	struct ticket_keys *keys = calloc(1, sizeof(*keys));

	if (keys == NULL) {
		shared_free(shared);
		return ERR_NO_MEMORY;
	}
	keys->shared = shared;
	*out = keys;
	return 0;
}

int
ticket_keys_new(struct ticket_keys **out, struct error *e)
{
	struct ticket_keys *keys;
	struct shared *shared;

	if (shared_new("popgate-tickets", sizeof(struct tls_tickets), NULL, &shared) != 0 ||
	    wrap(shared, &keys) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for ticket keys");
	if (tls_tickets_rotate(ticket_keys_tickets(keys)) != 0) {
		ticket_keys_free(keys);
		return error_set(e, ERR_TEMPORARY, "no randomness for a ticket key");
	}
	*out = keys;
	return 0;
}

int
ticket_keys_attach(int fd, struct ticket_keys **out)
{
	struct shared *shared;
	int rc;

	if ((rc = shared_attach(fd, sizeof(struct tls_tickets), NULL, &shared)) != 0)
		return rc;
	return wrap(shared, out);
}

int
ticket_keys_descriptor(const struct ticket_keys *keys)
{
	return shared_descriptor(keys->shared);
}

struct tls_tickets *
ticket_keys_tickets(const struct ticket_keys *keys)
{
	return shared_memory(keys->shared);
}

static void
on_rotation(uv_timer_t *timer)
{
	struct ticket_keys *keys = timer->data;

	if (tls_tickets_rotate(ticket_keys_tickets(keys)) != 0)
		log_event(keys->log, LOG_LEVEL_ERROR, NULL,
		    "no randomness for a new ticket key, the old one stays", NULL);
}

void
ticket_keys_start(struct ticket_keys *keys, uv_loop_t *loop, struct log *log)
{
	keys->log = log;
	uv_timer_init(loop, &keys->rotation);
	keys->rotation.data = keys;
}

void
ticket_keys_rotate_every(struct ticket_keys *keys, uint64_t interval_ms)
{
	if (uv_timer_get_repeat(&keys->rotation) != interval_ms)
		uv_timer_start(&keys->rotation, on_rotation, interval_ms, interval_ms);
}

void
ticket_keys_stop(struct ticket_keys *keys)
{
	uv_close((uv_handle_t *) &keys->rotation, NULL);
}

void
ticket_keys_free(struct ticket_keys *keys)
{
	if (keys == NULL)
		return;
	shared_free(keys->shared);
	free(keys);
}
