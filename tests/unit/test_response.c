/* Unit tests of imapback/response.c: the table of upstream outcomes. */
#include "imapback/response.h"

#include "base/error.h"
#include "unit.h"

static const struct {
	enum response_status status;
	const char *code;
	int to_login, to_select, to_other;
} rows[] = {
	{ RESPONSE_NO, NULL, ERR_AUTH, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "", ERR_AUTH, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "AUTHENTICATIONFAILED", ERR_AUTH, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "authenticationfailed", ERR_AUTH, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "X-OF-THEIR-OWN", ERR_AUTH, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "AUTHORIZATIONFAILED", ERR_AUTH_DENIED, ERR_PERMANENT, ERR_PERMANENT },
	{ RESPONSE_NO, "EXPIRED", ERR_AUTH_EXPIRED, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "PRIVACYREQUIRED", ERR_AUTH_PRIVACY, ERR_PERMANENT, ERR_PERMANENT },
	{ RESPONSE_NO, "UNAVAILABLE", ERR_TEMPORARY, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "SERVERBUG", ERR_TEMPORARY, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "LIMIT", ERR_TEMPORARY, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "OVERQUOTA", ERR_TEMPORARY, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "THROTTLED", ERR_TEMPORARY, ERR_TEMPORARY, ERR_TEMPORARY },
	{ RESPONSE_NO, "INUSE", ERR_IN_USE, ERR_IN_USE, ERR_IN_USE },
	{ RESPONSE_NO, "CONTACTADMIN", ERR_PERMANENT, ERR_PERMANENT, ERR_PERMANENT },
	{ RESPONSE_NO, "NONEXISTENT", ERR_PERMANENT, ERR_PERMANENT, ERR_PERMANENT },
	{ RESPONSE_NO, "NOPERM", ERR_PERMANENT, ERR_PERMANENT, ERR_PERMANENT },
	{ RESPONSE_NO, "CANNOT", ERR_PERMANENT, ERR_PERMANENT, ERR_PERMANENT },
	{ RESPONSE_NO, "TRYCREATE", ERR_PERMANENT, ERR_PERMANENT, ERR_PERMANENT },
	{ RESPONSE_BAD, "AUTHENTICATIONFAILED", ERR_PROTOCOL, ERR_PROTOCOL, ERR_PROTOCOL },
	{ RESPONSE_BYE, "AUTHENTICATIONFAILED", ERR_TEMPORARY, ERR_TEMPORARY, ERR_TEMPORARY },
};

static void
rule_27_only_rejected_credentials_are_auth(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "row %zu, %s", i,
		    rows[i].code == NULL ? "no code" : rows[i].code);
		UNIT_CHECK(response_error(rows[i].status, rows[i].code, RESPONSE_TO_LOGIN) ==
			       rows[i].to_login,
		    name);
		UNIT_CHECK(response_error(rows[i].status, rows[i].code, RESPONSE_TO_SELECT) ==
			       rows[i].to_select,
		    name);
		UNIT_CHECK(response_error(rows[i].status, rows[i].code, RESPONSE_TO_OTHER) ==
			       rows[i].to_other,
		    name);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_27_only_rejected_credentials_are_auth",
		    rule_27_only_rejected_credentials_are_auth },
	};

	return unit_run("response", tests, sizeof(tests) / sizeof(tests[0]));
}
