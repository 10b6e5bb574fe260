/* route.h - which way an account's mail is: the "route" blocks of the configuration, patterns of user
 * names, and templates. Pure.
 *
 * Several routes may fit an account. They are tried from the most to the least exact: those that have
 * it by its name, then by its domain, then by a pattern, then those for everybody; among equals in the
 * order of the file. The first one that knows the account is its route: one with a table knows
 * whom the table has, any other knows everybody that it fits. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"
#include "gateway/network.h"
#include "gateway/text_list.h"
#include "gateway/upstream.h"

struct table;

enum { ROUTE_UPSTREAMS_MAX = 8 }; /* of one account, to be tried in turn */
enum { MAILBOX_NAME_MAX = 1000 }; /* octets */

struct route {
	char *label;
	struct text_list users;		 /* "joe", "@example.org", "*@*.example.org"; none: everybody */
	struct text_list upstream_labels; /* as written */
	const struct upstream *upstreams[ROUTE_UPSTREAMS_MAX]; /* in the order they are tried in */
	size_t upstream_count;
	char *login;		/* template of what the server calls the user */
	struct text_list mailboxes; /* none: the upstream's */
	char *folder_separator; /* "+" in "joe+Lists"; "": no such logins */
	char *folder_mailbox;	/* template of that mailbox's name */
	char *table_path;	/* NULL: none */
	struct table *table;	/* of that file */
	char *auth_http;	/* URL of a service that says where the user is; NULL: none */
	char *auth_host;	/* of it */
	uint16_t auth_port;
	char *auth_ca_file;  /* NULL: the system's roots */
	char *auth_header;   /* a field to go with each request; "": none */
	uint64_t auth_timeout_ms;
	uint64_t auth_cache_ms; /* for how long its yes counts; 0: once */
	struct network_list auth_servers; /* that it may choose, besides UPSTREAMS */
	bool auth_pass; /* the password that it says counts */
};

/* How well the route R fits ACCOUNT. */
enum route_fit {
	ROUTE_UNFIT,
	ROUTE_FOR_ALL,
	ROUTE_BY_PATTERN,
	ROUTE_BY_DOMAIN,
	ROUTE_BY_NAME,
};
enum route_fit route_fit(const struct route *r, const char *account);

/* The route to be tried for ACCOUNT behind PREVIOUS (NULL: the first one) of ROUTES (COUNT), or NULL:
 * there are no more. */
const struct route *route_next(const struct route *routes, size_t count, const char *account,
    const struct route *previous);

/* Whether TEXT fits PATTERN, in which "*" stands for any octets and "?" for one character. ASCII
 * letters count in either case. */
int pattern_fits(const char *pattern, const char *text);

/* An account as a route reads it. */
struct route_name {
	char user[USER_NAME_MAX + 1]; /* without the folder */
	const char *domain;	      /* in user, behind its last "@"; NULL: it has none */
	char folder[USER_NAME_MAX + 1]; /* "": none was named */
};

/* Reads ACCOUNT (at most USER_NAME_MAX octets) as R does: the first folder_separator before the domain
 * begins the folder's name. */
void route_read(const struct route *r, const char *account, struct route_name *out);

/* Writes what TEMPLATE makes of NAME to OUT (ROOM octets, with NUL): "%u" the user, "%n" what is
 * before the domain, "%d" the domain, "%f" the folder, "%%" a percent sign. Returns 0; ERR_INVALID
 * where there is no domain for %d; or ERR_LIMIT. */
int route_expand(const char *template, const struct route_name *name, char *out, size_t room);

/* Whether TEMPLATE is one, with none but LETTERS behind its percent signs ("und", say). Else *AT is the
 * offset of what cannot stand there. */
int route_template_check(const char *template, const char *letters, size_t *at);

/* INBOX has no case (RFC 3501 section 5.1), neither alone nor as the first level of other names: writes
 * it in capitals, so that one mailbox has one name. */
void mailbox_name_settle(char *mailbox);
