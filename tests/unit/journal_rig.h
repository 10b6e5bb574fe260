/* journal_rig.h - a journal in a state directory of its own, its calls made on fibers one after the
 * other, and what it tells as one line of text. */
#pragma once
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/uidset_text.h"
#include "fibers.h"
#include "gateway/journal.h"

enum { TEXT_MAX = 1024 };

static char state[64]; /* the state directory */
static struct journal *journal;
static struct error last; /* error of the last call */

static inline const char *
in_state(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", state, name);
	return path;
}

static inline void
open_journal(void)
{
	CU_ASSERT_EQUAL_FATAL(journal_open(state, &journal), 0);
	journal_set_patience(journal, 200);
}

static inline void
close_journal(void)
{
	journal_close(journal);
	journal = NULL;
}

static inline void
reopen_journal(void)
{
	close_journal();
	open_journal();
}

static inline void
rig_begin(void)
{
	begin();
	snprintf(state, sizeof(state), "/tmp/popgate-journal-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(state));
	open_journal();
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
	close_journal();
	CU_ASSERT_EQUAL(nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	end();
}

/* ---- calls ---- */

enum call_kind { BEGIN, CHANGE, END, PENDING };

struct call {
	enum call_kind kind;
	struct journal *journal; /* of the rig, unless given */
	const char *upstream, *user, *mailbox;
	struct journal_entry entry;
	int64_t id;
	char text[TEXT_MAX]; /* what is pending */
	size_t count;
	int rc;
	bool done;
	struct error e;
};

static inline void
set_of(struct uidset *set, const char *text)
{
	CU_ASSERT_EQUAL_FATAL(uidset_parse(text, strlen(text), set), 0);
}

/* "remove 7 ours/flagged_before/lifted" of each entry, with a blank between them. */
static inline void
describe(char *out, size_t room, const struct journal_entry *entries, size_t count)
{
	static const char *const tasks[] = { "remove", "undo", "late" };
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count && used < room; i++) {
		const struct journal_entry *e = &entries[i];
		char *ours, *flagged, *lifted;

		CU_ASSERT_EQUAL_FATAL(uidset_format(&e->ours, &ours), 0);
		CU_ASSERT_EQUAL_FATAL(uidset_format(&e->flagged_before, &flagged), 0);
		CU_ASSERT_EQUAL_FATAL(uidset_format(&e->lifted, &lifted), 0);
		used += (size_t) snprintf(out + used, room - used, "%s%s %" PRIu32 " %s/%s/%s",
		    i > 0 ? " " : "", tasks[e->task], e->uidvalidity, ours, flagged, lifted);
		free(ours);
		free(flagged);
		free(lifted);
	}
}

static inline void
call_pending(struct call *c, struct journal *where, const struct maildrop_key *key)
{
	struct journal_entry *entries = NULL;

	c->rc = journal_pending(where, key, &entries, &c->count, &c->e);
	describe(c->text, sizeof(c->text), entries, c->count);
	if (c->count > 0) {
		c->id = entries[0].id;
		c->entry.begun = entries[0].begun;
		memcpy(c->entry.how, entries[0].how, sizeof(c->entry.how));
	}
	journal_entries_free(entries, c->count);
}

static inline void
call_main(void *arg)
{
	struct call *c = arg;
	struct journal *where = c->journal != NULL ? c->journal : journal;
	const struct maildrop_key key = { c->upstream, c->user, c->mailbox };

	switch (c->kind) {
	case BEGIN:
		c->rc = journal_begin(where, &key, &c->entry, &c->id, &c->e);
		break;
	case CHANGE:
		c->rc = journal_change(where, c->id, c->entry.task, &c->entry.lifted, &c->e);
		break;
	case END:
		c->rc = journal_end(where, c->id, &c->e);
		break;
	case PENDING:
		call_pending(c, where, &key);
		break;
	}
	c->done = true;
}

static inline int
make_call(struct call *c)
{
	spawn(call_main, c);
	run_all();
	CU_ASSERT_TRUE(c->done);
	last = c->e;
	return c->rc;
}

static inline struct call
call_of(enum call_kind kind, const char *user)
{
	return (struct call){
		.kind = kind,
		.upstream = "imap",
		.user = user,
		.mailbox = "INBOX",
		.entry = { .how = "expunge" },
	};
}

/* Notes OURS as to be removed. *ID may be NULL. */
static inline int
begin_entry(const char *user, const char *ours, int64_t *id)
{
	struct call c = call_of(BEGIN, user);

	c.entry.uidvalidity = 7;
	c.entry.begun = 1000;
	snprintf(c.entry.how, sizeof(c.entry.how), "expunge");
	set_of(&c.entry.ours, ours);
	make_call(&c);
	uidset_clear(&c.entry.ours);
	if (id != NULL)
		*id = c.id;
	return c.rc;
}

static inline int
change_entry(int64_t id, enum journal_task task, const char *lifted)
{
	struct call c = call_of(CHANGE, NULL);

	c.id = id;
	c.entry.task = task;
	set_of(&c.entry.lifted, lifted);
	make_call(&c);
	uidset_clear(&c.entry.lifted);
	return c.rc;
}

static inline int
end_entry(int64_t id)
{
	struct call c = call_of(END, NULL);

	c.id = id;
	return make_call(&c);
}

/* What is pending of USER; "error" where that cannot be told. Valid until the next call. */
static inline const char *
pending(const char *user)
{
	static struct call c;

	c = call_of(PENDING, user);
	return make_call(&c) == 0 ? c.text : "error";
}

#define CHECK_PENDING(user, expected) UNIT_CHECK(strcmp(pending(user), expected) == 0, expected)

/* The last call failed as it should, and said where and what to do. */
static inline bool
says(const char *where, const char *what)
{
	return last.code == ERR_TEMPORARY && strstr(last.text, where) != NULL &&
	       strstr(last.text, what) != NULL;
}

/* ---- the file, from outside ---- */

static inline sqlite3 *
open_aside(void)
{
	sqlite3 *db = NULL;

	CU_ASSERT_EQUAL_FATAL(
	    sqlite3_open_v2(in_state("journal.db"), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	return db;
}

/* Runs SQL on a connection of its own. */
static inline void
run_sql(const char *sql)
{
	sqlite3 *db = open_aside();

	UNIT_CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static inline off_t
size_of(const char *name)
{
	struct stat st;

	return stat(in_state(name), &st) == 0 ? st.st_size : -1;
}
