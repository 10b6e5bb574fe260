/* tls_names.h - whether a certificate's name is the one that a client asks for. Pure. */
#pragma once

enum tls_name_match {
	TLS_NAME_OTHER,
	TLS_NAME_WILDCARD, /* "*.example.org" is "a.example.org", and no deeper name */
	TLS_NAME_EXACT,
};

/* How NAME, from a client, fits PATTERN, a dNSName of a certificate. ASCII letters have no case
 * (RFC 4343). */
enum tls_name_match tls_name_match(const char *pattern, const char *name);
