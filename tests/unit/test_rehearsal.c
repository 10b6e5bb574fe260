/* Unit tests of gateway/rehearsal.c, and of what is left to do for who has rehearsed: config_load_outline. */
#include "gateway/rehearsal.h"

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "gateway/config.h"

#define PATH "/nonexistent/popgate.conf"
#define LISTENER "listener pop3 {\naddress = 127.0.0.1:0\n}\n"
#define UPSTREAM "upstream {\nhost = localhost\n}\n"
#define WITHOUT_TLS "upstream {\nhost = 192.0.2.1\ntls = none\n}\n"

static const char *const good[] = {
	LISTENER UPSTREAM,
	"idle_timeout = 1m\n" LISTENER WITHOUT_TLS, /* with warnings */
};

/* Of the first four, only the whole has something to complain of. */
enum { FAULTS_OF_THE_WHOLE = 4 };
static const char *const faulty[] = {
	UPSTREAM "listener pop3s {\naddress = 127.0.0.1:0\ncertificate = /nowhere\nkey = /nowhere\n}\n",
	LISTENER "upstream {\nhost = localhost\nca_file = /nowhere\n}\n",
	LISTENER "upstream {\nhost = localhost\ntls_ciphers = NONSENSE\n}\n",
	LISTENER "upstream {\nhost = localhost\nmaster_user = boss\nmaster_password_file = /nowhere\n}\n",
	"no such setting\n" LISTENER,
	"nonsense = yes\nidle_timeout = 1m\n" LISTENER WITHOUT_TLS,
	"",
};

static void
check_equal(const struct config_report *a, const struct config_report *b, const char *text)
{
	if (!UNIT_CHECK(a->count == b->count && a->faults == b->faults, text))
		return;
	for (size_t i = 0; i < a->count; i++) {
		UNIT_CHECK(a->remarks[i].severity == b->remarks[i].severity &&
			       a->remarks[i].line == b->remarks[i].line,
		    text);
		CU_ASSERT_STRING_EQUAL(a->remarks[i].text, b->remarks[i].text);
	}
}

/* Both ways say the same. Returns what. */
static int
both(const char *text)
{
	struct config_report here = { 0 }, there = { 0 };
	struct config *config = NULL;
	int rc = config_load_text(PATH, text, strlen(text), &config, &here);

	UNIT_CHECK(rehearse(PATH, text, strlen(text), &there) == rc, text);
	check_equal(&here, &there, text);
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
	config_report_clear(&here);
	config_report_clear(&there);
	if (rc == 0)
		config_unref(config);
	return rc;
}

static void
says_what_loading_says(void)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		UNIT_CHECK(both(good[i]) == 0, good[i]);
	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++)
		UNIT_CHECK(both(faulty[i]) == ERR_INVALID, faulty[i]);
}

static void
an_outline_touches_no_files(void)
{
	struct config_report report = { 0 };
	struct config *config;

	for (size_t i = 0; i < FAULTS_OF_THE_WHOLE; i++) {
		const char *text = faulty[i];

		config = NULL;
		if (!UNIT_CHECK(config_load_outline(PATH, text, strlen(text), &config, &report) == 0, text))
			continue;
		CU_ASSERT_TRUE(config->is_outline);
		CU_ASSERT_PTR_NULL(config->listeners[0].tls);
		CU_ASSERT_PTR_NULL(config->upstreams[0].imap.tls);
		CU_ASSERT_PTR_NULL(config->upstreams[0].master.password);
		config_unref(config);
	}
	CU_ASSERT_EQUAL(report.faults, 0);
	config_report_clear(&report);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "says_what_loading_says", says_what_loading_says },
		{ "an_outline_touches_no_files", an_outline_touches_no_files },
	};

	return unit_run("rehearsal", tests, sizeof(tests) / sizeof(tests[0]));
}
