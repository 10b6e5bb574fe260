/* uidl_verify.c - "popgate uidl verify": whether a move is safe (docs/migration.md). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "gateway/crew.h"
#include "gateway/progress_view.h"
#include "gateway/readiness.h"
#include "gateway/uidl_options.h"
#include "gateway/verifier.h"

enum { EXIT_UNSAFE = 1 };

struct verification {
	const struct uidl_options *options;
	struct uidl_bench bench;
	struct verifier verifier;
	struct readiness readiness;
	struct progress_view view;
};

/* Foreign TEXT, of VERIFY_MAILBOX octets at most. */
static void
print_escaped(const char *text)
{
	char shown[VERIFY_MAILBOX * 4 + 4];

	text_escape(text, strlen(text), shown, sizeof(shown));
	printf("%s", shown);
}

static void
print_more(size_t count, const char *what)
{
	if (count > VERIFY_DETAILS)
		printf("  and %zu more %s\n", count - VERIFY_DETAILS, what);
}

static void
print_change(const struct verify_detail *d)
{
	printf("  UID %u ", (unsigned) d->uid);
	if (d->mailbox[0] != '\0') {
		printf("of ");
		print_escaped(d->mailbox);
		printf(" ");
	}
	printf("changed: ");
	print_escaped(d->before);
	printf(" is now ");
	print_escaped(d->now);
	printf("\n");
}

/* Some of the messages that are not as they were. */
static void
print_details(const struct verify_result *r)
{
	for (size_t i = 0; i < r->changed && i < VERIFY_DETAILS; i++)
		print_change(&r->changes[i]);
	print_more(r->changed, "changed");
	for (size_t i = 0; i < r->missing && i < VERIFY_DETAILS; i++) {
		printf("  missing: ");
		print_escaped(r->losses[i].before);
		printf("\n");
	}
	print_more(r->missing, "missing");
}

static void
work(void *ctx, size_t at)
{
	struct verification *v = ctx;
	const struct listed_user *user = &v->bench.users.users[at];
	struct verify_result result;

	verifier_run(&v->verifier, user, &result);
	v->view.so_far.done++;
	progress_view_pause(&v->view);
	readiness_add(&v->readiness, user->name, &result);
	if (!v->options->readiness)
		print_details(&result);
}

static void
tick(void *ctx)
{
	struct verification *v = ctx;

	progress_view_tick(&v->view);
}

static void
called_off(void *ctx)
{
	struct verification *v = ctx;

	progress_view_pause(&v->view);
	uidl_tell_called_off(v->options);
}

static int
run(struct verification *v)
{
	const struct crew crew = { .jobs = v->bench.users.count,
		.hands = v->options->jobs,
		.per_minute = v->options->per_minute,
		.work = work,
		.tick = tick,
		.called_off = called_off,
		.ctx = v };
	size_t left;
	int rc;

	v->verifier = (struct verifier){ &v->bench.migration, v->bench.ledger };
	v->readiness.table = stdout;
	if (readiness_begin(&v->readiness) != 0)
		return uidl_complain(v->options, EX_CANTCREAT, "--html", strerror(errno));
	progress_view_begin(&v->view, stderr, v->bench.users.count);
	rc = crew_run(&crew, &left);
	progress_view_pause(&v->view);
	readiness_end(&v->readiness);
	if (rc != 0)
		return uidl_complain(v->options, EX_OSERR, "verify", error_name(rc));
	if (left > 0)
		uidl_complain_of_left(v->options, left);
	if (v->readiness.unsafe > 0)
		return EXIT_UNSAFE;
	return v->readiness.failed > 0 || left > 0 ? EX_TEMPFAIL : 0;
}

static int
prepare(struct verification *v)
{
	const struct uidl_options *o = v->options;

	if (o->users == NULL && o->operand_count == 0)
		return uidl_complain(o, EX_USAGE, "users", "give --users, or names");
	if (o->csv != NULL && (v->readiness.csv = uidl_open_output(o, o->csv)) == NULL)
		return EX_CANTCREAT;
	if (o->html != NULL && (v->readiness.html = uidl_open_output(o, o->html)) == NULL)
		return EX_CANTCREAT;
	return uidl_bench_prepare(&v->bench, o);
}

/* What was written is on its way to the disk, or that is said. */
static int
close_output(const struct uidl_options *o, FILE *file, const char *path, int status)
{
	if (file == NULL || fclose(file) == 0)
		return status;
	return uidl_complain(o, EX_IOERR, path, strerror(errno));
}

int
uidl_verify(const struct uidl_options *o)
{
	struct verification v = { .options = o };
	int status;

	if ((status = prepare(&v)) == 0)
		status = run(&v);
	status = close_output(o, v.readiness.csv, o->csv, status);
	status = close_output(o, v.readiness.html, o->html, status);
	uidl_bench_clear(&v.bench);
	return status;
}
