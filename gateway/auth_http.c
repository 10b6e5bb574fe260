/* auth_http.c - see auth_http.h. */
#include "gateway/auth_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/keyed_digest.h"
#include "base/random.h"
#include "fiberio/fiber.h"
#include "gateway/http.h"

enum {
	CACHE = 2048, /* replies; a power of 2 */
	LATER_MOST_S = AUTH_WAIT_MAX_S, /* what a service may put us off for, in all */
};

/* Of whom is known by a keyed digest alone. */
struct kept {
	unsigned char who[KEYED_DIGEST_SIZE];
	uint64_t until; /* loop time; 0: a free place */
	char server[AUTH_ADDRESS_MAX];
	uint16_t port;
	char user[USER_NAME_MAX + 1];
};

struct auth_http {
	struct http *http;
	unsigned char key[KEYED_DIGEST_KEY];
	struct kept cache[CACHE];
};

int
auth_http_new(struct http *http, struct auth_http **out)
{
	struct auth_http *a = calloc(1, sizeof(*a)); /* what is not used is not touched */

	if (a == NULL)
		return ERR_NO_MEMORY;
	a->http = http;
	if (random_fill(a->key, sizeof(a->key)) != 0) {
		free(a);
		return ERR_NO_MEMORY;
	}
	*out = a;
	return 0;
}

void
auth_http_free(struct auth_http *a)
{
	if (a == NULL)
		return;
	OPENSSL_cleanse(a->key, sizeof(a->key));
	free(a);
}

/* Everything that the answer may depend on, but for the number of the attempt. */
static void
digest(const struct auth_http *a, const struct route *r, const struct auth_question *q,
    unsigned char who[KEYED_DIGEST_SIZE])
{
	const struct credentials *c = q->credentials;
	const char *master = c->master != NULL ? c->master : "";
	const struct keyed_part parts[] = {
		{ r->auth_http, strlen(r->auth_http) },
		{ r->label, strlen(r->label) },
		{ &c->kind, sizeof(c->kind) },
		{ c->user, strlen(c->user) },
		{ master, strlen(master) },
		{ c->password_len > 0 ? c->password : "", c->password_len },
		{ q->client, strlen(q->client) },
	};

	keyed_digest(a->key, parts, sizeof(parts) / sizeof(parts[0]), who);
}

static struct kept *
place_of(struct auth_http *a, const unsigned char who[KEYED_DIGEST_SIZE])
{
	uint32_t hash;

	memcpy(&hash, who, sizeof(hash));
	return &a->cache[hash % CACHE];
}

/* Whether OUT, which is empty, is set to what was said before. */
static bool
recall(struct auth_http *a, const unsigned char who[KEYED_DIGEST_SIZE], struct auth_reply *out)
{
	const struct kept *k = place_of(a, who);

	if (k->until <= fiber_now() || CRYPTO_memcmp(k->who, who, sizeof(k->who)) != 0 ||
	    (k->user[0] != '\0' &&
		credentials_set_user(&out->login, k->user, strlen(k->user)) != 0))
		return false;
	memcpy(out->server, k->server, sizeof(out->server));
	out->port = k->port;
	return true;
}

/* A password is not kept: the service is asked for it each time. */
static void
keep(struct auth_http *a, const unsigned char who[KEYED_DIGEST_SIZE],
    const struct auth_reply *reply, uint64_t ms)
{
	struct kept *k = place_of(a, who);

	if (ms == 0 || reply->login.password != NULL)
		return;
	memcpy(k->who, who, sizeof(k->who));
	k->until = fiber_deadline(ms);
	memcpy(k->server, reply->server, sizeof(k->server));
	snprintf(k->user, sizeof(k->user), "%s", reply->login.user != NULL ? reply->login.user : "");
	k->port = reply->port;
}

static void
on_line(void *ctx, const char *line, size_t len)
{
	auth_reply_read(ctx, line, len);
}

/* Asks by FIELDS, COUNT of a question, and one of the route's own. */
static int
get(struct auth_http *a, const struct route *r, char *const fields[], size_t count,
    struct auth_reply *out, struct error *e)
{
	char *all[AUTH_FIELDS_MAX + 1];
	const struct http_request request = {
		.url = r->auth_http,
		.host = r->auth_host,
		.port = r->auth_port,
		.ca_file = r->auth_ca_file,
		.timeout_ms = r->auth_timeout_ms,
		.fields = all,
		.field_count = count + (r->auth_header[0] != '\0'),
		.on_line = on_line,
		.ctx = out,
	};

	memcpy(all, fields, count * sizeof(all[0]));
	all[count] = r->auth_header;
	if (http_get(a->http, &request, e) != 0)
		return error_prefix(e, "auth_http of the route %s", r->label);
	return 0;
}

/* As long as REPLY says. */
static int
wait_for_it(const struct auth_reply *reply, struct error *e)
{
	int rc = fiber_sleep((uint64_t) reply->wait_s * 1000);

	return rc == 0 ? 0 : error_set(e, rc, "the session is ended");
}

/* REPLY cannot be followed. */
static int
complain(const struct route *r, const struct auth_reply *reply, struct error *e)
{
	const char *fault = reply->fault;

	if (fault == NULL)
		fault = reply->status[0] == '\0' ? "a reply without Auth-Status"
						 : "WAIT without Auth-Wait, or for too long";
	return error_set(e, ERR_TEMPORARY, "auth_http of the route %s: %s", r->label, fault);
}

/* One question and its reply. */
static int
ask(struct auth_http *a, const struct route *r, const struct auth_question *q,
    struct auth_reply *out, struct error *e)
{
	char *fields[AUTH_FIELDS_MAX];
	size_t count;
	int rc;

	if (auth_question_fields(q, fields, &count) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	auth_reply_clear(out);
	rc = get(a, r, fields, count, out, e);
	auth_fields_free(fields, count);
	return rc;
}

int
auth_http_ask(struct auth_http *a, const struct route *r, const struct auth_question *q,
    struct auth_reply *out, struct error *e)
{
	unsigned char who[KEYED_DIGEST_SIZE];
	unsigned waited_s = 0;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	digest(a, r, q, who);
	if (recall(a, who, out))
		return 0;
	while (rc == 0 && (rc = ask(a, r, q, out, e)) == 0) {
		switch (auth_reply_outcome(out)) {
		case AUTH_ACCEPTED:
			keep(a, who, out, r->auth_cache_ms);
			return 0;
		case AUTH_REJECTED:
			if ((rc = wait_for_it(out, e)) == 0)
				rc = error_set(e, ERR_AUTH, "auth_http says: %s", out->status);
			break;
		case AUTH_LATER:
			waited_s += out->wait_s;
			rc = waited_s > LATER_MOST_S ? complain(r, out, e) : wait_for_it(out, e);
			break;
		case AUTH_FAULTY:
			rc = complain(r, out, e);
			break;
		}
	}
	return rc;
}
