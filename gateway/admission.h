/* admission.h - what a login comes to whatever kind of server the mail is on: credentials as that one
 * wants them, the user's share of sessions, log lines. */
#pragma once
#include <stdbool.h>

#include "gateway/maildrop.h"

/* What UPSTREAM is to be shown for C. A certificate means nothing to a server: for whom it names, the
 * upstream's master logs in. OUT borrows from both. Returns 0 or ERR_PERMANENT. Does not suspend, as
 * all here. */
int admission_credentials(const struct upstream *upstream, const struct credentials *c,
    struct credentials *out, struct error *e);

/* What a login with C that the server has answered with CODE is to be called: who came with a
 * certificate has done nothing wrong. Returns the code. */
int admission_refused(const struct credentials *c, int code, struct error *e);

/* Counts the session against its user's share; *COUNTED: it is counted now, and is to be taken out by
 * census_leave_user. Only after the login: who cannot log in must not use up anybody's. Returns 0,
 * ERR_LIMIT or ERR_NO_MEMORY. */
int admission_enter_census(const struct maildrop_context *context, const char *user, bool *counted,
    struct error *e);

/* Logs who was at the mailbox where the user does not say it: a master, or a certificate. */
void admission_log_master(const struct maildrop_context *context, const struct credentials *c);

/* Logs that the login failed with CODE. */
void admission_log_failure(const struct maildrop_context *context, const struct credentials *c,
    int code, const struct error *e);
