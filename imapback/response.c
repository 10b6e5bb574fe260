/* response.c - see response.h. */
#include "imapback/response.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* What a response code of NO means; where it depends on the command, LOGIN differs from the rest.
 */
static const struct {
	const char *code;
	int to_login;
	int to_other;
} meanings[] = {
	{ "AUTHENTICATIONFAILED", ERR_AUTH, ERR_TEMPORARY },
	{ "AUTHORIZATIONFAILED", ERR_AUTH_DENIED, ERR_PERMANENT },
	{ "EXPIRED", ERR_AUTH_EXPIRED, ERR_TEMPORARY },
	{ "PRIVACYREQUIRED", ERR_AUTH_PRIVACY, ERR_PERMANENT },
	{ "UNAVAILABLE", ERR_TEMPORARY, ERR_TEMPORARY },
	{ "SERVERBUG", ERR_TEMPORARY, ERR_TEMPORARY },
	{ "LIMIT", ERR_TEMPORARY, ERR_TEMPORARY },
	{ "OVERQUOTA", ERR_TEMPORARY, ERR_TEMPORARY },
	{ "THROTTLED", ERR_TEMPORARY, ERR_TEMPORARY }, /* in no RFC, but large providers say it */
	{ "INUSE", ERR_IN_USE, ERR_IN_USE },
	{ "CONTACTADMIN", ERR_PERMANENT, ERR_PERMANENT },
	{ "NONEXISTENT", ERR_PERMANENT, ERR_PERMANENT },
	{ "NOPERM", ERR_PERMANENT, ERR_PERMANENT },
	{ "CANNOT", ERR_PERMANENT, ERR_PERMANENT },
	{ "TRYCREATE", ERR_PERMANENT, ERR_PERMANENT },
};

int
response_error(enum response_status status, const char *code, enum response_context context)
{
	if (status == RESPONSE_BYE)
		return ERR_TEMPORARY;
	/* BAD means that we were not understood, which says nothing about the credentials. */
	if (status == RESPONSE_BAD)
		return ERR_PROTOCOL;
	for (size_t i = 0; code != NULL && i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (text_is_word(code, strlen(code), meanings[i].code))
			return context == RESPONSE_TO_LOGIN ? meanings[i].to_login
							    : meanings[i].to_other;
	/* Most servers, and all old ones, reject credentials without a code, or with one of their
	 * own. */
	return context == RESPONSE_TO_LOGIN ? ERR_AUTH : ERR_TEMPORARY;
}
