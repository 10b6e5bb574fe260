/* ledger_rig.h - a state store in a folder of its own, logins to it, and what the guard noted there. */
#pragma once
#include "gateway/ledger_file.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "gateway/ledger_guard.h"
#include "gateway/ledger_write.h"
#include "mapping/uidl_settle.h"
#include "unit.h"

enum { PATIENCE_MS = 2000, UIDVALIDITY = 7 };

static char state[64];
static struct ledger_file *file;
static struct error last;

static const struct maildrop_key inbox = { "new", "jane", "INBOX" };
static const struct maildrop_key junk = { "new", "jane", "Junk" };
static const struct maildrop_key old = { "old", "jane", "" };

static inline uint64_t
soon(void)
{
	return database_clock() + PATIENCE_MS;
}

static inline const char *
in_state(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", state, name);
	return path;
}

static inline void
rig_begin(void)
{
	snprintf(state, sizeof(state), "/tmp/popgate-ledger-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(state));
	CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &file), 0);
}

static inline int
remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void) st;
	(void) type;
	(void) walk;
	return remove(path);
}

static inline void
rig_end(void)
{
	ledger_file_free(file);
	CU_ASSERT_EQUAL(nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void
reopen(void)
{
	ledger_file_free(file);
	CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &file), 0);
}

/* ---- a login ---- */

/* One mailbox as a login sees it. */
struct visit {
	struct uidl_book *book;
	struct ledger_part part;
	struct snapshot_message messages[64];
};

static inline int
visit_begin(struct visit *v, const struct maildrop_key *key, uint32_t uidvalidity, const char *template)
{
	const struct uidl_template *rules;
	uint32_t first;
	int rc;

	memset(v, 0, sizeof(*v));
	CU_ASSERT_EQUAL_FATAL(uidl_book_new(&v->book), 0);
	v->part.key = *key;
	v->part.book = v->book;
	v->part.messages = v->messages;
	rc = ledger_file_load(
	    file, soon(), key, uidvalidity, "jane@x", v->book, &v->part.found, &last);
	if (rc != 0)
		return rc;
	rules = uidl_book_last(v->book, &first);
	if (rules == NULL || strcmp(uidl_template_text(rules), template) != 0) {
		static struct uidl_template *templates[16];
		static unsigned next;
		struct uidl_template **t = &templates[next++ % 16];
		size_t at;

		uidl_template_free(*t);
		CU_ASSERT_EQUAL_FATAL(uidl_template_parse(template, t, &at), 0);
		CU_ASSERT_EQUAL(
		    uidl_book_add_template(v->book, v->part.found.shown + 1, *t), 0);
	}
	return 0;
}

/* The mailbox has messages FIRST to LAST. */
static inline void
visit_fill(struct visit *v, uint32_t first, uint32_t last_uid)
{
	v->part.count = 0;
	for (uint32_t uid = first; uid <= last_uid; uid++)
		v->messages[v->part.count++] =
		    (struct snapshot_message){ .uid = uid, .size = uid * 10 };
}

/* *WRITTEN: there was something new. */
static inline int
show(struct visit *v, bool without_marked, bool *written)
{
	struct ledger_writing *w;
	int rc = 0;

	CU_ASSERT_EQUAL_FATAL(ledger_writing_new("jane@x", &v->part, 1, without_marked, &w), 0);
	*written = w != NULL;
	if (w != NULL && (rc = ledger_file_write(file, soon(), w, &last)) == 0)
		ledger_writing_found(w, &v->part);
	ledger_writing_free(w);
	return rc;
}

static inline void
visit_end(struct visit *v)
{
	uidl_book_free(v->book);
}

/* A whole login with TEMPLATE and messages FIRST to LAST; whether it wrote. */
static inline bool
login(const struct maildrop_key *key, uint32_t uidvalidity, const char *template, uint32_t first,
    uint32_t last_uid)
{
	struct visit v;
	bool written = false;

	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, key, uidvalidity, template), 0);
	visit_fill(&v, first, last_uid);
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	visit_end(&v);
	return written;
}

static inline void
expect_uidl(const struct visit *v, uint32_t uid, const char *uidl)
{
	char now[UIDL_MAX + 1];

	uidl_book_format(v->book, v->part.found.uidvalidity, uid, now);
	if (!UNIT_CHECK(strcmp(now, uidl) == 0, uidl))
		printf("    UID %u has %s\n", (unsigned) uid, now);
}

static inline void
run_sql(const char *sql)
{
	sqlite3 *db;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(in_state("state.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static inline void
fails_to_load(const char *what)
{
	struct visit v;

	last.text[0] = '\0';
	UNIT_CHECK(visit_begin(&v, &inbox, UIDVALIDITY, "a%u") == ERR_TEMPORARY, what);
	if (!UNIT_CHECK(strstr(last.text, "/state.db: ") != NULL, what))
		printf("    %s\n", last.text);
	visit_end(&v);
}

/* ---- the guard ---- */

static inline int
note_stop(void *ctx, const struct ledger_stop *stop)
{
	char *text = ctx;
	size_t len = strlen(text);

	snprintf(text + len, 1000 - len, "%s %llu/%llu x%llu%s; ", stop->account,
	    (unsigned long long) stop->missing, (unsigned long long) stop->seen,
	    (unsigned long long) stop->logins, stop->approved != 0 ? " approved" : "");
	return 0;
}

static inline const char *
stops(const char *subject)
{
	static char text[1000];

	text[0] = '\0';
	CU_ASSERT_EQUAL(
	    ledger_file_each_stop(file, soon(), subject, note_stop, text, &last), 0);
	return text;
}

/* A login of ACCOUNT that saw SEEN messages, and would see as many that it does not know, and no more
 * MISSING. Returns how many were stopped so far. */
static inline uint64_t
stop_login(const char *account, unsigned seen, unsigned missing)
{
	struct ledger_difference difference = { .seen = seen };
	uint64_t so_far = 0;
	char uidl[20];

	for (unsigned i = 1; i <= missing; i++) {
		snprintf(uidl, sizeof(uidl), "old%u", i);
		uidl_sample_add(&difference.missing, uidl);
	}
	for (unsigned i = 1; i <= seen; i++) {
		snprintf(uidl, sizeof(uidl), "new%u", i);
		uidl_sample_add(&difference.fresh, uidl);
	}
	CU_ASSERT_EQUAL(ledger_file_stopped(
			    file, soon(), account, &junk, &difference, &so_far, &last),
	    0);
	return so_far;
}

static inline uint64_t
stops_so_far(void)
{
	uint64_t count = 0;

	CU_ASSERT_EQUAL(ledger_file_stops(file, soon(), &count, &last), 0);
	return count;
}

static inline int
note_difference(void *ctx, const struct ledger_stop *stop)
{
	snprintf(ctx, 400, "-%llu %s +%llu %s", (unsigned long long) stop->missing,
	    stop->missing_uidls, (unsigned long long) stop->fresh, stop->fresh_uidls);
	return 0;
}

static inline const char *
difference_of(const char *account)
{
	static char text[400];

	text[0] = '\0';
	CU_ASSERT_EQUAL(
	    ledger_file_each_stop(file, soon(), account, note_difference, text, &last), 0);
	return text;
}
