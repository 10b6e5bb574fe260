/* config_login.c - see config_login.h. */
#include "gateway/config_login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "gateway/password_input.h"
#include "pop3front/sasl.h"

void
config_check_names(
    struct config *config, const struct setting_lines *lines, struct config_report *report)
{
	size_t at;

	if (character_set_parse(config->user_characters, &config->pop3.names.characters, &at) != 0)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_GLOBAL, "user_characters"),
		    "user_characters: \"%s\" cannot be understood from \"%s\" on; expected visible "
		    "characters of ASCII and ranges such as \"a-z 0-9 . _ @\"",
		    config->user_characters, config->user_characters + at);
}

int
config_check_client_certificates(
    struct config_listener *l, const struct setting_lines *lines, struct config_report *report)
{
	unsigned line = line_near(lines, SETTING_LISTENER, "client_certificate");
	struct error e;

	if (l->client_certificate == TLS_CLIENT_NONE) {
		if (l->client_ca != NULL)
			config_report_add(report, CONFIG_WARNING,
			    line_of(lines, SETTING_LISTENER, "client_ca"),
			    "client_ca: means nothing with client_certificate = none");
		return 0;
	}
	if (l->client_ca == NULL)
		config_report_add(report, CONFIG_FAULT, line,
		    "client_certificate: needs a client_ca, from whom certificates are accepted");
	else if (l->certificates.count == 0)
		config_report_add(report, CONFIG_FAULT, line,
		    "client_certificate: needs a certificate and key of the listener: without TLS "
		    "there are none of clients");
	if (l->legacy)
		config_report_add(report, CONFIG_FAULT, line,
		    "client_certificate: not with legacy_tls, whose keys are too weak to prove "
		    "anything");
	if (l->client_ca == NULL || l->tls == NULL)
		return 0;
	if (tls_server_verify_clients(l->tls, l->client_ca, l->client_certificate, &e) == 0)
		return 0;
	return config_report_error(
	    report, line_of(lines, SETTING_LISTENER, "client_ca"), "client_ca", &e);
}

/* Whether FILE is a credential that systemd has laid out for us. Those are in a folder of ours
 * alone; their mode may show an access list as rights of the group. */
static bool
is_systemd_credential(const char *file)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t len = folder != NULL ? strlen(folder) : 0;

	return len > 0 && strncmp(file, folder, len) == 0 && file[len] == '/';
}

/* A password that opens every mailbox must not lie about. Returns a descriptor, or -1 with E set.
 */
static int
open_secret(const char *file, struct error *e)
{
	mode_t others = S_IRWXG | S_IRWXO;
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0) {
		error_set(e, ERR_INVALID, "cannot read %s: %s", file, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		error_set(e, ERR_INVALID, "%s is not a file", file);
	} else if ((st.st_mode & others) != 0 && !is_systemd_credential(file)) {
		error_set(e, ERR_INVALID, "others can get at %s; make its mode 0600", file);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
read_master_password(struct upstream *u, struct error *e)
{
	int fd, rc;

	if ((fd = open_secret(u->master_password_file, e)) < 0)
		return ERR_INVALID;
	rc = password_from_descriptor(fd, &u->master, e);
	close(fd);
	return rc;
}

static int
check_master(const struct config *config, struct upstream *u, const struct setting_lines *lines,
    struct config_report *report)
{
	struct error e = { 0 };
	int rc;

	if ((u->master_user[0] == '\0') != (u->master_password_file == NULL)) {
		config_report_add(report, CONFIG_FAULT,
		    line_near(lines, SETTING_UPSTREAM,
			u->master_user[0] != '\0' ? "master_user" : "master_password_file"),
		    "master_user and master_password_file need each other");
		return 0;
	}
	if (u->master_password_file == NULL || config->is_outline)
		return 0;
	rc = credentials_set_user(&u->master, u->master_user, strlen(u->master_user));
	if (rc == ERR_INVALID)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_UPSTREAM, "master_user"),
		    "master_user: \"%s\" cannot be a user name", u->master_user);
	if (rc == 0 && (rc = read_master_password(u, &e)) != 0 && rc != ERR_NO_MEMORY)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_UPSTREAM, "master_password_file"),
		    "master_password_file: %s", e.text);
	return rc == ERR_NO_MEMORY ? rc : 0;
}

int
config_check_logins(const struct config *config, struct upstream *u,
    const struct setting_lines *lines, struct config_report *report)
{
	char separator = u->master_separator[0];
	bool external = (u->auth_mechanisms & SASL_EXTERNAL) != 0;

	if (separator != '\0' && strchr("!#$%&*+,/:;<=>?^|~", separator) == NULL)
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_UPSTREAM, "master_separator"),
		    "master_separator: expected a sign such as \"*\", found \"%c\"", separator);
	if (external && u->master_user[0] == '\0')
		config_report_add(report, CONFIG_FAULT,
		    line_of(lines, SETTING_UPSTREAM, "auth_mechanisms"),
		    "auth_mechanisms: external needs a master_user, for a certificate is no "
		    "password");
	return check_master(config, u, lines, report);
}

void
config_check_external(
    const struct config *config, const struct config_lines *lines, struct config_report *report)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].client_certificate != TLS_CLIENT_NONE)
			return;
	for (size_t i = 0; i < config->upstream_count; i++)
		if ((config->upstreams[i].auth_mechanisms & SASL_EXTERNAL) != 0)
			config_report_add(report, CONFIG_WARNING,
			    line_of(&lines->upstreams[i], SETTING_UPSTREAM, "auth_mechanisms"),
			    "auth_mechanisms: external is of no use while no listener has a "
			    "client_certificate");
}
