/* upstream.h - one mail server as the administrator wants it used: an "upstream" block of the
 * configuration, resolved.
 *
 * Belongs to a struct config and lives as long as that; a session holds its config and reads this.
 * Filled by the table in settings.c and by config.c; constant afterwards. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/credentials.h"
#include "gateway/text_list.h"
#include "imapback/imap.h"
#include "mapping/deletion.h"
#include "mapping/uidl.h"

enum upstream_protocol {
	UPSTREAM_IMAP,
	UPSTREAM_POP3, /* an old server: sessions are passed on to it, see relay.h */
};

enum mark_seen {
	MARK_SEEN_NEVER, /* \Seen is never set */
	MARK_SEEN_RETR,	 /* at QUIT, on messages that RETR handed over completely */
};

enum learn_failure {	     /* a first login at which nothing could be learned */
	LEARN_FAILURE_REFUSE, /* is refused for now: a UIDL that was shown cannot be taken back */
	LEARN_FAILURE_GO_ON,  /* goes on without the old UIDLs */
};

enum naming_kind { /* what names a message whatever its UID, see naming.h. Stored: never change one */
	NAMING_NONE = 0,
	NAMING_EMAILID = 1, /* RFC 8474, where the server announces it */
	NAMING_GUID = 2,    /* X-GUID of Dovecot */
	NAMING_FINGERPRINT = 3, /* of the header */
};

enum deleted_messages { /* those that somebody else flagged \Deleted before the session */
	DELETED_HIDE,
	DELETED_SHOW,
};

enum size_mode { /* what LIST and STAT show, see sizing.h */
	SIZES_FAST,  /* what the server says */
	SIZES_LEARN, /* that, until a message was counted on its way to a client */
	SIZES_EXACT, /* what was counted, at the latest before the maildrop opens */
};

enum upstream_preset { /* defaults for a provider, see upstream_preset.c */
	PRESET_NONE,
	PRESET_GMAIL,
	PRESET_EXCHANGE_ONLINE,
};

struct pin_list {
	struct tls_pin *items;
	size_t count;
};

/* What one leg may agree on, as written; NULL: left to OpenSSL. */
struct tls_settings {
	enum tls_version minimum;
	char *ciphers;
	char *suites;
	char *groups;
};

enum { UPSTREAM_MAILBOXES_MAX = 16 }; /* in a maildrop; each costs a round trip at login */

struct upstream {
	enum upstream_preset preset;
	enum upstream_protocol protocol;
	char *label; /* of the block; "": none */
	char *name;  /* the label, or "host:port": for logs, locks, state and counters */
	char *old_label;	     /* of the server that still has mailboxes; "": none */
	const struct upstream *old; /* that one; NULL: none */
	struct imap_options imap;
	bool tls_resumption; /* without a certificate that is verified anew */
	uint64_t keepalive_ms;
	struct text_list mailboxes; /* that a maildrop shows; the first must exist. UTF-8 */
	char *trash_mailbox; /* UTF-8; "": none */
	enum deletion_policy delete;
	char *mark_keyword; /* what delete = mark sets; "": \Deleted */
	uint64_t reuse_ms;  /* how long a connection is kept for the user's next session; 0: not */
	bool reconnect;	    /* a lost connection is made anew; the password is kept for that */
	struct uidl_template *uidl;
	char *learn; /* label of the old server whose UIDLs are learned; "": none */
	const struct upstream *learn_from; /* the same; NULL: none */
	uint64_t learn_ms;
	enum learn_failure learn_failure;
	enum mark_seen mark_seen;
	enum deleted_messages deleted;
	enum deletion_foreign without_uidplus;
	uint64_t max_messages;
	uint32_t max_failed_logins; /* in a minute */
	enum size_mode size_mode;
	bool index_cache; /* listings of large mailboxes are kept */
	bool send_id;	  /* introduce ourselves by ID (RFC 2971) */
	bool forward_client; /* and the client */

	unsigned auth_mechanisms;   /* bits of enum sasl_bit that clients may use */
	char *master_separator;	    /* "*" in "user*master"; "": no such logins */
	struct credentials master;  /* who logs in for users that come with a certificate; empty:
				       nobody */
	char *master_user;	    /* what master is made of */
	char *master_password_file; /* NULL: none */

	char *host;	   /* what imap.host points to */
	char *verify_name; /* what imap.verify_name points to; NULL: host */
	char *ca_file;	   /* NULL: the system's roots */
	char *ca_directory;
	enum tls_trust trust; /* TLS_TRUST_ANYBODY by insecure */
	bool insecure;
	struct pin_list pins;
	char *client_certificate; /* NULL: none */
	char *client_key;
	struct tls_settings terms;
	bool uidl_ledger;	/* UIDLs are remembered */
	enum naming_kind naming; /* and these names of messages */
	uint32_t guard_limit;	/* percent of what was seen last that may be missing */
	uint32_t guard_minimum; /* of fewer messages all may */
	char *uidl_text;   /* what uidl was made from */
};
