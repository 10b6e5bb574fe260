/* config_tls.c - see config_tls.h. */
#include "gateway/config_tls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "gateway/legacy.h"

/* A key that others on the machine can read is no secret. */
static void
check_key_mode(const char *name, const char *key, unsigned line, struct config_report *report)
{
	struct stat st;

	if (stat(key, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		config_report_add(report, CONFIG_WARNING, line,
		    "%s: %s can be read by everybody on this machine", name, key);
}

static struct tls_terms
terms_of(const struct tls_settings *s)
{
	return (struct tls_terms){ s->minimum, s->ciphers, s->suites, s->groups };
}

/* Reports what OpenSSL does not understand of TERMS. *GOOD says whether it is all of it. */
static int
check_terms(const struct tls_terms *terms, enum setting_block block,
    const struct setting_lines *lines, struct config_report *report, bool *good)
{
	static const char *const names[] = { "tls_ciphers", "tls_suites", "tls_groups" };
	const char *const texts[] = { terms->ciphers, terms->suites, terms->groups };
	enum tls_term which;
	int rc = tls_terms_check(terms, &which);

	*good = rc == 0;
	if (rc != ERR_INVALID)
		return rc;
	config_report_add(report, CONFIG_FAULT, line_near(lines, block, names[which]),
	    "%s: OpenSSL does not understand \"%s\"%s", names[which], texts[which],
	    which == TLS_TERM_CIPHERS ? ", or it sets a level with \"@\"" : "");
	return 0;
}

/* ---- listeners ---- */

/* Whether LIST has an item for each certificate of L. */
static bool
is_paired(const struct config_listener *l, const struct text_list *list, const char *name,
    unsigned line, struct config_report *report)
{
	if (list->count == l->certificates.count)
		return true;
	config_report_add(report, CONFIG_FAULT, line,
	    "%s: expected one for each certificate, %zu in all, found %zu", name,
	    l->certificates.count, list->count);
	return false;
}

static void
check_staples(
    const struct config_listener *l, const struct setting_lines *lines, struct config_report *report)
{
	for (size_t i = 0; i < l->certificates.count; i++)
		if (tls_server_staple_is_bad(l->tls, i, time(NULL)))
			config_report_add(report, CONFIG_WARNING,
			    line_of(lines, SETTING_LISTENER, "ocsp_response"),
			    "ocsp_response: %s is too old, or says that the certificate is revoked",
			    l->staples.items[i]);
}

static int
load_certificates(struct config_listener *l, const struct tls_server_options *options,
    const struct setting_lines *lines, struct config_report *report)
{
	struct error e;

	if (tls_server_new(options, &l->tls, &e) == 0) {
		check_staples(l, lines, report);
		return 0;
	}
	return config_report_error(
	    report, line_near(lines, SETTING_LISTENER, "certificate"), "certificate", &e);
}

/* Makes l->tls of certificates and keys, of which there are as many. */
static int
make_server(
    struct config_listener *l, const struct setting_lines *lines, struct config_report *report)
{
	struct tls_server_options options = {
		.pair_count = l->certificates.count,
		.terms = terms_of(&l->terms),
		.era = l->legacy ? TLS_ERA_LEGACY : TLS_ERA_TODAY,
	};
	struct tls_pair *pairs;
	bool good;
	int rc;

	/* The default is for clients of today. */
	if (l->legacy && line_of(lines, SETTING_LISTENER, "tls_ciphers") == 0)
		options.terms.ciphers = NULL;
	rc = check_terms(&options.terms, SETTING_LISTENER, lines, report, &good);
	if (rc != 0 || !good)
		return rc;
	if ((pairs = calloc(options.pair_count, sizeof(*pairs))) == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < options.pair_count; i++) {
		pairs[i].certificate = l->certificates.items[i];
		pairs[i].key = l->keys.items[i];
		if (l->staples.count > 0 && l->staples.items[i][0] != '\0')
			pairs[i].staple = l->staples.items[i];
		check_key_mode(
		    "key", pairs[i].key, line_of(lines, SETTING_LISTENER, "key"), report);
	}
	options.pairs = pairs;
	rc = load_certificates(l, &options, lines, report);
	free(pairs);
	return rc;
}

static void
check_legacy(
    const struct config_listener *l, const struct setting_lines *lines, struct config_report *report)
{
	unsigned line = line_of(lines, SETTING_LISTENER, "legacy_tls");
	unsigned networks = line_of(lines, SETTING_LISTENER, "legacy_networks");
	unsigned until = line_of(lines, SETTING_LISTENER, "legacy_until");

	if (!l->legacy) {
		if (networks != 0 || until != 0)
			config_report_add(report, CONFIG_WARNING, networks != 0 ? networks : until,
			    "legacy_networks and legacy_until mean nothing without legacy_tls");
		return;
	}
	if (l->certificates.count == 0)
		config_report_add(report, CONFIG_FAULT, line, "legacy_tls: needs a certificate");
	if (l->legacy_until == 0)
		config_report_add(report, CONFIG_FAULT, line,
		    "legacy_tls: needs an end, such as legacy_until = 2027-06-30");
	if (l->legacy_networks.count == 0)
		config_report_add(report, CONFIG_FAULT, line,
		    "legacy_tls: needs legacy_networks, the networks of the old devices");
	if (l->proxy_protocol)
		config_report_add(report, CONFIG_FAULT, line,
		    "legacy_tls: not with proxy_protocol: its fence is for whom we see ourselves");
	if (network_list_is_everywhere(&l->legacy_networks))
		config_report_add(report, CONFIG_FAULT, networks,
		    "legacy_networks: must not be everywhere");
}

int
config_check_listener_tls(const struct config *config, struct config_listener *l,
    const struct setting_lines *lines, struct config_report *report)
{
	unsigned certificate = line_of(lines, SETTING_LISTENER, "certificate");
	unsigned key = line_of(lines, SETTING_LISTENER, "key");
	unsigned staple = line_of(lines, SETTING_LISTENER, "ocsp_response");

	check_legacy(l, lines, report);
	if (l->certificates.count > 0 && l->keys.count > 0) {
		if (!is_paired(l, &l->keys, "key", key, report) ||
		    (staple != 0 && !is_paired(l, &l->staples, "ocsp_response", staple, report)))
			return 0;
		return config->is_outline ? 0 : make_server(l, lines, report);
	}
	if (l->certificates.count > 0)
		config_report_add(report, CONFIG_FAULT, certificate, "listener: certificate needs a key");
	else if (l->keys.count > 0)
		config_report_add(report, CONFIG_FAULT, key, "listener: key needs a certificate");
	else if (l->protocol == LISTENER_POP3S && certificate == 0)
		config_report_add(report, CONFIG_FAULT, lines->begin,
		    "listener pop3s: certificate and key are missing");
	return 0;
}

void
config_end_legacy(struct config *config, const struct setting_lines *lines, int64_t now,
    struct config_report *report)
{
	struct config_listener *l;
	size_t kept = 0;

	for (size_t i = 0; i < config->listener_count; i++) {
		l = &config->listeners[i];
		if (l->legacy && l->legacy_until != 0 && legacy_is_over(l->legacy_until, now)) {
			config_report_add(report, CONFIG_WARNING,
			    line_of(&lines[i], SETTING_LISTENER, "legacy_until"),
			    "legacy_until: that day is over, this listener is closed");
			config_listener_clear(l);
		} else {
			config->listeners[kept++] = *l;
		}
	}
	if (kept == 0 && config->listener_count > 0)
		config_report_add(report, CONFIG_FAULT, 0,
		    "no listener is left: nobody could connect");
	config->listener_count = kept;
}

/* Ends the listener whose last day comes first, whatever the day is now. False: there is none. */
static bool
end_first_legacy(struct config *config)
{
	struct config_listener *first = NULL, *l, *end = config->listeners + config->listener_count;

	for (l = config->listeners; l < end; l++)
		if (l->legacy && (first == NULL || l->legacy_until < first->legacy_until))
			first = l;
	if (first == NULL)
		return false;
	config_listener_clear(first);
	memmove(first, first + 1, (size_t) (end - first - 1) * sizeof(*first));
	config->listener_count--;
	return true;
}

bool
config_fit_sockets(struct config *config, size_t count)
{
	while (config_address_count(config) > count)
		if (!end_first_legacy(config))
			return false;
	return config_address_count(config) == count;
}

/* ---- upstreams ---- */

/* Reports what does not fit together. */
static void
check_trust(struct upstream *u, const struct setting_lines *lines, struct config_report *report)
{
	unsigned insecure = line_of(lines, SETTING_UPSTREAM, "tls_insecure");

	if (u->trust == TLS_TRUST_PIN && u->pins.count == 0)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_UPSTREAM, "tls_verify"),
		    "tls_verify: pin needs the pin of a key, tls_pin");
	if ((u->client_certificate == NULL) != (u->client_key == NULL))
		config_report_add(report, CONFIG_FAULT,
		    line_near(lines, SETTING_UPSTREAM,
			u->client_key == NULL ? "client_certificate" : "client_key"),
		    "client_certificate and client_key need each other");
	if (u->client_key != NULL)
		check_key_mode("client_key", u->client_key,
		    line_of(lines, SETTING_UPSTREAM, "client_key"), report);
	if (!u->insecure)
		return;
	if (u->pins.count > 0)
		config_report_add(report, CONFIG_FAULT, insecure,
		    "tls_insecure: contradicts tls_pin; tls_verify = pin accepts any certificate "
		    "with that key");
	config_report_add(report, CONFIG_WARNING, insecure,
	    "tls_insecure: NOBODY VERIFIES who %s is; whoever is on the way gets all passwords",
	    u->host);
	u->trust = TLS_TRUST_ANYBODY;
}

/* The setting that the text of an error is about. */
static const char *
blamed(const struct upstream *u, const char *text)
{
	if (u->client_certificate != NULL && (strstr(text, u->client_certificate) != NULL ||
						 strstr(text, u->client_key) != NULL))
		return "client_certificate";
	if (u->ca_directory != NULL && strstr(text, u->ca_directory) != NULL)
		return "ca_directory";
	return "ca_file";
}

static int
make_client(struct upstream *u, const struct setting_lines *lines, struct config_report *report)
{
	const struct tls_pair own = { .certificate = u->client_certificate, .key = u->client_key };
	const struct tls_client_options options = {
		.alpn = u->protocol == UPSTREAM_POP3 ? "pop3" : "imap",
		.ca_file = u->ca_file,
		.ca_directory = u->ca_directory,
		.trust = u->trust,
		.pins = u->pins.items,
		.pin_count = u->pins.count,
		.own = own.certificate != NULL && own.key != NULL ? &own : NULL,
		.terms = terms_of(&u->terms),
	};
	struct error e;
	bool good;
	int rc;

	rc = check_terms(&options.terms, SETTING_UPSTREAM, lines, report, &good);
	if (rc != 0 || !good)
		return rc;
	if (tls_client_new(&options, &u->imap.tls, &e) != 0)
		return config_report_error(report,
		    line_near(lines, SETTING_UPSTREAM, blamed(u, e.text)), blamed(u, e.text), &e);
	if (!u->tls_resumption)
		tls_client_forbid_resumption(u->imap.tls);
	return 0;
}

static bool
is_this_machine(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "::1") == 0;
}

int
config_check_upstream_tls(const struct config *config, struct upstream *u,
    const struct setting_lines *lines, struct config_report *report)
{
	if (u->imap.security == IMAP_TLS_NONE) {
		if (!is_this_machine(u->host))
			config_report_add(report, CONFIG_WARNING,
			    line_of(lines, SETTING_UPSTREAM, "tls"),
			    "tls: passwords are sent to %s without TLS", u->host);
		return 0;
	}
	check_trust(u, lines, report);
	return config->is_outline ? 0 : make_client(u, lines, report);
}
