/* session_quit.c - QUIT, and with it the UPDATE state (RFC 1939 sections 4 and 6).
 *
 * The answer tells the truth: +OK only when every marked message is gone. */
#include "pop3front/session_internal.h"

#include <inttypes.h>

/* From the complete QUIT line on the client need not be there any more. So nothing is read or written before the backend
 * has done its work, and answers to earlier commands wait in their buffer. */
enum session_next
session_quit(struct session *s, const struct command *c)
{
	struct deletion_result *result = &s->report->deleted;
	uint64_t marked;
	int rc;

	(void) c;
	if (s->state == SESSION_AUTHORIZATION)
		return session_last_words(s, POP3_END_QUIT, "+OK bye");
	marked = snapshot_marked(s->maildrop.snapshot);
	*result = (struct deletion_result) { .marked = marked, .remaining = marked };
	rc = s->backend->commit(s->maildrop.handle, result, &s->report->error);
	if (rc != 0)
		session_note(s, rc);
	/* Where nothing was to be removed, what failed was the marking of messages as read: not the client's concern. */
	if (rc == 0 || marked == 0)
		return session_last_words(s, POP3_END_QUIT, "+OK bye");
	session_reply(s, "-ERR [SYS/TEMP] %" PRIu64 " of %" PRIu64 " messages not removed",
	    result->remaining, result->marked);
	return session_end(s, POP3_END_QUIT_FAILED);
}
