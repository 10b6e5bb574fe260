/* Tests of gateway/config.c and what it is made of: config_parse.c, settings.c, setting_value.c,
 * config_check.c. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "gateway/config.h"
#include "gateway/settings.h"
#include "pop3front/sasl.h"

/* What a configuration needs; 6 lines, so that a test's own text begins in line 7. */
#define LEAST                       \
	"listener pop3 {\n"         \
	"address = 127.0.0.1:0\n"   \
	"}\n"                       \
	"upstream {\n"              \
	"host = imap.example.org\n" \
	"}\n"

/* The same with two upstreams; 9 lines. */
#define TWO                                                                           \
	"listener pop3 {\naddress = 127.0.0.1:0\n}\nupstream new {\nhost = localhost\n}\n" \
	"upstream old {\nhost = localhost\n}\n"

/* The same with more of LINES in the upstream, from line 6 on. */
#define UPSTREAM(lines)                                                                   \
	"listener pop3 {\naddress = 127.0.0.1:0\n}\nupstream {\nhost = localhost\n" lines \
	"\ntls = none\n}\n"

/* Loads TEXT as popgate.conf; the remarks, a line each, are in REMARKS. */
static char remarks[8192];

static int
load(const char *text, struct config **out)
{
	struct config_report report = { 0 };
	FILE *memory = fmemopen(remarks, sizeof(remarks), "w");
	int rc;

	*out = NULL;
	rc = config_load_text("popgate.conf", text, strlen(text), out, &report);
	CU_ASSERT_EQUAL(rc == 0, report.faults == 0);
	config_report_print(&report, "popgate.conf", memory);
	fputc('\0', memory);
	fclose(memory);
	config_report_clear(&report);
	return rc;
}

static struct config *
loaded(const char *text)
{
	struct config *config;

	if (!UNIT_CHECK(load(text, &config) == 0, remarks))
		exit(1);
	return config;
}

/* A file's text, and everything that is said about it. */
static const struct row {
	const char *text;
	const char *remarks;
} faults[] = {
	/* What the parser finds. */
	{ LEAST "nonsense\n", "popgate.conf:7: expected \"=\" or \"{\" behind \"nonsense\"\n" },
	{ LEAST "two words\n", "popgate.conf:7: expected \"=\" or \"{\" behind \"two\"\n" },
	{ LEAST "= value\n", "popgate.conf:7: expected a name, found \"=\"\n" },
	{ LEAST "\"mailbox\" = x\n", "popgate.conf:7: expected a name, found \"mailbox\"\n" },
	{ LEAST "log =\n", "popgate.conf:7: log: a value is missing\n" },
	{ LEAST "log = # syslog\n", "popgate.conf:7: log: a value is missing\n" },
	{ LEAST "plaintext_networks = 10.0.0.0/8,\n",
	    "popgate.conf:7: plaintext_networks: a value is missing\n" },
	{ LEAST "plaintext_networks = , 10.0.0.0/8\n",
	    "popgate.conf:7: plaintext_networks: a value is missing\n" },
	{ LEAST "log = syslog stderr\n", "popgate.conf:7: log: unexpected \"stderr\" behind the "
		"value; a value with blanks or signs needs quotes\n" },
	{ LEAST "log = \"syslog\n", "popgate.conf:7: a quoted value has no closing quote\n" },
	{ LEAST "log = \"sys\\nlog\"\n",
	    "popgate.conf:7: only \\\" and \\\\ are known escapes in a quoted value\n" },
	{ LEAST "log = \"sys\\",
	    "popgate.conf:7: only \\\" and \\\\ are known escapes in a quoted value\n" },
	{ LEAST "log = sys\001log\n", "popgate.conf:7: a control character\n" },
	{ LEAST "log = sys\177log\n", "popgate.conf:7: a control character\n" },
	{ LEAST "log = \"\300\257\"\n", "popgate.conf:7: not UTF-8\n" },
	{ LEAST "}\n", "popgate.conf:7: \"}\" without a block\n" },
	{ LEAST "} x\n", "popgate.conf:7: \"}\" without a block\n"
			 "popgate.conf:7: unexpected \"x\" behind \"}\"\n" },
	{ LEAST "listener pop3 { address = 127.0.0.1:0\n}\n",
	    "popgate.conf:7: unexpected \"address\" behind \"{\"\n"
	    "popgate.conf:7: listener: address is missing\n" },
	{ LEAST "listener pop3 {\naddress = 127.0.0.1:0\n",
	    "popgate.conf:7: the block that begins here is not closed; \"}\" is missing\n" },
	{ "listener pop3 {\naddress = 127.0.0.1:0\nupstream {\nhost = a\n}\n",
	    "popgate.conf:3: the block of line 1 is not closed; \"}\" is missing before this line\n" },
	/* Names. */
	{ LEAST "upstrem = x\n",
	    "popgate.conf:7: unknown setting \"upstrem\"; did you mean \"upstream\"?\n" },
	{ LEAST "upstrem {\nwhatever = 1\n}\n",
	    "popgate.conf:7: unknown block \"upstrem\"; did you mean \"upstream\"?\n" },
	{ LEAST "zzz {\n}\n", "popgate.conf:7: unknown block \"zzz\"\n" },
	{ LEAST "zzz = 1\n", "popgate.conf:7: unknown setting \"zzz\"\n" },
	{ LEAST "idletimeout = 10m\n",
	    "popgate.conf:7: unknown setting \"idletimeout\"; did you mean \"idle_timeout\"?\n" },
	{ LEAST "certificate = x\n", "popgate.conf:7: \"certificate\" belongs in a block \"listener\"\n" },
	{ "upstream {\nhost = a\nlog = syslog\n}\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:3: \"log\" belongs outside of blocks\n" },
	{ LEAST "log = syslog\nlog = stderr\n", "popgate.conf:8: log is set twice; first in line 7\n" },
	{ "listener imap {\naddress = 127.0.0.1:0\n}\nupstream {\nhost = a\n}\n",
	    "popgate.conf:1: listener: expected pop3 or pop3s, found \"imap\"\n" },
	{ "listener {\naddress = 127.0.0.1:0\n}\nupstream ma/in {\nhost = a\n}\n",
	    "popgate.conf:1: listener: expected pop3 or pop3s, found \"\"\n"
	    "popgate.conf:4: upstream: expected a label of letters, digits, \".\", \"-\" and \"_\", "
	    "found \"ma/in\"\n" },
	/* Routes. */
	{ LEAST "route {\n}\n",
	    "popgate.conf:7: route: expected a label of letters, digits, \".\", \"-\" and \"_\", "
	    "found \"\"\n" },
	{ LEAST "route a {\nupstream = b\n}\n", "popgate.conf:8: upstream: there is no upstream b\n" },
	{ TWO "route a {\nupstream = nwe\n}\n",
	    "popgate.conf:11: upstream: there is no upstream nwe; did you mean \"new\"?\n" },
	{ TWO "route a {\n}\nroute a {\nusers = x\nupstream = new\n}\n",
	    "popgate.conf:10: route: upstream is missing\n"
	    "popgate.conf:12: route: a is there twice; first in line 10\n" },
	{ LEAST "route a {\n}\nroute b {\n}\n",
	    "popgate.conf:9: route: without users, as the route of line 7, which everybody takes\n" },
	{ TWO "route a {\nupstream = new, old, new, old, new, old, new, old, new\n}\n",
	    "popgate.conf:11: upstream: more than 8 upstreams\n" },
	{ LEAST "route a {\nlogin = %x\nfolder_mailbox = \"%u\"\nfolder_separator = x\n}\n",
	    "popgate.conf:8: login: \"%x\" cannot be understood from \"x\" on\n"
	    "popgate.conf:9: folder_mailbox: \"%u\" cannot be understood from \"u\" on\n"
	    "popgate.conf:10: folder_separator: expected a sign such as \"+\", found \"x\"\n" },
	{ LEAST "route a {\nusers = joe, \"\"\n}\n",
	    "popgate.conf:8: users: expected 1 to 255 octets, found \"\"\n" },
	{ LEAST "route a {\nauth_http = ftp://x/\n}\nroute b {\nusers = x\n"
		"auth_http = http://joe@127.0.0.1/\n}\n",
	    "popgate.conf:8: auth_http: expected a URL such as http://127.0.0.1:8080/auth, found "
	    "\"ftp://x/\"\n"
	    "popgate.conf:12: auth_http: expected a URL such as http://127.0.0.1:8080/auth, found "
	    "\"http://joe@127.0.0.1/\"\n" },
	{ LEAST "route a {\ntable = /nowhere\nauth_http = http://127.0.0.1/\n"
		"auth_http_header = x\n}\n",
	    "popgate.conf:8: table: /nowhere has no index; \"popgate table build /nowhere\" makes it\n"
	    "popgate.conf:9: auth_http: not with a table; two routes can have one each\n"
	    "popgate.conf:10: auth_http_header: expected a field such as \"X-Key: secret\"\n" },
	{ UPSTREAM("trash_mailbox = Trash") "route a {\nmailbox = Trash\n}\n",
	    "popgate.conf:10: mailbox: \"Trash\" is the trash_mailbox of upstream localhost:143\n" },
	/* Values. */
	{ LEAST "idle_timeout = ten\n", "popgate.conf:7: idle_timeout: expected a duration such as "
					"30s or 10m, found \"ten\"\n" },
	{ LEAST "idle_timeout = 10\n", "popgate.conf:7: idle_timeout: expected a duration such as "
				       "30s or 10m, found \"10\"\n" },
	{ LEAST "idle_timeout = 10d\n", "popgate.conf:7: idle_timeout: expected a duration such as "
					"30s or 10m, found \"10d\"\n" },
	{ LEAST "idle_timeout = -10m\n", "popgate.conf:7: idle_timeout: expected a duration such "
					 "as 30s or 10m, found \"-10m\"\n" },
	{ LEAST "idle_timeout = 99999999999999999999h\n",
	    "popgate.conf:7: idle_timeout: expected a duration such as 30s or 10m, found "
	    "\"99999999999999999999h\"\n" },
	{ LEAST "idle_timeout = 25h\n", "popgate.conf:7: idle_timeout: expected a duration from "
					"100ms to 24h, found \"25h\"\n" },
	{ LEAST "idle_timeout = 10m, 20m\n",
	    "popgate.conf:7: idle_timeout: expected one value, found 2\n" },
	{ LEAST "max_sessions = 0\n",
	    "popgate.conf:7: max_sessions: expected a number from 1 to 1000000, found \"0\"\n" },
	{ LEAST "max_sessions = 1000001\n", "popgate.conf:7: max_sessions: expected a number from "
					    "1 to 1000000, found \"1000001\"\n" },
	{ LEAST "workers = 65\n",
	    "popgate.conf:7: workers: expected auto or a number from 0 to 64, found \"65\"\n" },
	{ LEAST "workers = automatic\n",
	    "popgate.conf:7: workers: expected auto or a number from 0 to 64, found "
	    "\"automatic\"\n" },
	{ LEAST "max_sessions = 0x10\n",
	    "popgate.conf:7: max_sessions: expected a number from 1 to 1000000, found \"0x10\"\n" },
	{ LEAST "log = file\n",
	    "popgate.conf:7: log: expected stderr or syslog, found \"file\"\n" },
	{ LEAST "log_level = wraning\n",
	    "popgate.conf:7: log_level: expected error, warning, info or debug, found \"wraning\"; "
	    "did you mean \"warning\"?\n" },
	{ LEAST "plaintext_loopback = true\n",
	    "popgate.conf:7: plaintext_loopback: expected yes or no, found \"true\"\n" },
	{ LEAST "state_directory = \"\"\n",
	    "popgate.conf:7: state_directory: expected a path, found \"\"\n" },
	{ LEAST "plaintext_networks = 10.0.0.0/8, 10.0.0.1/8\n",
	    "popgate.conf:7: plaintext_networks: expected a network such as 10.0.0.0/8 or "
	    "fd00::/8, found "
	    "\"10.0.0.1/8\"\n" },
	{ LEAST "plaintext_networks = 10.0.0.0/33\n",
	    "popgate.conf:7: plaintext_networks: expected a network such as 10.0.0.0/8 or "
	    "fd00::/8, found "
	    "\"10.0.0.0/33\"\n" },
	{ "listener pop3 {\naddress = 110\n}\nupstream {\nhost = a\n}\n",
	    "popgate.conf:2: address: expected an address and port such as 127.0.0.1:110 or "
	    "[::]:110, found "
	    "\"110\"\n" },
	{ "listener pop3 {\naddress = ::1:110\n}\nupstream {\nhost = a\n}\n",
	    "popgate.conf:2: address: expected an address and port such as 127.0.0.1:110 or "
	    "[::]:110, found "
	    "\"::1:110\"\n" },
	{ "upstream {\nhost = \"imap.example.org/x\"\n}\nlistener pop3 {\naddress = "
	  "127.0.0.1:0\n}\n",
	    "popgate.conf:2: host: expected a host name or an address, found "
	    "\"imap.example.org/x\"\n" },
	{ "upstream {\nhost = a\nport = 65536\n}\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:3: port: expected a number from 1 to 65535, found \"65536\"\n" },
	{ "upstream {\nhost = a\nmailbox = \"\"\n}\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:3: mailbox: expected 1 to 1000 octets, found \"\"\n" },
	{ "upstream {\nhost = a\nuidl = \"%q\"\n}\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:3: uidl: \"%q\" cannot be understood from \"q\" on\n" },
	{ "upstream {\nhost = a\nuidl = \"%v\"\n}\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:3: uidl: \"%v\" ends too early or has no UID such as %08Xu\n" },
	{ LEAST "user_characters = \"a-z z-a\"\n",
	    "popgate.conf:7: user_characters: \"a-z z-a\" cannot be understood from \"z-a\" on; "
	    "expected "
	    "visible characters of ASCII and ranges such as \"a-z 0-9 . _ @\"\n" },
	{ LEAST "user_max_length = 256\n",
	    "popgate.conf:7: user_max_length: expected a number from 1 to 255, found \"256\"\n" },
	{ UPSTREAM("auth_mechanisms = plain, xauth2"),
	    "popgate.conf:6: auth_mechanisms: expected plain, login, xoauth2, oauthbearer or "
	    "external, found "
	    "\"xauth2\"; did you mean \"xoauth2\"?\n" },
	{ UPSTREAM("auth_mechanisms = \"\""), "popgate.conf:6: auth_mechanisms: expected plain, "
					      "login, xoauth2, oauthbearer or external, found "
					      "\"\"\n" },
	{ UPSTREAM("master_separator = a"),
	    "popgate.conf:6: master_separator: expected a sign such as \"*\", found \"a\"\n" },
	/* What does not fit together. */
	{ UPSTREAM("auth_mechanisms = external"),
	    "popgate.conf:6: auth_mechanisms: external needs a master_user, for a certificate is "
	    "no password\n"
	    "popgate.conf:6: warning: auth_mechanisms: external is of no use while no listener has "
	    "a "
	    "client_certificate\n" },
	{ UPSTREAM("master_password_file = /nowhere"),
	    "popgate.conf:6: master_user and master_password_file need each other\n" },
	{ UPSTREAM("master_user = boss\nmaster_password_file = /nowhere"),
	    "popgate.conf:7: master_password_file: cannot read /nowhere: No such file or "
	    "directory\n" },
	{ UPSTREAM("master_user = boss\nmaster_password_file = /dev/null"),
	    "popgate.conf:7: master_password_file: /dev/null is not a file\n" },
	{ LEAST "listener pop3 {\naddress = 127.0.0.1:0\nclient_certificate = require\n}\n",
	    "popgate.conf:9: client_certificate: needs a client_ca, from whom certificates are "
	    "accepted\n" },
	{ LEAST "listener pop3 {\naddress = 127.0.0.1:0\nclient_certificate = require\n"
		"client_ca = /nowhere\n}\n",
	    "popgate.conf:9: client_certificate: needs a certificate and key of the listener: "
	    "without TLS "
	    "there are none of clients\n" },
	{ "", "popgate.conf: no listener block: nobody could connect\n"
	      "popgate.conf: no upstream block: there is no IMAP server\n" },
	{ LEAST "listener pop3 {\n}\n", "popgate.conf:7: listener: address is missing\n" },
	{ LEAST "upstream {\nhost = other\n}\n",
	    "popgate.conf:4: upstream: where there are several, each needs a label, such as "
	    "\"upstream new {\"\n"
	    "popgate.conf:7: upstream: where there are several, each needs a label, such as "
	    "\"upstream new {\"\n" },
	{ "upstream a {\nhost = a\nmaster_separator = \"*\"\n}\n"
	  "upstream a {\nhost = b\nmaster_separator = \"+\"\n}\n"
	  "listener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:5: upstream: a is there twice; first in line 1\n"
	    "popgate.conf:7: master_separator: must be the same in all upstreams that have one\n" },
	{ "upstream {\n}\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:1: upstream: host is missing\n" },
	{ LEAST "listener pop3s {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:7: listener pop3s: certificate and key are missing\n" },
	{ LEAST "listener pop3s {\naddress = 127.0.0.1:0\ncertificate = c.pem\n}\n",
	    "popgate.conf:9: listener: certificate needs a key\n" },
	{ LEAST "listener pop3s {\naddress = 127.0.0.1:0\nkey = k.pem\n}\n",
	    "popgate.conf:9: listener: key needs a certificate\n" },
	{ LEAST "listener pop3 {\naddress = 127.0.0.1:4110, 127.0.0.1:4110\n}\n",
	    "popgate.conf:8: address: 127.0.0.1:4110 is given twice; first in line 8\n" },
	{ "upstream {\nhost = a\ntrash_mailbox = INBOX\n}\nlistener pop3 {\naddress = "
	  "127.0.0.1:0\n}\n",
	    "popgate.conf:3: trash_mailbox: must be another mailbox than \"INBOX\"\n" },
	{ "upstream {\nhost = a\nmailbox = INBOX, Junk\ntrash_mailbox = Junk\n}\nlistener pop3 "
	  "{\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:4: trash_mailbox: must be another mailbox than \"Junk\"\n" },
	{ "upstream {\nhost = a\nmailbox = INBOX, Junk, inbox\n}\nlistener pop3 {\naddress = "
	  "127.0.0.1:0\n}\n",
	    "popgate.conf:3: mailbox: \"INBOX\" is given twice\n" },
	{ "upstream {\nhost = a\nmailbox = a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q\n}\n"
	  "listener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:3: mailbox: at most 16 can be shown\n" },
	{ "upstream {\nhost = a\nmailbox = INBOX, \"\"\n}\nlistener pop3 {\naddress = "
	  "127.0.0.1:0\n}\n",
	    "popgate.conf:3: mailbox: expected 1 to 1000 octets, found \"\"\n" },
	{ "upstream {\nhost = a\nreuse = 30s\nforward_client = yes\n}\nlistener pop3 {\naddress = "
	  "127.0.0.1:0\n}\n",
	    "popgate.conf:3: reuse: does not go with forward_client; the server was told who the "
	    "client is when the connection began\n" },
	/* Everything at once, in the order of lines. */
	{ "log = file\nlistener pop3 {\n}\nidle_timeout = ten\nupstrem {\nhost = a\n}\n"
	  "nul = keep\nnul = keep\n",
	    "popgate.conf:1: log: expected stderr or syslog, found \"file\"\n"
	    "popgate.conf:2: listener: address is missing\n"
	    "popgate.conf:4: idle_timeout: expected a duration such as 30s or 10m, found \"ten\"\n"
	    "popgate.conf:5: unknown block \"upstrem\"; did you mean \"upstream\"?\n"
	    "popgate.conf:9: nul is set twice; first in line 8\n"
	    "popgate.conf: no upstream block: there is no IMAP server\n" },
	/* What a terminal must not get to see. */
	{ LEAST "m\303\274ll = 1\n", "popgate.conf:7: unknown setting \"m\\xc3\\xbcll\"\n" },
};

static void
faults_are_reported(void)
{
	struct config *config;
	char message[sizeof(remarks) + 64];

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		UNIT_CHECK(load(faults[i].text, &config) == ERR_INVALID, faults[i].remarks);
		snprintf(message, sizeof(message), "row %zu: %s", i, remarks);
		UNIT_CHECK(strcmp(remarks, faults[i].remarks) == 0, message);
		CU_ASSERT_PTR_NULL(config);
	}
}

static const struct row warnings[] = {
	{ LEAST, "" },
	{ LEAST "idle_timeout = 5m\n",
	    "popgate.conf:7: warning: idle_timeout: RFC 1939 asks for 10m or more; "
	    "clients may be cut off\n" },
	{ LEAST "plaintext_networks = 0.0.0.0/0\n",
	    "popgate.conf:7: warning: plaintext_networks: passwords are accepted without "
	    "TLS from everywhere\n" },
	{ "upstream {\nhost = a\ntls = none\n}\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n",
	    "popgate.conf:3: warning: tls: passwords are sent to a without TLS\n" },
	{ "upstream {\nhost = localhost\ntls = none\n}\nlistener pop3 {\naddress = "
	  "127.0.0.1:0\n}\n",
	    "" },
	{ LEAST "route a {\nauth_http_cache = 5s\n}\nroute b {\nusers = x\n"
		"auth_http = http://auth.example.org/\n}\n",
	    "popgate.conf:8: warning: auth_http_cache: means nothing without auth_http\n"
	    "popgate.conf:12: warning: auth_http: passwords are sent to auth.example.org without "
	    "TLS\n" },
	{ "upstream {\nhost = a\n}\nlistener pop3 {\naddress = 0.0.0.0:0\n}\n",
	    "popgate.conf:4: warning: listener pop3: without a certificate only clients on this "
	    "machine can log in here\n" },
};

static void
warnings_do_not_stop(void)
{
	struct config *config;

	for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++) {
		UNIT_CHECK(load(warnings[i].text, &config) == 0, warnings[i].text);
		UNIT_CHECK(strcmp(remarks, warnings[i].remarks) == 0, remarks);
		config_unref(config);
	}
}

static void
defaults(void)
{
	struct config *config = loaded(LEAST);
	const struct upstream *u = &config->upstreams[0];

	CU_ASSERT_STRING_EQUAL(config->state_directory, "/var/lib/popgate");
	CU_ASSERT_EQUAL(config->log.destination, LOG_TO_STDERR);
	CU_ASSERT_EQUAL(config->log.format, LOG_PLAIN);
	CU_ASSERT_EQUAL(config->log.level, LOG_LEVEL_INFO);
	CU_ASSERT_EQUAL(config->pop3.nul, DOTSTUFF_NUL_KEEP);
	CU_ASSERT_EQUAL(config->plaintext_networks.count, 0);
	CU_ASSERT_TRUE(config->plaintext_loopback);
	CU_ASSERT_EQUAL(config->limits.sessions, 10000);
	CU_ASSERT_EQUAL(config->limits.sessions_per_address, 50);
	CU_ASSERT_EQUAL(config->limits.sessions_per_user, 4);
	CU_ASSERT_EQUAL(config->limits.arrivals_per_minute, 600);
	CU_ASSERT_EQUAL(config->workers, WORKERS_AUTO);
	CU_ASSERT(config_worker_count(config) >= 1 && config_worker_count(config) <= WORKERS_MAX);
	CU_ASSERT_EQUAL(config->pop3.login_ms, 60000);
	CU_ASSERT_EQUAL(config->pop3.authorization_ms, 180000);
	CU_ASSERT_EQUAL(config->pop3.idle_ms, 600000);
	CU_ASSERT_EQUAL(config->pop3.write_ms, 300000);
	CU_ASSERT_EQUAL(config->drain_ms, 30000);
	CU_ASSERT_EQUAL(config->login_limits.delay_ms, 2000);
	CU_ASSERT_EQUAL(config->pop3.max_auth_failures, 3);
	CU_ASSERT_EQUAL(config->pop3.max_bad_commands_before, 3);
	CU_ASSERT_EQUAL(config->pop3.max_bad_commands_after, 10);
	CU_ASSERT_EQUAL(config->listener_count, 1);
	CU_ASSERT_EQUAL(config->listeners[0].protocol, LISTENER_POP3);
	CU_ASSERT_PTR_NULL(config->listeners[0].tls);
	CU_ASSERT_STRING_EQUAL(u->name, "imap.example.org:993");
	CU_ASSERT_STRING_EQUAL(u->imap.host, "imap.example.org");
	CU_ASSERT_EQUAL(u->imap.port, 993);
	CU_ASSERT_EQUAL(u->imap.security, IMAP_TLS_IMPLICIT);
	CU_ASSERT_PTR_NOT_NULL(u->imap.tls);
	CU_ASSERT_PTR_NULL(u->imap.verify_name);
	CU_ASSERT_EQUAL(u->imap.connect_ms, 10000);
	CU_ASSERT_EQUAL(u->imap.tls_ms, 10000);
	CU_ASSERT_EQUAL(u->imap.command_ms, 60000);
	CU_ASSERT_EQUAL(u->keepalive_ms, 1500000);
	CU_ASSERT_EQUAL_FATAL(u->mailboxes.count, 1);
	CU_ASSERT_STRING_EQUAL(u->mailboxes.items[0], "INBOX");
	CU_ASSERT_STRING_EQUAL(u->trash_mailbox, "");
	CU_ASSERT_PTR_NOT_NULL(u->uidl);
	CU_ASSERT_EQUAL(u->mark_seen, MARK_SEEN_NEVER);
	CU_ASSERT_EQUAL(u->deleted, DELETED_HIDE);
	CU_ASSERT_EQUAL(u->without_uidplus, DELETION_LEAVE);
	CU_ASSERT_EQUAL(u->max_messages, 2000000);
	CU_ASSERT_FALSE(u->send_id);
	CU_ASSERT_EQUAL(u->auth_mechanisms, SASL_PASSWORDS);
	CU_ASSERT_STRING_EQUAL(u->master_separator, "");
	CU_ASSERT_PTR_NULL(u->master.password);
	CU_ASSERT_FALSE(config->pop3.names.characters.given);
	CU_ASSERT_EQUAL(config->pop3.names.max_length, 255);
	CU_ASSERT_EQUAL(config->listeners[0].client_certificate, TLS_CLIENT_NONE);
	CU_ASSERT_FALSE(u->forward_client);
	config_unref(config);
}

/* A password that opens everything is read from a file that nobody else can read. */
static void
the_master_password_is_kept_from_others(void)
{
	char path[] = "/tmp/popgate-unit-XXXXXX", text[512];
	struct config *config;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && write(fd, "key word \nmore", 14) == 14);
	snprintf(text, sizeof(text),
	    UPSTREAM("auth_mechanisms = external, xoauth2\nmaster_user = boss\n"
		     "master_separator = \"*\"\nmaster_password_file = %s"),
	    path);
	config = loaded(text);
	CU_ASSERT_EQUAL(config->upstreams[0].auth_mechanisms, SASL_EXTERNAL | SASL_XOAUTH2);
	CU_ASSERT_STRING_EQUAL(config->upstreams[0].master_separator, "*");
	CU_ASSERT_STRING_EQUAL(config->upstreams[0].master.user, "boss");
	CU_ASSERT_STRING_EQUAL(config->upstreams[0].master.password, "key word ");
	config_unref(config);
	for (mode_t mode = 0601; mode <= 0640; mode = mode == 0601   ? 0604
						      : mode == 0604 ? 0640
								     : 0777) {
		CU_ASSERT_EQUAL_FATAL(fchmod(fd, mode), 0);
		CU_ASSERT_EQUAL(load(text, &config), ERR_INVALID);
		UNIT_CHECK(strstr(remarks, "others can get at") != NULL, remarks);
	}
	/* What systemd has laid out may look so. */
	setenv("CREDENTIALS_DIRECTORY", "/tmp", 1);
	config_unref(loaded(text));
	setenv("CREDENTIALS_DIRECTORY", "/tm", 1);
	CU_ASSERT_EQUAL(load(text, &config), ERR_INVALID);
	unsetenv("CREDENTIALS_DIRECTORY");
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, 0) + fchmod(fd, 0600), 0);
	CU_ASSERT_EQUAL(load(text, &config), ERR_INVALID);
	UNIT_CHECK(strstr(remarks, "the password is empty") != NULL, remarks);
	close(fd);
	unlink(path);
}

static void
every_setting_is_read(void)
{
	struct config *config = loaded(
	    "state_directory = /srv/pop\r\nlog = syslog\nlog_format=json\n  log_level =\tdebug # "
	    "all\n"
	    "nul = replace\nplaintext_networks = 10.0.0.0/8, \"fd00::/8\" , 192.0.2.1\n"
	    "plaintext_loopback = no\nmax_sessions = 20\nmax_sessions_per_address = 21\n"
	    "max_sessions_per_user = 22\nworkers = 23\n"
	    "max_connections_per_minute_per_address = 24\n"
	    "login_timeout = 1500ms\nauthorization_timeout = 2m\n"
	    "idle_timeout = 1h\nclient_write_timeout = 90s\ndrain_timeout = 0s\nauth_failure_delay "
	    "= 0s\n"
	    "max_auth_failures = 4\nmax_bad_commands_before_login = "
	    "5\nmax_bad_commands_after_login = 6\n"
	    "listener pop3 {\n\taddress = 127.0.0.1:110, [::1]:110\n}\n"
	    "upstream {\nhost = 2001:db8::1\nport = 1143\ntls = none\nverify_name = "
	    "imap.example.org\n"
	    "connect_timeout = 1s\ntls_timeout = 2s\ncommand_timeout = 3s\nkeepalive_interval = "
	    "4m\n"
	    "mailbox = \"Entw\303\274rfe \\\"\\\\\", \"Junk, old\"\n"
	    "uidl = \"%v-%u\"\nmark_seen = retr\ndeleted = "
	    "show\n"
	    "without_uidplus = lift\ntrash_mailbox = \"Deleted Items\"\nmax_messages = 7\nsend_id "
	    "= yes\n}");
	const struct upstream *u = &config->upstreams[0];

	CU_ASSERT_STRING_EQUAL(config->state_directory, "/srv/pop");
	CU_ASSERT_EQUAL(config->log.destination, LOG_TO_SYSLOG);
	CU_ASSERT_EQUAL(config->log.format, LOG_JSON);
	CU_ASSERT_EQUAL(config->log.level, LOG_LEVEL_DEBUG);
	CU_ASSERT_EQUAL(config->pop3.nul, DOTSTUFF_NUL_REPLACE);
	CU_ASSERT_EQUAL_FATAL(config->plaintext_networks.count, 3);
	CU_ASSERT_EQUAL(config->plaintext_networks.items[0].bits, 8);
	CU_ASSERT_EQUAL(config->plaintext_networks.items[2].bits, 32);
	CU_ASSERT_FALSE(config->plaintext_loopback);
	CU_ASSERT_EQUAL(config->limits.sessions, 20);
	CU_ASSERT_EQUAL(config->limits.sessions_per_address, 21);
	CU_ASSERT_EQUAL(config->limits.arrivals_per_minute, 24);
	CU_ASSERT_EQUAL(config->limits.sessions_per_user, 22);
	CU_ASSERT_EQUAL(config_worker_count(config), 23);
	CU_ASSERT_EQUAL(config_address_count(config), 2);
	CU_ASSERT_EQUAL(config->pop3.login_ms, 1500);
	CU_ASSERT_EQUAL(config->pop3.authorization_ms, 120000);
	CU_ASSERT_EQUAL(config->pop3.idle_ms, 3600000);
	CU_ASSERT_EQUAL(config->pop3.write_ms, 90000);
	CU_ASSERT_EQUAL(config->drain_ms, 0);
	CU_ASSERT_EQUAL(config->login_limits.delay_ms, 0);
	CU_ASSERT_EQUAL(config->pop3.max_auth_failures, 4);
	CU_ASSERT_EQUAL(config->pop3.max_bad_commands_before, 5);
	CU_ASSERT_EQUAL(config->pop3.max_bad_commands_after, 6);
	CU_ASSERT_EQUAL_FATAL(config->listeners[0].addresses.count, 2);
	CU_ASSERT_STRING_EQUAL(config->listeners[0].addresses.items[1], "[::1]:110");
	CU_ASSERT_STRING_EQUAL(u->name, "[2001:db8::1]:1143");
	CU_ASSERT_EQUAL(u->imap.port, 1143);
	CU_ASSERT_EQUAL(u->imap.security, IMAP_TLS_NONE);
	CU_ASSERT_PTR_NULL(u->imap.tls);
	CU_ASSERT_STRING_EQUAL(u->imap.verify_name, "imap.example.org");
	CU_ASSERT_EQUAL(u->imap.connect_ms, 1000);
	CU_ASSERT_EQUAL(u->imap.tls_ms, 2000);
	CU_ASSERT_EQUAL(u->imap.command_ms, 3000);
	CU_ASSERT_EQUAL(u->keepalive_ms, 240000);
	CU_ASSERT_EQUAL_FATAL(u->mailboxes.count, 2);
	CU_ASSERT_STRING_EQUAL(u->mailboxes.items[0], "Entw\303\274rfe \"\\");
	CU_ASSERT_STRING_EQUAL(u->mailboxes.items[1], "Junk, old");
	CU_ASSERT_STRING_EQUAL(u->trash_mailbox, "Deleted Items");
	CU_ASSERT_EQUAL(u->mark_seen, MARK_SEEN_RETR);
	CU_ASSERT_EQUAL(u->deleted, DELETED_SHOW);
	CU_ASSERT_EQUAL(u->without_uidplus, DELETION_LIFT);
	CU_ASSERT_EQUAL(u->max_messages, 7);
	CU_ASSERT_TRUE(u->send_id);
	config_unref(config);
}

static void
port_follows_tls(void)
{
	static const struct {
		const char *tls;
		uint16_t port;
	} rows[] = {
		{ "", 993 },
		{ "tls = implicit\n", 993 },
		{ "tls = starttls\n", 143 },
		{ "tls = none\n", 143 },
		{ "tls = starttls\nport = 993\n", 993 },
	};
	struct config *config;
	char text[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
		    "upstream {\nhost = localhost\n%s}\nlistener pop3 {\naddress = "
		    "127.0.0.1:0\n}\n",
		    rows[i].tls);
		config = loaded(text);
		UNIT_CHECK(config->upstreams[0].imap.port == rows[i].port, rows[i].tls);
		config_unref(config);
	}
}

static void
paths_are_relative_to_the_file(void)
{
	static const struct {
		const char *file;
		const char *path;
		const char *expected;
	} rows[] = {
		{ "/etc/popgate/popgate.conf", "state", "/etc/popgate/state" },
		{ "etc/popgate.conf", "state", "etc/state" },
		{ "popgate.conf", "state", "state" },
		{ "/popgate.conf", "state", "//state" },
		{ "/etc/popgate/popgate.conf", "/srv/state", "/srv/state" },
	};
	struct config_report report = { 0 };
	struct config *config;
	char text[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), LEAST "state_directory = %s\n", rows[i].path);
		CU_ASSERT_EQUAL_FATAL(
		    config_load_text(rows[i].file, text, strlen(text), &config, &report), 0);
		UNIT_CHECK(
		    strcmp(config->state_directory, rows[i].expected) == 0, rows[i].expected);
		config_unref(config);
		config_report_clear(&report);
	}
}

/* Each default is a value that the setting takes, so that the printed list tells the truth. */
static void
table_is_sound(void)
{
	char text[256];
	const struct setting *s;
	struct config config = { 0 };

	CU_ASSERT_EQUAL(settings_assign_defaults(SETTING_GLOBAL, &config), 0);
	settings_clear(SETTING_GLOBAL, &config);
	for (size_t i = 0; i < settings_count; i++) {
		s = &settings[i];
		UNIT_CHECK(setting_find(s->block, s->name) == s, s->name);
		setting_describe(s, text, sizeof(text));
		UNIT_CHECK(text[0] != '\0' && strlen(text) < 100, s->name);
		UNIT_CHECK(strstr(s->help, "  ") == NULL, s->name);
		UNIT_CHECK(s->block != SETTING_GLOBAL || s->default_text != NULL, s->name);
	}
}

static void
durations_are_written_as_read(void)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = { { 0, "0s" }, { 1, "1ms" }, { 1500, "1500ms" }, { 2000, "2s" }, { 60000, "1m" },
		{ 90000, "90s" }, { 3600000, "1h" }, { 86400000, "24h" } };
	char text[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setting_format_duration(rows[i].ms, text, sizeof(text));
		UNIT_CHECK(strcmp(text, rows[i].text) == 0, rows[i].text);
	}
}

static void
config_is_counted(void)
{
	struct config *config = loaded(LEAST);

	CU_ASSERT_PTR_EQUAL(config_ref(config), config);
	config_unref(config);
	CU_ASSERT_STRING_EQUAL(config->upstreams[0].host, "imap.example.org");
	config_unref(config);
	config_unref(NULL);
}

static void
missing_files_are_faults(void)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	char text[256];

	CU_ASSERT_EQUAL(config_load("/nonexistent/popgate.conf", &config, &report), ERR_INVALID);
	CU_ASSERT_EQUAL_FATAL(report.count, 1);
	config_report_format(&report, 0, "/nonexistent/popgate.conf", text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(
	    text, "/nonexistent/popgate.conf: cannot be read: No such file or directory");
	config_report_clear(&report);
	CU_ASSERT_EQUAL(config_load("/tmp", &config, &report), ERR_INVALID);
	CU_ASSERT_EQUAL(report.faults, 1);
	config_report_clear(&report);
	CU_ASSERT_EQUAL(
	    load(LEAST "listener pop3s {\naddress = 127.0.0.1:0\n"
		       "certificate = /nonexistent/c.pem\nkey = /nonexistent/k.pem\n}\n",
		&config),
	    ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(remarks, "popgate.conf:9: certificate: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(remarks, "/nonexistent/c.pem"));
	CU_ASSERT_EQUAL(load("upstream {\nhost = a\nca_file = /nonexistent/ca.pem\n}\n"
			     "listener pop3 {\naddress = 127.0.0.1:0\n}\n",
			    &config),
	    ERR_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(remarks, "popgate.conf:3: ca_file: "));
}

static void
nul_octets_are_refused(void)
{
	static const char text[] = LEAST "log = sys\0log\n";
	struct config_report report = { 0 };
	struct config *config = NULL;

	CU_ASSERT_EQUAL(config_load_text("popgate.conf", text, sizeof(text) - 1, &config, &report),
	    ERR_INVALID);
	CU_ASSERT_EQUAL(report.faults, 1);
	config_report_clear(&report);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "every fault is reported with its line", faults_are_reported },
		{ "warnings do not stop", warnings_do_not_stop },
		{ "defaults", defaults },
		{ "every setting is read", every_setting_is_read },
		{ "the port follows tls", port_follows_tls },
		{ "paths are relative to the file", paths_are_relative_to_the_file },
		{ "the table of settings is sound", table_is_sound },
		{ "durations are written as they are read", durations_are_written_as_read },
		{ "a configuration is counted", config_is_counted },
		{ "missing files are faults", missing_files_are_faults },
		{ "NUL octets are refused", nul_octets_are_refused },
		{ "the_master_password_is_kept_from_others",
		    the_master_password_is_kept_from_others },
	};

	return unit_run("config", tests, sizeof(tests) / sizeof(tests[0]));
}
