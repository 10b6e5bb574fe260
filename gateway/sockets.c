/* sockets.c - see sockets.h. */
#include "gateway/sockets.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fiberio/acceptor.h"

static bool
contains(const struct sockets *sockets, int fd)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->fds[i] == fd)
			return true;
	return false;
}

/* Closes those of SOCKETS that are not in KEPT, and forgets all. */
static void
close_others(struct sockets *sockets, const struct sockets *kept)
{
	for (size_t i = 0; i < sockets->count; i++) {
		if (!contains(kept, sockets->fds[i]))
			close(sockets->fds[i]);
		free(sockets->addresses[i]);
	}
	free(sockets->addresses);
	free(sockets->fds);
	memset(sockets, 0, sizeof(*sockets));
}

/* The socket of CURRENT at ADDRESS that NEXT does not have yet, or -1. */
static int
find_unclaimed(const struct sockets *current, const struct sockets *next, const char *address)
{
	for (size_t i = 0; i < current->count; i++)
		if (strcmp(current->addresses[i], address) == 0 && !contains(next, current->fds[i]))
			return current->fds[i];
	return -1;
}

static int
claim_or_open(
    const struct sockets *current, const char *address, struct sockets *next, struct error *e)
{
	int fd = find_unclaimed(current, next, address);
	char *copy;
	int rc;

	if ((copy = strdup(address)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "no memory for a listener");
	if (fd < 0 && (rc = acceptor_listen(address, &fd, e)) != 0) {
		free(copy);
		return rc;
	}
	next->addresses[next->count] = copy;
	next->fds[next->count++] = fd;
	return 0;
}

int
sockets_prepare(const struct sockets *current, const struct config *config, struct sockets *next,
    struct error *e)
{
	size_t total = config_address_count(config);
	const struct text_list *addresses;
	int rc = 0;

	memset(next, 0, sizeof(*next));
	next->addresses = calloc(total, sizeof(*next->addresses));
	next->fds = calloc(total, sizeof(*next->fds));
	if (next->addresses == NULL || next->fds == NULL)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for listeners");
	for (size_t i = 0; rc == 0 && i < config->listener_count; i++) {
		addresses = &config->listeners[i].addresses;
		for (size_t j = 0; rc == 0 && j < addresses->count; j++)
			rc = claim_or_open(current, addresses->items[j], next, e);
	}
	if (rc != 0)
		close_others(next, current);
	return rc;
}

/* "127.0.0.1:0" was asked for, "127.0.0.1:40123" is what it became. */
static void
log_listening(struct log *log, const struct config_listener *listener, const char *written, int fd)
{
	int host_len = (int) (strrchr(written, ':') - written);
	char address[ADDRESS_TEXT_MAX + 8];

	snprintf(
	    address, sizeof(address), "%.*s:%u", host_len, written, (unsigned) acceptor_port(fd));
	log_event(log, LOG_LEVEL_INFO, NULL, "listening",
	    LOG_FIELDS(LOG_TEXT("address", address),
		LOG_TEXT("protocol", listener_protocol_name(listener->protocol)),
		LOG_TEXT("tls", listener->protocol == LISTENER_POP3S ? "implicit"
				: listener->tls != NULL		     ? "stls"
								     : "none")));
}

void
sockets_commit(
    struct sockets *current, struct sockets *next, const struct config *config, struct log *log)
{
	size_t at = 0;

	for (size_t i = 0; i < config->listener_count; i++)
		for (size_t j = 0; j < config->listeners[i].addresses.count; j++, at++)
			if (!contains(current, next->fds[at]))
				log_listening(
				    log, &config->listeners[i], next->addresses[at], next->fds[at]);
	close_others(current, next);
	*current = *next;
}

void
sockets_abandon(const struct sockets *current, struct sockets *next)
{
	close_others(next, current);
}

void
sockets_close(struct sockets *sockets)
{
	const struct sockets none = { 0 };

	close_others(sockets, &none);
}
