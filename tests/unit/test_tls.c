/* Unit tests of fiberio/tls.c: what is read before any connection exists. */
#include "fiberio/tls.h"

#include "identities.h"

static struct files files;
static struct identity own, stranger;

static void
begin_tls(void)
{
	make_files(&files);
	own =
	    new_identity(&(struct identity_form){ .common_name = "own", .names = "DNS:mail.test" });
	stranger = new_identity(&(struct identity_form){ .common_name = "stranger" });
	write_certificate(files.certificate, own.certificate);
	write_key(files.key, own.key, NULL);
}

static void
end_tls(void)
{
	free_identity(&own);
	free_identity(&stranger);
	remove_files(&files);
}

static void
a_pair_is_read(void)
{
	struct tls_server *server = NULL;

	begin_tls();
	CU_ASSERT_EQUAL_FATAL(load_server(files.certificate, files.key, &server, NULL), 0);
	CU_ASSERT_PTR_EQUAL(tls_server_ref(server), server);
	tls_server_unref(server);
	tls_server_unref(server);
	tls_server_unref(NULL);
	end_tls();
}

static void
authorities_of_clients_are_read(void)
{
	struct tls_server *server = NULL;
	struct error e = { 0 };

	begin_tls();
	CU_ASSERT_EQUAL_FATAL(load_server(files.certificate, files.key, &server, NULL), 0);
	CU_ASSERT_EQUAL(tls_server_verify_clients(server, NULL, TLS_CLIENT_NONE, &e), 0);
	CU_ASSERT_EQUAL(
	    tls_server_verify_clients(server, files.certificate, TLS_CLIENT_REQUIRE, &e), 0);
	CU_ASSERT_EQUAL(
	    tls_server_verify_clients(server, files.other, TLS_CLIENT_REQUEST, &e), ERR_INVALID);
	UNIT_CHECK(strstr(e.text, files.other) != NULL, e.text);
	CU_ASSERT_EQUAL(
	    tls_server_verify_clients(server, files.key, TLS_CLIENT_REQUEST, &e), ERR_INVALID);
	UNIT_CHECK(strstr(e.text, "no usable PEM") != NULL, e.text);
	tls_server_unref(server);
	end_tls();
}

/* The text must name the file to look at. */
static void
check_refused(const char *certificate, const char *key, const char *blamed, const char *word)
{
	struct tls_server *server = NULL;
	struct error e = { 0 };

	CU_ASSERT_EQUAL(load_server(certificate, key, &server, &e), ERR_INVALID);
	CU_ASSERT_PTR_NULL(server);
	CU_ASSERT_EQUAL(e.code, ERR_INVALID);
	UNIT_CHECK(strstr(e.text, blamed) != NULL, e.text);
	UNIT_CHECK(strstr(e.text, word) != NULL, e.text);
}

static void
files_that_are_not_there_are_named(void)
{
	begin_tls();
	check_refused(files.other, files.key, files.other, "No such file");
	check_refused(files.certificate, files.other, files.other, "No such file");
	check_refused(files.folder, files.key, files.folder, "certificate");
	end_tls();
}

static void
files_that_are_not_pem_are_named(void)
{
	begin_tls();
	write_text(files.other, "");
	check_refused(files.other, files.key, files.other, "no usable PEM certificate");
	check_refused(files.certificate, files.other, files.other, "no usable PEM key");
	write_text(files.other, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	check_refused(files.other, files.key, files.other, "no usable PEM certificate");
	/* One file in the place of the other. */
	check_refused(files.key, files.key, files.key, "no usable PEM certificate");
	check_refused(files.certificate, files.certificate, files.certificate, "no usable PEM key");
	end_tls();
}

static void
a_key_of_another_certificate_is_told(void)
{
	char whole[2 * sizeof(files.other) + 64];
	struct tls_server *server = NULL;
	struct error e = { 0 };
	EVP_PKEY *rsa;

	begin_tls();
	write_key(files.other, stranger.key, NULL);
	check_refused(files.certificate, files.other, files.other, "does not belong");
	check_refused(files.certificate, files.other, files.certificate, "does not belong");
	rsa = EVP_RSA_gen(2048);
	write_key(files.other, rsa, NULL);
	/* Nothing behind it: of another type of key OpenSSL only says "no certificate assigned". */
	snprintf(whole, sizeof(whole), "key %s does not belong to certificate %s", files.other,
	    files.certificate);
	CU_ASSERT_EQUAL(load_server(files.certificate, files.other, &server, &e), ERR_INVALID);
	UNIT_CHECK(strcmp(e.text, whole) == 0, e.text);
	EVP_PKEY_free(rsa);
	end_tls();
}

/* Would otherwise ask at the terminal. */
static void
a_key_with_a_passphrase_is_refused(void)
{
	begin_tls();
	write_key(files.other, own.key, "secret");
	check_refused(files.certificate, files.other, files.other, "no usable PEM key");
	end_tls();
}

static void
trust_is_read(void)
{
	struct tls_client *client = NULL;
	struct error e = { 0 };

	begin_tls();
	CU_ASSERT_EQUAL_FATAL(load_client(files.certificate, &client, &e), 0);
	CU_ASSERT_PTR_EQUAL(tls_client_ref(client), client);
	tls_client_unref(client);
	tls_client_unref(client);
	tls_client_unref(NULL);
	CU_ASSERT_EQUAL(load_client(NULL, &client, &e), 0);
	tls_client_unref(client);
	client = NULL;
	CU_ASSERT_EQUAL(load_client(files.other, &client, &e), ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, files.other));
	CU_ASSERT_EQUAL(load_client(files.key, &client, &e), ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, files.key));
	CU_ASSERT_PTR_NULL(client);
	end_tls();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a_pair_is_read", a_pair_is_read },
		{ "files_that_are_not_there_are_named", files_that_are_not_there_are_named },
		{ "files_that_are_not_pem_are_named", files_that_are_not_pem_are_named },
		{ "a_key_of_another_certificate_is_told", a_key_of_another_certificate_is_told },
		{ "a_key_with_a_passphrase_is_refused", a_key_with_a_passphrase_is_refused },
		{ "trust_is_read", trust_is_read },
		{ "authorities_of_clients_are_read", authorities_of_clients_are_read },
	};

	return unit_run("tls", tests, sizeof(tests) / sizeof(tests[0]));
}
