/* maildrop.h - a mailbox, or several, behind the face that the POP3 front end knows
 * (pop3front/backend.h).
 *
 * Opening one connects, logs in, takes the maildrop lock, selects, finishes what an earlier session
 * left and lists; a connection that is lost afterwards is made anew where that changes nothing. */
#pragma once
#include "gateway/census.h"
#include "gateway/journal.h"
#include "gateway/ledger.h"
#include "gateway/log.h"
#include "gateway/retrieval.h"
#include "gateway/upstream.h"
#include "pop3front/backend.h"

struct client_address;
struct gate_visit;

/* What a maildrop needs of the session it is opened for. Everything must outlive the maildrop. */
struct maildrop_context {
	const char *account; /* who logged in, as the client says it; what the server calls the
				user is in the credentials */
	const struct upstream *upstream;
	const struct text_list *mailboxes; /* that are shown; the first must exist. UTF-8 */
	bool is_folder; /* of the user, who named it: no old POP3 server has one */
	struct config *config; /* that upstream is of; needed where reuse is not NULL */
	struct reuse *reuse;   /* NULL: connections end with their session */
	const char *state_directory;
	struct ledger *ledger;	     /* NULL: UIDLs are not remembered */
	struct journal *journal;     /* NULL: deletions go without one */
	struct retrieval_pool *pool; /* NULL: nothing is fetched ahead */
	struct census *census;	     /* NULL: users are not counted */
	const struct census_seat *seat; /* the session's, where there is a census */
	struct gate_visit *visit;    /* is told of a login that succeeded; NULL: nobody is */
	struct log *log;	     /* NULL: nothing is logged */
	const char *session_id;
	const char *client_address; /* for the log */
	const struct client_address *client; /* for the server; NULL: it is not told */
};

/* Its open takes a struct maildrop_context as CTX. */
extern const struct pop3_backend maildrop_backend;
