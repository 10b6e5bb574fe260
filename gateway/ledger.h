/* ledger.h - the memory of UIDLs: what was shown stays as it was (docs/behaviour.md, rules 39 to 44).
 *
 * For each maildrop and UIDVALIDITY the state store ("state.db", see state_store.h) holds from which
 * UID on which template makes the UIDLs, the UIDLs that no template makes, and which messages were
 * shown last. An unchanged template costs a row for a maildrop, and nothing for a message.
 *
 * Functions are for fibers and suspend where nothing else is said; their twins that block are in
 * ledger_file.h. They return 0, ERR_TEMPORARY with a text that names the file and what to do,
 * ERR_NO_MEMORY, or ERR_CANCELLED: then the work may have been done nevertheless. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/maildrop_key.h"
#include "mapping/snapshot.h"
#include "mapping/uidl_book.h"
#include "mapping/uidl_sample.h"

struct sqlite3;

struct ledger; /* one per process; used from one loop's thread */

/* A maildrop as the ledger has it. */
struct ledger_maildrop {
	int64_t id; /* 0: nothing was shown or imported */
	uint32_t uidvalidity;
	int64_t version;  /* changes with each import */
	uint32_t shown;	  /* the highest UID that was ever shown */
	uint64_t messages; /* how many were shown last, and their digest (mapping/seen.h) */
	uint64_t digest;
	bool was_shown; /* and not imported alone */
	int64_t before; /* where it was not, the same under another UIDVALIDITY, which was; 0: none */
	bool is_view;	/* it is, alone or among others, what the account saw last */
	uint32_t view;	/* of how many maildrops that consists; 0: the account is new */
	bool is_stopped; /* the guard has stopped the account, and nothing was shown to it since */
	bool approved;	/* then somebody said that the account may see another maildrop */
	unsigned naming; /* of which kind the names of its messages are (enum naming_kind) */
	uint32_t named;	 /* up to which UID they are known; 0: none is */
};

/* Where a UIDL comes from that no template makes. Numbers are stored: never change one. */
enum ledger_source {
	LEDGER_FROM_ATTRIBUTE = 0, /* the server's attribute of the message, or made unique */
	LEDGER_FROM_IMPORT = 1,	   /* "popgate uidl import" */
	LEDGER_FROM_FILE = 2,	   /* the same, --file */
	LEDGER_FROM_LEARNER = 3,   /* the first login after a move */
	LEDGER_FROM_MATCH = 4,	   /* the same message under another UIDVALIDITY */
};

/* What names a message whatever its UID: a digest, 0 where there is nothing (naming.h). */
struct ledger_name {
	uint32_t uid;
	uint64_t digest;
};

/* Names that a login has found out, ascending by UID; { 0 } is none. */
struct ledger_names {
	struct ledger_name *items;
	size_t count;
	unsigned kind;
	uint32_t last; /* up to which UID they are known now; 0: nothing was asked */
};

/* A part of what a session is about to show: MESSAGES (COUNT), ascending by UID. */
struct ledger_part {
	struct maildrop_key key;
	struct ledger_maildrop found; /* as ledger_load told */
	const struct snapshot_message *messages;
	size_t count;
	struct uidl_book *book;
	const struct ledger_names *names; /* to be remembered; NULL: none */
};

/* A UIDL that a message is to have. */
struct ledger_row {
	uint32_t uid;
	const char *uidl;
};

/* Those of one maildrop. */
struct ledger_rows {
	struct maildrop_key key;
	uint32_t uidvalidity;
	const struct ledger_row *rows;
	size_t count;
};

/* What became of the rows of an import. */
struct ledger_imported {
	size_t written;
	size_t same;   /* are there already */
	size_t shown;  /* left out: the message was shown with another UIDL, which it keeps */
	size_t taken;  /* left out: another message has that UIDL */
	size_t unfit;  /* left out: no UIDL (RFC 1939 section 7) */
};

/* A message that an account saw at its last login. */
struct ledger_seen {
	uint32_t uid;
	uint64_t size;
	char *uidl;
	uint64_t name; /* as ledger_name.digest; ledger_seen_of alone tells it */
};

struct ledger_seen_list { /* { 0 } is empty; owns its UIDLs */
	struct ledger_seen *items;
	size_t count, room;
};

/* What an account would see, against what it saw last. */
struct ledger_difference {
	uint64_t seen; /* messages, last time */
	struct uidl_sample missing, fresh;
};

/* How long a call waits in all for its turn and for other processes: milliseconds. */
enum { LEDGER_PATIENCE_MS = 5000 };

/* Makes the ledger of STATE_DIRECTORY; no file is touched before the first use. Returns 0 or
 * ERR_NO_MEMORY. Does not suspend. */
int ledger_open(const char *state_directory, struct ledger **out);

/* Instead of LEDGER_PATIENCE_MS. Does not suspend. */
void ledger_set_patience(struct ledger *ledger, unsigned milliseconds);

/* When no fiber is inside any more; NULL is allowed. Work of cancelled fibers ends as the loop runs
 * on. Does not suspend. */
void ledger_close(struct ledger *ledger);

/* Blocks, for the start: whether the file can be made or opened and written. Returns 0,
 * ERR_TEMPORARY or ERR_NO_MEMORY. */
int ledger_check(struct ledger *ledger, struct error *e);

/* What is known of KEY under UIDVALIDITY, and of ACCOUNT (who logged in): *OUT, and BOOK (empty
 * before) gets its epochs and exceptions. One short read. */
int ledger_load(struct ledger *ledger, const struct maildrop_key *key, uint32_t uidvalidity,
    const char *account, struct uidl_book *book, struct ledger_maildrop *out, struct error *e);

/* Remembers that ACCOUNT is shown PARTS (COUNT), with the UIDLs of their books. Nothing is written
 * where nothing is new. To be called before the client is told anything: what must be remembered is
 * on disk when 0 is returned, and what PARTS found is as it is now. ERR_IN_USE: an import came in
 * between. */
int ledger_show(struct ledger *ledger, const char *account, struct ledger_part *parts,
    size_t count, struct error *e);

/* Whether ledger_show has to write what a later login could not do without: UIDLs would change. Does
 * not suspend. */
bool ledger_must_show(const struct ledger_part *parts, size_t count);

/* The messages of PARTS (COUNT, as ledger_show has left them) that are marked were removed by their
 * owner: he has not lost them. */
int ledger_removed(struct ledger *ledger, const char *account, struct ledger_part *parts,
    size_t count, struct error *e);

/* Gives messages of PARTS (COUNT), which are shown together, their UIDLs: all or none. What was shown keeps
 * its own. */
int ledger_import(struct ledger *ledger, const struct ledger_rows *parts, size_t count,
    enum ledger_source source, struct ledger_imported *out, struct error *e);

/* What ACCOUNT saw last, in all its maildrops, ascending by UID in each. OUT is to be freed with
 * ledger_seen_clear whatever is returned. */
int ledger_last_seen(
    struct ledger *ledger, const char *account, struct ledger_seen_list *out, struct error *e);

/* As ledger_last_seen for one maildrop by its id: what was shown before a change of UIDVALIDITY
 * (ledger_maildrop.before). */
int ledger_seen_of(
    struct ledger *ledger, int64_t id, struct ledger_seen_list *out, struct error *e);
void ledger_seen_clear(struct ledger_seen_list *list);

/* Appends a message, whose UIDL is copied. Returns 0 or ERR_NO_MEMORY. Does not suspend. */
int ledger_seen_add(
    struct ledger_seen_list *list, uint32_t uid, uint64_t size, const char *uidl);

/* Says that ACCOUNT saw ITEMS (COUNT) last, elsewhere: at KEY, the old server, whose UIDs are
 * numbers of messages. For accounts that popgate has shown nothing yet, in place of what they saw elsewhere
 * before; no others are changed. */
int ledger_saw_elsewhere(struct ledger *ledger, const char *account, const struct maildrop_key *key,
    const struct ledger_seen *items, size_t count, struct error *e);

/* Small facts about an account ("winner:ROUTE", "learned", ...). *VALUE is to be freed, NULL: there is
 * none. Setting NULL removes it. */
int ledger_account_get(struct ledger *ledger, const char *account, const char *name, char **value,
    struct error *e);
int ledger_account_set(struct ledger *ledger, const char *account, const char *name,
    const char *value, struct error *e);

/* The guard has stopped a login of ACCOUNT at KEY, for DIFFERENCE. *SO_FAR: how many logins it has
 * stopped, of all accounts, since the state store was made. */
int ledger_stopped(struct ledger *ledger, const char *account, const struct maildrop_key *key,
    const struct ledger_difference *difference, uint64_t *so_far, struct error *e);

/* For other tables of the state store: runs WORK, which reads, with the open database and ARG. First here,
 * where whatever would have to wait fails; where it fails, again on a thread of the pool. So ARG must own
 * all that it needs: when the fiber is cancelled, DISCARD (may be NULL) is called with it later, and the
 * caller must not touch it again. WORK's result is returned. */
int ledger_run(struct ledger *ledger,
    int (*work)(struct sqlite3 *db, void *arg, struct error *e), void (*discard)(void *arg),
    void *arg, struct error *e);
