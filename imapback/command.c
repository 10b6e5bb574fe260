/* command.c - one IMAP command at a time: sent by us, answered through libetpan's parser. */
#include <stdlib.h>
#include <string.h>

#include "base/reserve.h"
#include "base/text.h"
#include "imapback/imap_internal.h"

/* The parser's line buffer grows with the longest line and would stay so; sessions rest for long.
 */
enum { LINE_BUFFER_KEPT = 1024 };

int
imap_dead_error(const struct imap *imap, struct error *e)
{
	return error_set(e, imap->error.code, "%s", imap->error.text);
}

static uint64_t
budget(const struct imap *imap)
{
	return IMAP_BUDGET + (uint64_t) imap->exists * IMAP_MESSAGE_BUDGET;
}

/* Puts the tag, TEXT and END into the parser's stream and sends all that is in it. */
static int
send_line(struct imap *imap, const char *text, const char *end, enum guard_expectation expectation)
{
	mailstream *stream = imap->session->imap_stream;

	if (imap->dead || imap_batch_close(imap, NULL) != 0)
		return imap->error.code;
	guard_expect(&imap->guard, expectation, budget(imap));
	imap_wait_anew(imap);
	if (mailimap_send_current_tag(imap->session) != MAILIMAP_NO_ERROR ||
	    mailstream_write(stream, text, strlen(text)) < 0 ||
	    mailstream_write(stream, end, strlen(end)) < 0 || mailstream_flush(stream) < 0)
		return imap_fail(imap, ERR_CLOSED, "a command could not be sent");
	return 0;
}

int
imap_send(struct imap *imap, const char *text, enum guard_expectation expectation)
{
	return send_line(imap, text, "", expectation);
}

int
imap_send_line(struct imap *imap, const char *text, enum guard_expectation expectation)
{
	return send_line(imap, text, "\r\n", expectation);
}

int
imap_read_line(struct imap *imap, const char **line)
{
	*line = imap->dead ? NULL : mailimap_read_line(imap->session);
	if (*line == NULL)
		return imap_fail(imap, ERR_PROTOCOL, "the server's answer has no line end");
	return 0;
}

/* Whether the answer is to the command that runs. */
static bool
is_ours(const struct imap *imap, const struct guard_answer *answer)
{
	char tag[sizeof(answer->tag)];

	snprintf(tag, sizeof(tag), "%i", imap->session->imap_tag);
	return strcmp(tag, answer->tag) == 0;
}

static void
describe(const struct guard_answer *answer, struct imap_outcome *outcome)
{
	*outcome = (struct imap_outcome){
		.ok = answer->status == GUARD_OK,
		.status = answer->status == GUARD_NO ? RESPONSE_NO : RESPONSE_BAD,
	};
	memcpy(outcome->code, answer->code, sizeof(outcome->code));
	text_escape(answer->text, answer->text_len, outcome->text, sizeof(outcome->text));
}

void
imap_rest(struct imap *imap)
{
	MMAPString *line = imap->session->imap_stream_buffer;

	imap_driver_rest(imap);
	if (line->allocated_len > LINE_BUFFER_KEPT) {
		MMAPString *smaller = mmap_string_new("");

		if (smaller != NULL) {
			mmap_string_free(line);
			imap->session->imap_stream_buffer = smaller;
		}
	}
}

int
imap_take_answer(struct imap *imap, struct imap_outcome *outcome)
{
	const struct guard_answer *answer = guard_answer(&imap->guard);
	struct mailimap_response *response;
	int rc;

	if (memory_reserve(RESERVE_OCTETS) != 0)
		return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
	rc = mailimap_parse_response(imap->session, &response);
	if (rc == MAILIMAP_NO_ERROR)
		mailimap_response_free(response);
	/* libetpan calls BAD an error, and a foreign tag the same one. */
	else if (rc != MAILIMAP_ERROR_PROTOCOL || answer->status != GUARD_BAD ||
		 !is_ours(imap, answer))
		return imap_fail(imap, rc == MAILIMAP_ERROR_MEMORY ? ERR_NO_MEMORY : ERR_PROTOCOL,
		    "the server's answer makes no sense (libetpan %d)", rc);
	if (imap->dead) /* e.g. a delivery that failed */
		return imap->error.code;
	describe(answer, outcome);
	imap_rest(imap);
	return 0;
}

int
imap_command(struct imap *imap, const char *text, enum guard_expectation expectation,
    struct imap_outcome *outcome)
{
	const char *line;
	int rc;

	if ((rc = send_line(imap, text, "\r\n", expectation)) != 0 ||
	    (rc = imap_read_line(imap, &line)) != 0)
		return rc;
	return imap_take_answer(imap, outcome);
}

int
imap_refused(struct imap *imap, const struct imap_outcome *outcome, const char *what,
    enum response_context context, struct error *e)
{
	int code = response_error(outcome->status, outcome->code, context);
	bool has_code = outcome->code[0] != '\0';

	error_set(e, code, "%s answered %s%s%s%s %s", what,
	    outcome->status == RESPONSE_NO ? "NO" : "BAD", has_code ? " [" : "", outcome->code,
	    has_code ? "]" : "", outcome->text);
	if (code == ERR_PROTOCOL)
		imap_fail(imap, code, "%s answered BAD: %s", what, outcome->text);
	return code;
}

int
imap_simple(struct imap *imap, const char *text, const char *what, enum response_context context,
    struct error *e)
{
	struct imap_outcome outcome;

	if (imap_command(imap, text, GUARD_EXPECT_RESPONSE, &outcome) != 0) {
		imap_dead_error(imap, e);
		error_prefix(e, "%s", what);
		return imap->error.code;
	}
	return outcome.ok ? 0 : imap_refused(imap, &outcome, what, context, e);
}
