/* spelling.c - see spelling.h. */
#include "gateway/spelling.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "gateway/importer.h"
#include "gateway/learner.h"
#include "gateway/state_store.h"
#include "gateway/table_line.h"

/* What is looked up on another thread. */
struct look_up {
	struct spelling said, small;
	char *upstream;
	bool is_small, has_small_user; /* the ledger has the small one, and not the other */
};

/* Other facts about an account tell nothing of what its clients know. */
#define KNOWS(account)                                                                             \
	"(EXISTS (SELECT 1 FROM view WHERE account = " account ") OR EXISTS (SELECT 1 FROM account "  \
	"WHERE account = " account " AND name IN ('" IMPORT_DONE_NAME "', '" LEARNED_NAME "')))"
#define HAS(user)                                                                                  \
	"EXISTS (SELECT 1 FROM maildrop WHERE user = " user " AND upstream = ?5)"

static int
look_up(struct sqlite3 *db, void *arg, struct error *e)
{
	static const char text[] = "SELECT " KNOWS("?2") " AND NOT " KNOWS("?1") ", " HAS("?4")
	    " AND NOT " HAS("?3");
	struct look_up *l = arg;
	const char *const values[] = { l->said.account, l->small.account, l->said.user,
		l->small.user, l->upstream };
	sqlite3_stmt *statement = NULL;
	bool done = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK;

	for (int i = 0; i < 5 && done; i++)
		done = sqlite3_bind_text(statement, i + 1, values[i], -1, SQLITE_STATIC) == SQLITE_OK;
	if (done && (done = sqlite3_step(statement) == SQLITE_ROW)) {
		l->is_small = sqlite3_column_int(statement, 0) != 0;
		l->has_small_user = sqlite3_column_int(statement, 1) != 0;
	}
	sqlite3_finalize(statement); /* what it said is said by its end again */
	return done ? 0
		    : database_explain(
			  &state_store_form, sqlite3_db_filename(db, "main"), db, e);
}

static void
discard(void *arg)
{
	struct look_up *l = arg;

	if (l != NULL)
		free(l->upstream);
	free(l);
}

static int
no_memory(struct error *e)
{
	return error_set(e, ERR_NO_MEMORY, "out of memory");
}

static int
take(const struct look_up *l, struct spelling **out, struct error *e)
{
	if (!l->is_small)
		return 0;
	if ((*out = malloc(sizeof(**out))) == NULL)
		return no_memory(e);
	**out = l->small;
	if (!l->has_small_user)
		memcpy((*out)->user, l->said.user, sizeof(l->said.user));
	return 0;
}

int
spelling_find(struct ledger *ledger, const char *account, const char *user, const char *upstream,
    struct spelling **out, struct error *e)
{
	char small[USER_NAME_MAX + 1];
	struct look_up *l;
	int rc;

	*out = NULL;
	table_fold(account, strlen(account), small);
	if (strcmp(account, small) == 0) /* as nearly always */
		return 0;
	if ((l = calloc(1, sizeof(*l))) == NULL || (l->upstream = strdup(upstream)) == NULL) {
		discard(l);
		return no_memory(e);
	}
	memcpy(l->small.account, small, sizeof(small));
	snprintf(l->said.account, sizeof(l->said.account), "%s", account);
	snprintf(l->said.user, sizeof(l->said.user), "%s", user);
	table_fold(user, strlen(user), l->small.user);
	if ((rc = ledger_run(ledger, look_up, discard, l, e)) == ERR_CANCELLED)
		return rc;
	if (rc == 0)
		rc = take(l, out, e);
	discard(l);
	return rc;
}
