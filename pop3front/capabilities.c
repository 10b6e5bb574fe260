/* capabilities.c - see capabilities.h. */
#include "pop3front/capabilities.h"

#include <stdio.h>

size_t
capabilities_write(const struct capabilities *c, char out[CAPABILITIES_MAX])
{
	bool sasl = !c->logged_in && c->mechanisms[0] != '\0';
	int n;

	/* EXPIRE NEVER: nothing is deleted but by DELE. IMPLEMENTATION without a version tells attackers less. */
	n = snprintf(out, CAPABILITIES_MAX,
	    "+OK capabilities follow\r\n"
	    "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nUTF8\r\nEXPIRE NEVER\r\n"
	    "%s%s%s%s%sIMPLEMENTATION popgate\r\n.\r\n",
	    !c->logged_in && c->may_use_password ? "USER\r\n" : "", sasl ? "SASL " : "",
	    sasl ? c->mechanisms : "", sasl ? "\r\n" : "",
	    !c->logged_in && c->may_start_tls ? "STLS\r\n" : "");
	return (size_t) n;
}
