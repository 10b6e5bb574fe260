/* state_store.c - see state_store.h.
 *
 * A hundred million rows are planned for, nearly all of them in "uidl": its key is its order, and a
 * maildrop's rows lie together. */
#include "gateway/state_store.h"

enum { ROW_OCTETS_MAX = 1 << 20 };

/* Of accounts that are stopped: how many of the messages that are there now they have not seen, and the
 * first UIDLs of what is missing and of those (mapping/uidl_sample.h). */
#define FRESH_2 "fresh INTEGER NOT NULL DEFAULT 0"
#define MISSING_UIDLS_2 "missing_uidls TEXT NOT NULL DEFAULT ''"
#define FRESH_UIDLS_2 "fresh_uidls TEXT NOT NULL DEFAULT ''"
#define GUARD_2 FRESH_2 ", " MISSING_UIDLS_2 ", " FRESH_UIDLS_2

/* Before a maildrop is dropped: whether somebody saw it last. */
#define VIEW_INDEX "CREATE INDEX IF NOT EXISTS view_maildrop ON view (maildrop)"

/* How often something came to pass since the file was made. */
#define COUNTER_2 \
	"CREATE TABLE counter (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID"

/* Digests of what names messages whatever their UIDs (naming.h), for when UIDVALIDITY changes; "named":
 * up to which UID they are known, and of what KIND they are. */
#define NAMED_TABLE                                                                                \
	"CREATE TABLE named (maildrop INTEGER PRIMARY KEY, kind INTEGER NOT NULL, "                \
	"last INTEGER NOT NULL) STRICT"
#define NAME_TABLE                                                                                 \
	"CREATE TABLE name (maildrop INTEGER NOT NULL, uid INTEGER NOT NULL, "                     \
	"digest INTEGER NOT NULL, PRIMARY KEY (maildrop, uid)) STRICT, WITHOUT ROWID"

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
	VIEW_INDEX,

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
	 "logins INTEGER NOT NULL, approved INTEGER NOT NULL DEFAULT 0, " GUARD_2
	 ") STRICT, WITHOUT ROWID"),
	COUNTER_2,

	NAMED_TABLE,
	NAME_TABLE,

	"PRAGMA application_id = 1349480556",
	"PRAGMA user_version = 2",
	"COMMIT",
	NULL,
};

/* To version 2, which says what the difference was, counts, and names messages. */
static const char *const to_2[] = {
	"BEGIN IMMEDIATE",
	"ALTER TABLE guard ADD COLUMN " FRESH_2,
	"ALTER TABLE guard ADD COLUMN " MISSING_UIDLS_2,
	"ALTER TABLE guard ADD COLUMN " FRESH_UIDLS_2,
	COUNTER_2,
	("INSERT INTO counter (name, count) "
	 "SELECT 'logins stopped', coalesce(sum(logins), 0) FROM guard"),
	NAMED_TABLE,
	NAME_TABLE,
	VIEW_INDEX,
	"PRAGMA user_version = 2",
	"COMMIT",
	NULL,
};

static const char *const *const upgrades[] = { to_2 };

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
	.version = 2,
	.schema = schema,
	.upgrades = upgrades,
	.settings = settings,
	.row_octets_max = ROW_OCTETS_MAX,
	.write = "PRAGMA user_version = 2",
	.open_failpoint = "ledger.open",
	.write_failpoint = "ledger.write",
};
