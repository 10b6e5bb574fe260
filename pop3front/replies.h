/* replies.h - what the client is told when something failed: fixed texts, by error code.
 *
 * RFC 3206: clients forget saved passwords when they see [AUTH], so it stands only where the server rejected the
 * credentials; [SYS/TEMP] and [SYS/PERM] say whose fault it is instead. Nothing that came from the server or from the
 * client is in a reply. Pure. */
#pragma once
#include <stdbool.h>

/* The answer to a login that failed with CODE of base/error.h. */
const char *reply_to_failed_login(int code);

/* The answer to RETR or TOP that failed with CODE before anything was sent. */
const char *reply_to_failed_retrieval(int code);

/* Whether CODE is the server's judgement on these credentials. */
bool reply_is_rejection(int code);

/* Whether CODE, from retrieving a message, means that the maildrop is lost and not just that message. */
bool reply_is_loss(int code);
