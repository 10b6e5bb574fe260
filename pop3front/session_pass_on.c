/* session_pass_on.c - a session whose maildrop is at another POP3 server: from the answer to the login on, that one speaks.
 */
#include "pop3front/session_internal.h"

enum session_next
session_pass_on(struct session *s)
{
	struct pop3_report *report = s->report;
	struct pop3_passage passage;
	enum pop3_end end;

	report->passed_on = true;
	if (session_reply(s, "+OK logged in") == SESSION_OVER || session_flush(s) == SESSION_OVER)
		return SESSION_OVER;
	session_output_drop(s);
	passage = (struct pop3_passage) {
		.client = s->client,
		.ahead = line_buffer_rest(&s->input),
		.ahead_len = line_buffer_left(&s->input),
		.idle_ms = s->settings->idle_ms,
		.write_ms = s->settings->write_ms,
	};
	end = s->backend->pass_on(s->maildrop.handle, &passage, &report->error);
	report->commands += passage.commands;
	report->octets += passage.octets;
	s->must_abort = passage.must_abort;
	return session_end(s, end);
}
