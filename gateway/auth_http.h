/* auth_http.h - asking a web service whether a user may log in, and where the mail is, by nginx's
 * protocol (auth_message.h). What it said yes to is remembered for a while. */
#pragma once
#include "base/error.h"
#include "gateway/auth_message.h"
#include "gateway/route.h"

struct auth_http; /* one per worker */
struct http;

/* HTTP must outlive it. Returns 0 or ERR_NO_MEMORY. */
int auth_http_new(struct http *http, struct auth_http **out);
void auth_http_free(struct auth_http *a); /* NULL is allowed */

/* Asks the service of the route R, again where it says so. Returns 0 with what it said in *OUT;
 * ERR_AUTH: it says no (this waits as long as it says); ERR_TEMPORARY: it did not answer, or nothing
 * that can be understood; ERR_CANCELLED; ERR_NO_MEMORY. OUT is to be cleared in any case. Suspends. */
int auth_http_ask(struct auth_http *a, const struct route *r, const struct auth_question *q,
    struct auth_reply *out, struct error *e);
