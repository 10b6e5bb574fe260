/* uidl_bench.c - see uidl_options.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/identity.h"
#include "gateway/state_directory.h"
#include "gateway/uidl_options.h"

/* For the ledger: all UIDLs of a large mailbox are one transaction, and no client waits for it. */
enum { PATIENCE_MS = 60000 };

int
uidl_complain(const struct uidl_options *o, int status, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s%s%s\n", o->command, what, why[0] != '\0' ? ": " : "", why);
	return status;
}

void
uidl_tell_called_off(const struct uidl_options *o)
{
	fprintf(stderr,
	    "%s: interrupted; those who are begun are finished (once more ends it at once)\n", o->command);
}

int
uidl_complain_of_left(const struct uidl_options *o, size_t left)
{
	fprintf(stderr, "%s: interrupted; %zu users are left: call it again for them\n", o->command,
	    left);
	return EX_TEMPFAIL;
}

static int
load_config(struct uidl_bench *b, const struct uidl_options *o)
{
	struct config_report report = { 0 };
	int rc = config_load(o->config, &b->config, &report);

	config_report_print(&report, o->config, stderr);
	config_report_clear(&report);
	if (rc != 0)
		return rc == ERR_NO_MEMORY ? EX_OSERR : EX_CONFIG;
	return 0;
}

/* The upstream NAME, or where that is NULL the first one that speaks PROTOCOL. */
static const struct upstream *
find_upstream(const struct config *config, const char *name, enum upstream_protocol protocol)
{
	if (name != NULL)
		return config_upstream(config, name);
	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].protocol == protocol)
			return &config->upstreams[i];
	return NULL;
}

static int
find_servers(struct uidl_bench *b, const struct uidl_options *o)
{
	const struct upstream *new = find_upstream(b->config, o->new, UPSTREAM_IMAP);
	const struct upstream *old = find_upstream(b->config, o->old, UPSTREAM_POP3);

	if (new == NULL)
		return uidl_complain(o, EX_USAGE, "--new: no such upstream", o->new != NULL ? o->new : "");
	if (new->protocol != UPSTREAM_IMAP)
		return uidl_complain(o, EX_USAGE, "--new: this upstream does not speak IMAP", new->name);
	if (old == NULL && o->old != NULL)
		return uidl_complain(o, EX_USAGE, "--old: no such upstream", o->old);
	if (old != NULL && old->protocol != UPSTREAM_POP3)
		return uidl_complain(o, EX_USAGE, "--old: this upstream does not speak POP3", old->name);
	b->migration = (struct migration){ .config = b->config,
		.old = o->old != NULL ? old : NULL,
		.new = o->new != NULL ? new : NULL,
		.usual_old = old,
		.usual_new = new };
	return 0;
}

/* Nobody is done twice at the same time, by two passwords, say. */
static int
refuse_twice(const struct uidl_bench *b, const struct uidl_options *o)
{
	const struct listed_user *first, *second;
	char what[64];
	int rc = user_list_find_twice(b->users.users, b->users.count, &first, &second);

	if (rc == ERR_NO_MEMORY)
		return uidl_complain(o, EX_OSERR, "users", "out of memory");
	if (rc == 0)
		return 0;
	if (second->line != 0)
		snprintf(what, sizeof(what), "line %u: the user is in line %u already", second->line,
		    first->line);
	else if (first->line != 0)
		snprintf(what, sizeof(what), "a user of line %u is on the command line too", first->line);
	else
		snprintf(what, sizeof(what), "a user is there twice");
	return uidl_complain(o, EX_DATAERR, first->line != 0 ? o->users : "users", what);
}

/* Those of the command line stand behind those of the file. */
static int
load_users(struct uidl_bench *b, const struct uidl_options *o)
{
	struct error e = { 0 };
	size_t count = o->operand_count;
	struct listed_user *users;

	if (o->users != NULL && user_list_read(&b->users, o->users, &e) != 0)
		return uidl_complain(
		    o, e.code == ERR_INVALID ? EX_DATAERR : EX_NOINPUT, o->users, e.text);
	if (count == 0)
		return refuse_twice(b, o);
	users = realloc(b->users.users, (b->users.count + count) * sizeof(*users));
	if (users == NULL)
		return uidl_complain(o, EX_OSERR, "out of memory", "");
	b->users.users = users;
	for (size_t i = 0; i < count; i++)
		users[b->users.count++] = (struct listed_user){ .name = o->operands[i] };
	return refuse_twice(b, o);
}

static int
open_ledger(struct uidl_bench *b, const struct uidl_options *o)
{
	struct error e = { 0 };

	/* Files that root makes would be root's, and the workers could not use them. */
	if (identity_assume_owner(b->config->user, b->config->state_directory, &e) != 0)
		return uidl_complain(o, EX_NOPERM, "user", e.text);
	if (state_directory_prepare(b->config->state_directory, &e) != 0)
		return uidl_complain(o, EX_CANTCREAT, "state_directory", e.text);
	if (ledger_open(b->config->state_directory, &b->ledger) != 0)
		return uidl_complain(o, EX_OSERR, "out of memory", "");
	ledger_set_patience(b->ledger, PATIENCE_MS);
	if (ledger_check(b->ledger, &e) != 0)
		return uidl_complain(o, EX_CANTCREAT, "the state store", e.text);
	return 0;
}

int
uidl_bench_prepare(struct uidl_bench *b, const struct uidl_options *o)
{
	int status;

	*b = (struct uidl_bench){ 0 };
	if ((status = load_config(b, o)) != 0 || (status = find_servers(b, o)) != 0 ||
	    (status = load_users(b, o)) != 0)
		return status;
	return open_ledger(b, o);
}

void
uidl_bench_clear(struct uidl_bench *b)
{
	ledger_close(b->ledger);
	user_list_clear(&b->users);
	config_unref(b->config);
	*b = (struct uidl_bench){ 0 };
}

FILE *
uidl_open_output(const struct uidl_options *o, const char *path)
{
	FILE *file = fopen(path, "we");

	if (file == NULL)
		uidl_complain(o, EX_CANTCREAT, path, strerror(errno));
	return file;
}
