/* legacy.h - listeners for devices that know no TLS of today (legacy_tls): until when, for whom, and
 * who still comes.
 *
 * What they speak can be broken by who is on the way, so such a listener is fenced: it serves listed
 * networks only, and ends at a date. The counters say when it can go earlier. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/config.h"
#include "gateway/log.h"
#include "gateway/network.h"

/* Whether the day UNTIL (days since 1970, UTC) is over at NOW (seconds since 1970). Pure. */
bool legacy_is_over(uint64_t until, int64_t now);

/* Whether PEER may use the fenced listener L at NOW. Pure. */
bool legacy_admits(
    const struct config_listener *l, const struct sockaddr_storage *peer, int64_t now);

enum { LEGACY_CLIENTS_MAX = 64 }; /* that are told apart */

struct legacy_client {
	char address[ADDRESS_TEXT_MAX];
	uint64_t sessions;
};

/* Who came since the last report. */
struct legacy_usage {
	struct legacy_client clients[LEGACY_CLIENTS_MAX];
	size_t count;
	uint64_t sessions; /* of all clients */
	uint64_t others;   /* of those that there was no place for */
	uint64_t refused;  /* connections from other networks, or behind the end */
};

/* Counts a session of ADDRESS. */
void legacy_usage_add(struct legacy_usage *usage, const char *address);

/* Writes clients, those with most sessions first, as "192.0.2.7 (12), 192.0.2.9 (3)" to OUT: as many
 * as fit. Returns how many addresses that are. */
size_t legacy_usage_format(const struct legacy_usage *usage, char *out, size_t room);

/* Logs what was counted, if anything, and begins anew. */
void legacy_usage_report(struct legacy_usage *usage, struct log *log);
