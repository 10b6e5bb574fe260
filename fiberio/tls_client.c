/* tls_client.c - the TLS of an upstream: whom we believe. One function builds it for implicit TLS
 * and STARTTLS alike. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/base64.h"
#include "fiberio/tls.h"
#include "fiberio/tls_internal.h"

static const char pin_prefix[] = "sha256/";

enum { PREFIX_LEN = sizeof(pin_prefix) - 1, PIN_SYMBOLS = 43 };

int
tls_pin_parse(const char *text, struct tls_pin *out)
{
	char padded[PIN_SYMBOLS + 2];
	size_t len;

	if (strncmp(text, pin_prefix, PREFIX_LEN) != 0)
		return ERR_INVALID;
	text += PREFIX_LEN;
	/* Its "=" is a sign in a configuration file, and tells nothing. */
	len = strlen(text);
	if (len == PIN_SYMBOLS + 1 && text[PIN_SYMBOLS] == '=')
		len--;
	if (len != PIN_SYMBOLS)
		return ERR_INVALID;
	snprintf(padded, sizeof(padded), "%.*s=", (int) len, text);
	return base64_decode(padded, sizeof(padded) - 1, out->digest, sizeof(out->digest), &len);
}

void
tls_pin_format(const struct tls_pin *pin, char out[TLS_PIN_TEXT_MAX])
{
	memcpy(out, pin_prefix, PREFIX_LEN);
	base64_encode(pin->digest, sizeof(pin->digest), out + PREFIX_LEN);
}

/* ---- judging ---- */

/* The pin of CERTIFICATE's key. Returns 0 or ERR_NO_MEMORY. */
static int
pin_of(const X509 *certificate, struct tls_pin *out)
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	if (len <= 0)
		return ERR_NO_MEMORY;
	SHA256(der, (size_t) len, out->digest);
	OPENSSL_free(der);
	return 0;
}

static bool
is_pinned(struct tls_client *client, const X509 *certificate)
{
	struct tls_pin pin;

	if (client->pin_count == 0)
		return true;
	if (certificate == NULL || pin_of(certificate, &pin) != 0)
		return false;
	for (size_t i = 0; i < client->pin_count; i++)
		if (memcmp(&client->pins[i], &pin, sizeof(pin)) == 0)
			return true;
	client->refused = pin;
	return false;
}

/* In place of X509_verify_cert. Returns whether the server's certificate is accepted; CTX tells why
 * not. */
static int
on_verify(X509_STORE_CTX *ctx, void *arg)
{
	struct tls_client *client = arg;

	if (client->trust == TLS_TRUST_CHAIN && X509_verify_cert(ctx) != 1)
		return 0;
	if (client->trust != TLS_TRUST_ANYBODY &&
	    !is_pinned(client, X509_STORE_CTX_get0_cert(ctx))) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

bool
tls_client_refused_key(const SSL *ssl, const struct tls_client *client, struct tls_pin *pin)
{
	if (SSL_get_verify_result(ssl) != X509_V_ERR_APPLICATION_VERIFICATION)
		return false;
	*pin = client->refused;
	return true;
}

/* ---- whom to trust ---- */

static int
load_roots(SSL_CTX *context, const char *file, struct error *e)
{
	char reason[128];
	int rc;

	if ((rc = tls_check_readable("CA file", file, e)) != 0)
		return rc;
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(context, file) == 1)
		return 0;
	return error_set(e, ERR_INVALID, "%s holds no usable PEM certificates: %s", file,
	    tls_reason(reason, sizeof(reason)));
}

/* All files of DIRECTORY. They are read now, not when a handshake needs one: nothing waits for a
 * disk then, their names do not matter, and what is wrong with them shows at once. */
static int
load_roots_of_directory(SSL_CTX *context, const char *directory, struct error *e)
{
	const struct dirent *entry;
	char path[4096];
	size_t count = 0;
	DIR *dir;
	int rc = 0;

	if ((dir = opendir(directory)) == NULL)
		return error_set(e, ERR_INVALID, "cannot read CA directory %s: %s", directory,
		    strerror(errno));
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || entry->d_type == DT_DIR)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >=
		    (int) sizeof(path))
			rc = error_set(e, ERR_INVALID, "a path in %s is too long", directory);
		else
			rc = load_roots(context, path, e);
		count++;
	}
	closedir(dir);
	if (rc == 0 && count == 0)
		rc = error_set(e, ERR_INVALID, "CA directory %s is empty", directory);
	return rc;
}

static int
load_trust(SSL_CTX *context, const struct tls_client_options *options, struct error *e)
{
	char reason[128];
	int rc;

	if (options->ca_file != NULL && (rc = load_roots(context, options->ca_file, e)) != 0)
		return rc;
	if (options->ca_directory != NULL)
		return load_roots_of_directory(context, options->ca_directory, e);
	if (options->ca_file != NULL)
		return 0;
	ERR_clear_error();
	if (SSL_CTX_set_default_verify_paths(context) == 1)
		return 0;
	return error_set(e, ERR_INVALID, "the system's trust store holds no usable certificates: %s",
	    tls_reason(reason, sizeof(reason)));
}

static int
copy_pins(struct tls_client *client, const struct tls_client_options *options)
{
	if (options->pin_count == 0)
		return 0;
	if ((client->pins = calloc(options->pin_count, sizeof(*client->pins))) == NULL)
		return ERR_NO_MEMORY;
	memcpy(client->pins, options->pins, options->pin_count * sizeof(*client->pins));
	client->pin_count = options->pin_count;
	return 0;
}

/* ---- beginning and end ---- */

/* As ALPN writes a protocol: one octet of length, then the name (RFC 7301 section 3.1). */
static void
offer_protocol(SSL_CTX *context, const char *name)
{
	unsigned char protocol[16];
	int len = snprintf((char *) protocol + 1, sizeof(protocol) - 1, "%s", name);

	protocol[0] = (unsigned char) len;
	SSL_CTX_set_alpn_protos(context, protocol, (unsigned) len + 1);
}

int
tls_client_new(const struct tls_client_options *options, struct tls_client **out, struct error *e)
{
	struct tls_client *client = calloc(1, sizeof(*client));
	int rc;

	if (client == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	client->references = 1;
	client->trust = options->trust;
	if ((client->bio = stream_bio_method_new()) == NULL || copy_pins(client, options) != 0) {
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
		goto fail;
	}
	rc = tls_context_make(
	    TLS_client_method(), &options->terms, TLS_ERA_TODAY, &client->context, e);
	if (rc != 0)
		goto fail;
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(client->context, on_verify, client);
	offer_protocol(client->context, options->alpn != NULL ? options->alpn : "imap");
	tls_sessions_attach(&client->sessions, client->context);
	if (options->trust == TLS_TRUST_CHAIN &&
	    (rc = load_trust(client->context, options, e)) != 0)
		goto fail;
	if (options->own != NULL &&
	    (rc = tls_context_load_pair(client->context, options->own, e)) != 0)
		goto fail;
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
	free(client->pins);
	free(client);
}
