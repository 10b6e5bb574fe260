/* sockets.c - see sockets.h. */
#include "gateway/sockets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fiberio/acceptor.h"
#include "gateway/inherited.h"
#include "gateway/legacy.h"

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
	free(sockets->until);
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

/* As acceptor_listen, and E says what to do where a port is not for everybody. */
static int
open_socket(const char *address, int *fd, struct error *e)
{
	int rc = acceptor_listen(address, fd, e);

	if (rc == ERR_PERMANENT && errno == EACCES)
		error_set(e, rc,
		    "cannot listen on %s: Permission denied; such a port takes a socket unit "
		    "(popgate.socket), or a start as root with the setting user",
		    address);
	return rc;
}

static int
claim_or_open(const struct sockets *current, const struct config_listener *l, const char *address,
    struct sockets *next, struct error *e)
{
	int fd = find_unclaimed(current, next, address);
	char *copy;
	int rc;

	if ((copy = strdup(address)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "no memory for a listener");
	if (fd < 0 && (rc = open_socket(address, &fd, e)) != 0) {
		free(copy);
		return rc;
	}
	next->addresses[next->count] = copy;
	next->until[next->count] = l->legacy ? l->legacy_until : 0;
	next->fds[next->count++] = fd;
	return 0;
}

int
sockets_prepare(const struct sockets *current, const struct config *config, struct sockets *next,
    struct error *e)
{
	size_t total = config_address_count(config);
	const struct config_listener *l;
	int rc = 0;

	memset(next, 0, sizeof(*next));
	next->addresses = calloc(total, sizeof(*next->addresses));
	next->fds = calloc(total, sizeof(*next->fds));
	next->until = calloc(total, sizeof(*next->until));
	if (next->addresses == NULL || next->fds == NULL || next->until == NULL)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for listeners");
	for (size_t i = 0; rc == 0 && i < config->listener_count; i++) {
		l = &config->listeners[i];
		for (size_t j = 0; rc == 0 && j < l->addresses.count; j++)
			rc = claim_or_open(current, l, l->addresses.items[j], next, e);
	}
	if (rc != 0)
		close_others(next, current);
	return rc;
}

/* "127.0.0.1:0" was asked for, "127.0.0.1:40123" is what it became. SOCKET may be NULL, or a word
 * on where it comes from. */
static void
log_listening(struct log *log, const struct config_listener *listener, const char *written, int fd,
    const char *socket)
{
	int host_len = (int) (strrchr(written, ':') - written);
	char address[ADDRESS_TEXT_MAX + 8];

	snprintf(
	    address, sizeof(address), "%.*s:%u", host_len, written, (unsigned) acceptor_port(fd));
	log_event(log, LOG_LEVEL_INFO, NULL, "listening",
	    LOG_FIELDS(LOG_TEXT("address", address),
		LOG_TEXT("protocol", listener_protocol_name(listener->protocol)),
		LOG_TEXT("tls", listener->protocol == LISTENER_POP3S ? "implicit"
				: listener->certificates.count > 0   ? "stls"
								     : "none"),
		LOG_TEXT("socket", socket)));
}

/* ---- inherited ones ---- */

/* The listener of CONFIG with an address that is NAME; its text is *ADDRESS. NULL: none. */
static const struct config_listener *
find_listener(
    const struct config *config, const struct sockaddr_storage *name, const char **address)
{
	const struct text_list *addresses;

	for (size_t i = 0; i < config->listener_count; i++) {
		addresses = &config->listeners[i].addresses;
		for (size_t j = 0; j < addresses->count; j++)
			if (acceptor_is_at(addresses->items[j], name)) {
				*address = addresses->items[j];
				return &config->listeners[i];
			}
	}
	return NULL;
}

static void
refuse_inherited(int fd, const struct sockaddr_storage *name, struct log *log)
{
	char address[ADDRESS_TEXT_MAX];

	network_peer_text(name, address);
	log_event(log, LOG_LEVEL_WARNING, NULL,
	    "inherited socket is at no address of a listener, closed",
	    LOG_FIELDS(LOG_TEXT("address", address), LOG_NUMBER("port", acceptor_port(fd))));
	close(fd);
}

static int
inherit(
    struct sockets *sockets, int fd, const struct config *config, struct log *log, struct error *e)
{
	const struct config_listener *listener;
	struct sockaddr_storage name;
	const char *address;
	char *copy;

	if (!inherited_is_listening(fd, &name)) {
		log_event(log, LOG_LEVEL_WARNING, NULL,
		    "inherited descriptor is no listening TCP socket, closed",
		    LOG_FIELDS(LOG_NUMBER("descriptor", (uint64_t) fd)));
		close(fd);
		return 0;
	}
	if ((listener = find_listener(config, &name, &address)) == NULL) {
		refuse_inherited(fd, &name, log);
		return 0;
	}
	if ((copy = strdup(address)) == NULL) {
		close(fd);
		return error_set(e, ERR_NO_MEMORY, "no memory for a listener");
	}
	sockets->addresses[sockets->count] = copy;
	sockets->fds[sockets->count++] = fd;
	log_listening(log, listener, address, fd, "inherited");
	return 0;
}

int
sockets_inherit(struct sockets *sockets, size_t count, const struct config *config, struct log *log,
    struct error *e)
{
	int rc = 0;

	if (count == 0)
		return 0;
	sockets->addresses = calloc(count, sizeof(*sockets->addresses));
	sockets->fds = calloc(count, sizeof(*sockets->fds));
	if (sockets->addresses == NULL || sockets->fds == NULL)
		return error_set(e, ERR_NO_MEMORY, "no memory for listeners");
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = inherit(sockets, INHERITED_FIRST + (int) i, config, log, e);
	return rc;
}

/* ---- changes ---- */

void
sockets_commit(
    struct sockets *current, struct sockets *next, const struct config *config, struct log *log)
{
	size_t at = 0;

	for (size_t i = 0; i < config->listener_count; i++)
		for (size_t j = 0; j < config->listeners[i].addresses.count; j++, at++)
			if (!contains(current, next->fds[at]))
				log_listening(log, &config->listeners[i], next->addresses[at],
				    next->fds[at], NULL);
	close_others(current, next);
	*current = *next;
}

void
sockets_abandon(const struct sockets *current, struct sockets *next)
{
	close_others(next, current);
}

void
sockets_end_legacy(struct sockets *sockets, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->until[i] != 0 && legacy_is_over(sockets->until[i], now)) {
			close(sockets->fds[i]);
			free(sockets->addresses[i]);
			continue;
		}
		sockets->addresses[kept] = sockets->addresses[i];
		sockets->fds[kept] = sockets->fds[i];
		sockets->until[kept++] = sockets->until[i];
	}
	sockets->count = kept;
}

void
sockets_close(struct sockets *sockets)
{
	const struct sockets none = { 0 };

	close_others(sockets, &none);
}
