/* control.h - what a supervisor and its workers say to each other, over a socket pair that keeps
 * messages whole. Nothing here waits, but control_wait. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/config.h"

enum control_word {
	/* From the supervisor. */
	CONTROL_SERVE = 1, /* this, from now on; the first word that a worker hears */
	CONTROL_RETIRE, /* admit nobody more, and end behind the last session */
	CONTROL_DRAIN,	/* end the sessions that there are, see rule 37 */
	CONTROL_CUT,
	CONTROL_PING,
	/* From the worker. */
	CONTROL_READY,	 /* it serves what it was last told to */
	CONTROL_REFUSED, /* it cannot */
	CONTROL_PONG,
};

enum { CONTROL_FD = 3 }; /* where a worker finds its end */

/* The descriptors that come with CONTROL_SERVE, in this order. */
enum {
	CONTROL_FD_CENSUS,
	CONTROL_FD_GATEKEEPER,
	CONTROL_FD_TICKETS,
	CONTROL_FD_CONFIG,  /* as config_load_sealed reads it */
	CONTROL_FD_SOCKETS, /* listening; one for each address of the configuration */
	CONTROL_FDS_MAX = CONTROL_FD_SOCKETS + CONFIG_ADDRESSES_MAX,
};

struct control_message {
	enum control_word word;
	uint32_t worker;  /* with CONTROL_SERVE: who it is, of all that there ever were */
	uint32_t workers; /* with CONTROL_SERVE: how many share the work */
	int fds[CONTROL_FDS_MAX];
	size_t fd_count;
};

/* A pair of ends, both close-on-exec. Returns 0 or ERR_NO_MEMORY. */
int control_pair(int ends[2]);

/* Whether FD can be an end of a pair. */
int control_is_end(int fd);

/* Sends MESSAGE; its descriptors stay the caller's. Returns 0, ERR_TEMPORARY (the other side has
 * not listened for long) or ERR_CLOSED. */
int control_send(int end, const struct control_message *message);

/* Sends a word alone. */
int control_say(int end, enum control_word word);

/* Receives a message; its descriptors are the caller's. Where not all of them could be received,
 * there are none. Returns 0, ERR_TEMPORARY (there is none) or
 * ERR_CLOSED (the other side has ended, or makes no sense). */
int control_receive(int end, struct control_message *message);

/* Waits until there is something to receive, or the other side has ended. */
void control_wait(int end);

/* Closes all descriptors of MESSAGE that are not -1. */
void control_discard(struct control_message *message);
