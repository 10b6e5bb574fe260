/* Unit tests of pop3front/capabilities.c. */
#include "pop3front/capabilities.h"

#include "unit.h"

#define ALWAYS \
	"+OK capabilities follow\r\n" \
	"TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nUTF8\r\nEXPIRE NEVER\r\n"
#define LOGIN "USER\r\nSASL PLAIN LOGIN\r\n"
#define END "IMPLEMENTATION popgate\r\n.\r\n"

static void
rule_21_exact_for_the_state(void)
{
	static const struct {
		const char *name;
		struct capabilities state;
		const char *text;
	} rows[] = {
		{ "plain, STLS offered, passwords allowed", { false, true, true, "PLAIN LOGIN" },
		    ALWAYS LOGIN "STLS\r\n"
		    END },
		{ "plain, STLS offered, passwords not allowed", { false, true, false, "" }, ALWAYS "STLS\r\n"
		    END },
		{ "plain, no STLS", { false, false, true, "PLAIN LOGIN" }, ALWAYS LOGIN END },
		{ "nothing is possible", { false, false, false, "" }, ALWAYS END },
		{ "tokens alone", { false, false, false, "XOAUTH2 OAUTHBEARER" },
		    ALWAYS "SASL XOAUTH2 OAUTHBEARER\r\n" END },
		{ "everything", { false, true, true, "PLAIN LOGIN XOAUTH2 OAUTHBEARER EXTERNAL" },
		    ALWAYS "USER\r\nSASL PLAIN LOGIN XOAUTH2 OAUTHBEARER EXTERNAL\r\nSTLS\r\n" END },
		{ "logged in", { true, false, true, "PLAIN LOGIN" }, ALWAYS END },
		{ "logged in without TLS", { true, true, true, "PLAIN LOGIN" }, ALWAYS END },
	};
	char text[CAPABILITIES_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = capabilities_write(&rows[i].state, text);

		UNIT_CHECK(len == strlen(rows[i].text) && memcmp(text, rows[i].text, len) == 0,
		    rows[i].name);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_21_exact_for_the_state", rule_21_exact_for_the_state },
	};

	return unit_run("capabilities", tests, sizeof(tests) / sizeof(tests[0]));
}
