/* tls_peer.c - whom a client's certificate names. Certificates are verified in the handshake
 * (tls_server_verify_clients): what is not trusted never gets here. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "fiberio/stream_internal.h"

/* Copies a name of a certificate. One with a NUL inside was made to deceive. */
static int
copy_name(const unsigned char *name, int len, char *out, size_t room)
{
	if (len <= 0 || (size_t) len >= room || memchr(name, '\0', (size_t) len) != NULL)
		return ERR_INVALID;
	memcpy(out, name, (size_t) len);
	out[len] = '\0';
	return 0;
}

/* The rfc822Name of subjectAltName (RFC 5280 section 4.2.1.6), if there is just one. */
static int
find_email(X509 *certificate, char *out, size_t room)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const ASN1_IA5STRING *found = NULL;
	int count = 0, rc = ERR_INVALID;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL) {
			found = name->d.rfc822Name;
			count++;
		}
	}
	if (count == 1)
		rc = copy_name(ASN1_STRING_get0_data(found), ASN1_STRING_length(found), out, room);
	GENERAL_NAMES_free(names);
	return rc;
}

/* The common name of the subject, if there is just one. */
static int
find_common_name(X509 *certificate, char *out, size_t room)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), len, rc;
	unsigned char *utf8;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return ERR_INVALID;
	len =
	    ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len < 0)
		return ERR_INVALID;
	rc = copy_name(utf8, len, out, room);
	OPENSSL_free(utf8);
	return rc;
}

int
stream_tls_peer_name(const struct stream *s, enum stream_peer_name which, char *out, size_t room)
{
	X509 *certificate;
	int rc;

	if (s->ssl == NULL || SSL_get_verify_result(s->ssl) != X509_V_OK ||
	    (certificate = SSL_get1_peer_certificate(s->ssl)) == NULL)
		return ERR_GONE;
	rc = which == STREAM_PEER_EMAIL ? find_email(certificate, out, room)
					: find_common_name(certificate, out, room);
	X509_free(certificate);
	ERR_clear_error();
	return rc;
}
