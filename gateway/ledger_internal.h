/* ledger_internal.h - the statements about the ledger's tables, shared by ledger_file.c,
 * ledger_write.c, ledger_import.c and ledger_guard.c. */
#pragma once
#include "base/siphash.h"
#include "gateway/database.h"
#include "gateway/ledger_file.h"
#include "mapping/seen.h"

enum ledger_statement {
	LEDGER_BEGIN, /* a transaction that reads */
	LEDGER_END,
	LEDGER_FIND,
	LEDGER_BEFORE,
	LEDGER_OUTDATED,
	LEDGER_EPOCHS,
	LEDGER_UIDLS,
	LEDGER_VIEW,
	LEDGER_VIEW_ELSEWHERE,
	LEDGER_APPROVED,
	LEDGER_MAILDROP,
	LEDGER_SEEN,
	LEDGER_NAMES,
	LEDGER_ADD_NAME,
	LEDGER_DROP_NAMES,
	LEDGER_SET_NAMED,
	LEDGER_ADD_MAILDROP,
	LEDGER_DROP_MAILDROP,
	LEDGER_DROP_EPOCHS,
	LEDGER_DROP_UIDLS,
	LEDGER_DROP_NAMED,
	LEDGER_ADD_EPOCH,
	LEDGER_ADD_UIDL,
	LEDGER_ADD_SEEN,
	LEDGER_DROP_SEEN,
	LEDGER_SHOW,
	LEDGER_COUNT_VERSION,
	LEDGER_ADD_VIEW,
	LEDGER_DROP_VIEW,
	LEDGER_DROP_GUARD,
	LEDGER_STOP,
	LEDGER_COUNT_STOP,
	LEDGER_STOPS,
	LEDGER_FACT,
	LEDGER_SET_FACT,
	LEDGER_DROP_FACT,
	LEDGER_STATEMENTS,
};

struct ledger_file {
	struct database db;
	struct siphash_key key; /* for sets of UIDLs */
};

/* Binds KEY from parameter 1 on, and UIDVALIDITY behind it. */
void ledger_bind_key(
    struct ledger_file *file, enum ledger_statement which, const struct maildrop_key *key,
    uint32_t uidvalidity);

/* Fills OUT's id, version, shown, messages, digest, names and was_shown; id 0: there is no such maildrop. */
int ledger_find(struct ledger_file *file, const struct maildrop_key *key, uint32_t uidvalidity,
    struct ledger_maildrop *out, struct error *e);

/* Reads epochs and exceptions of maildrop ID into BOOK. */
int ledger_read_book(
    struct ledger_file *file, int64_t id, struct uidl_book *book, struct error *e);

/* Appends what was shown last of maildrop ID to LIST. */
int ledger_read_seen(
    struct ledger_file *file, int64_t id, struct ledger_seen_list *list, struct error *e);

/* Fills OUT's view, is_view, is_stopped and approved. */
int ledger_read_view(struct ledger_file *file, const char *account, struct ledger_maildrop *out,
    struct error *e);

/* The error for rows that make no sense. */
int ledger_nonsense(struct ledger_file *file, const char *what, struct error *e);

/* Adds a maildrop; its id to *ID. */
int ledger_add_maildrop(struct ledger_file *file, const struct maildrop_key *key,
    uint32_t uidvalidity, int64_t *id, struct error *e);
int ledger_add_uidl(struct ledger_file *file, int64_t id, uint32_t uid, const char *uidl,
    enum ledger_source source, struct error *e);

int ledger_add_view(
    struct ledger_file *file, const char *account, int64_t id, struct error *e);

/* Removes maildrop ID with all that belongs to it. */
int ledger_drop_maildrop(struct ledger_file *file, int64_t id, struct error *e);

int ledger_add_piece(struct ledger_file *file, int64_t id, uint32_t piece,
    const unsigned char *octets, size_t len, struct error *e);

/* Maildrop ID was shown up to UID SHOWN; last time MESSAGES messages with DIGEST. */
int ledger_set_shown(struct ledger_file *file, int64_t id, uint32_t shown, uint64_t messages,
    uint64_t digest, struct error *e);

/* Runs WHICH, whose parameters are bound. */
int ledger_change(struct ledger_file *file, enum ledger_statement which, struct error *e);

/* A transaction that writes; where RC is not 0 its end undoes all, and returns RC. */
int ledger_begin_writing(
    struct ledger_file *file, uint64_t deadline, bool lazy, struct error *e);
int ledger_end_writing(struct ledger_file *file, int rc, struct error *e);

/* The place of PIECE of maildrop ID. */
int64_t ledger_place(int64_t id, uint32_t piece);
