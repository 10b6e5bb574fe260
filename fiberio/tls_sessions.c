/* tls_sessions.c - see tls_sessions.h. */
#include "fiberio/tls_sessions.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

/* How long a verification counts. Tickets are renewed whenever one is used, so an age of their own
 * would never end anything. */
enum { VERIFIED_SECONDS = 3600 };

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec;
}

/* The name that the other end of SSL must have; to be freed with OPENSSL_free. NULL: without
 * memory. */
static char *
expected_name(const SSL *ssl)
{
	X509_VERIFY_PARAM *param = SSL_get0_param((SSL *) ssl);
	const char *host = X509_VERIFY_PARAM_get0_host(param, 0);

	return host != NULL ? OPENSSL_strdup(host) : X509_VERIFY_PARAM_get1_ip_asc(param);
}

/* Takes number AT out of the list. */
static struct tls_session
take_out(struct tls_sessions *sessions, size_t at)
{
	struct tls_session taken = sessions->kept[at];

	sessions->count--;
	memmove(&sessions->kept[at], &sessions->kept[at + 1],
	    (sessions->count - at) * sizeof(sessions->kept[0]));
	return taken;
}

static void
release(struct tls_session *s)
{
	SSL_SESSION_free(s->session);
	OPENSSL_free(s->name);
}

void
tls_sessions_clear(struct tls_sessions *sessions)
{
	while (sessions->count > 0)
		release(&sessions->kept[--sessions->count]);
}

/* OpenSSL tells of a session that may be resumed: with TLS 1.3, of each ticket behind the
 * handshake. Returns 1 where we keep it. */
static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_sessions *sessions = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tls_session fresh = { .session = session };

	if (SSL_get_verify_result(ssl) != X509_V_OK || !SSL_SESSION_is_resumable(session) ||
	    (fresh.name = expected_name(ssl)) == NULL)
		return 0;
	/* A renewed ticket is worth no more than the session that it was got with. */
	fresh.verified = SSL_session_reused(ssl) ? (uintptr_t) SSL_get_app_data(ssl) : now();
	if (sessions->count == TLS_SESSIONS_MAX) {
		struct tls_session oldest = take_out(sessions, 0);

		release(&oldest);
	}
	sessions->kept[sessions->count++] = fresh;
	return 1;
}

void
tls_sessions_attach(struct tls_sessions *sessions, SSL_CTX *context)
{
	SSL_CTX_set_app_data(context, sessions);
	SSL_CTX_set_session_cache_mode(
	    context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_new_session);
}

static bool
is_valid(const struct tls_session *s)
{
	const X509 *certificate = SSL_SESSION_get0_peer(s->session);

	return now() - s->verified < VERIFIED_SECONDS && certificate != NULL &&
	       X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

/* The place of the last session under NAME; the count for none. */
static size_t
find(const struct tls_sessions *sessions, const char *name)
{
	for (size_t at = sessions->count; at > 0; at--)
		if (strcmp(sessions->kept[at - 1].name, name) == 0)
			return at - 1;
	return sessions->count;
}

void
tls_sessions_offer(struct tls_sessions *sessions, SSL *ssl)
{
	char *name = expected_name(ssl);
	struct tls_session last;
	size_t at;

	if (name == NULL)
		return;
	at = find(sessions, name);
	OPENSSL_free(name);
	if (at == sessions->count)
		return;
	last = take_out(sessions, at);
	if (is_valid(&last) && SSL_set_session(ssl, last.session) == 1) {
		SSL_set_app_data(ssl, (void *) (uintptr_t) last.verified);
		/* Before TLS 1.3 a session serves any number of connections. */
		if (SSL_SESSION_get_protocol_version(last.session) < TLS1_3_VERSION) {
			sessions->kept[sessions->count++] = last;
			return;
		}
	}
	release(&last);
}
