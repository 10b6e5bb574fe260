/* learner.c - see learner.h.
 *
 * The work has a fiber of its own, so that it goes on beside the login, and can be ended when its time is
 * over, in whatever it waits. */
#include "gateway/learner.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fiberio/fiber.h"
#include "gateway/admission.h"
#include "gateway/importer.h"
#include "gateway/pop3_client.h"

/* A fiber that may wait for the other one. */
struct waiter {
	struct fiber *fiber;
	bool waits;
};

struct learner {
	struct lesson lesson;
	struct waiter login, worker;
	bool done; /* the worker has ended */
	bool found_out; /* there was something to be learned */
	int rc;
	struct error error;
	struct pop3_client *old;
	struct pairing pairing;
	struct ledger_imported stored;

	/* From learner_finish. */
	const struct learner_mailbox *mailboxes; /* NULL: not yet */
	size_t count;
	const struct pairing_source *source;
};

/* Suspends the running fiber, W's. */
static int
wait(struct waiter *w, uint64_t deadline)
{
	int rc;

	w->waits = true;
	rc = fiber_park(deadline);
	w->waits = false;
	return rc;
}

/* Whoever waits for something else is left alone. */
static void
wake(struct waiter *w)
{
	if (w->waits)
		fiber_wake(w->fiber);
}

/* ---- the worker ---- */

static int
has_fact(const struct lesson *l, const char *name, bool *has, struct error *e)
{
	char *value = NULL;
	int rc = ledger_account_get(l->ledger, l->account, name, &value, e);

	*has = value != NULL;
	free(value);
	return rc;
}

/* Whether there is nothing to be learned any more. */
static int
find_facts(const struct lesson *l, bool *known, struct error *e)
{
	int rc = has_fact(l, LEARNED_NAME, known, e);

	return rc != 0 || *known ? rc : has_fact(l, IMPORT_DONE_NAME, known, e);
}

/* For whom somebody else has logged in, by a certificate or as a master, the old server's own master does
 * it there: no server gets another one's. */
static int
log_in(struct learner *l, struct error *e)
{
	const struct lesson *lesson = &l->lesson;
	struct credentials brought = *lesson->credentials, c; /* own nothing */
	char user[USER_NAME_MAX + 1];
	int rc;

	/* The new server may call the user something else. */
	snprintf(user, sizeof(user), "%s", lesson->account);
	brought.user = user;
	if (brought.master != NULL)
		brought.kind = CREDENTIALS_CERTIFICATE;
	if ((rc = admission_credentials(lesson->old, &brought, &c, e)) != 0)
		return error_prefix(e, "%s", lesson->old->name);
	if ((rc = pop3_client_open(&lesson->old->imap, &l->old, e)) != 0) {
		l->old = NULL;
		return rc;
	}
	rc = pop3_client_login(l->old, &c, e);
	if (rc == ERR_AUTH || rc == ERR_AUTH_DENIED || rc == ERR_AUTH_EXPIRED)
		error_prefix(e, "the old server does not let the user in");
	return rc;
}

static int
take_snapshot(struct pairing *p, const struct snapshot *snapshot)
{
	int rc = pairing_begin_mailbox(p);

	for (size_t n = 1; n <= snapshot_count(snapshot) && rc == 0; n++) {
		const struct snapshot_message *m = snapshot_at(snapshot, n);

		rc = pairing_add_new(p, m->uid, m->size);
	}
	return rc;
}

/* The old side is there; the new one may take longer. */
static int
await_mailboxes(struct learner *l, struct error *e)
{
	int rc = 0;

	while (l->mailboxes == NULL && rc == 0)
		rc = wait(&l->worker, FIBER_NO_DEADLINE);
	for (size_t i = 0; i < l->count && rc == 0; i++)
		rc = take_snapshot(&l->pairing, l->mailboxes[i].snapshot);
	/* The mailbox of the last login stays selected, and it is the first. */
	l->pairing.selected = 0;
	return rc == 0 ? 0 : error_set(e, rc, "%s", error_name(rc));
}

static int
store_pairs(struct learner *l, struct error *e)
{
	struct ledger_rows *parts = calloc(l->count, sizeof(*parts));
	int rc;

	if (parts == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < l->count; i++) {
		parts[i].key = l->mailboxes[i].key;
		parts[i].uidvalidity = snapshot_uidvalidity(l->mailboxes[i].snapshot, 0);
	}
	rc = pairing_store(
	    &l->pairing, l->lesson.ledger, parts, LEDGER_FROM_LEARNER, &l->stored, e);
	free(parts);
	return rc;
}

static int
store(struct learner *l, struct error *e)
{
	const struct lesson *lesson = &l->lesson;
	const struct maildrop_key old = { lesson->old->name, lesson->account, "INBOX" };
	struct ledger_seen *seen;
	char now[32];
	int rc;

	snprintf(now, sizeof(now), "%lld", (long long) time(NULL));
	if (pairing_seen(&l->pairing, &seen) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if ((rc = store_pairs(l, e)) == 0 &&
	    (rc = ledger_saw_elsewhere(lesson->ledger, lesson->account, &old, seen,
		 l->pairing.old.count, e)) == 0)
		rc = ledger_account_set(lesson->ledger, lesson->account, LEARNED_NAME, now, e);
	free(seen);
	return rc;
}

static int
learn(struct learner *l, struct error *e)
{
	bool known;
	int rc;

	if ((rc = find_facts(&l->lesson, &known, e)) != 0 || known)
		return rc;
	l->found_out = true;
	if ((rc = log_in(l, e)) != 0 || (rc = pairing_list_old(&l->pairing, l->old, e)) != 0 ||
	    (rc = await_mailboxes(l, e)) != 0 ||
	    (rc = pairing_run(&l->pairing, l->old, l->source, MATCH_USUAL, e)) != 0)
		return rc;
	return store(l, e);
}

static void
work(void *arg)
{
	struct learner *l = arg;

	l->rc = learn(l, &l->error);
	if (fiber_cancelled())
		pop3_client_close(l->old);
	else
		pop3_client_quit(l->old);
	l->done = true;
	wake(&l->login);
}

/* ---- the login ---- */

int
learner_begin(const struct lesson *lesson, struct learner **out)
{
	struct learner *l = calloc(1, sizeof(*l));
	int rc;

	*out = NULL;
	if (l == NULL)
		return ERR_NO_MEMORY;
	l->lesson = *lesson;
	l->pairing.max_messages = (size_t) lesson->old->max_messages;
	l->login.fiber = fiber_self();
	if ((rc = fiber_spawn(fiber_self_runtime(), work, l, &l->worker.fiber)) != 0) {
		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

/* Ends the worker, unless it has ended. */
static void
stop(struct learner *l)
{
	if (!l->done)
		fiber_cancel(l->worker.fiber);
}

static void
log_lesson(const struct learner *l)
{
	const struct lesson *lesson = &l->lesson;
	const struct match *m = &l->pairing.match;

	log_event(lesson->log, LOG_LEVEL_INFO, lesson->session_id, "learned UIDLs of the old server",
	    LOG_FIELDS(LOG_TEXT("user", lesson->account), LOG_TEXT("old", lesson->old->name),
		LOG_NUMBER("messages", l->pairing.old.count), LOG_NUMBER("matched", m->paired),
		LOG_NUMBER("ambiguous", m->by[MATCH_AMBIGUOUS]),
		LOG_NUMBER("unmatched", m->by[MATCH_OPEN])));
}

/* Lets the work run until it is done or its time is over. */
static int
wait_for_worker(struct learner *l, struct error *e)
{
	uint64_t deadline = fiber_deadline(l->lesson.timeout_ms);
	int rc = 0;

	while (!l->done && rc == 0)
		rc = wait(&l->login, deadline);
	stop(l);
	if (rc == 0 || l->rc == 0) { /* or in the last moment */
		if (l->rc != 0)
			*e = l->error;
		return l->rc;
	}
	return rc == ERR_TIMEOUT ? error_set(e, rc, "learn_timeout is over")
				 : error_set(e, rc, "cancelled");
}

int
learner_finish(struct learner *l, const struct learner_mailbox *mailboxes, size_t count,
    const struct pairing_source *source, struct error *e)
{
	int rc;

	l->source = source;
	l->count = count;
	l->mailboxes = mailboxes;
	wake(&l->worker);
	if ((rc = wait_for_worker(l, e)) == 0 && l->found_out)
		log_lesson(l);
	if (rc == ERR_AUTH || rc == ERR_AUTH_DENIED || rc == ERR_AUTH_EXPIRED ||
	    rc == ERR_AUTH_PRIVACY)
		rc = e->code = ERR_TEMPORARY;
	return rc;
}

void
learner_end(struct learner *l)
{
	if (l == NULL)
		return;
	stop(l);
	pairing_clear(&l->pairing);
	free(l);
}
