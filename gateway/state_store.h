/* state_store.h - the form of "state.db" in the state directory: all tables, whoever uses them.
 *
 * One SQLite file for what must survive: UIDLs (ledger_file.c), states and facts about accounts,
 * whom the guard has stopped. Workers and command-line tools have it open at the same time. */
#pragma once
#include "gateway/database.h"

#define STATE_STORE_NAME "state.db"

/* What database_open makes and expects. Without statements: each user of the file has its own. */
extern const struct database_form state_store_form;
