/* capabilities.h - the answer to CAPA (RFC 2449), exact for the state of the session. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct capabilities {
	bool logged_in;
	bool may_start_tls;	/* STLS would be accepted now */
	bool may_use_password;	/* USER would be accepted now */
	const char *mechanisms;	/* that AUTH would accept now, e.g. "PLAIN LOGIN"; "" for none */
};

enum { CAPABILITIES_MAX = 512 };	/* octets of the longest answer, with the final NUL */

/* Writes the whole multi-line response, from "+OK" to the final dot. Returns its length. */
size_t capabilities_write(const struct capabilities *c, char out[CAPABILITIES_MAX]);
