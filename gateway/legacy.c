/* legacy.c - see legacy.h. */
#include "gateway/legacy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 24 * 60 * 60 };

bool
legacy_is_over(uint64_t until, int64_t now)
{
	return now >= 0 && (uint64_t) now / DAY > until;
}

bool
legacy_admits(const struct config_listener *l, const struct sockaddr_storage *peer, int64_t now)
{
	return !legacy_is_over(l->legacy_until, now) &&
	       network_list_contains(&l->legacy_networks, peer);
}

void
legacy_usage_add(struct legacy_usage *usage, const char *address)
{
	struct legacy_client *c = usage->clients;

	usage->sessions++;
	while (c < usage->clients + usage->count && strcmp(c->address, address) != 0)
		c++;
	if (c == usage->clients + LEGACY_CLIENTS_MAX) {
		usage->others++;
		return;
	}
	if (c == usage->clients + usage->count) {
		snprintf(c->address, sizeof(c->address), "%s", address);
		usage->count++;
	}
	c->sessions++;
}

static int
by_sessions(const void *a, const void *b)
{
	const struct legacy_client *x = a, *y = b;

	if (x->sessions != y->sessions)
		return x->sessions < y->sessions ? 1 : -1;
	return strcmp(x->address, y->address);
}

size_t
legacy_usage_format(const struct legacy_usage *usage, char *out, size_t room)
{
	struct legacy_client sorted[LEGACY_CLIENTS_MAX];
	size_t at = 0, told = 0;
	int len;

	memcpy(sorted, usage->clients, sizeof(sorted));
	qsort(sorted, usage->count, sizeof(sorted[0]), by_sessions);
	out[0] = '\0';
	for (; told < usage->count; told++) {
		len = snprintf(out + at, room - at, "%s%s (%" PRIu64 ")", told > 0 ? ", " : "",
		    sorted[told].address, sorted[told].sessions);
		if ((size_t) len >= room - at) {
			out[at] = '\0';
			break;
		}
		at += (size_t) len;
	}
	return told;
}

void
legacy_usage_report(struct legacy_usage *usage, struct log *log)
{
	char clients[LOG_VALUE_MAX - 8];
	size_t told;

	if (usage->sessions == 0 && usage->refused == 0)
		return;
	told = legacy_usage_format(usage, clients, sizeof(clients));
	log_event(log, LOG_LEVEL_WARNING, NULL, "legacy TLS is in use",
	    LOG_FIELDS(LOG_NUMBER("sessions", usage->sessions),
		LOG_TEXT("clients", told > 0 ? clients : NULL),
		LOG_NUMBER("more_clients", usage->count - told),
		LOG_NUMBER("other_sessions", usage->others),
		LOG_NUMBER("refused", usage->refused)));
	memset(usage, 0, sizeof(*usage));
}
