/* tls_staple.c - see tls_staple.h. */
#include "fiberio/tls_staple.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>

enum { STAPLE_MAX = 64 * 1024, DAY = 24 * 60 * 60 };

/* Reads FILE to OUT->der. Returns 0, ERR_INVALID or ERR_NO_MEMORY. */
static int
read_file(const char *file, struct tls_staple *out)
{
	FILE *in;
	int rc = 0;

	if ((in = fopen(file, "re")) == NULL)
		return ERR_INVALID;
	if ((out->der = malloc(STAPLE_MAX)) == NULL) {
		fclose(in);
		return ERR_NO_MEMORY;
	}
	out->len = fread(out->der, 1, STAPLE_MAX, in);
	if (ferror(in) || out->len == STAPLE_MAX)
		rc = ERR_INVALID;
	fclose(in);
	return rc;
}

/* Whether ID is that of CERTIFICATE, by the kind of digest that ID was made with. */
static bool
is_about(const OCSP_CERTID *id, X509 *certificate, X509 *issuer)
{
	ASN1_INTEGER *serial;
	ASN1_OBJECT *algorithm;
	const EVP_MD *digest;
	OCSP_CERTID *wanted;
	bool same;

	OCSP_id_get0_info(NULL, &algorithm, NULL, &serial, (OCSP_CERTID *) id);
	if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) != 0)
		return false;
	if (issuer == NULL || (digest = EVP_get_digestbyobj(algorithm)) == NULL)
		return issuer == NULL;
	if ((wanted = OCSP_cert_to_id(digest, certificate, issuer)) == NULL)
		return false;
	same = OCSP_id_cmp(wanted, id) == 0;
	OCSP_CERTID_free(wanted);
	return same;
}

static int64_t
seconds_of(const ASN1_GENERALIZEDTIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t) timegm(&tm) : 0;
}

/* Finds what RESPONSE says about CERTIFICATE. Returns whether it says anything. */
static bool
look_up(OCSP_BASICRESP *response, X509 *certificate, X509 *issuer, struct tls_staple *out)
{
	ASN1_GENERALIZEDTIME *made = NULL, *next = NULL;
	OCSP_SINGLERESP *single;

	for (int i = 0; i < OCSP_resp_count(response); i++) {
		single = OCSP_resp_get0(response, i);
		if (!is_about(OCSP_SINGLERESP_get0_id(single), certificate, issuer))
			continue;
		out->good = OCSP_single_get0_status(single, NULL, NULL, &made, &next) ==
			    V_OCSP_CERTSTATUS_GOOD;
		out->until = next != NULL ? seconds_of(next) : seconds_of(made) + DAY;
		return true;
	}
	return false;
}

/* Judges what was read of FILE. */
static int
understand(const char *file, X509 *certificate, X509 *issuer, struct tls_staple *out,
    struct error *e)
{
	const unsigned char *at = out->der;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long) out->len);
	OCSP_BASICRESP *basic = NULL;
	int rc = 0;

	if (response == NULL || at != out->der + out->len)
		rc = error_set(e, ERR_INVALID, "%s is no OCSP response in DER", file);
	else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL ||
		 (basic = OCSP_response_get1_basic(response)) == NULL)
		rc = error_set(e, ERR_INVALID, "%s says that the OCSP request has failed", file);
	else if (!look_up(basic, certificate, issuer, out))
		rc = error_set(e, ERR_INVALID, "%s is about another certificate", file);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return rc;
}

int
tls_staple_load(const char *file, X509 *certificate, X509 *issuer, struct tls_staple *out,
    struct error *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if ((rc = read_file(file, out)) == ERR_INVALID)
		error_set(e, rc, "cannot read %s", file);
	else if (rc != 0)
		error_set(e, rc, "out of memory");
	else
		rc = understand(file, certificate, issuer, out, e);
	if (rc != 0)
		tls_staple_clear(out);
	return rc;
}

void
tls_staple_clear(struct tls_staple *staple)
{
	free(staple->der);
	memset(staple, 0, sizeof(*staple));
}
