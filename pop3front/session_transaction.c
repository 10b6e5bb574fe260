/* session_transaction.c - commands that need nothing but the snapshot (RFC 1939 section 5). */
#include <inttypes.h>
#include <string.h>

#include "pop3front/session_internal.h"

bool
session_find_message(struct pop3_session *s, const char *word, size_t len, size_t *number,
    const struct snapshot_message **out, int *rc)
{
	uint64_t wanted;
	int found;

	if (command_number(word, len, &wanted) != 0) {
		*rc = session_bad_command(s, REPLY_BAD_NUMBER);
		return false;
	}
	found = snapshot_lookup(s->maildrop.snapshot, wanted, out);
	if (found != 0) {
		*rc = session_reply(s, found == ERR_GONE ? REPLY_MARKED : REPLY_NO_SUCH_MESSAGE);
		return false;
	}
	*number = (size_t) wanted;
	return true;
}

int
session_stat(struct pop3_session *s, const struct command *c)
{
	(void) c;
	return session_reply_format(s, "+OK %zu %" PRIu64, snapshot_left(s->maildrop.snapshot),
	    snapshot_left_octets(s->maildrop.snapshot));
}

/* One line of a listing, after PREFIX. */
typedef int listing_line(struct pop3_session *s, const char *prefix, size_t number);

static int
size_line(struct pop3_session *s, const char *prefix, size_t number)
{
	return session_reply_format(s, "%s%zu %" PRIu64, prefix, number,
	    snapshot_at(s->maildrop.snapshot, number)->size);
}

static int
uidl_line(struct pop3_session *s, const char *prefix, size_t number)
{
	char uidl[UIDL_MAX + 1];

	snapshot_uidl(s->maildrop.snapshot, number, uidl);
	return session_reply_format(s, "%s%zu %s", prefix, number, uidl);
}

/* LIST and UIDL, with an argument or without. */
static int
listing(struct pop3_session *s, const struct command *c, listing_line *line)
{
	const struct snapshot *snapshot = s->maildrop.snapshot;
	const struct snapshot_message *m;
	size_t number;
	int rc;

	if (c->words == 1) {
		if (!session_find_message(s, c->word[0], c->word_len[0], &number, &m, &rc))
			return rc;
		return line(s, "+OK ", number);
	}
	rc = session_reply_format(s, "+OK %zu messages", snapshot_left(snapshot));
	for (number = 1; rc == 0 && number <= snapshot_count(snapshot); number++)
		if (!snapshot_at(snapshot, number)->deleted)
			rc = line(s, "", number);
	return rc != 0 ? rc : session_reply(s, ".");
}

int
session_list(struct pop3_session *s, const struct command *c)
{
	return listing(s, c, size_line);
}

int
session_uidl(struct pop3_session *s, const struct command *c)
{
	return listing(s, c, uidl_line);
}

int
session_dele(struct pop3_session *s, const struct command *c)
{
	const struct snapshot_message *m;
	size_t number;
	int rc;

	if (!session_find_message(s, c->word[0], c->word_len[0], &number, &m, &rc))
		return rc;
	if (!s->maildrop.may_delete)
		return session_reply(s, REPLY_READ_ONLY);
	if (snapshot_mark(s->maildrop.snapshot, number) != 0)
		return session_reply(s, REPLY_BROKEN);
	return session_reply(s, "+OK marked");
}

int
session_rset(struct pop3_session *s, const struct command *c)
{
	(void) c;
	snapshot_unmark_all(s->maildrop.snapshot);
	return session_reply(s, "+OK no message is marked");
}
