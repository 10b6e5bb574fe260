/* preference.c - see preference.h. */
#include "gateway/preference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "fiberio/fiber.h"

enum { FACT_NAME_MAX = 128, FACT_MAX = 256 };

void
preference_format(const char *name, int64_t now, char *text, size_t room)
{
	snprintf(text, room, "%lld %s", (long long) now, name);
}

const char *
preference_read(const char *text, int64_t now, uint64_t *age_s)
{
	const char *blank = strchr(text, ' ');
	uint64_t then;

	if (blank == NULL || text_to_number(text, (size_t) (blank - text), INT64_MAX, &then) != 0 ||
	    (int64_t) then > now)
		return NULL;
	*age_s = (uint64_t) now - then;
	return *age_s < WINNERS_KEEP_S ? blank + 1 : NULL;
}

static void
name_fact(const struct way *w, char name[FACT_NAME_MAX])
{
	snprintf(name, FACT_NAME_MAX, "winner:%s", w->route->label);
}

static void
log_store(const struct preference *p, const char *account, const char *what, const struct error *e)
{
	if (e->code != ERR_CANCELLED)
		log_error(p->log, LOG_LEVEL_WARNING, p->session_id, what, e,
		    LOG_FIELDS(LOG_TEXT("user", account)));
}

/* Makes *WHICH the place in W of the upstream that the store has, and lets the memory know. */
static bool
ask_store(struct preference *p, const char *account, const struct way *w, size_t *which)
{
	const uint64_t now = fiber_now();
	char fact[FACT_NAME_MAX], *value = NULL;
	const char *name = NULL;
	struct error e = { 0 };
	uint64_t age_s = 0;

	name_fact(w, fact);
	if (ledger_account_get(p->ledger, account, fact, &value, &e) != 0) {
		log_store(p, account, "the upstream of the last login cannot be read", &e);
		p->store = PREFERENCE_FAILED;
		return false;
	}
	p->store = value == NULL ? PREFERENCE_NONE : PREFERENCE_UNKNOWN;
	if (value != NULL)
		name = preference_read(value, time(NULL), &age_s);
	for (*which = 0; name != NULL && *which < w->count; ++*which) {
		if (strcmp(w->upstreams[*which]->name, name) != 0)
			continue;
		winners_note(p->winners, w->route->label, account, name,
		    now > age_s * 1000 ? now - age_s * 1000 : 0);
		break;
	}
	free(value);
	return name != NULL && *which < w->count;
}

static bool
ask_memory(const struct preference *p, const char *account, const struct way *w, size_t *which)
{
	for (*which = 0; *which < w->count; ++*which)
		if (winners_know(p->winners, w->route->label, account,
			w->upstreams[*which]->name, fiber_now()))
			return true;
	return false;
}

void
preference_apply(struct preference *p, const char *account, struct way *w)
{
	size_t which;

	p->first = w->upstreams[0];
	p->known = NULL;
	p->store = PREFERENCE_UNKNOWN;
	if (w->count < 2)
		return;
	if (!ask_memory(p, account, w, &which) &&
	    (p->ledger == NULL || !ask_store(p, account, w, &which)))
		return;
	p->known = w->upstreams[which];
	way_prefer(w, which);
}

void
preference_note(struct preference *p, const char *account, const struct way *w,
    const struct upstream *upstream)
{
	char fact[FACT_NAME_MAX], value[FACT_MAX];
	struct error e = { 0 };

	if (w->count < 2 || upstream == p->known)
		return;
	winners_note(p->winners, w->route->label, account, upstream->name, fiber_now());
	if (p->ledger == NULL || p->store == PREFERENCE_FAILED ||
	    (p->store == PREFERENCE_NONE && upstream == p->first))
		return;
	name_fact(w, fact);
	preference_format(upstream->name, time(NULL), value, sizeof(value));
	if (ledger_account_set(
		p->ledger, account, fact, upstream == p->first ? NULL : value, &e) != 0)
		log_store(p, account, "the upstream of this login cannot be stored", &e);
}
