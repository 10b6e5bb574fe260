/* response.h - what a server's refusal means (RFC 3501 section 7.1, RFC 5530). Pure. */
#pragma once
#include <stddef.h>

enum response_status {
	RESPONSE_NO,
	RESPONSE_BAD,
	RESPONSE_BYE,
};

enum response_context { /* what was asked for */
	RESPONSE_TO_LOGIN,
	RESPONSE_TO_SELECT,
	RESPONSE_TO_OTHER,
};

/* The code of base/error.h for a response with STATUS and response code CODE
 * ("AUTHENTICATIONFAILED", in any case, without brackets and arguments; NULL or "" where there was
 * none). Never 0. */
int response_error(enum response_status status, const char *code, enum response_context context);
