/* failpoint.c - see failpoint.h. Empty unless POPGATE_FAILPOINTS is defined. */
#include "base/failpoint.h"

#ifdef POPGATE_FAILPOINTS
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum action { NONE, KILL, STOP, ERROR, DELAY };

struct point {
	const char *name;
	enum action action;
	uint64_t delay_ms;
	uint64_t at; /* which time */
	atomic_uint_fast64_t reached;
};

/* Every place there is, in the order of a session; then those of a process. */
static struct point points[] = {
	{ .name = "maildrop.after_login" },
	{ .name = "maildrop.after_lock" },
	{ .name = "maildrop.after_select" },
	{ .name = "maildrop.after_list" },
	{ .name = "lock.take" },
	{ .name = "replay.before" },
	{ .name = "replay.after" },
	{ .name = "retr.begin" },
	{ .name = "retr.chunk" },
	{ .name = "retr.end" },
	{ .name = "turn.before" },
	{ .name = "turn.after" },
	{ .name = "reconnect.before" },
	{ .name = "reconnect.after_login" },
	{ .name = "reconnect.after_select" },
	{ .name = "journal.open" },
	{ .name = "journal.write" },
	{ .name = "ledger.open" },
	{ .name = "ledger.write" },
	{ .name = "quit.before_intent" },
	{ .name = "quit.after_intent" },
	{ .name = "store.before" },
	{ .name = "store.after" },
	{ .name = "search.before" },
	{ .name = "lift.after" },
	{ .name = "lift.restored" },
	{ .name = "expunge.before" },
	{ .name = "expunge.after" },
	{ .name = "copy.after" },
	{ .name = "move.before" },
	{ .name = "move.after" },
	{ .name = "unflag.before" },
	{ .name = "verify.before" },
	{ .name = "verify.after" },
	{ .name = "quit.before_done" },
	{ .name = "quit.after_done" },
	{ .name = "worker.start" },
};
enum { POINTS = sizeof(points) / sizeof(points[0]) };

/* Without the log's help: a kill must not lose it. */
static void
note(const char *name)
{
	const char *path = getenv("POPGATE_FAILPOINT_LOG");
	char line[64];
	int fd, len;

	if (path == NULL || (fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		return;
	len = snprintf(line, sizeof(line), "%s\n", name);
	if (write(fd, line, (size_t) len) < 0)
		abort();
	close(fd);
}

static void
pause_for(uint64_t ms)
{
	struct timespec left = { (time_t) (ms / 1000), (long) (ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) != 0)
		;
}

static struct point *
find(const char *name, size_t len)
{
	for (size_t i = 0; i < POINTS; i++)
		if (strlen(points[i].name) == len && memcmp(points[i].name, name, len) == 0)
			return &points[i];
	return NULL;
}

int
failpoint_reached(const char *name)
{
	struct point *p = find(name, strlen(name));

	if (p == NULL)
		abort(); /* it is missing in the table */
	if (p->action == NONE || atomic_fetch_add(&p->reached, 1) + 1 != p->at)
		return 0;
	note(name);
	switch (p->action) {
	case KILL:
		raise(SIGKILL);
		break;
	case STOP:
		raise(SIGSTOP);
		break;
	case DELAY:
		pause_for(p->delay_ms);
		break;
	case ERROR:
		return ERR_TEMPORARY;
	case NONE:
		break;
	}
	return 0;
}

int
failpoint_error(const char *name, struct error *e)
{
	int rc = failpoint_reached(name);

	return rc == 0 ? 0 : error_set(e, rc, "fail point %s", name);
}

static bool
parse_action(struct point *p, const char *text, size_t len)
{
	static const char delay[] = "delay:";
	static const struct {
		const char *word;
		enum action action;
	} words[] = { { "kill", KILL }, { "stop", STOP }, { "error", ERROR } };
	const char *at = memchr(text, '@', len);

	p->at = 1;
	if (at != NULL) {
		if (text_to_number(at + 1, (size_t) (text + len - at - 1), UINT32_MAX, &p->at) != 0)
			return false;
		len = (size_t) (at - text);
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == len && memcmp(words[i].word, text, len) == 0) {
			p->action = words[i].action;
			return true;
		}
	p->action = DELAY;
	return len > strlen(delay) && memcmp(text, delay, strlen(delay)) == 0 &&
	       text_to_number(
		   text + strlen(delay), len - strlen(delay), UINT32_MAX, &p->delay_ms) == 0;
}

/* "NAME=ACTION". */
static bool
parse_one(const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	struct point *p;

	if (equals == NULL || (p = find(text, (size_t) (equals - text))) == NULL)
		return false;
	return parse_action(p, equals + 1, (size_t) (text + len - equals - 1));
}

void
failpoint_setup(void)
{
	const char *text = getenv("POPGATE_FAILPOINTS");

	if (text == NULL)
		return;
	if (strcmp(text, "list") == 0) {
		for (size_t i = 0; i < POINTS; i++)
			puts(points[i].name);
		exit(0);
	}
	for (size_t len; *text != '\0'; text += len + (text[len] == ';')) {
		len = strcspn(text, ";");
		if (parse_one(text, len))
			continue;
		fprintf(stderr, "POPGATE_FAILPOINTS: cannot understand \"%s\"\n", text);
		exit(1);
	}
}
#endif
