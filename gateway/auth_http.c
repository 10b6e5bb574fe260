/* auth_http.c - see auth_http.h. */
#include "gateway/auth_http.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/keyed_digest.h"
#include "fiberio/fiber.h"
#include "gateway/http.h"

enum { CACHE = 2048 }; /* replies; a power of 2 */

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
	if (RAND_bytes(a->key, sizeof(a->key)) != 1) {
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

static bool
recall(struct auth_http *a, const unsigned char who[KEYED_DIGEST_SIZE], struct auth_reply *out)
{
	const struct kept *k = place_of(a, who);

	if (k->until <= fiber_now() || CRYPTO_memcmp(k->who, who, sizeof(k->who)) != 0)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out->server, k->server, sizeof(out->server));
	memcpy(out->user, k->user, sizeof(out->user));
	out->port = k->port;
	return true;
}

static void
keep(struct auth_http *a, const unsigned char who[KEYED_DIGEST_SIZE],
    const struct auth_reply *reply, uint64_t ms)
{
	struct kept *k = place_of(a, who);

	if (ms == 0)
		return;
	memcpy(k->who, who, sizeof(k->who));
	k->until = fiber_deadline(ms);
	memcpy(k->server, reply->server, sizeof(k->server));
	memcpy(k->user, reply->user, sizeof(k->user));
	k->port = reply->port;
}

static void
on_line(void *ctx, const char *line, size_t len)
{
	auth_reply_read(ctx, line, len);
}

/* Asks by the FIELDS of a question, and one of the route's own. */
static int
get(struct auth_http *a, const struct route *r, char *const fields[AUTH_FIELDS],
    struct auth_reply *out, struct error *e)
{
	char *all[AUTH_FIELDS + 1];
	const struct http_request request = {
		.url = r->auth_http,
		.host = r->auth_host,
		.port = r->auth_port,
		.ca_file = r->auth_ca_file,
		.timeout_ms = r->auth_timeout_ms,
		.fields = all,
		.field_count = AUTH_FIELDS + (r->auth_header[0] != '\0'),
		.on_line = on_line,
		.ctx = out,
	};

	memcpy(all, fields, AUTH_FIELDS * sizeof(all[0]));
	all[AUTH_FIELDS] = r->auth_header;
	if (http_get(a->http, &request, e) != 0)
		return error_prefix(e, "auth_http of the route %s", r->label);
	return 0;
}

/* What the reply means. */
static int
judge(const struct route *r, const struct auth_reply *reply, struct error *e)
{
	int rc;

	switch (auth_reply_outcome(reply)) {
	case AUTH_ACCEPTED:
		return 0;
	case AUTH_REJECTED:
		if ((rc = fiber_sleep((uint64_t) reply->wait_s * 1000)) != 0)
			return error_set(e, rc, "the session is ended");
		return error_set(e, ERR_AUTH, "auth_http says: %s", reply->status);
	case AUTH_FAULTY:
		break;
	}
	return error_set(e, ERR_TEMPORARY, "auth_http of the route %s: %s", r->label,
	    reply->fault != NULL ? reply->fault : "a reply without Auth-Status");
}

int
auth_http_ask(struct auth_http *a, const struct route *r, const struct auth_question *q,
    struct auth_reply *out, struct error *e)
{
	unsigned char who[KEYED_DIGEST_SIZE];
	char *fields[AUTH_FIELDS];
	int rc;

	digest(a, r, q, who);
	if (recall(a, who, out))
		return 0;
	memset(out, 0, sizeof(*out));
	if (auth_question_fields(q, fields) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	rc = get(a, r, fields, out, e);
	auth_fields_free(fields);
	if (rc != 0 || (rc = judge(r, out, e)) != 0)
		return rc;
	keep(a, who, out, r->auth_cache_ms);
	return 0;
}
