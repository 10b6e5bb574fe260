/* Unit tests of gateway/config_tls.c: what the settings of TLS say about each other. */
#include "gateway/config_tls.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "identities.h"

#define UPSTREAM "upstream {\nhost = a\n}\n"
#define LISTENER "listener pop3 {\naddress = 127.0.0.1:0\n}\n"

static char remarks[8192];

/* Loads TEXT as the file popgate.conf in FOLDER; the remarks, without the path, are in REMARKS. */
static int
load(const char *folder, const char *text, struct config **out)
{
	struct config_report report = { 0 };
	FILE *memory = fmemopen(remarks, sizeof(remarks), "w");
	char path[128];
	int rc;

	*out = NULL;
	snprintf(path, sizeof(path), "%s/popgate.conf", folder);
	rc = config_load_text(path, text, strlen(text), out, &report);
	config_report_print(&report, "f", memory);
	fputc('\0', memory);
	fclose(memory);
	config_report_clear(&report);
	return rc;
}

/* Texts that need no file; what is said about them. */
static const struct {
	const char *text, *remarks;
} faults[] = {
	{ LISTENER "upstream {\nhost = a\ntls_pin = sha256/AAAA\n}\n",
	    "f:6: tls_pin: expected \"sha256/\" and a digest of 32 octets in base64, found "
	    "\"sha256/AAAA\"\n" },
	{ LISTENER "upstream {\nhost = a\n"
		   "tls_pin = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n}\n",
	    "f:6: tls_pin: expected \"sha256/\" and a digest of 32 octets in base64, found "
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n" },
	{ LISTENER "upstream {\nhost = a\ntls_verify = pin\n}\n",
	    "f:6: tls_verify: pin needs the pin of a key, tls_pin\n" },
	{ LISTENER "upstream {\nhost = a\ntls_insecure = yes\n"
		   "tls_pin = sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n}\n",
	    "f:6: tls_insecure: contradicts tls_pin; tls_verify = pin accepts any certificate with "
	    "that key\n"
	    "f:6: warning: tls_insecure: NOBODY VERIFIES who a is; whoever is on the way gets all "
	    "passwords\n" },
	{ LISTENER "upstream {\nhost = a\nclient_key = /nonexistent\n}\n",
	    "f:6: client_certificate and client_key need each other\n" },
	{ LISTENER "upstream {\nhost = a\nclient_certificate = /nonexistent\n}\n",
	    "f:6: client_certificate and client_key need each other\n" },
	{ LISTENER "upstream {\nhost = a\nca_directory = /nonexistent\n}\n",
	    "f:6: ca_directory: cannot read CA directory /nonexistent: No such file or "
	    "directory\n" },
	{ LISTENER "upstream {\nhost = a\ntls_minimum = 1.1\n}\n",
	    "f:6: tls_minimum: expected 1.2 or 1.3, found \"1.1\"; did you mean \"1.2\"?\n" },
	{ LISTENER "upstream {\nhost = a\ntls_ciphers = \"ALL:@SECLEVEL=0\"\n}\n",
	    "f:6: tls_ciphers: OpenSSL does not understand \"ALL:@SECLEVEL=0\", or it sets a level "
	    "with \"@\"\n" },
	{ LISTENER "upstream {\nhost = a\ntls_ciphers = NONSENSE\n}\n",
	    "f:6: tls_ciphers: OpenSSL does not understand \"NONSENSE\", or it sets a level with "
	    "\"@\"\n" },
	{ LISTENER "upstream {\nhost = a\ntls_suites = TLS_ROT13\n}\n",
	    "f:6: tls_suites: OpenSSL does not understand \"TLS_ROT13\"\n" },
	{ LISTENER "upstream {\nhost = a\ntls_groups = X25519:P-0\n}\n",
	    "f:6: tls_groups: OpenSSL does not understand \"X25519:P-0\"\n" },
	{ UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\ncertificate = a, b\nkey = a\n}\n",
	    "f:7: key: expected one for each certificate, 2 in all, found 1\n" },
	{ UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\ncertificate = a, \"\"\nkey = a\n}\n",
	    "f:6: certificate: expected paths, found \"\"\n"
	    "f:7: listener: key needs a certificate\n" },
	{ UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\ncertificate = a, b\nkey = a, "
		   "b\nocsp_response = c\n}\n",
	    "f:8: ocsp_response: expected one for each certificate, 2 in all, found 1\n" },
	{ UPSTREAM "listener pop3 {\naddress = 127.0.0.1:0\nlegacy_tls = yes\n}\n",
	    "f:6: legacy_tls: needs a certificate\n"
	    "f:6: legacy_tls: needs an end, such as legacy_until = 2027-06-30\n"
	    "f:6: legacy_tls: needs legacy_networks, the networks of the old devices\n" },
	{ UPSTREAM "listener pop3 {\naddress = 127.0.0.1:0\nlegacy_until = 2027-02-29\n}\n",
	    "f:6: legacy_until: expected a day such as 2027-06-30, found \"2027-02-29\"\n"
	    "f:6: warning: legacy_networks and legacy_until mean nothing without legacy_tls\n" },
	{ UPSTREAM "listener pop3 {\naddress = 127.0.0.1:0\nlegacy_until = 27-02-28\n}\n",
	    "f:6: legacy_until: expected a day such as 2027-06-30, found \"27-02-28\"\n"
	    "f:6: warning: legacy_networks and legacy_until mean nothing without legacy_tls\n" },
};

static void
faults_are_reported(void)
{
	struct config *config;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		UNIT_CHECK(load("/nonexistent", faults[i].text, &config) == ERR_INVALID,
		    faults[i].text);
		UNIT_CHECK(strcmp(remarks, faults[i].remarks) == 0, remarks);
	}
}

static void
whoever_verifies_nothing_is_told(void)
{
	struct config *config;

	CU_ASSERT_EQUAL_FATAL(
	    load(".", LISTENER "upstream {\nhost = a\ntls_insecure = yes\n}\n", &config), 0);
	CU_ASSERT_STRING_EQUAL(remarks,
	    "f:6: warning: tls_insecure: NOBODY VERIFIES who a is; whoever is on the way gets all "
	    "passwords\n");
	CU_ASSERT_EQUAL(config->upstreams[0].trust, TLS_TRUST_ANYBODY);
	config_unref(config);
}

static void
settings_are_read(void)
{
	static const char text[] =
	    "tls_ticket_rotation = 1h\n" LISTENER "upstream {\nhost = a\n"
	    "tls_pin = sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, "
	    "\"sha256/AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n"
	    "tls_verify = pin\ntls_minimum = 1.3\ntls_ciphers = ECDHE+AESGCM\n"
	    "tls_suites = TLS_AES_128_GCM_SHA256\ntls_groups = P-256\n}\n";
	const struct upstream *u;
	struct config *config;

	CU_ASSERT_EQUAL_FATAL(load(".", text, &config), 0);
	CU_ASSERT_STRING_EQUAL(remarks, "");
	u = &config->upstreams[0];
	CU_ASSERT_EQUAL(config->ticket_rotation_ms, 3600000);
	CU_ASSERT_EQUAL_FATAL(u->pins.count, 2);
	CU_ASSERT_EQUAL(u->pins.items[0].digest[0], 0);
	CU_ASSERT_EQUAL(u->pins.items[1].digest[0], 1);
	CU_ASSERT_EQUAL(u->trust, TLS_TRUST_PIN);
	CU_ASSERT_EQUAL(u->terms.minimum, TLS_VERSION_1_3);
	CU_ASSERT_STRING_EQUAL(u->terms.ciphers, "ECDHE+AESGCM");
	CU_ASSERT_STRING_EQUAL(u->terms.suites, "TLS_AES_128_GCM_SHA256");
	CU_ASSERT_STRING_EQUAL(u->terms.groups, "P-256");
	config_unref(config);
}

/* ---- with files ---- */

static struct files files;
static struct identity own;

static void
begin(void)
{
	make_files(&files);
	own = new_identity(&(struct identity_form){ .names = "DNS:mail.test" });
	write_certificate(files.certificate, own.certificate);
	write_key(files.key, own.key, NULL);
	chmod(files.key, 0600);
}

static void
finish(void)
{
	free_identity(&own);
	remove_files(&files);
}

#define PAIR "certificate = certificate.pem\nkey = key.pem\n"
#define FENCE "legacy_tls = yes\nlegacy_networks = 192.0.2.0/24\n"

static void
paths_are_taken_from_the_folder(void)
{
	struct config *config;

	begin();
	CU_ASSERT_EQUAL_FATAL(load(files.folder,
				  UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\n"
					   "certificate = certificate.pem, certificate.pem\n"
					   "key = key.pem, key.pem\n"
					   "ocsp_response = \"\", \"\"\n}\n",
				  &config),
	    0);
	CU_ASSERT_STRING_EQUAL(remarks, "");
	CU_ASSERT_EQUAL(config->listeners[0].certificates.count, 2);
	CU_ASSERT_STRING_EQUAL(config->listeners[0].certificates.items[1], files.certificate);
	CU_ASSERT_STRING_EQUAL(config->listeners[0].terms.ciphers, "ECDHE+AESGCM:ECDHE+CHACHA20");
	CU_ASSERT_PTR_NOT_NULL(config->listeners[0].tls);
	config_unref(config);
	finish();
}

/* What a supervisor has ended by the clock of its day, another clock does not bring back. */
static void
fenced_listeners_end_with_their_sockets(void)
{
	struct config *config;

	begin();
	CU_ASSERT_EQUAL_FATAL(
	    load(files.folder,
		UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\n" PAIR FENCE
			 "legacy_until = 2099-12-31\n}\n" LISTENER
			 "listener pop3s {\naddress = 127.0.0.1:0, 127.0.0.2:0\n" PAIR FENCE
			 "legacy_until = 2098-12-31\n}\n",
		&config),
	    0);
	CU_ASSERT_FALSE(config_fit_sockets(config, 5));
	CU_ASSERT_TRUE(config_fit_sockets(config, 4));
	CU_ASSERT_EQUAL(config->listener_count, 3);
	CU_ASSERT_TRUE(config_fit_sockets(config, 2)); /* in the order of their days */
	CU_ASSERT_TRUE(config->listeners[0].legacy && !config->listeners[1].legacy);
	CU_ASSERT_TRUE(config_fit_sockets(config, 1));
	CU_ASSERT_FALSE(config->listeners[0].legacy);
	CU_ASSERT_FALSE(config_fit_sockets(config, 0));
	CU_ASSERT_EQUAL(config->listener_count, 1);
	config_unref(config);
	finish();
}

static void
a_fenced_listener_has_an_end(void)
{
	struct config *config;

	begin();
	CU_ASSERT_EQUAL_FATAL(
	    load(files.folder,
		UPSTREAM LISTENER "listener pop3s {\naddress = 127.0.0.1:0\n" PAIR FENCE
				  "legacy_until = 2099-12-31\n}\n",
		&config),
	    0);
	CU_ASSERT_STRING_EQUAL(remarks, "");
	CU_ASSERT_EQUAL(config->listener_count, 2);
	CU_ASSERT_EQUAL(config->listeners[1].legacy_until, 47481);
	config_unref(config);

	/* Those of today go on without it. */
	CU_ASSERT_EQUAL_FATAL(load(files.folder,
				  UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\n" PAIR FENCE
					   "legacy_until = 2001-02-28\n}\n" LISTENER,
				  &config),
	    0);
	CU_ASSERT_STRING_EQUAL(remarks,
	    "f:10: warning: legacy_until: that day is over, this listener is closed\n");
	CU_ASSERT_EQUAL(config->listener_count, 1);
	CU_ASSERT_FALSE(config->listeners[0].legacy);
	config_unref(config);

	CU_ASSERT_EQUAL(load(files.folder,
			    UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\n" PAIR FENCE
				     "legacy_until = 2001-02-28\n}\n",
			    &config),
	    ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(remarks, "no listener is left"));

	CU_ASSERT_EQUAL(load(files.folder,
			    UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\n" PAIR
				     "legacy_tls = yes\nlegacy_networks = 0.0.0.0/0\n"
				     "legacy_until = 2099-12-31\n}\n",
			    &config),
	    ERR_INVALID);
	CU_ASSERT_STRING_EQUAL(remarks, "f:9: legacy_networks: must not be everywhere\n");

	/* What such a device proves is worth nothing, and its fence sees the next hop only. */
	CU_ASSERT_EQUAL(load(files.folder,
			    UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\n" PAIR FENCE
				     "legacy_until = 2099-12-31\nproxy_protocol = yes\n"
				     "proxy_networks = 192.0.2.1\nclient_certificate = request\n"
				     "client_ca = certificate.pem\n}\n",
			    &config),
	    ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(remarks, "f:8: legacy_tls: not with proxy_protocol"));
	CU_ASSERT_PTR_NOT_NULL(strstr(remarks, "f:13: client_certificate: not with legacy_tls"));
	finish();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "faults_are_reported", faults_are_reported },
		{ "whoever_verifies_nothing_is_told", whoever_verifies_nothing_is_told },
		{ "settings_are_read", settings_are_read },
		{ "paths_are_taken_from_the_folder", paths_are_taken_from_the_folder },
		{ "a_fenced_listener_has_an_end", a_fenced_listener_has_an_end },
		{ "fenced_listeners_end_with_their_sockets", fenced_listeners_end_with_their_sockets },
	};

	return unit_run("config_tls", tests, sizeof(tests) / sizeof(tests[0]));
}
