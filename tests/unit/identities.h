/* identities.h - keys and certificates for the tests of TLS, made when they run. */
#pragma once
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "fiberio/tls.h"
#include "unit.h"

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

/* What a certificate is to say. */
struct identity_form {
	const char *common_name;       /* NULL: one that nobody asks for */
	const char *names;	       /* as subjectAltName in openssl.cnf; NULL: none */
	const char *purpose;	       /* as extendedKeyUsage; NULL: none */
	const struct identity *issuer; /* NULL: itself */
	bool authority;
	long from, until; /* seconds from now; both 0: for a day */
};

static inline void
add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension;

	if (value == NULL)
		return;
	extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	CU_ASSERT_PTR_NOT_NULL_FATAL(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static inline struct identity
new_identity(const struct identity_form *form)
{
	static long serial = 1;
	struct identity made = { EVP_EC_gen("P-256"), X509_new() };
	const struct identity *issuer = form->issuer == NULL ? &made : form->issuer;
	X509_NAME *subject = X509_get_subject_name(made.certificate);
	const char *common_name = form->common_name == NULL ? "x" : form->common_name;
	bool dated = form->from != 0 || form->until != 0;

	X509_set_version(made.certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), dated ? form->from : -3600);
	X509_gmtime_adj(X509_getm_notAfter(made.certificate), dated ? form->until : 86400);
	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_ASC, (const unsigned char *) common_name, -1, -1, 0);
	X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
	X509_set_pubkey(made.certificate, made.key);
	add_extension(made.certificate, NID_basic_constraints,
	    form->authority ? "critical,CA:TRUE" : "CA:FALSE");
	add_extension(made.certificate, NID_subject_alt_name, form->names);
	add_extension(made.certificate, NID_ext_key_usage, form->purpose);
	CU_ASSERT_NOT_EQUAL_FATAL(X509_sign(made.certificate, issuer->key, EVP_sha256()), 0);
	return made;
}

static inline void
free_identity(struct identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
}

/* Files of one test; removed with their folder. */
struct files {
	char folder[64];
	char certificate[96], key[96], authority[96], other[96];
};

static inline void
make_files(struct files *f)
{
	snprintf(f->folder, sizeof(f->folder), "/tmp/popgate-unit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->folder));
	snprintf(f->certificate, sizeof(f->certificate), "%s/certificate.pem", f->folder);
	snprintf(f->key, sizeof(f->key), "%s/key.pem", f->folder);
	snprintf(f->authority, sizeof(f->authority), "%s/authority.pem", f->folder);
	snprintf(f->other, sizeof(f->other), "%s/other.pem", f->folder);
}

static inline void
remove_files(const struct files *f)
{
	unlink(f->certificate);
	unlink(f->key);
	unlink(f->authority);
	unlink(f->other);
	rmdir(f->folder);
}

static inline void
write_certificate(const char *path, X509 *certificate)
{
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	PEM_write_X509(file, certificate);
	fclose(file);
}

/* PASSPHRASE may be NULL. */
static inline void
write_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	PEM_write_PKCS8PrivateKey(file, key, passphrase == NULL ? NULL : EVP_aes_128_cbc(),
	    passphrase, passphrase == NULL ? 0 : (int) strlen(passphrase), NULL, NULL);
	fclose(file);
}

static inline void
write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

/* A server with one pair of files, and otherwise what a listener has without any setting. */
static inline int
load_server(const char *certificate, const char *key, struct tls_server **out, struct error *e)
{
	const struct tls_pair pair = { .certificate = certificate, .key = key };
	const struct tls_server_options options = { .pairs = &pair, .pair_count = 1 };

	return tls_server_new(&options, out, e);
}

/* A client that trusts CA_FILE, or the system where that is NULL. */
static inline int
load_client(const char *ca_file, struct tls_client **out, struct error *e)
{
	const struct tls_client_options options = { .ca_file = ca_file };

	return tls_client_new(&options, out, e);
}
