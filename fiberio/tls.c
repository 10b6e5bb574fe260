/* tls.c - see tls.h. The two ends share no settings: what one peer forces us to must not weaken the
 * other leg. */
#include "fiberio/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "fiberio/tls_internal.h"

/* As ALPN writes a protocol: one octet of length, then the name (RFC 7301 section 3.1). */
static const unsigned char alpn_pop3[] = "\x04pop3";
static const unsigned char alpn_imap[] = "\x04imap";

char *
tls_reason(char *buf, size_t room)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	if (reason != NULL)
		snprintf(buf, room, "%s", reason);
	else if (code != 0)
		ERR_error_string_n(code, buf, room);
	else
		snprintf(buf, room, "connection lost");
	ERR_clear_error();
	return buf;
}

/* A server must not stop at its start to ask for the passphrase of a key. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void) buf;
	(void) size;
	(void) writing;
	(void) arg;
	return -1;
}

/* What both ends have in common: versions, and little memory at rest. */
static SSL_CTX *
new_context(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (context == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	/* 112 bits of strength, whatever the system's configuration says; it may ask for more. */
	if (SSL_CTX_get_security_level(context) < 2)
		SSL_CTX_set_security_level(context, 2);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return context;
}

/* RFC 7301 section 3.2: who asks for another protocol than ours is not a POP3 client, but perhaps a
 * browser that somebody has led here. Who asks for nothing is let in: most mail clients do. */
static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	unsigned char *chosen;

	(void) ssl;
	(void) arg;
	if (SSL_select_next_proto(&chosen, out_len, alpn_pop3, sizeof(alpn_pop3) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* OpenSSL's own words for a file that is not there are not for people. */
static int
check_readable(const char *what, const char *file, struct error *e)
{
	if (access(file, R_OK) == 0)
		return 0;
	return error_set(e, ERR_INVALID, "cannot read %s %s: %s", what, file, strerror(errno));
}

static int
load_pair(SSL_CTX *context, const char *certificate_file, const char *key_file, struct error *e)
{
	char reason[128];
	int rc;

	if ((rc = check_readable("certificate", certificate_file, e)) != 0)
		return rc;
	if ((rc = check_readable("key", key_file, e)) != 0)
		return rc;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1)
		return error_set(e, ERR_INVALID, "%s holds no usable PEM certificate: %s",
		    certificate_file, tls_reason(reason, sizeof(reason)));
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
		if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
		    ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH) {
			ERR_clear_error();
			return error_set(e, ERR_INVALID, "key %s does not belong to certificate %s",
			    key_file, certificate_file);
		}
		return error_set(e, ERR_INVALID, "%s holds no usable PEM key: %s", key_file,
		    tls_reason(reason, sizeof(reason)));
	}
	if (SSL_CTX_check_private_key(context) != 1)
		return error_set(e, ERR_INVALID, "key %s does not belong to certificate %s: %s",
		    key_file, certificate_file, tls_reason(reason, sizeof(reason)));
	return 0;
}

int
tls_server_new(
    const char *certificate_file, const char *key_file, struct tls_server **out, struct error *e)
{
	struct tls_server *server = calloc(1, sizeof(*server));
	int rc;

	if (server == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	server->references = 1;
	if ((server->context = new_context(TLS_server_method())) == NULL ||
	    (server->bio = stream_bio_method_new()) == NULL) {
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
		goto fail;
	}
	SSL_CTX_set_options(server->context, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(server->context, SSL_SESS_CACHE_OFF);
	/* Each costs encryption and a system call's worth of octets; few clients use even one. */
	SSL_CTX_set_num_tickets(server->context, 1);
	SSL_CTX_set_alpn_select_cb(server->context, choose_alpn, NULL);
	if ((rc = load_pair(server->context, certificate_file, key_file, e)) != 0)
		goto fail;
	*out = server;
	return 0;
fail:
	tls_server_unref(server);
	return rc;
}

int
tls_server_verify_clients(struct tls_server *server, const char *ca_file,
    enum tls_client_certificate wanted, struct error *e)
{
	STACK_OF(X509_NAME) * names;
	char reason[128];
	int mode, rc;

	if (wanted == TLS_CLIENT_NONE)
		return 0;
	if ((rc = check_readable("CA file", ca_file, e)) != 0)
		return rc;
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(server->context, ca_file) != 1 ||
	    (names = SSL_load_client_CA_file(ca_file)) == NULL)
		return error_set(e, ERR_INVALID, "%s holds no usable PEM certificates: %s", ca_file,
		    tls_reason(reason, sizeof(reason)));
	SSL_CTX_set_client_CA_list(server->context, names);
	mode = SSL_VERIFY_PEER;
	if (wanted == TLS_CLIENT_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(server->context, mode, NULL);
	SSL_CTX_set_options(server->context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(server->context, 0);
	return 0;
}

struct tls_server *
tls_server_ref(struct tls_server *server)
{
	server->references++;
	return server;
}

void
tls_server_unref(struct tls_server *server)
{
	if (server == NULL || --server->references > 0)
		return;
	SSL_CTX_free(server->context);
	BIO_meth_free(server->bio);
	free(server);
}

int
tls_client_new(const char *ca_file, struct tls_client **out, struct error *e)
{
	struct tls_client *client = calloc(1, sizeof(*client));
	char reason[128];
	int rc;

	if (client == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	client->references = 1;
	if ((client->context = new_context(TLS_client_method())) == NULL ||
	    (client->bio = stream_bio_method_new()) == NULL) {
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
		goto fail;
	}
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_alpn_protos(client->context, alpn_imap, sizeof(alpn_imap) - 1);
	tls_sessions_attach(&client->sessions, client->context);
	if (ca_file != NULL && (rc = check_readable("CA file", ca_file, e)) != 0)
		goto fail;
	ERR_clear_error();
	if ((ca_file == NULL ? SSL_CTX_set_default_verify_paths(client->context)
			     : SSL_CTX_load_verify_file(client->context, ca_file)) != 1) {
		rc = error_set(e, ERR_INVALID, "%s holds no usable PEM certificates: %s",
		    ca_file == NULL ? "the system's trust store" : ca_file,
		    tls_reason(reason, sizeof(reason)));
		goto fail;
	}
	*out = client;
	return 0;
fail:
	tls_client_unref(client);
	return rc;
}

void
tls_client_forbid_resumption(struct tls_client *client)
{
	SSL_CTX_set_session_cache_mode(client->context, SSL_SESS_CACHE_OFF);
	tls_sessions_clear(&client->sessions);
}

struct tls_client *
tls_client_ref(struct tls_client *client)
{
	client->references++;
	return client;
}

void
tls_client_unref(struct tls_client *client)
{
	if (client == NULL || --client->references > 0)
		return;
	tls_sessions_clear(&client->sessions);
	SSL_CTX_free(client->context);
	BIO_meth_free(client->bio);
	free(client);
}
