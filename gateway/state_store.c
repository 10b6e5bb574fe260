/* state_store.c - see state_store.h.
 *
 * A hundred million rows are planned for, nearly all of them in "uidl": its key is its order, and a
 * maildrop's rows lie together. */
#include "gateway/state_store.h"

enum { ROW_OCTETS_MAX = 1 << 20 };

static const char *const schema[] = {
	"PRAGMA journal_mode = WAL",
	"BEGIN IMMEDIATE",

	/* A mailbox of a user under one UIDVALIDITY. SHOWN: the highest UID that a client saw; VERSION
	 * counts imports; MESSAGES and DIGEST tell whether what was shown last is what is there now. */
	("CREATE TABLE maildrop (id INTEGER PRIMARY KEY, upstream TEXT NOT NULL, "
	 "user TEXT NOT NULL, mailbox TEXT NOT NULL, uidvalidity INTEGER NOT NULL, "
	 "version INTEGER NOT NULL DEFAULT 0, shown INTEGER NOT NULL DEFAULT 0, "
	 "messages INTEGER NOT NULL DEFAULT 0, digest INTEGER NOT NULL DEFAULT 0, "
	 "shown_at INTEGER NOT NULL DEFAULT 0) STRICT"),
	("CREATE UNIQUE INDEX maildrop_name ON maildrop (user, mailbox, upstream, "
	 "uidvalidity)"),

	/* Messages from UID FIRST on have UIDLs by TEMPLATE, up to where the next row begins. */
	("CREATE TABLE epoch (maildrop INTEGER NOT NULL, first INTEGER NOT NULL, "
	 "template TEXT NOT NULL, PRIMARY KEY (maildrop, first)) STRICT, WITHOUT ROWID"),

	/* UIDLs that no template makes. SOURCE: enum ledger_source. */
	("CREATE TABLE uidl (maildrop INTEGER NOT NULL, uid INTEGER NOT NULL, "
	 "uidl TEXT NOT NULL, source INTEGER NOT NULL, PRIMARY KEY (maildrop, uid)) "
	 "STRICT, WITHOUT ROWID"),

	/* What was shown last: UIDs and sizes, in pieces (mapping/seen.h). PLACE is the maildrop's id
	 * times 2^20 and the piece's number. */
	"CREATE TABLE seen (place INTEGER PRIMARY KEY, list BLOB NOT NULL) STRICT",

	/* Which maildrops an account saw at its last login. */
	("CREATE TABLE view (account TEXT NOT NULL, maildrop INTEGER NOT NULL, "
	 "PRIMARY KEY (account, maildrop)) STRICT, WITHOUT ROWID"),

	/* Small facts about accounts. */
	("CREATE TABLE account (account TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, "
	 "PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID"),

	/* Who is served by the old server, and who by the new one; see state_table.h. */
	("CREATE TABLE state (scope INTEGER NOT NULL, name TEXT NOT NULL, share INTEGER NOT NULL, "
	 "state INTEGER NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY (scope, name)) "
	 "STRICT, WITHOUT ROWID"),

	/* Accounts that the guard has stopped; times in seconds since 1970, 0: never. */
	("CREATE TABLE guard (account TEXT PRIMARY KEY, upstream TEXT NOT NULL, "
	 "user TEXT NOT NULL, mailbox TEXT NOT NULL, seen INTEGER NOT NULL, "
	 "missing INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, "
	 "logins INTEGER NOT NULL, approved INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID"),

	"PRAGMA application_id = 1349480556",
	"PRAGMA user_version = 1",
	"COMMIT",
	NULL,
};

static const char *const settings[] = {
	"PRAGMA journal_mode = WAL",
	"PRAGMA journal_size_limit = 16777216",
	"PRAGMA synchronous = FULL",
	NULL,
};

const struct database_form state_store_form = {
	.name = STATE_STORE_NAME,
	.what = "the state store",
	.mend = "put back a copy of it: without it UIDLs may change",
	.application_id = 1349480556, /* "Popl" */
	.version = 1,
	.schema = schema,
	.settings = settings,
	.row_octets_max = ROW_OCTETS_MAX,
	.write = "PRAGMA user_version = 1",
	.open_failpoint = "ledger.open",
	.write_failpoint = "ledger.write",
};
