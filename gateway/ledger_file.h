/* ledger_file.h - the ledger's part of the state store. Knows nothing of fibers.
 *
 * Functions block, from any thread but one at a time for each file; any number of processes may have
 * it open. The file is opened by whichever function needs it. DEADLINE is a point on database_clock,
 * by which they come back unless the system holds them. Results: 0, ERR_TEMPORARY with a text that
 * names the file and what to do, ERR_NO_MEMORY. What the functions do is said in ledger.h. */
#pragma once
#include "gateway/database_place.h"
#include "gateway/ledger.h"

struct ledger_file;

/* For state.db in DIRECTORY. Touches nothing yet. Returns 0 or ERR_NO_MEMORY. */
int ledger_file_new(const char *directory, struct ledger_file **out);
void ledger_file_free(struct ledger_file *file); /* NULL is allowed */

/* Where it is expected, for messages. */
const char *ledger_file_path(const struct ledger_file *file);

/* Opens, writes and closes. */
int ledger_file_check(struct ledger_file *file, uint64_t deadline, struct error *e);

/* The database, open, for what lies in its other tables; valid until the next call about FILE. */
int ledger_file_database(
    struct ledger_file *file, uint64_t deadline, struct sqlite3 **db, struct error *e);

int ledger_file_load(struct ledger_file *file, uint64_t deadline, const struct maildrop_key *key,
    uint32_t uidvalidity, const char *account, struct uidl_book *book, struct ledger_maildrop *out,
    struct error *e);
int ledger_file_import(struct ledger_file *file, uint64_t deadline, const struct ledger_rows *parts,
    size_t count, enum ledger_source source, struct ledger_imported *out, struct error *e);
int ledger_file_last_seen(struct ledger_file *file, uint64_t deadline, const char *account,
    struct ledger_seen_list *out, struct error *e);
int ledger_file_seen_of(struct ledger_file *file, uint64_t deadline, int64_t id,
    struct ledger_seen_list *out, struct error *e);
int ledger_file_saw_elsewhere(struct ledger_file *file, uint64_t deadline, const char *account,
    const struct maildrop_key *key, const struct ledger_seen *items, size_t count, struct error *e);
int ledger_file_stopped(struct ledger_file *file, uint64_t deadline, const char *account,
    const struct maildrop_key *key, const struct ledger_difference *difference, uint64_t *so_far,
    struct error *e);
int ledger_file_account_get(struct ledger_file *file, uint64_t deadline, const char *account,
    const char *name, char **value, struct error *e);
int ledger_file_account_set(struct ledger_file *file, uint64_t deadline, const char *account,
    const char *name, const char *value, struct error *e);
