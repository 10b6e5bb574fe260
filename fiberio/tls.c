/* tls.c - what both ends of TLS have in common; see tls.h. The two ends share no settings: what one
 * peer forces us to must not weaken the other leg. */
#include "fiberio/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "fiberio/tls_internal.h"

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

/* Ciphers that hide nothing or do not prove who we are are for nobody. The level of today's contexts
 * shuts them out whatever the list says; level 0 does not. "@SECLEVEL=0" in a list would undo the
 * level. Returns 0, ERR_INVALID or ERR_NO_MEMORY. */
static int
set_ciphers(SSL_CTX *context, const char *ciphers)
{
	char *list;
	int rc;

	if (strchr(ciphers, '@') != NULL)
		return ERR_INVALID;
	if (asprintf(&list, "%s:!aNULL:!eNULL", ciphers) < 0)
		return ERR_NO_MEMORY;
	rc = SSL_CTX_set_cipher_list(context, list) == 1 ? 0 : ERR_INVALID;
	free(list);
	return rc;
}

/* Applies TERMS. Returns 0, ERR_INVALID or ERR_NO_MEMORY. */
static int
agree_to(SSL_CTX *context, const struct tls_terms *terms, enum tls_term *which)
{
	int rc;

	*which = TLS_TERM_CIPHERS;
	if (terms->ciphers != NULL && (rc = set_ciphers(context, terms->ciphers)) != 0)
		return rc;
	*which = TLS_TERM_SUITES;
	if (terms->suites != NULL && SSL_CTX_set_ciphersuites(context, terms->suites) != 1)
		return ERR_INVALID;
	*which = TLS_TERM_GROUPS;
	if (terms->groups != NULL && SSL_CTX_set1_groups_list(context, terms->groups) != 1)
		return ERR_INVALID;
	return 0;
}

static void
set_strength(SSL_CTX *context, enum tls_version minimum, enum tls_era era)
{
	if (era == TLS_ERA_LEGACY) {
		SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
		SSL_CTX_set_security_level(context, 0);
		return;
	}
	SSL_CTX_set_min_proto_version(
	    context, minimum == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	/* 112 bits of strength, whatever the system's configuration says; it may ask for more. */
	if (SSL_CTX_get_security_level(context) < 2)
		SSL_CTX_set_security_level(context, 2);
}

int
tls_context_new(const SSL_METHOD *method, const struct tls_terms *terms, enum tls_era era,
    SSL_CTX **out, enum tls_term *which)
{
	SSL_CTX *context = SSL_CTX_new(method);
	int rc;

	if (context == NULL)
		return ERR_NO_MEMORY;
	if ((rc = agree_to(context, terms, which)) != 0) {
		SSL_CTX_free(context);
		ERR_clear_error();
		return rc;
	}
	set_strength(context, terms->minimum, era);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	*out = context;
	return 0;
}

int
tls_context_make(const SSL_METHOD *method, const struct tls_terms *terms, enum tls_era era,
    SSL_CTX **out, struct error *e)
{
	static const char *const names[] = { "ciphers", "TLS 1.3 suites", "groups" };
	enum tls_term which;
	int rc = tls_context_new(method, terms, era, out, &which);

	if (rc == ERR_INVALID)
		return error_set(e, rc, "OpenSSL does not know these %s", names[which]);
	return rc == 0 ? 0 : error_set(e, rc, "out of memory");
}

int
tls_terms_check(const struct tls_terms *terms, enum tls_term *which)
{
	SSL_CTX *context = NULL;
	int rc = tls_context_new(TLS_method(), terms, TLS_ERA_TODAY, &context, which);

	SSL_CTX_free(context);
	return rc;
}

/* OpenSSL's own words for a file that is not there are not for people. */
int
tls_check_readable(const char *what, const char *file, struct error *e)
{
	if (access(file, R_OK) == 0)
		return 0;
	return error_set(e, ERR_INVALID, "cannot read %s %s: %s", what, file, strerror(errno));
}

int
tls_context_load_pair(SSL_CTX *context, const struct tls_pair *pair, struct error *e)
{
	char reason[128];
	int rc;

	if ((rc = tls_check_readable("certificate", pair->certificate, e)) != 0)
		return rc;
	if ((rc = tls_check_readable("key", pair->key, e)) != 0)
		return rc;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(context, pair->certificate) != 1)
		return error_set(e, ERR_INVALID, "%s holds no usable PEM certificate: %s",
		    pair->certificate, tls_reason(reason, sizeof(reason)));
	if (SSL_CTX_use_PrivateKey_file(context, pair->key, SSL_FILETYPE_PEM) != 1 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH &&
	    ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_TYPE_MISMATCH)
		return error_set(e, ERR_INVALID, "%s holds no usable PEM key: %s", pair->key,
		    tls_reason(reason, sizeof(reason)));
	/* What OpenSSL says here, "no certificate assigned", is of no help to anybody. */
	if (SSL_CTX_check_private_key(context) != 1) {
		ERR_clear_error();
		return error_set(e, ERR_INVALID, "key %s does not belong to certificate %s",
		    pair->key, pair->certificate);
	}
	return 0;
}
