/* settings.c - the one table of all settings. How a value is read is setting_value.c. */
#include "gateway/settings.h"

#include <string.h>

#include "base/error.h"
#include "gateway/config.h"
#include "pop3front/sasl.h"

#define FIELD(type, member) offsetof(struct type, member), sizeof(((struct type *) 0)->member)

/* Ranges of durations: the least is short enough for tests, the most long enough for anybody. */
enum { MS = 1, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const struct setting_choice log_destinations[] = {
	{ "stderr", LOG_TO_STDERR },
	{ "syslog", LOG_TO_SYSLOG },
	{ NULL, 0 },
};
static const struct setting_choice log_formats[] = {
	{ "plain", LOG_PLAIN },
	{ "json", LOG_JSON },
	{ NULL, 0 },
};
static const struct setting_choice log_levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ NULL, 0 },
};
static const struct setting_choice nul_ways[] = {
	{ "keep", DOTSTUFF_NUL_KEEP },
	{ "replace", DOTSTUFF_NUL_REPLACE },
	{ NULL, 0 },
};
static const struct setting_choice securities[] = {
	{ "implicit", IMAP_TLS_IMPLICIT },
	{ "starttls", IMAP_TLS_STARTTLS },
	{ "none", IMAP_TLS_NONE },
	{ NULL, 0 },
};
static const struct setting_choice protocols[] = {
	{ "imap", UPSTREAM_IMAP },
	{ "pop3", UPSTREAM_POP3 },
	{ NULL, 0 },
};
static const struct setting_choice learn_failures[] = {
	{ "refuse", LEARN_FAILURE_REFUSE },
	{ "go-on", LEARN_FAILURE_GO_ON },
	{ NULL, 0 },
};
static const struct setting_choice naming_kinds[] = {
	{ "no", NAMING_NONE },
	{ "emailid", NAMING_EMAILID },
	{ "x-guid", NAMING_GUID },
	{ "fingerprint", NAMING_FINGERPRINT },
	{ NULL, 0 },
};
static const struct setting_choice seen_ways[] = {
	{ "never", MARK_SEEN_NEVER },
	{ "retr", MARK_SEEN_RETR },
	{ NULL, 0 },
};
static const struct setting_choice size_ways[] = {
	{ "fast", SIZES_FAST },
	{ "learn", SIZES_LEARN },
	{ "exact", SIZES_EXACT },
	{ NULL, 0 },
};
static const struct setting_choice deleted_ways[] = {
	{ "hide", DELETED_HIDE },
	{ "show", DELETED_SHOW },
	{ NULL, 0 },
};
static const struct setting_choice foreign_ways[] = {
	{ "leave", DELETION_LEAVE },
	{ "lift", DELETION_LIFT },
	{ NULL, 0 },
};

static const struct setting_choice deletion_ways[] = {
	{ "expunge", DELETION_REMOVE },
	{ "trash", DELETION_TRASH },
	{ "mark", DELETION_MARK },
	{ "keep", DELETION_KEEP },
	{ NULL, 0 },
};
static const struct setting_choice presets[] = {
	{ "none", PRESET_NONE },
	{ "gmail", PRESET_GMAIL },
	{ "exchange-online", PRESET_EXCHANGE_ONLINE },
	{ NULL, 0 },
};
static const struct setting_choice mechanisms[] = {
	{ "plain", SASL_PLAIN },
	{ "login", SASL_LOGIN },
	{ "xoauth2", SASL_XOAUTH2 },
	{ "oauthbearer", SASL_OAUTHBEARER },
	{ "external", SASL_EXTERNAL },
	{ NULL, 0 },
};
static const struct setting_choice client_certificates[] = {
	{ "none", TLS_CLIENT_NONE },
	{ "request", TLS_CLIENT_REQUEST },
	{ "require", TLS_CLIENT_REQUIRE },
	{ NULL, 0 },
};
static const struct setting_choice certificate_users[] = {
	{ "email", STREAM_PEER_EMAIL },
	{ "common-name", STREAM_PEER_COMMON_NAME },
	{ NULL, 0 },
};

static const struct setting_choice worker_counts[] = {
	{ "auto", (int) WORKERS_AUTO },
	{ NULL, 0 },
};

static const struct setting_choice tls_versions[] = {
	{ "1.2", TLS_VERSION_1_2 },
	{ "1.3", TLS_VERSION_1_3 },
	{ NULL, 0 },
};

static const struct setting_choice trusts[] = {
	{ "certificate", TLS_TRUST_CHAIN },
	{ "pin", TLS_TRUST_PIN },
	{ NULL, 0 },
};

#define GLOBAL(type, member) FIELD(config, member), SETTING_GLOBAL, type
#define LISTENER(type, member) FIELD(config_listener, member), SETTING_LISTENER, type
#define UPSTREAM(type, member) FIELD(upstream, member), SETTING_UPSTREAM, type
#define ROUTE(type, member) FIELD(route, member), SETTING_ROUTE, type

const struct setting settings[] = {
	/* name, default, help, choices, min, max, where, type */
	{ "state_directory", "/var/lib/popgate",
	    "where locks, the journal of deletions and the memory of UIDLs are kept", NULL, 0, 0,
	    GLOBAL(SETTING_PATH, state_directory) },
	{ "user", "", "who popgate becomes when root starts it, once it listens", NULL, 0, 64,
	    GLOBAL(SETTING_TEXT, user) },
	{ "log", "stderr", "where log lines go", log_destinations, 0, 0,
	    GLOBAL(SETTING_CHOICE, log.destination) },
	{ "log_format", "plain", "what log lines look like", log_formats, 0, 0,
	    GLOBAL(SETTING_CHOICE, log.format) },
	{ "log_level", "info", "the least important lines that are written", log_levels, 0, 0,
	    GLOBAL(SETTING_CHOICE, log.level) },
	{ "nul", "keep", "what happens to NUL octets in a message; replace makes them 0x80",
	    nul_ways, 0, 0, GLOBAL(SETTING_CHOICE, pop3.nul) },
	{ "plaintext_networks", "", "clients that may log in without TLS", NULL, 0, 0,
	    GLOBAL(SETTING_NETWORKS, plaintext_networks) },
	{ "plaintext_loopback", "yes", "whether clients on this machine may log in without TLS",
	    NULL, 0, 0, GLOBAL(SETTING_YES_NO, plaintext_loopback) },
	{ "workers", "auto",
	    "processes that serve sessions; auto: one for each processor; 0: no supervisor",
	    worker_counts, 0, WORKERS_MAX, GLOBAL(SETTING_NUMBER, workers) },
	{ "sandbox", "yes", "whether workers lock themselves in, where the kernel can", NULL, 0, 0,
	    GLOBAL(SETTING_YES_NO, sandbox) },
	{ "max_sessions", "10000", "sessions at a time", NULL, 1, CENSUS_SESSIONS_MAX,
	    GLOBAL(SETTING_NUMBER, limits.sessions) },
	{ "max_sessions_per_address", "50", "sessions from one IPv4 address or IPv6 /64", NULL, 1,
	    1000000, GLOBAL(SETTING_NUMBER, limits.sessions_per_address) },
	{ "max_sessions_per_user", "4", "sessions of one user", NULL, 1, 1000000,
	    GLOBAL(SETTING_NUMBER, limits.sessions_per_user) },
	{ "max_sessions_before_login", "2000", "of them, before they have logged in", NULL, 1, 1000000,
	    GLOBAL(SETTING_NUMBER, before_login) },
	{ "max_sessions_before_login_per_address", "20",
	    "the same, from one IPv4 address or IPv6 /64", NULL, 1, 1000000,
	    GLOBAL(SETTING_NUMBER, before_login_per_address) },
	{ "max_connections_per_minute_per_address", "600",
	    "new connections from one IPv4 address or IPv6 /64 in a minute", NULL, 1, 1000000,
	    GLOBAL(SETTING_NUMBER, limits.arrivals_per_minute) },
	{ "login_timeout", "60s", "for a TLS handshake, and for each command before login", NULL,
	    100 * MS, HOUR, GLOBAL(SETTING_DURATION, pop3.login_ms) },
	{ "authorization_timeout", "3m", "from the greeting to the login, in all", NULL, 100 * MS,
	    HOUR, GLOBAL(SETTING_DURATION, pop3.authorization_ms) },
	{ "idle_timeout", "10m", "between two commands after login; RFC 1939 asks for 10m or more",
	    NULL, 100 * MS, DAY, GLOBAL(SETTING_DURATION, pop3.idle_ms) },
	{ "client_write_timeout", "5m", "without the client taking any octet of an answer", NULL,
	    100 * MS, DAY, GLOBAL(SETTING_DURATION, pop3.write_ms) },
	{ "drain_timeout", "30s", "for sessions to end when popgate is stopped", NULL, 0, HOUR,
	    GLOBAL(SETTING_DURATION, drain_ms) },
	{ "user_characters", "",
	    "characters that user names may have, such as \"a-z 0-9 . _ @\"; without it all", NULL,
	    0, 200, GLOBAL(SETTING_TEXT, user_characters) },
	{ "user_max_length", "255", "octets that user names may have", NULL, 1, USER_NAME_MAX,
	    GLOBAL(SETTING_NUMBER, pop3.names.max_length) },
	{ "tls_ticket_rotation", "12h",
	    "how long a key makes session tickets; it is accepted as long again", NULL, SECOND,
	    7 * DAY, GLOBAL(SETTING_DURATION, ticket_rotation_ms) },
	{ "auth_failure_delay", "2s", "before the answer to a rejected login", NULL, 0, MINUTE,
	    GLOBAL(SETTING_DURATION, login_limits.delay_ms) },
	{ "max_failed_logins", "600", "logins that servers may reject in a minute, in all", NULL, 1,
	    1000000, GLOBAL(SETTING_NUMBER, login_limits.failures_per_minute) },
	{ "max_failed_logins_per_user", "10",
	    "rejected logins of a user in 10 minutes; then the server is not asked for a while",
	    NULL, 1, 1000000, GLOBAL(SETTING_NUMBER, login_limits.failures_per_user) },
	{ "max_auth_failures", "3", "rejected logins that end a connection", NULL, 1, 1000,
	    GLOBAL(SETTING_NUMBER, pop3.max_auth_failures) },
	{ "max_bad_commands_before_login", "3", "bad commands that end a connection before login",
	    NULL, 1, 1000, GLOBAL(SETTING_NUMBER, pop3.max_bad_commands_before) },
	{ "max_bad_commands_after_login", "10", "bad commands that end a connection after login",
	    NULL, 1, 1000, GLOBAL(SETTING_NUMBER, pop3.max_bad_commands_after) },

	{ "address", NULL, "where to listen; needed", NULL, 0, 0,
	    LISTENER(SETTING_ENDPOINTS, addresses) },
	{ "certificate", NULL,
	    "PEM files: certificate and chain, by name and type of key; needed for pop3s, offers "
	    "STLS on pop3",
	    NULL, 1, 0, LISTENER(SETTING_PATHS, certificates) },
	{ "key", NULL, "PEM files: private key of each certificate", NULL, 1, 0,
	    LISTENER(SETTING_PATHS, keys) },
	{ "ocsp_response", NULL, "DER files: what is stapled to each certificate; \"\" for none",
	    NULL, 0, 0, LISTENER(SETTING_PATHS, staples) },
	{ "tls_minimum", "1.2", "the oldest version of TLS", tls_versions, 0, 0,
	    LISTENER(SETTING_CHOICE, terms.minimum) },
	{ "tls_ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20", "ciphers of TLS 1.2, as OpenSSL lists them",
	    NULL, 1, 1000, LISTENER(SETTING_TEXT, terms.ciphers) },
	{ "tls_suites", NULL, "cipher suites of TLS 1.3; without it OpenSSL's", NULL, 1, 1000,
	    LISTENER(SETTING_TEXT, terms.suites) },
	{ "tls_groups", NULL, "groups for the exchange of keys; without it OpenSSL's", NULL, 1,
	    1000, LISTENER(SETTING_TEXT, terms.groups) },
	{ "legacy_tls", "no", "TLS 1.0 and weak keys too, for old devices; needs the next two",
	    NULL, 0, 0, LISTENER(SETTING_YES_NO, legacy) },
	{ "legacy_networks", "", "the only clients of a listener with legacy_tls", NULL, 0, 0,
	    LISTENER(SETTING_NETWORKS, legacy_networks) },
	{ "legacy_until", NULL, "the last day (UTC) of a listener with legacy_tls", NULL, 0, 0,
	    LISTENER(SETTING_DATE, legacy_until) },
	{ "client_certificate", "none", "whether clients are asked for a certificate",
	    client_certificates, 0, 0, LISTENER(SETTING_CHOICE, client_certificate) },
	{ "client_ca", NULL, "PEM file: the authorities that clients' certificates come from", NULL,
	    0, 0, LISTENER(SETTING_PATH, client_ca) },
	{ "client_certificate_user", "email", "what in a client's certificate is the user name",
	    certificate_users, 0, 0, LISTENER(SETTING_CHOICE, client_certificate_user) },
	{ "proxy_protocol", "no",
	    "whether connections come by a proxy and begin with its PROXY header", NULL, 0, 0,
	    LISTENER(SETTING_YES_NO, proxy_protocol) },
	{ "proxy_networks", "", "where such proxies are; others are turned away", NULL, 0, 0,
	    LISTENER(SETTING_NETWORKS, proxy_networks) },

	{ "preset", "none", "defaults that suit a provider; other settings override them", presets,
	    0, 0, UPSTREAM(SETTING_CHOICE, preset) },
	{ "protocol", "imap", "what the server speaks; pop3: sessions are passed on to it", protocols,
	    0, 0, UPSTREAM(SETTING_CHOICE, protocol) },
	{ "old", "",
	    "the upstream that serves users who have not moved; see \"popgate state\"", NULL, 0, 64,
	    UPSTREAM(SETTING_TEXT, old_label) },
	{ "host", NULL, "the mail server's name or address; needed", NULL, 1, 253,
	    UPSTREAM(SETTING_HOST, host) },
	{ "port", "993",
	    "its port; 143 is the default where tls is not implicit, 995 and 110 with protocol = pop3",
	    NULL, 1, 65535, UPSTREAM(SETTING_NUMBER, imap.port) },
	{ "tls", "implicit", "TLS from the start, by STARTTLS or STLS, or none at all", securities, 0, 0,
	    UPSTREAM(SETTING_CHOICE, imap.security) },
	{ "ca_file", NULL, "PEM file: whom to trust; without it the system's certificates", NULL, 0,
	    0, UPSTREAM(SETTING_PATH, ca_file) },
	{ "ca_directory", NULL, "a folder with such files only", NULL, 0, 0,
	    UPSTREAM(SETTING_PATH, ca_directory) },
	{ "tls_pin", NULL, "keys that the server may have: sha256/ and base64", NULL, 0, 0,
	    UPSTREAM(SETTING_PINS, pins) },
	{ "tls_verify", "certificate",
	    "what proves the server: its certificate, and tls_pin if set; or tls_pin alone", trusts,
	    0, 0, UPSTREAM(SETTING_CHOICE, trust) },
	{ "tls_insecure", "no", "whether anybody may pose as the server, and get passwords", NULL,
	    0, 0, UPSTREAM(SETTING_YES_NO, insecure) },
	{ "client_certificate", NULL, "PEM file: our certificate, where the server asks for one",
	    NULL, 0, 0, UPSTREAM(SETTING_PATH, client_certificate) },
	{ "client_key", NULL, "PEM file: its private key", NULL, 0, 0,
	    UPSTREAM(SETTING_PATH, client_key) },
	{ "tls_minimum", "1.2", "the oldest version of TLS", tls_versions, 0, 0,
	    UPSTREAM(SETTING_CHOICE, terms.minimum) },
	{ "tls_ciphers", NULL, "ciphers of TLS 1.2, as OpenSSL lists them; without it OpenSSL's",
	    NULL, 1, 1000, UPSTREAM(SETTING_TEXT, terms.ciphers) },
	{ "tls_suites", NULL, "cipher suites of TLS 1.3; without it OpenSSL's", NULL, 1, 1000,
	    UPSTREAM(SETTING_TEXT, terms.suites) },
	{ "tls_groups", NULL, "groups for the exchange of keys; without it OpenSSL's", NULL, 1,
	    1000, UPSTREAM(SETTING_TEXT, terms.groups) },
	{ "verify_name", NULL, "the name that the certificate must bear; without it host", NULL, 1,
	    253, UPSTREAM(SETTING_HOST, verify_name) },
	{ "tls_resumption", "yes", "whether a verified TLS session is resumed within an hour", NULL, 0,
	    0, UPSTREAM(SETTING_YES_NO, tls_resumption) },
	{ "auth_mechanisms", "plain, login",
	    "how clients may log in; xoauth2 and oauthbearer must be the server's too", mechanisms,
	    0, 0, UPSTREAM(SETTING_CHOICES, auth_mechanisms) },
	{ "master_separator", "",
	    "a character: user*master logs in as master and gets the mail of user", NULL, 0, 1,
	    UPSTREAM(SETTING_TEXT, master_separator) },
	{ "master_user", "", "who logs in for users that come with a certificate (external)", NULL,
	    0, USER_NAME_MAX, UPSTREAM(SETTING_TEXT, master_user) },
	{ "master_password_file", NULL, "a file with that user's password, for popgate's eyes only",
	    NULL, 0, 0, UPSTREAM(SETTING_PATH, master_password_file) },
	{ "connect_timeout", "10s", "to look up the host and connect", NULL, 100 * MS, HOUR,
	    UPSTREAM(SETTING_DURATION, imap.connect_ms) },
	{ "tls_timeout", "10s", "for the TLS handshake", NULL, 100 * MS, HOUR,
	    UPSTREAM(SETTING_DURATION, imap.tls_ms) },
	{ "command_timeout", "60s",
	    "without any octet from the server while a command runs, or with less than 1 KiB/s",
	    NULL, 100 * MS, HOUR, UPSTREAM(SETTING_DURATION, imap.command_ms) },
	{ "keepalive_interval", "25m", "between two NOOPs while the client is silent", NULL,
	    100 * MS, DAY, UPSTREAM(SETTING_DURATION, keepalive_ms) },
	{ "reconnect", "yes",
	    "whether a lost connection is made anew; the password is kept in memory for that", NULL,
	    0, 0, UPSTREAM(SETTING_YES_NO, reconnect) },
	{ "reuse", "0s",
	    "how long a connection is kept after QUIT for its user's next login; 0: not at all",
	    NULL, 0, 5 * MINUTE, UPSTREAM(SETTING_DURATION, reuse_ms) },
	{ "mailbox", "INBOX", "the mailbox that is shown, or several, one behind the other", NULL,
	    1, 1000, UPSTREAM(SETTING_TEXTS, mailboxes) },
	{ "uidl", UIDL_DEFAULT_TEMPLATE,
	    "how UIDLs are made: a template of UID and UIDVALIDITY, or a name such as cyrus", NULL,
	    1, 200,
	    UPSTREAM(SETTING_TEXT, uidl_text) },
	{ "uidl_ledger", "yes",
	    "whether messages keep the UIDLs that were shown, whatever uidl is set to", NULL, 0, 0,
	    UPSTREAM(SETTING_YES_NO, uidl_ledger) },
	{ "remember_identity", "emailid",
	    "what names messages if their mailbox gets another UIDVALIDITY; emailid: where there is one",
	    naming_kinds, 0, 0, UPSTREAM(SETTING_CHOICE, naming) },
	{ "guard_limit", "30",
	    "percent of the messages seen last that may be missing at a login after a move", NULL,
	    0, 100, UPSTREAM(SETTING_NUMBER, guard_limit) },
	{ "guard_minimum", "20", "messages seen last, of fewer than which all may be missing",
	    NULL, 1, 100000000, UPSTREAM(SETTING_NUMBER, guard_minimum) },
	{ "learn", "",
	    "the label of the old server whose UIDLs are learned at a user's first login", NULL, 0,
	    64, UPSTREAM(SETTING_TEXT, learn) },
	{ "learn_timeout", "30s", "for that, within the login", NULL, 100 * MS, HOUR,
	    UPSTREAM(SETTING_DURATION, learn_ms) },
	{ "learn_failure", "refuse",
	    "a first login whose UIDLs could not be learned: refused for now, or goes on without",
	    learn_failures, 0, 0, UPSTREAM(SETTING_CHOICE, learn_failure) },
	{ "mark_seen", "never", "which messages QUIT marks as read", seen_ways, 0, 0,
	    UPSTREAM(SETTING_CHOICE, mark_seen) },
	{ "deleted", "hide", "messages that another client has flagged as deleted", deleted_ways, 0,
	    0, UPSTREAM(SETTING_CHOICE, deleted) },
	{ "delete", "expunge", "what becomes of messages that a client deletes", deletion_ways, 0,
	    0, UPSTREAM(SETTING_CHOICE, delete) },
	{ "mark_keyword", "",
	    "the IMAP keyword that delete = mark sets; without it the flag \\Deleted", NULL, 0, 64,
	    UPSTREAM(SETTING_TEXT, mark_keyword) },
	{ "without_uidplus", "leave",
	    "QUIT on a server without UIDPLUS, next to deletions of others", foreign_ways, 0, 0,
	    UPSTREAM(SETTING_CHOICE, without_uidplus) },
	{ "trash_mailbox", "", "where delete = trash puts messages; must exist", NULL, 0, 1000,
	    UPSTREAM(SETTING_TEXT, trash_mailbox) },
	{ "max_messages", "2000000", "messages in a maildrop; a larger one cannot be opened", NULL,
	    1, 100000000, UPSTREAM(SETTING_NUMBER, max_messages) },
	{ "max_failed_logins", "300", "logins that this server may reject in a minute", NULL, 1,
	    1000000, UPSTREAM(SETTING_NUMBER, max_failed_logins) },
	{ "index_cache", "yes",
	    "whether the listing of a large mailbox is kept in the state directory", NULL, 0, 0,
	    UPSTREAM(SETTING_YES_NO, index_cache) },
	{ "size_mode", "fast",
	    "sizes as the server tells them, as learned by RETR, or as counted at login",
	    size_ways, 0, 0, UPSTREAM(SETTING_CHOICE, size_mode) },
	{ "send_id", "no", "whether to tell the server popgate's name and version (RFC 2971)", NULL,
	    0, 0, UPSTREAM(SETTING_YES_NO, send_id) },
	{ "forward_client", "no",
	    "whether to tell the server the client's address and the session's id (RFC 2971)", NULL,
	    0, 0, UPSTREAM(SETTING_YES_NO, forward_client) },

	{ "users", NULL, "who goes this way: names, @domains, patterns; without it everybody", NULL, 1,
	    USER_NAME_MAX, ROUTE(SETTING_TEXTS, users) },
	{ "upstream", NULL,
	    "the label of the upstream; of several, the next one is tried where one rejects the login",
	    NULL, 1, 64, ROUTE(SETTING_TEXTS, upstream_labels) },
	{ "login", "%u", "what the server calls the user: %u whole, %n without domain, %d domain",
	    NULL, 1, 200, ROUTE(SETTING_TEXT, login) },
	{ "mailbox", NULL, "the mailbox that is shown, or several; without it the upstream's", NULL,
	    1, MAILBOX_NAME_MAX, ROUTE(SETTING_TEXTS, mailboxes) },
	{ "folder_separator", "",
	    "a character: user+folder shows that mailbox of user; without it there are no such logins",
	    NULL, 0, 1, ROUTE(SETTING_TEXT, folder_separator) },
	{ "folder_mailbox", "%f", "the name of that mailbox; %f is the folder", NULL, 1, 200,
	    ROUTE(SETTING_TEXT, folder_mailbox) },
	{ "table", NULL, "a file of users with upstream, login name and mailbox; others pass by", NULL, 0,
	    0, ROUTE(SETTING_PATH, table_path) },
	{ "auth_http", NULL,
	    "URL of a service that speaks nginx's auth_http protocol and says where a user is", NULL,
	    1, 1000, ROUTE(SETTING_TEXT, auth_http) },
	{ "auth_http_servers", "", "networks of servers that it may choose, besides the upstreams",
	    NULL, 0, 0, ROUTE(SETTING_NETWORKS, auth_servers) },
	{ "auth_http_timeout", "10s", "for its answer", NULL, 100 * MS, 2 * MINUTE,
	    ROUTE(SETTING_DURATION, auth_timeout_ms) },
	{ "auth_http_cache", "1m", "for how long its yes is remembered; 0: not at all", NULL, 0, HOUR,
	    ROUTE(SETTING_DURATION, auth_cache_ms) },
	{ "auth_http_header", "", "a header field that goes with each request, such as \"X-Key: secret\"",
	    NULL, 0, 500, ROUTE(SETTING_TEXT, auth_header) },
	{ "auth_http_ca_file", NULL,
	    "PEM file: whom to trust with https; without it the system's certificates", NULL,
	    0, 0, ROUTE(SETTING_PATH, auth_ca_file) },
	{ "auth_http_pass", "yes", "whether it may say which password the server is told (Auth-Pass)",
	    NULL, 0, 0, ROUTE(SETTING_YES_NO, auth_pass) },
};

const size_t settings_count = sizeof(settings) / sizeof(settings[0]);

_Static_assert(sizeof(settings) / sizeof(settings[0]) <= SETTINGS_MAX, "SETTINGS_MAX is too small");

const char *
setting_block_name(enum setting_block block)
{
	static const char *const names[] = {
		[SETTING_GLOBAL] = "global",
		[SETTING_LISTENER] = "listener",
		[SETTING_UPSTREAM] = "upstream",
		[SETTING_ROUTE] = "route",
	};

	return names[block];
}

const struct setting *
setting_find(enum setting_block block, const char *name)
{
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].block == block && strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

int
settings_assign_defaults(enum setting_block block, void *target)
{
	char message[SETTING_MESSAGE_MAX];
	const struct setting *s;
	int rc;

	for (s = settings; s < settings + settings_count; s++) {
		if (s->block != block || s->default_text == NULL)
			continue;
		rc = setting_assign(s, target, &s->default_text, 1, "", message);
		if (rc != 0)
			return rc;
	}
	return 0;
}
