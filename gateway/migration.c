/* migration.c - see migration.h. */
#include "gateway/migration.h"

#include <string.h>

#include "gateway/pop3_client.h"

int
migration_credentials(const struct upstream *u, const char *login, const char *password,
    struct credentials *c, struct error *e)
{
	int rc;

	if (password == NULL && u->master.password == NULL)
		return error_set(e, ERR_PERMANENT, "there is no password, and %s has no master_user",
		    u->name);
	rc = credentials_set_user(c, login, strlen(login));
	if (rc == 0 && password != NULL)
		rc = credentials_set_password(c, password, strlen(password));
	if (rc == 0 && password == NULL)
		rc = credentials_set_master(c, u->master.user, strlen(u->master.user));
	if (rc == 0 && password == NULL)
		rc = credentials_set_password(c, u->master.password, u->master.password_len);
	return rc == 0 ? 0 : error_set(e, rc, "user name or password: %s", error_name(rc));
}

int
migration_open_old(const struct upstream *u, const char *login, const char *password,
    struct pop3_client **out, struct error *e)
{
	struct credentials c = { 0 };
	struct pop3_client *client = NULL;
	int rc;

	if ((rc = migration_credentials(u, login, password, &c, e)) != 0 ||
	    (rc = pop3_client_open(&u->imap, &client, e)) != 0)
		goto out;
	if ((rc = pop3_client_login(client, &c, e)) == 0)
		*out = client;
	else
		pop3_client_quit(client);
out:
	credentials_clear(&c);
	return rc;
}

int
migration_open_new(const struct upstream *u, const char *login, const char *password,
    const char *mailbox, struct imap **out, struct imap_mailbox *selected, struct error *e)
{
	static const struct imap_id_field id[] = { { "name", "popgate" },
		{ "version", POPGATE_VERSION } };
	struct credentials c = { 0 };
	struct imap *imap = NULL;
	char server[160];
	int rc;

	if ((rc = migration_credentials(u, login, password, &c, e)) != 0 ||
	    (rc = imap_open(&u->imap, &imap, e)) != 0)
		goto out;
	if ((!u->send_id || (rc = imap_id(imap, id, 2, server, sizeof(server), e)) == 0) &&
	    (rc = imap_login(imap, &c, e)) == 0 &&
	    (rc = imap_select(imap, mailbox, selected, e)) != 0)
		error_prefix(e, "mailbox \"%s\"", mailbox);
	if (rc == 0)
		*out = imap;
	else
		imap_logout(imap);
out:
	credentials_clear(&c);
	return rc;
}
