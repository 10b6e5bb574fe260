/* load_report.c - what the load generator has seen, as one JSON object. See load.h. */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *
step_name(enum step s)
{
	static const char *const names[] = { "the greeting", "STLS", "USER", "PASS", "STAT", "LIST",
		"UIDL", "RETR", "DELE", "QUIT", "NOOP", "LOGIN", "SELECT", "FETCH of sizes",
		"FETCH", "STORE", "EXPUNGE" };

	return names[s];
}

void
sample_add(struct load *l, enum sample kind, double seconds)
{
	struct samples *s = &l->t.samples[kind];

	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 1024;
		s->v = grown(s->v, s->room * sizeof(double));
	}
	s->v[s->count++] = seconds;
}

void
note(struct load *l, const char *fmt, ...)
{
	va_list args;
	char *text;

	if (l->t.error_count++ >= ERRORS_KEPT)
		return;
	text = l->t.errors[l->t.error_count - 1];
	va_start(args, fmt);
	vsnprintf(text, ERROR_TEXT, fmt, args);
	va_end(args);
	/* It goes into JSON, and may quote anything. */
	for (char *p = text; *p != '\0'; p++)
		if (*p == '"' || *p == '\\' || *p < ' ' || *p > '~')
			*p = '\'';
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static int
by_hash(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return (x > y) - (x < y);
}

static void
print_samples(const char *name, struct samples *s)
{
	double sum = 0;

	if (s->count == 0)
		return;
	qsort(s->v, s->count, sizeof(double), by_value);
	for (size_t i = 0; i < s->count; i++)
		sum += s->v[i];
	printf(
	    ", \"%s\": {\"n\": %zu, \"mean\": %.6f, \"p50\": %.6f, \"p99\": %.6f, \"max\": %.6f}",
	    name, s->count, sum / (double) s->count, s->v[s->count / 2],
	    s->v[(s->count - 1) * 99 / 100], s->v[s->count - 1]);
}

static size_t
count_duplicates(struct tally *t)
{
	size_t duplicates = 0;

	if (t->uidl_count == 0)
		return 0;
	qsort(t->uidls, t->uidl_count, sizeof(*t->uidls), by_hash);
	for (size_t i = 1; i < t->uidl_count; i++)
		duplicates += t->uidls[i] == t->uidls[i - 1];
	return duplicates;
}

int
report(struct load *l)
{
	static const char *const names[SAMPLE_KINDS] = { "total", "auth", "select", "stat", "list",
		"uidl", "retr", "first_line", "dele", "quit", "noop" };
	struct tally *t = &l->t;
	size_t duplicates = count_duplicates(t);
	double wall = now() - t->begin, retr = t->retr_end - t->retr_begin;

	printf("{\"wall\": %.6f, \"sessions\": %u, \"failed\": %u, \"timed_out\": %s, "
	       "\"sessions_per_s\": %.3f, \"messages\": %llu, \"bytes\": %llu, \"bad\": %llu, "
	       "\"list_bad\": %llu, \"deleted\": %llu, \"uidl_dup\": %zu",
	    wall, t->finished, t->failed, l->live > 0 ? "true" : "false", t->finished / wall,
	    (unsigned long long) t->messages, (unsigned long long) t->octets,
	    (unsigned long long) t->bad, (unsigned long long) t->list_bad,
	    (unsigned long long) t->deleted, duplicates);
	if (t->uidl_count > 0)
		printf(", \"uidl_hash\": \"%016llx\"",
		    (unsigned long long) xxh64_value(&t->uidl_hash));
	if (retr > 0 && t->messages > 0)
		printf(", \"retr_wall\": %.6f, \"msgs_per_s\": %.3f, \"mb_per_s\": %.3f", retr,
		    (double) t->messages / retr, (double) t->octets / retr / 1e6);
	for (int kind = 0; kind < SAMPLE_KINDS; kind++)
		print_samples(names[kind], &t->samples[kind]);
	printf(", \"errors\": [");
	for (unsigned i = 0; i < t->error_count && i < ERRORS_KEPT; i++)
		printf("%s\"%s\"", i > 0 ? ", " : "", t->errors[i]);
	printf("], \"error_count\": %u}\n", t->error_count);
	return t->failed > 0 || l->live > 0 || t->bad > 0 || t->list_bad > 0 || duplicates > 0;
}
