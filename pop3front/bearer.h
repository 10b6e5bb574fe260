/* bearer.h - the messages by which a client shows a bearer token: XOAUTH2 as Google and Microsoft
 * tell it, OAUTHBEARER by RFC 7628 section 3.1. Pure. */
#pragma once
#include <stddef.h>

#include "base/credentials.h"

/* Reads a decoded message (LEN octets) into C: kind, user and token. Of the pairs in it, those that
 * popgate does not need (host, port, ...) are checked for their form and forgotten: where the token
 * goes is never the client's choice. Returns 0, ERR_INVALID, ERR_LIMIT or ERR_NO_MEMORY. */
int bearer_parse_xoauth2(const char *text, size_t len, struct credentials *c);

/* The same. The GS2 header must name the user, for without one popgate does not know whose maildrop
 * it is. */
int bearer_parse_oauthbearer(const char *text, size_t len, struct credentials *c);
