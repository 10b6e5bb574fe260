/* load_parse.c - answers of POP3 and IMAP servers, as the load generator needs them. See load.h. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

static enum step
flight_first(const struct conn *c)
{
	return (enum step) c->flight[c->flight_head % IN_FLIGHT_MAX];
}

static enum step
flight_pop(struct conn *c)
{
	return (enum step) c->flight[c->flight_head++ % IN_FLIGHT_MAX];
}

/* Finds the dot that begins a line at or after P; sets line_begin when it is there or when the
 * octets end with a line. */
static const char *
next_dot_line(struct conn *c, const char *p, const char *end)
{
	for (const char *from = p;;) {
		const char *dot = memchr(from, '.', (size_t) (end - from));

		if (dot == NULL) {
			c->line_begin = end[-1] == '\n';
			return end;
		}
		if (dot > p && dot[-1] == '\n') {
			c->line_begin = true;
			return dot;
		}
		from = dot + 1;
	}
}

/* Takes octets of a message off its dot-stuffing and hashes them. Returns how many were used; *DONE
 * at the final dot. */
static size_t
take_message(struct conn *c, const char *begin, size_t n, bool *done)
{
	const char *p = begin, *run = begin, *end = begin + n;

	*done = false;
	while (p < end) {
		if (c->line_begin && *p == '.') {
			/* Is it the final one? That takes two more octets to know. */
			if (end - p < 3 && !(end - p == 2 && p[1] != '\r'))
				break;
			session_message_add(c, run, (size_t) (p - run));
			if (p[1] == '\r' && p[2] == '\n') {
				*done = true;
				return (size_t) (p + 3 - begin);
			}
			run = ++p;
		}
		c->line_begin = false;
		p = next_dot_line(c, p, end);
	}
	session_message_add(c, run, (size_t) (p - run));
	return (size_t) (p - begin);
}

/* Takes a line off the input at *OFF: NUL-terminated in place, without its end. NULL when it is not
 * complete. */
static char *
take_line(struct conn *c, size_t *off, size_t *n)
{
	char *line = c->in + *off, *lf = memchr(line, '\n', c->in_len - *off);

	if (lf == NULL)
		return NULL;
	*off += (size_t) (lf - line) + 1;
	*n = (size_t) (lf - line);
	if (*n > 0 && line[*n - 1] == '\r')
		--*n;
	line[*n] = '\0';
	return line;
}

static bool
pop3_line(struct conn *c, char *line, size_t n)
{
	enum step s = flight_first(c);
	bool ok = strncmp(line, "+OK", 3) == 0;

	if (c->multiline && strcmp(line, ".") != 0) {
		session_list_line(c, s, line, n);
		return true;
	}
	if (c->multiline) {
		c->multiline = false;
		return session_step(c, flight_pop(c), true, "");
	}
	if (ok && (s == STEP_LIST || s == STEP_UIDL || s == STEP_RETR)) {
		c->multiline = c->line_begin = true;
		c->lines = 0;
		session_message_begin(c);
		if (s == STEP_RETR)
			sample_add(c->load, SAMPLE_FIRST,
			    now() - c->flight_sent[c->flight_head % IN_FLIGHT_MAX]);
		return true;
	}
	return session_step(c, flight_pop(c), ok, line);
}

/* The number of the message whose answer comes now. */
static size_t
retr_number(const struct conn *c)
{
	if (c->load->o.mode == MODE_WORK)
		return (c->sent - 1) % c->exists + 1;
	return c->done + 1;
}

/* Returns 1 when something was taken off the input at *OFF, 0 when more of it must come, -1 when C
 * was freed. */
static int
pop3_answer(struct conn *c, size_t *off)
{
	char *line;
	size_t n;
	bool done;

	if (c->flight_head == c->flight_tail) {
		note(c->load, "an answer without a command: %.*s", (int) (c->in_len - *off),
		    c->in + *off);
		conn_end(c, STEP_GREETING);
		return -1;
	}
	if (c->multiline && flight_first(c) == STEP_RETR) {
		*off += take_message(c, c->in + *off, c->in_len - *off, &done);
		if (!done)
			return 0;
		session_message_end(c, retr_number(c));
		c->multiline = false;
		return session_step(c, flight_pop(c), true, "") ? 1 : -1;
	}
	if ((line = take_line(c, off, &n)) == NULL)
		return 0;
	return pop3_line(c, line, n) ? 1 : -1;
}

/* An untagged FETCH of message NUMBER: a literal follows, or the size is in it. */
static void
imap_fetch(struct conn *c, size_t number, char *line, size_t n)
{
	struct load *l = c->load;
	char *brace = n > 0 && line[n - 1] == '}' ? strrchr(line, '{') : NULL, *size;

	if (brace != NULL) {
		c->literal_left = strtoull(brace + 1, NULL, 10);
		c->literal_number = number;
		c->literal = true;
		session_message_begin(c);
	} else if (l->manifest != NULL && (size = strstr(line, "RFC822.SIZE ")) != NULL) {
		c->lines++;
		if ((number == 0 || number > l->manifest_count ||
			strtoull(size + 12, NULL, 10) != l->manifest[number - 1].size) &&
		    l->t.list_bad++ < 2)
			note(l, "FETCH %zu: wrong size", number);
	}
}

static bool
imap_line(struct conn *c, char *line, size_t n)
{
	char *after;
	size_t number;

	if (line[0] == 'a' && (after = strchr(line, ' ')) != NULL &&
	    c->flight_head != c->flight_tail)
		return session_step(c, flight_pop(c), strncmp(after, " OK", 3) == 0, line);
	if (line[0] != '*')
		return true;
	if (c->flight_head != c->flight_tail && flight_first(c) == STEP_GREETING)
		return session_step(c, flight_pop(c), strncmp(line, "* OK", 4) == 0, line);
	number = strtoul(line + 1, &after, 10);
	if (strcmp(after, " EXISTS") == 0)
		c->exists = number;
	else if (strncmp(after, " FETCH ", 7) == 0)
		imap_fetch(c, number, line, n);
	return true;
}

static int
imap_answer(struct conn *c, size_t *off)
{
	char *line;
	size_t n;

	if (c->literal) {
		n = c->in_len - *off;
		if (n > c->literal_left)
			n = c->literal_left;
		session_message_add(c, c->in + *off, n);
		c->literal_left -= n;
		*off += n;
		if (c->literal_left > 0)
			return 0;
		session_message_end(c, c->literal_number);
		c->literal = false;
		return 1;
	}
	if ((line = take_line(c, off, &n)) == NULL)
		return 0;
	return imap_line(c, line, n) ? 1 : -1;
}

bool
parse_answers(struct conn *c)
{
	size_t off = 0;
	int rc = 1;

	while (rc == 1 && off < c->in_len)
		if ((rc = c->load->o.imap ? imap_answer(c, &off) : pop3_answer(c, &off)) < 0)
			return false;
	if (off == 0 && c->in_len == c->load->in_room) {
		note(c->load, "a line is too long");
		conn_end(c, STEP_GREETING);
		return false;
	}
	memmove(c->in, c->in + off, c->in_len - off);
	c->in_len -= off;
	return true;
}
