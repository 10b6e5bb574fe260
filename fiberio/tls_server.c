/* tls_server.c - the TLS of a listener: its certificates, and which of them a client is shown. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "fiberio/tls.h"
#include "fiberio/tls_internal.h"
#include "fiberio/tls_names.h"
#include "fiberio/tls_tickets.h"

/* As ALPN writes a protocol: one octet of length, then the name (RFC 7301 section 3.1). */
static const unsigned char alpn_pop3[] = "\x04pop3";

/* What old devices may know, the best first. */
#define LEGACY_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:HIGH:MEDIUM"

/* Types of key. OpenSSL keeps one certificate for each, and takes what the client can verify. */
enum key_kind {
	KEY_RSA,
	KEY_EC,
	KEY_ED25519,
	KEY_OTHER,
	KEY_KINDS,
};

/* Identities for one client; NULL: none with that type of key. */
struct choice {
	const struct tls_identity *of_kind[KEY_KINDS];
	enum tls_name_match match[KEY_KINDS];
};

static enum key_kind
kind_of(const struct tls_identity *identity)
{
	switch (EVP_PKEY_get_base_id(identity->key)) {
	case EVP_PKEY_RSA:
		return KEY_RSA;
	case EVP_PKEY_EC:
		return KEY_EC;
	case EVP_PKEY_ED25519:
		return KEY_ED25519;
	default:
		return KEY_OTHER;
	}
}

/* ---- who asks for what ---- */

/* The best of all names of IDENTITY. */
static enum tls_name_match
match_of(const struct tls_identity *identity, const char *name)
{
	enum tls_name_match best = TLS_NAME_OTHER, match;

	for (size_t i = 0; i < identity->name_count; i++)
		if ((match = tls_name_match(identity->names[i], name)) > best)
			best = match;
	return best;
}

/* Fills OUT for NAME: of each type of key the identity that fits best, and of equals the first.
 * Returns whether there is any. */
static bool
choose(const struct tls_server *server, const char *name, struct choice *out)
{
	enum tls_name_match match;
	enum key_kind kind;
	bool any = false;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < server->count; i++) {
		match = match_of(&server->identities[i], name);
		kind = kind_of(&server->identities[i]);
		if (match <= out->match[kind])
			continue;
		out->match[kind] = match;
		out->of_kind[kind] = &server->identities[i];
		any = true;
	}
	return any;
}

/* For whoever asks for nothing that we have: the first identity, and those with other types of key
 * that bear its first name. */
static void
choose_default(const struct tls_server *server, struct choice *out)
{
	const struct tls_identity *first = &server->identities[0];

	choose(server, first->name_count > 0 ? first->names[0] : "", out);
	out->of_kind[kind_of(first)] = first;
}

/* What the client of SSL asks for. Returns whether we have something for it. */
static bool
choose_for(const struct tls_server *server, const SSL *ssl, struct choice *out)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	return name != NULL && choose(server, name, out);
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct choice choice;

	(void) alert;
	return choose_for(arg, ssl, &choice) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* Before a certificate is sent. SSL has those of choose_default. Returns 1, or 0: the handshake
 * fails. */
static int
on_certificate(SSL *ssl, void *arg)
{
	const struct tls_identity *identity;
	struct choice choice, usual;

	if (!choose_for(arg, ssl, &choice))
		return 1;
	choose_default(arg, &usual);
	if (memcmp(choice.of_kind, usual.of_kind, sizeof(usual.of_kind)) == 0)
		return 1;
	SSL_certs_clear(ssl);
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		identity = choice.of_kind[kind];
		if (identity != NULL && SSL_use_cert_and_key(ssl, identity->certificate,
					    identity->key, identity->chain, 1) != 1)
			return 0;
	}
	return 1;
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

/* The client would like to see an OCSP response for the certificate that it is about to get. */
static int
on_status(SSL *ssl, void *arg)
{
	const struct tls_server *server = arg;
	const X509 *shown = SSL_get_certificate(ssl);
	const struct tls_staple *staple;
	unsigned char *copy;

	for (size_t i = 0; i < server->count; i++) {
		staple = &server->identities[i].staple;
		if (server->identities[i].certificate != shown)
			continue;
		if (staple->der == NULL || time(NULL) >= staple->until ||
		    (copy = OPENSSL_memdup(staple->der, staple->len)) == NULL)
			break;
		SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long) staple->len);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* ---- tickets ---- */

/* Prepares CIPHER and MAC for a ticket. Returns 1, or -1. */
static int
set_ticket_key(const struct tls_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int making)
{
	unsigned char hmac[sizeof(key->hmac)];
	char digest[] = "sha256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, hmac, sizeof(hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	int rc;

	memcpy(hmac, key->hmac, sizeof(hmac));
	rc = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, making) == 1 &&
		     EVP_MAC_CTX_set_params(mac, params) == 1
		 ? 1
		 : -1;
	OPENSSL_cleanse(hmac, sizeof(hmac));
	return rc;
}

/* See SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 goes on, 0 forgets the ticket, 2 takes and renews
 * it, -1 ends the handshake. */
static int
on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int making)
{
	const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	enum tls_ticket_age age = TLS_TICKET_CURRENT;
	struct tls_ticket_key key;
	int rc;

	if (!making) {
		if ((age = tls_tickets_find(server->tickets, name, &key)) == TLS_TICKET_UNKNOWN)
			return 0;
	} else {
		tls_tickets_current(server->tickets, &key);
		memcpy(name, key.name, sizeof(key.name));
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
	}
	rc = set_ticket_key(&key, iv, cipher, mac, making);
	OPENSSL_cleanse(&key, sizeof(key));
	/* A ticket of TLS 1.3 is used once (RFC 8446 appendix C.4). */
	if (rc == 1 && !making &&
	    (age == TLS_TICKET_PREVIOUS || SSL_version(ssl) == TLS1_3_VERSION))
		return 2;
	return rc;
}

void
tls_server_use_tickets(struct tls_server *server, struct tls_tickets *tickets)
{
	server->tickets = tickets;
	SSL_CTX_set_tlsext_ticket_key_evp_cb(server->context, on_ticket_key);
}

/* ---- beginning and end ---- */

static int
read_names(struct tls_identity *identity)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(identity->certificate, NID_subject_alt_name, NULL, NULL);
	int count = sk_GENERAL_NAME_num(names), rc = ERR_NO_MEMORY;
	const GENERAL_NAME *name;

	if (count <= 0) {
		rc = 0;
		goto out;
	}
	if ((identity->names = calloc((size_t) count, sizeof(char *))) == NULL)
		goto out;
	for (int i = 0; i < count; i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		identity->names[identity->name_count] =
		    strndup((const char *) ASN1_STRING_get0_data(name->d.dNSName),
			(size_t) ASN1_STRING_length(name->d.dNSName));
		if (identity->names[identity->name_count] == NULL)
			goto out;
		identity->name_count++;
	}
	rc = 0;
out:
	GENERAL_NAMES_free(names);
	return rc;
}

/* Makes IDENTITY of what CONTEXT, which is made for that, has loaded. */
static int
take_identity(SSL_CTX *context, struct tls_identity *identity)
{
	STACK_OF(X509) *chain = NULL;

	identity->certificate = SSL_CTX_get0_certificate(context);
	identity->key = SSL_CTX_get0_privatekey(context);
	X509_up_ref(identity->certificate);
	EVP_PKEY_up_ref(identity->key);
	SSL_CTX_get0_chain_certs(context, &chain);
	if (chain != NULL && (identity->chain = X509_chain_up_ref(chain)) == NULL)
		return ERR_NO_MEMORY;
	return read_names(identity);
}

static int
load_identity(const struct tls_pair *pair, const struct tls_server_options *options,
    struct tls_identity *identity, struct error *e)
{
	SSL_CTX *context;
	X509 *issuer;
	int rc;

	rc = tls_context_make(TLS_server_method(), &options->terms, options->era, &context, e);
	if (rc != 0)
		return rc;
	if ((rc = tls_context_load_pair(context, pair, e)) == 0 &&
	    (rc = take_identity(context, identity)) != 0)
		error_set(e, rc, "out of memory");
	SSL_CTX_free(context);
	if (rc != 0 || pair->staple == NULL)
		return rc;
	issuer = identity->chain != NULL ? sk_X509_value(identity->chain, 0) : NULL;
	return tls_staple_load(pair->staple, identity->certificate, issuer, &identity->staple, e);
}

static void
identity_clear(struct tls_identity *identity)
{
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	sk_X509_pop_free(identity->chain, X509_free);
	for (size_t i = 0; i < identity->name_count; i++)
		free(identity->names[i]);
	free(identity->names);
	tls_staple_clear(&identity->staple);
}

/* Gives the context those that it shows when nothing else is asked for. */
static int
show_default(struct tls_server *server)
{
	const struct tls_identity *identity;
	struct choice choice;

	choose_default(server, &choice);
	for (enum key_kind kind = 0; kind < KEY_KINDS; kind++) {
		identity = choice.of_kind[kind];
		if (identity != NULL &&
		    SSL_CTX_use_cert_and_key(server->context, identity->certificate, identity->key,
			identity->chain, 1) != 1)
			return ERR_NO_MEMORY;
	}
	return 0;
}

/* A session may be resumed where the same was agreed to, and nowhere else: listeners share the keys
 * of tickets, but not what they think is good enough. */
static int
set_session_context(SSL_CTX *context, const struct tls_terms *terms)
{
	const char *texts[] = { terms->ciphers, terms->suites, terms->groups };
	unsigned char digest[EVP_MAX_MD_SIZE], minimum = (unsigned char) terms->minimum;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good;

	good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestUpdate(md, &minimum, 1) == 1;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && good; i++)
		good = EVP_DigestUpdate(md, texts[i] != NULL ? texts[i] : "",
			   texts[i] != NULL ? strlen(texts[i]) + 1 : 1) == 1;
	good = good && EVP_DigestFinal_ex(md, digest, NULL) == 1 &&
	       SSL_CTX_set_session_id_context(context, digest, SSL_MAX_SID_CTX_LENGTH) == 1;
	EVP_MD_CTX_free(md);
	return good ? 0 : ERR_NO_MEMORY;
}

static void
set_behaviour(struct tls_server *server, enum tls_era era)
{
	SSL_CTX *context = server->context;

	SSL_CTX_set_app_data(context, server);
	/* What clients say may be a password; OpenSSL would keep it until the next record comes. */
	SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
					 SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	/* Each costs encryption and a system call's worth of octets; few clients use even one. */
	SSL_CTX_set_num_tickets(context, era == TLS_ERA_LEGACY ? 0 : 1);
	if (era == TLS_ERA_LEGACY)
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_alpn_select_cb(context, choose_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(context, server);
	SSL_CTX_set_tlsext_status_cb(context, on_status);
	SSL_CTX_set_tlsext_status_arg(context, server);
	SSL_CTX_set_cert_cb(context, on_certificate, server);
}

/* The terms of OPTIONS, or those of another era. */
static struct tls_terms
terms_of(const struct tls_server_options *options)
{
	struct tls_terms terms = options->terms;

	if (options->era == TLS_ERA_LEGACY && terms.ciphers == NULL)
		terms.ciphers = LEGACY_CIPHERS;
	return terms;
}

static int
load_identities(
    struct tls_server *server, const struct tls_server_options *options, struct error *e)
{
	int rc;

	server->identities = calloc(options->pair_count, sizeof(*server->identities));
	if (server->identities == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	while (server->count < options->pair_count) {
		rc = load_identity(&options->pairs[server->count], options,
		    &server->identities[server->count], e);
		server->count++;
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
tls_server_new(const struct tls_server_options *options, struct tls_server **out, struct error *e)
{
	struct tls_server *server = calloc(1, sizeof(*server));
	struct tls_terms terms = terms_of(options);
	int rc;

	if (server == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	server->references = 1;
	if ((rc = load_identities(server, options, e)) != 0)
		goto fail;
	rc = tls_context_make(TLS_server_method(), &terms, options->era, &server->context, e);
	if (rc != 0)
		goto fail;
	set_behaviour(server, options->era);
	if ((server->bio = stream_bio_method_new()) == NULL) {
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
		goto fail;
	}
	if ((rc = set_session_context(server->context, &terms)) != 0 ||
	    (rc = show_default(server)) != 0) {
		error_set(e, rc, "out of memory");
		goto fail;
	}
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
	if ((rc = tls_check_readable("CA file", ca_file, e)) != 0)
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
	for (size_t i = 0; i < server->count; i++)
		identity_clear(&server->identities[i]);
	free(server->identities);
	SSL_CTX_free(server->context);
	BIO_meth_free(server->bio);
	free(server);
}

bool
tls_server_staple_is_bad(const struct tls_server *server, size_t index, int64_t now)
{
	const struct tls_staple *staple = &server->identities[index].staple;

	return staple->der != NULL && (!staple->good || now >= staple->until);
}
