/* ticket_keys.h - the keys of session tickets, in memory that all processes of one popgate share: who
 * comes back with a ticket may meet another worker.
 *
 * The process that has made them changes them by the clock, and nobody else; workers only read. */
#pragma once
#include <uv.h>

#include "fiberio/tls_tickets.h"
#include "gateway/log.h"

struct ticket_keys;

/* Keys, of which there is a first one. Returns 0, or an error with a text in E. */
int ticket_keys_new(struct ticket_keys **out, struct error *e);

/* The keys behind FD, which ticket_keys_new made in another process, and which now belongs to *OUT,
 * also when this fails. Returns 0 or an error. */
int ticket_keys_attach(int fd, struct ticket_keys **out);

/* To be handed to workers; stays with KEYS. */
int ticket_keys_descriptor(const struct ticket_keys *keys);

/* What listeners are to use; stays with KEYS. */
struct tls_tickets *ticket_keys_tickets(const struct ticket_keys *keys);

/* Makes KEYS change by the clock of LOOP, once ticket_keys_rotate_every has said how often. What goes
 * wrong is told to LOG. */
void ticket_keys_start(struct ticket_keys *keys, uv_loop_t *loop, struct log *log);

/* A new key every INTERVAL_MS from now on; what was said before and is the same goes on. */
void ticket_keys_rotate_every(struct ticket_keys *keys, uint64_t interval_ms);

/* Closes what ticket_keys_start has put on the loop, which must turn once more before KEYS are freed.
 */
void ticket_keys_stop(struct ticket_keys *keys);

/* Lets go of them; the others still have them. NULL is allowed. */
void ticket_keys_free(struct ticket_keys *keys);
