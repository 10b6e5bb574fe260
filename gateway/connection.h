/* connection.h - accepted connections: each is a fiber that runs one POP3 session. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct connection;
struct listener;
struct worker;

TAILQ_HEAD(connection_list, connection);

/* All connections of a worker, oldest first. */
struct connections {
	struct connection_list before_login;
	struct connection_list after_login;
	uint64_t refused;	    /* since the last log line about it */
	uint64_t refused_logged_at; /* loop time in milliseconds */
};

/* Begins with none. */
void connections_init(struct connections *connections);

/* Takes the socket FD that LISTENER accepted from PEER: starts its session, or refuses and closes
 * it. */
void connection_accept(struct worker *worker, const struct listener *listener, int fd,
    const struct sockaddr_storage *peer);

bool connections_none(const struct connections *connections);

/* Asks all sessions to end: the running command is finished, then the client is told. */
void connections_interrupt(struct connections *connections);

/* Ends all sessions at once. They are gone when this returns. Returns how many there were. */
uint64_t connections_cut(struct connections *connections);
