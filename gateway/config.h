/* config.h - what the administrator wants: a configuration file, read, checked and resolved.
 *
 * Constant once loaded, and counted: a reload makes a new one, while sessions go on with the one
 * they began with. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fiberio/tls.h"
#include "gateway/census.h"
#include "gateway/config_report.h"
#include "gateway/log.h"
#include "gateway/login_policy.h"
#include "gateway/network.h"
#include "gateway/route.h"
#include "gateway/text_list.h"
#include "gateway/upstream.h"
#include "pop3front/session.h"

#define CONFIG_DEFAULT_FILE "/etc/popgate/popgate.conf"

enum { WORKERS_MAX = 64 };
#define WORKERS_AUTO UINT32_MAX /* one for each processor */

enum { CONFIG_ADDRESSES_MAX = 200 }; /* as many descriptors fit one message (SCM_MAX_FD, unix(7)) */

enum listener_protocol {
	LISTENER_POP3,	/* plain, with STLS where there is a certificate */
	LISTENER_POP3S, /* TLS from the first octet (RFC 8314) */
};

/* A "listener" block. */
struct config_listener {
	enum listener_protocol protocol;
	struct text_list addresses; /* as written, e.g. "[::]:110" */
	struct text_list certificates;
	struct text_list keys;	  /* one for each */
	struct text_list staples; /* the same; "": none */
	struct tls_settings terms;
	bool legacy; /* TLS 1.0 too, for these networks and until this day */
	struct network_list legacy_networks;
	uint64_t legacy_until; /* days since 1970; 0: not set */
	enum tls_client_certificate client_certificate;
	char *client_ca; /* NULL: none */
	enum stream_peer_name client_certificate_user;
	struct tls_server *tls; /* made from these; NULL: no TLS here */
	bool proxy_protocol;	/* connections begin with the header of a proxy */
	struct network_list proxy_networks; /* where the proxies are */
};

struct config {
	unsigned references;
	bool is_outline; /* see config_load_outline: nobody can serve by it */
	char *state_directory;
	char *user; /* who a process of root's becomes; "": nobody else */
	struct log_options log;
	struct pop3_settings
	    pop3; /* what depends on listener and upstream is set for each connection;
		     auth_failure_delay_ms is not: the login policy waits */
	char *user_characters; /* what pop3.names.characters was made from */
	bool plaintext_loopback;
	struct network_list plaintext_networks;
	struct census_limits limits;
	size_t before_login; /* connections that have not logged in, in all */
	size_t before_login_per_address;
	struct login_policy_limits login_limits;
	bool sandbox;	  /* for workers, see sandbox.h */
	uint32_t workers; /* as written: 0, a number, or WORKERS_AUTO */
	uint64_t drain_ms;
	uint64_t ticket_rotation_ms;
	struct config_listener *listeners;
	size_t listener_count;
	struct upstream *upstreams; /* one at least; names differ */
	size_t upstream_count;
	struct route *routes; /* one at least */
	size_t route_count;
};

/* Loads the file at PATH, which also names it in REPORT. Every fault found is in REPORT (empty
 * before), warnings too, also on success. Returns 0 with *OUT held once, ERR_INVALID where there
 * are faults, or ERR_NO_MEMORY. Reads files: does not suspend, but may block. */
int config_load(const char *path, struct config **out, struct config_report *report);

/* As config_load for TEXT (LEN octets), as if it were the content of PATH. */
int config_load_text(const char *path, const char *text, size_t len, struct config **out,
    struct config_report *report);

/* The same without what only those need who serve: certificates, keys, authorities, the passwords of masters.
 * Their files are not touched, and OpenSSL is not begun with. */
int config_load_outline(const char *path, const char *text, size_t len, struct config **out,
    struct config_report *report);

/* Reads the file at PATH to *TEXT, allocated. Returns 0; ERR_INVALID where it cannot be read, which
 * is a fault in REPORT; or ERR_NO_MEMORY. */
int config_read(const char *path, char **text, size_t *len, struct config_report *report);

struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* NULL is allowed */

/* How many worker processes there are to be. */
unsigned config_worker_count(const struct config *config);

/* The upstream with that NAME, or NULL. */
const struct upstream *config_upstream(const struct config *config, const char *name);

/* Addresses of all listeners. */
size_t config_address_count(const struct config *config);

/* Frees what L holds. */
void config_listener_clear(struct config_listener *l);

/* Whether LIST has a network with every address in it. */
bool network_list_is_everywhere(const struct network_list *list);

/* "pop3" or "pop3s". */
const char *listener_protocol_name(enum listener_protocol protocol);
