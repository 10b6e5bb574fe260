/* session_transaction.c - commands on the snapshot: STAT, LIST, UIDL, DELE, RSET, NOOP (RFC 1939 sections 5 and 7). */
#include "pop3front/session_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

int
session_message_number(struct session *s, const struct command *c, unsigned index, size_t *number)
{
	const struct snapshot_message *m;
	uint64_t value;

	if (command_number(c->word[index], c->word_len[index], &value) != 0) {
		session_reply(s, "-ERR not a message number");
		return ERR_INVALID;
	}
	switch (snapshot_lookup(s->maildrop.snapshot, value, &m)) {
	case 0:
		*number = (size_t) value;
		return 0;
	case ERR_GONE:
		session_reply(s, "-ERR message is marked as deleted");
		return ERR_INVALID;
	default:
		session_reply(s, "-ERR no such message");
		return ERR_INVALID;
	}
}

static enum session_next
state_after_reply(const struct session *s)
{
	return s->over ? SESSION_OVER : SESSION_GOES_ON;
}

enum session_next
session_stat(struct session *s, const struct command *c)
{
	(void) c;
	return session_reply(s, "+OK %zu %" PRIu64, snapshot_left(s->maildrop.snapshot),
	    snapshot_left_octets(s->maildrop.snapshot));
}

enum { SHOWN_MAX = UIDL_MAX + 1 }; /* more than any number */

/* What LIST or UIDL says of message NUMBER; returns its length. */
typedef size_t show_message(const struct session *s, size_t number, char out[SHOWN_MAX]);

static size_t
show_size(const struct session *s, size_t number, char out[SHOWN_MAX])
{
	return text_from_number(snapshot_at(s->maildrop.snapshot, number)->size, 10, out);
}

static size_t
show_uidl(const struct session *s, size_t number, char out[SHOWN_MAX])
{
	snapshot_uidl(s->maildrop.snapshot, number, out);
	return strlen(out);
}

/* One line, behind PREFIX. There may be a million of them. */
static enum session_next
show_line(struct session *s, const char *prefix, size_t number, show_message *show_one)
{
	char line[8 + TEXT_NUMBER_MAX + 1 + SHOWN_MAX + 2];
	size_t len = strlen(prefix);

	memcpy(line, prefix, len);
	len += text_from_number(number, 10, line + len);
	line[len++] = ' ';
	len += show_one(s, number, line + len);
	memcpy(line + len, "\r\n", 2);
	return session_write(s, line, len + 2);
}

enum { LONG_LISTING = 200 }; /* messages that fill more than the usual output */

/* The command about one message where it names one, else about all that are not marked. */
static enum session_next
show(struct session *s, const struct command *c, show_message *show_one)
{
	const struct snapshot *snapshot = s->maildrop.snapshot;
	size_t number;

	if (c->words == 1) {
		if (session_message_number(s, c, 0, &number) != 0)
			return state_after_reply(s);
		return show_line(s, "+OK ", number, show_one);
	}
	/* Without the room it takes longer, nothing else. */
	if (snapshot_left(snapshot) > LONG_LISTING)
		(void) session_output_room(s, OUTPUT_MESSAGE);
	if (session_reply(s, "+OK %zu messages", snapshot_left(snapshot)) == SESSION_OVER)
		return SESSION_OVER;
	/* To a client that is gone nothing is written, so nothing would make other sessions' turn come. */
	for (number = 1; number <= snapshot_count(snapshot) && !s->client_gone; number++) {
		if (snapshot_at(snapshot, number)->deleted)
			continue;
		if (show_line(s, "", number, show_one) == SESSION_OVER)
			return SESSION_OVER;
	}
	return session_reply(s, ".");
}

enum session_next
session_list(struct session *s, const struct command *c)
{
	return show(s, c, show_size);
}

enum session_next
session_uidl(struct session *s, const struct command *c)
{
	return show(s, c, show_uidl);
}

enum session_next
session_dele(struct session *s, const struct command *c)
{
	size_t number;

	if (session_message_number(s, c, 0, &number) != 0)
		return state_after_reply(s);
	switch (snapshot_mark(s->maildrop.snapshot, number)) {
	case 0:
		return session_reply(s, "+OK message marked");
	case ERR_READ_ONLY:
		return session_reply(s, "-ERR [SYS/PERM] messages of this mailbox cannot be deleted");
	default:
		return session_reply(s, "-ERR message was not handed over completely");
	}
}

enum session_next
session_rset(struct session *s, const struct command *c)
{
	(void) c;
	snapshot_unmark_all(s->maildrop.snapshot);
	return session_reply(s, "+OK no message is marked");
}

enum session_next
session_noop(struct session *s, const struct command *c)
{
	(void) c;
	return session_reply(s, "+OK");
}
