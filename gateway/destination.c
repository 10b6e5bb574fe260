/* destination.c - see destination.h. */
#include "gateway/destination.h"

#include <stdlib.h>

#include "gateway/migration.h"

static const char *
name_of(const struct destination *d, size_t at)
{
	return d->target->mailboxes.items[at];
}

static int
select_mailbox(struct destination *d, size_t at, struct imap_mailbox *out, struct error *e)
{
	int rc = imap_select(d->imap, name_of(d, at), out, e);

	d->selected = at;
	return rc == 0 ? 0 : error_prefix(e, "mailbox \"%s\"", name_of(d, at));
}

static int
name_mailboxes(struct destination *d)
{
	const struct target *t = d->target;
	int rc = 0;

	if ((d->mailboxes = calloc(t->mailboxes.count, sizeof(*d->mailboxes))) == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < t->mailboxes.count && rc == 0; i++)
		rc = part_name_set(&d->mailboxes[i].name, t->upstream, name_of(d, i), i);
	return rc;
}

int
destination_open(struct destination *d, const struct target *target, const char *password,
    struct error *e)
{
	struct imap_mailbox first = { 0 };
	int rc;

	*d = (struct destination){ .target = target };
	if (name_mailboxes(d) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if ((rc = migration_open_new(target->upstream, target->login, password, &d->imap, e)) != 0 ||
	    (rc = select_mailbox(d, 0, &first, e)) != 0)
		return rc;
	d->mailboxes[0].uidvalidity = first.uidvalidity;
	return 0;
}

void
destination_close(struct destination *d)
{
	imap_logout(d->imap);
	for (size_t i = 0; d->mailboxes != NULL && i < d->target->mailboxes.count; i++)
		part_name_clear(&d->mailboxes[i].name);
	free(d->mailboxes);
	*d = (struct destination){ 0 };
}

/* As a login does (box.h), mailboxes that are not there are left out. */
static int
list_further(struct destination *d, size_t at, struct pairing *p, struct error *e)
{
	struct imap_mailbox mailbox = { 0 };
	int rc = select_mailbox(d, at, &mailbox, e);

	d->mailboxes[at].uidvalidity = mailbox.uidvalidity;
	if (rc == 0)
		return pairing_list_new(p, d->imap, e);
	if (!part_is_absent(d->imap, name_of(d, at), rc))
		return rc;
	d->mailboxes[at].is_absent = true;
	return pairing_begin_mailbox(p) == 0 ? 0 : error_set(e, ERR_NO_MEMORY, "out of memory");
}

int
destination_list(struct destination *d, struct pairing *p, struct error *e)
{
	int rc = pairing_list_new(p, d->imap, e);

	for (size_t i = 1; i < d->target->mailboxes.count && rc == 0; i++)
		rc = list_further(d, i, p, e);
	return rc;
}

static int
select_again(void *ctx, size_t at, struct imap **out, struct error *e)
{
	struct destination *d = ctx;
	struct imap_mailbox now = { 0 };
	int rc;

	*out = d->imap;
	if (d->selected == at)
		return 0;
	if ((rc = select_mailbox(d, at, &now, e)) != 0)
		return rc;
	if (now.uidvalidity != d->mailboxes[at].uidvalidity)
		return error_set(e, ERR_TEMPORARY, "UIDVALIDITY of \"%s\" has changed meanwhile",
		    name_of(d, at));
	return 0;
}

struct pairing_source
destination_source(struct destination *d)
{
	return (struct pairing_source){ select_again, d };
}

struct maildrop_key
destination_key(const struct destination *d, size_t at)
{
	return (struct maildrop_key){ d->target->upstream->name, d->target->login,
		d->mailboxes[at].name.remembered };
}
