/* load_hold.c - sessions that rest while their server is looked at, or work while others rest. See
 * load.h. */
#include "load.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Says how far it is and waits for a line: meanwhile the server is looked at. */
static void
pause_at(struct load *l, const char *what, size_t count)
{
	char line[16];

	printf("{\"%s\": %zu}\n", what, count);
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		note(l, "the input has ended");
}

static void
fill(struct load *l, double deadline)
{
	while (l->t.ready + l->t.failed < l->o.count && l->live > 0 && now() < deadline)
		conn_wait(l, 200);
	pause_at(l, "ready", l->t.ready);
}

/* The next session that rests, after the one at *AT; NULL if none does. */
static struct conn *
next_idle(struct load *l, unsigned *at)
{
	for (unsigned i = 0; i < l->o.count; i++) {
		struct conn *c = l->held[(*at)++ % l->o.count];

		if (c != NULL && c->idle)
			return c;
	}
	return NULL;
}

static void
say(struct conn *c)
{
	c->idle = false;
	if (conn_flush(c) < 0) {
		note(c->load, "connection lost while writing (session %u)", c->session);
		conn_end(c, STEP_GREETING);
	}
}

static void
quit_all(struct load *l, double deadline)
{
	for (unsigned i = 0; i < l->o.count; i++) {
		struct conn *c = l->held[i];

		if (c != NULL && c->idle) {
			session_quit(c);
			say(c);
		}
	}
	while (l->live > 0 && now() < deadline)
		conn_wait(l, 100);
}

void
hold_run(struct load *l, double deadline)
{
	unsigned sent = 0, at = 0;
	double next;

	fill(l, deadline);
	next = now();
	while ((sent < l->o.noops || l->t.samples[SAMPLE_NOOP].count < sent) && l->live > 0) {
		double t = now();

		for (; sent < l->o.noops && t >= next; next += 1.0 / l->o.rate) {
			struct conn *c = next_idle(l, &at);

			if (c == NULL)
				break;
			conn_command(c, STEP_NOOP, "NOOP");
			say(c);
			sent++;
		}
		conn_wait(l, 1);
		if (t > deadline || (sent == l->o.noops && t > next + 10))
			break;
	}
	pause_at(l, "noops", l->t.samples[SAMPLE_NOOP].count);
	quit_all(l, deadline);
}

static bool
told_to_stop(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, 0) > 0;
}

void
work_run(struct load *l, double deadline)
{
	unsigned at = 0;
	double next;

	fill(l, deadline);
	next = l->t.retr_begin = now();
	while (l->live > 0 && now() < deadline && !told_to_stop()) {
		for (double t = now(); t >= next; next += 1.0 / l->o.rate) {
			struct conn *c = next_idle(l, &at);

			if (c == NULL) { /* all are at it: this is as fast as it goes */
				next = t;
				break;
			}
			conn_command(c, STEP_RETR, "RETR %zu", c->sent++ % c->exists + 1);
			say(c);
		}
		conn_wait(l, 1);
	}
	l->t.retr_end = now();
	while (l->live > 0 && now() < deadline) {
		/* What was being fetched may end first. */
		quit_all(l, now() + 0.1);
	}
}
