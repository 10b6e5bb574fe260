/* respawn.c - see respawn.h. */
#include "gateway/respawn.h"

enum {
	INTERVAL_MS = 1000, /* between two starts */
	STEADY_MS = 10000,  /* who lives this long has recovered */
};

void
respawn_started(struct respawn *respawn, uint64_t now_ms)
{
	respawn->started_ms = now_ms;
}

uint64_t
respawn_ended(struct respawn *respawn, uint64_t now_ms)
{
	uint64_t lived_ms = now_ms - respawn->started_ms;

	if (lived_ms >= STEADY_MS)
		respawn->early_ends = 0;
	else
		respawn->early_ends++;
	return respawn->early_ends <= 1 || lived_ms >= INTERVAL_MS ? 0 : INTERVAL_MS - lived_ms;
}
