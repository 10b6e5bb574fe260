/* tls_names.c - see tls_names.h. */
#include "fiberio/tls_names.h"

#include <string.h>
#include <strings.h>

enum tls_name_match
tls_name_match(const char *pattern, const char *name)
{
	const char *dot = strchr(name, '.');

	if (name[0] == '\0')
		return TLS_NAME_OTHER;
	if (strcasecmp(pattern, name) == 0)
		return TLS_NAME_EXACT;
	/* RFC 6125 section 6.4.3: the whole of the leftmost label, and one label at least. */
	if (pattern[0] == '*' && pattern[1] == '.' && dot != NULL && dot != name &&
	    strcasecmp(pattern + 1, dot) == 0)
		return TLS_NAME_WILDCARD;
	return TLS_NAME_OTHER;
}
