/* learner.c - see learner.h.
 *
 * The work has a fiber of its own, so that it can be ended when its time is over, in whatever it waits. */
#include "gateway/learner.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fiberio/fiber.h"
#include "gateway/admission.h"
#include "gateway/importer.h"
#include "gateway/pairing.h"
#include "gateway/pop3_client.h"

#define LEARNED_NAME "learned" /* of the account's fact in the ledger */

/* What the fiber of the login and that of the work share; on the stack of the former. */
struct lesson {
	const struct learner *learner;
	struct fiber *waiting;
	bool done;
	int rc;
	struct error error;
	struct pop3_client *old;
	struct pairing pairing;
	struct ledger_imported stored;
};

static int
has_fact(const struct learner *l, const char *name, bool *has, struct error *e)
{
	char *value = NULL;
	int rc = ledger_account_get(l->ledger, l->account, name, &value, e);

	*has = value != NULL;
	free(value);
	return rc;
}

/* For whom somebody else has logged in, by a certificate or as a master, the old server's own master does
 * it there: no server gets another one's. */
static int
log_in(struct lesson *s, struct error *e)
{
	const struct learner *l = s->learner;
	struct credentials brought = *l->credentials, c; /* own nothing */
	char user[USER_NAME_MAX + 1];
	int rc;

	/* The new server may call the user something else. */
	snprintf(user, sizeof(user), "%s", l->account);
	brought.user = user;
	if (brought.master != NULL)
		brought.kind = CREDENTIALS_CERTIFICATE;
	if ((rc = admission_credentials(l->old, &brought, &c, e)) != 0)
		return error_prefix(e, "%s", l->old->name);
	if ((rc = pop3_client_open(&l->old->imap, &s->old, e)) != 0) {
		s->old = NULL;
		return rc;
	}
	rc = pop3_client_login(s->old, &c, e);
	if (rc == ERR_AUTH || rc == ERR_AUTH_DENIED || rc == ERR_AUTH_EXPIRED)
		error_prefix(e, "the old server does not let the user in");
	return rc;
}

static int
take_snapshot(struct lesson *s, struct error *e)
{
	const struct snapshot *snapshot = s->learner->snapshot;
	int rc = 0;

	for (size_t n = 1; n <= snapshot_count(snapshot) && rc == 0; n++) {
		const struct snapshot_message *m = snapshot_at(snapshot, n);

		rc = pairing_add_new(&s->pairing, m->uid, m->size);
	}
	return rc == 0 ? 0 : error_set(e, rc, "%s", error_name(rc));
}

static int
store(struct lesson *s, struct error *e)
{
	const struct learner *l = s->learner;
	const struct maildrop_key old = { l->old->name, l->account, "INBOX" };
	struct ledger_row *rows = NULL;
	struct ledger_seen *seen = NULL;
	char now[32];
	size_t count;
	int rc;

	snprintf(now, sizeof(now), "%lld", (long long) time(NULL));
	if (pairing_rows(&s->pairing, &rows, &count) != 0 ||
	    pairing_seen(&s->pairing, &seen) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
	else if ((rc = ledger_import(l->ledger, &l->key, l->uidvalidity, rows, count,
		      LEDGER_FROM_LEARNER, &s->stored, e)) == 0 &&
		 (rc = ledger_saw_elsewhere(
		      l->ledger, l->account, &old, seen, s->pairing.old.count, e)) == 0)
		rc = ledger_account_set(l->ledger, l->account, LEARNED_NAME, now, e);
	free(rows);
	free(seen);
	return rc;
}

static void
work(void *arg)
{
	struct lesson *s = arg;
	struct error *e = &s->error;

	if ((s->rc = log_in(s, e)) == 0 && (s->rc = take_snapshot(s, e)) == 0 &&
	    (s->rc = pairing_list_old(&s->pairing, s->old, e)) == 0 &&
	    (s->rc = pairing_run(&s->pairing, s->old, s->learner->imap, MATCH_USUAL, e)) == 0)
		s->rc = store(s, e);
	if (fiber_cancelled())
		pop3_client_close(s->old);
	else
		pop3_client_quit(s->old);
	s->done = true;
	fiber_wake(s->waiting);
}

/* Lets the work run until it is done or its time is over. */
static int
wait(struct lesson *s, struct error *e)
{
	uint64_t deadline = fiber_deadline(s->learner->timeout_ms);
	struct fiber *worker;
	int rc;

	if ((rc = fiber_spawn(fiber_self_runtime(), work, s, &worker)) != 0)
		return error_set(e, rc, "%s", error_name(rc));
	while (!s->done && (rc = fiber_park(deadline)) == 0)
		;
	if (s->done) {
		if (s->rc != 0)
			*e = s->error;
		return s->rc;
	}
	fiber_cancel(worker);
	if (s->done && s->rc == 0) /* in the last moment */
		return 0;
	return rc == ERR_TIMEOUT ? error_set(e, rc, "learn_timeout is over")
				 : error_set(e, rc, "cancelled");
}

static void
log_lesson(const struct lesson *s)
{
	const struct learner *l = s->learner;
	const struct match *m = &s->pairing.match;

	log_event(l->log, LOG_LEVEL_INFO, l->session_id, "learned UIDLs of the old server",
	    LOG_FIELDS(LOG_TEXT("user", l->account), LOG_TEXT("old", l->old->name),
		LOG_NUMBER("messages", s->pairing.old.count), LOG_NUMBER("matched", m->paired),
		LOG_NUMBER("ambiguous", m->by[MATCH_AMBIGUOUS]),
		LOG_NUMBER("unmatched", m->by[MATCH_OPEN])));
}

int
learner_run(const struct learner *l, struct error *e)
{
	struct lesson s = { .learner = l, .waiting = fiber_self() };
	bool learned, imported;
	int rc;

	if ((rc = has_fact(l, LEARNED_NAME, &learned, e)) != 0 || learned ||
	    (rc = has_fact(l, IMPORT_DONE_NAME, &imported, e)) != 0 || imported)
		return rc;
	if ((rc = wait(&s, e)) == 0)
		log_lesson(&s);
	pairing_clear(&s.pairing);
	if (rc == ERR_AUTH || rc == ERR_AUTH_DENIED || rc == ERR_AUTH_EXPIRED ||
	    rc == ERR_AUTH_PRIVACY)
		rc = e->code = ERR_TEMPORARY;
	return rc;
}
