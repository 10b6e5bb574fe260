/* error.c - see error.h. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

int
error_set(struct error *e, int code, const char *format, ...)
{
	va_list args;

	if (e == NULL)
		return code;
	e->code = code;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return code;
}

int
error_prefix(struct error *e, const char *format, ...)
{
	char old[ERROR_TEXT_MAX];
	va_list args;
	size_t used, keep;

	if (e == NULL)
		return ERR_OK;
	memcpy(old, e->text, sizeof(old));
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	used = strlen(e->text);
	if (used + 2 >= sizeof(e->text))
		return e->code;
	memcpy(e->text + used, ": ", 2);
	used += 2;
	keep = strnlen(old, sizeof(e->text) - used - 1);
	memcpy(e->text + used, old, keep);
	e->text[used + keep] = '\0';
	return e->code;
}

const char *
error_name(int code)
{
	switch (code) {
	case ERR_OK:
		return "no error";
	case ERR_NO_MEMORY:
		return "out of memory";
	case ERR_INVALID:
		return "invalid";
	case ERR_LIMIT:
		return "over a limit";
	case ERR_CANCELLED:
		return "cancelled";
	case ERR_INTERRUPTED:
		return "interrupted";
	case ERR_TIMEOUT:
		return "timed out";
	case ERR_CLOSED:
		return "connection closed";
	case ERR_PROTOCOL:
		return "protocol violated";
	case ERR_TLS:
		return "TLS failed";
	case ERR_AUTH:
		return "credentials rejected";
	case ERR_AUTH_DENIED:
		return "login not permitted";
	case ERR_AUTH_EXPIRED:
		return "credentials expired";
	case ERR_AUTH_PRIVACY:
		return "encryption required";
	case ERR_IN_USE:
		return "maildrop in use";
	case ERR_READ_ONLY:
		return "read-only";
	case ERR_GONE:
		return "message gone";
	case ERR_INCOMPLETE:
		return "deletion incomplete";
	case ERR_TEMPORARY:
		return "temporary failure";
	case ERR_PERMANENT:
		return "permanent failure";
	}
	return "unknown error";
}
