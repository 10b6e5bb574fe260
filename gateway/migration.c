/* migration.c - see migration.h. */
#include "gateway/migration.h"

#include <string.h>

#include "gateway/pop3_client.h"
#include "gateway/way.h"

/* The new server of M for who goes the way W. What a service chooses only a login knows. */
static const struct upstream *
find_new(const struct migration *m, const struct way *w)
{
	if (m->new != NULL)
		return m->new;
	for (size_t i = 0; i < w->count; i++)
		if (w->upstreams[i]->protocol == UPSTREAM_IMAP)
			return w->upstreams[i];
	return m->usual_new;
}

/* The old server of those that move to NEW by the way W. */
static const struct upstream *
find_old(const struct migration *m, const struct way *w, const struct upstream *new)
{
	if (m->old != NULL)
		return m->old;
	if (new->old != NULL)
		return new->old;
	if (new->learn_from != NULL)
		return new->learn_from;
	for (size_t i = 0; i < w->count; i++)
		if (w->upstreams[i]->protocol == UPSTREAM_POP3)
			return w->upstreams[i];
	return m->usual_old;
}

int
migration_find(const struct migration *m, const char *account, struct migration_ends *ends,
    struct error *e)
{
	const struct upstream *new;
	struct way way;
	int rc;

	if ((rc = way_find(m->config, account, &way, e)) != 0)
		return rc == ERR_GONE ? (e->code = ERR_PERMANENT) : rc;
	new = find_new(m, &way);
	if ((rc = way_aim(&way, new, &ends->new, e)) != 0)
		return rc;
	ends->old = find_old(m, &way, new);
	/* Who is passed on to it by his state says the account's name there; by his route, the route's. */
	ends->old_login = ends->old != NULL && way_leads_to(&way, ends->old) ? ends->new.login : account;
	return 0;
}

void
migration_ends_clear(struct migration_ends *ends)
{
	target_clear(&ends->new);
}

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
    struct imap **out, struct error *e)
{
	static const struct imap_id_field id[] = { { "name", "popgate" },
		{ "version", POPGATE_VERSION } };
	struct credentials c = { 0 };
	struct imap *imap = NULL;
	char server[160];
	int rc;

	*out = NULL;
	if ((rc = migration_credentials(u, login, password, &c, e)) != 0 ||
	    (rc = imap_open(&u->imap, &imap, e)) != 0)
		goto out;
	if (!u->send_id || (rc = imap_id(imap, id, 2, server, sizeof(server), e)) == 0)
		rc = imap_login(imap, &c, e);
	if (rc == 0)
		*out = imap;
	else
		imap_logout(imap);
out:
	credentials_clear(&c);
	return rc;
}
