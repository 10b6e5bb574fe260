/* relay.h - an account whose mail is at another POP3 server still: the session is passed on.
 *
 * Opening one connects to the old server and logs in there with the client's credentials; from then on
 * octets go both ways as they are. popgate looks at them only to know how a session ended, so the old
 * server's text, numbers and UIDLs reach the client unchanged. What must hold all the same: limits,
 * time-outs, and that a cut never looks like an end (docs/behaviour.md, rule 32). */
#pragma once
#include "gateway/maildrop.h"

/* Its open takes a struct maildrop_context as CTX, whose upstream speaks POP3. */
extern const struct pop3_backend relay_backend;
