/* Unit tests of fiberio/tls_staple.c: which OCSP responses are taken, and when they are shown. */
#include "fiberio/tls_staple.h"

#include <time.h>

#include <openssl/ocsp.h>

#include "tls_parties.h"

struct response {
	const struct identity *about;
	int status;
	const EVP_MD *digest; /* that names the certificate */
	long made, next;      /* seconds from now; next 0: none */
};

/* Writes RESPONSE, signed by the authority, to files.other. */
static void
write_response(const struct response *r)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id =
	    OCSP_cert_to_id(r->digest, r->about->certificate, authority.certificate);
	ASN1_TIME *made = X509_gmtime_adj(NULL, r->made);
	ASN1_TIME *next = r->next != 0 ? X509_gmtime_adj(NULL, r->next) : NULL;
	OCSP_RESPONSE *response;
	FILE *file = fopen(files.other, "w");
	unsigned char *der = NULL;
	int len;

	OCSP_basic_add1_status(basic, id, r->status, 0,
	    r->status == V_OCSP_CERTSTATUS_REVOKED ? made : NULL, made, next);
	OCSP_basic_sign(basic, authority.certificate, authority.key, EVP_sha256(), NULL, 0);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	fwrite(der, 1, (size_t) len, file);
	fclose(file);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(made);
	ASN1_TIME_free(next);
}

static int
load_staple(X509 *issuer, struct tls_staple *out, struct error *e)
{
	return tls_staple_load(files.other, mail.certificate, issuer, out, e);
}

static void
responses_are_judged(void)
{
	const struct {
		const char *label;
		struct response response;
		const char *complaint; /* NULL: taken */
		bool good;
		long until; /* seconds from now */
	} rows[] = {
		{ "good", { &mail, V_OCSP_CERTSTATUS_GOOD, EVP_sha1(), -60, 3600 }, NULL, true,
		    3600 },
		{ "other digest", { &mail, V_OCSP_CERTSTATUS_GOOD, EVP_sha256(), -60, 3600 }, NULL,
		    true, 3600 },
		{ "no end", { &mail, V_OCSP_CERTSTATUS_GOOD, EVP_sha1(), -60, 0 }, NULL, true,
		    86400 - 60 },
		{ "old", { &mail, V_OCSP_CERTSTATUS_GOOD, EVP_sha1(), -7200, -3600 }, NULL, true,
		    -3600 },
		{ "revoked", { &mail, V_OCSP_CERTSTATUS_REVOKED, EVP_sha1(), -60, 3600 }, NULL,
		    false, 3600 },
		{ "unknown", { &mail, V_OCSP_CERTSTATUS_UNKNOWN, EVP_sha1(), -60, 3600 }, NULL,
		    false, 3600 },
		{ "another", { &authority, V_OCSP_CERTSTATUS_GOOD, EVP_sha1(), -60, 3600 },
		    "about another certificate", false, 0 },
	};
	struct tls_staple staple;
	struct error e;
	int64_t until;

	begin_tls();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_response(&rows[i].response);
		for (int issued = 0; issued < 2; issued++) {
			X509 *issuer = issued == 1 ? authority.certificate : NULL;

			if (rows[i].complaint != NULL) {
				UNIT_CHECK(
				    load_staple(issuer, &staple, &e) == ERR_INVALID, rows[i].label);
				UNIT_CHECK(strstr(e.text, rows[i].complaint) != NULL, e.text);
				UNIT_CHECK(strstr(e.text, files.other) != NULL, e.text);
				CU_ASSERT_PTR_NULL(staple.der);
				continue;
			}
			UNIT_CHECK(load_staple(issuer, &staple, &e) == 0, rows[i].label);
			until = staple.until - (int64_t) time(NULL) - rows[i].until;
			UNIT_CHECK(until > -60 && until < 60, rows[i].label);
			UNIT_CHECK(staple.good == rows[i].good, rows[i].label);
			tls_staple_clear(&staple);
		}
	}
	/* The serial number is that of this certificate, but not the authority. */
	write_response(&(struct response){
	    &mail, V_OCSP_CERTSTATUS_GOOD, EVP_sha1(), -60, 3600 });
	CU_ASSERT_EQUAL(load_staple(mail.certificate, &staple, &e), ERR_INVALID);
	end_tls();
}

static void
what_is_no_response_is_refused(void)
{
	struct tls_staple staple;
	unsigned char der[4096];
	struct error e;
	size_t len;
	FILE *file;

	begin_tls();
	CU_ASSERT_EQUAL(load_staple(NULL, &staple, &e), ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "cannot read"));
	write_response(&(struct response){
	    &mail, V_OCSP_CERTSTATUS_GOOD, EVP_sha1(), -60, 3600 });
	file = fopen(files.other, "r");
	len = fread(der, 1, sizeof(der), file);
	fclose(file);
	for (size_t cut = 0; cut < len; cut++) {
		file = fopen(files.other, "w");
		fwrite(der, 1, cut, file);
		fclose(file);
		CU_ASSERT_EQUAL(load_staple(NULL, &staple, &e), ERR_INVALID);
	}
	write_certificate(files.other, mail.certificate);
	CU_ASSERT_EQUAL(load_staple(NULL, &staple, &e), ERR_INVALID);
	/* "Try later", as a response of five octets says. */
	write_text(files.other, "\x30\x03\x0a\x01\x03");
	CU_ASSERT_EQUAL(load_staple(NULL, &staple, &e), ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "has failed"));
	end_tls();
}

/* ---- shown ---- */

static long shown_len; /* of what the last client got; -1: nothing */

static void
status_script(struct peer *peer)
{
	const unsigned char *response;

	shown_len = SSL_get_tlsext_status_ocsp_resp(peer->ssl, &response);
}

/* Lets a client ask AT for an OCSP response. */
static void
ask(struct tls_server *at)
{
	static struct party p;
	struct peer peer;
	int fds[2];

	unix_pair(fds);
	init_party(&p, AS_SERVER, fds[0]);
	p.server = at;
	init_peer(&peer, AS_CLIENT, fds[1], TLS1_3_VERSION, status_script);
	SSL_CTX_set_tlsext_status_type(peer.context, TLSEXT_STATUSTYPE_ocsp);
	shown_len = 0;
	start_peer(&peer);
	spawn(shake_main, &p);
	run_all();
	CU_ASSERT_EQUAL(p.rc, 0);
	stream_close(p.s);
	finish_peer(&peer);
}

static void
an_old_response_is_not_shown(void)
{
	const struct tls_pair pair = {
		.certificate = files.certificate, .key = files.key, .staple = files.other
	};
	const struct tls_server_options options = { .pairs = &pair, .pair_count = 1 };
	int64_t now = (int64_t) time(NULL);
	struct tls_server *stapling;

	begin_tls();
	write_response(&(struct response){
	    &mail, V_OCSP_CERTSTATUS_GOOD, EVP_sha1(), -60, 3600 });
	CU_ASSERT_EQUAL_FATAL(tls_server_new(&options, &stapling, NULL), 0);
	CU_ASSERT_FALSE(tls_server_staple_is_bad(stapling, 0, now));
	CU_ASSERT_TRUE(tls_server_staple_is_bad(stapling, 0, now + 3700));
	ask(stapling);
	CU_ASSERT_EQUAL(shown_len, (long) stapling->identities[0].staple.len);
	stapling->identities[0].staple.until = now - 1;
	ask(stapling);
	CU_ASSERT_EQUAL(shown_len, -1);
	ask(server);
	CU_ASSERT_EQUAL(shown_len, -1);
	tls_server_unref(stapling);
	end_tls();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "responses_are_judged", responses_are_judged },
		{ "what_is_no_response_is_refused", what_is_no_response_is_refused },
		{ "an_old_response_is_not_shown", an_old_response_is_not_shown },
	};

	return unit_run("tls_staple", tests, sizeof(tests) / sizeof(tests[0]));
}
