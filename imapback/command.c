/* command.c - one IMAP command at a time: sent by us, answered through libetpan's parser. */
#include <stdlib.h>
#include <string.h>

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

/* Puts the tag, TEXT and END into the parser's stream and sends all that is in it. */
static int
send_line(struct imap *imap, const char *text, const char *end)
{
	mailstream *stream = imap->session->imap_stream;

	if (imap->dead)
		return imap->error.code;
	if (mailimap_send_current_tag(imap->session) != MAILIMAP_NO_ERROR ||
	    mailstream_write(stream, text, strlen(text)) < 0 ||
	    mailstream_write(stream, end, strlen(end)) < 0 || mailstream_flush(stream) < 0)
		return imap_fail(imap, ERR_CLOSED, "a command could not be sent");
	return 0;
}

int
imap_send(struct imap *imap, const char *text)
{
	return send_line(imap, text, "");
}

int
imap_read_line(struct imap *imap, const char **line)
{
	*line = imap->dead ? NULL : mailimap_read_line(imap->session);
	if (*line == NULL)
		return imap_fail(imap, ERR_PROTOCOL, "the server's answer has no line end");
	return 0;
}

static void
copy_code(const char *atom, struct imap_outcome *outcome)
{
	size_t len = atom == NULL ? 0 : strcspn(atom, " ]");

	if (len >= sizeof(outcome->code)) /* none that we know is that long */
		len = 0;
	memcpy(outcome->code, atom == NULL ? "" : atom, len);
	outcome->code[len] = '\0';
}

static void
copy_text(const struct mailimap_resp_text *text, struct imap_outcome *outcome)
{
	const char *said = text == NULL || text->rsp_text == NULL ? "" : text->rsp_text;

	text_escape(said, strlen(said), outcome->text, sizeof(outcome->text));
}

/* The status of a complete answer. The response code is in the session's response information,
 * where the parser left it. */
static void
describe(struct imap *imap, const struct mailimap_response *response, struct imap_outcome *outcome)
{
	const struct mailimap_response_done *done = response->rsp_resp_done;
	const struct mailimap_response_info *info = imap->session->imap_response_info;
	const struct mailimap_resp_cond_state *state;

	*outcome = (struct imap_outcome){ .status = RESPONSE_BYE };
	copy_code(info == NULL ? NULL : info->rsp_atom, outcome);
	if (info != NULL && info->rsp_trycreate)
		copy_code("TRYCREATE", outcome);
	if (done->rsp_type != MAILIMAP_RESP_DONE_TYPE_TAGGED) {
		copy_text(done->rsp_data.rsp_fatal->rsp_bye->rsp_text, outcome);
		return;
	}
	state = done->rsp_data.rsp_tagged->rsp_cond_state;
	outcome->ok = state->rsp_type == MAILIMAP_RESP_COND_STATE_OK;
	outcome->status =
	    state->rsp_type == MAILIMAP_RESP_COND_STATE_NO ? RESPONSE_NO : RESPONSE_BAD;
	copy_text(state->rsp_text, outcome);
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
	struct mailimap_response *response;
	int rc;

	rc = mailimap_parse_response(imap->session, &response);
	if (rc != MAILIMAP_NO_ERROR)
		return imap_fail(imap, rc == MAILIMAP_ERROR_MEMORY ? ERR_NO_MEMORY : ERR_PROTOCOL,
		    "the server's answer makes no sense (libetpan %d)", rc);
	describe(imap, response, outcome);
	mailimap_response_free(response);
	if (imap->dead) /* e.g. a listing that was called off */
		return imap->error.code;
	if (!outcome->ok && outcome->status == RESPONSE_BYE)
		return imap_fail(imap, ERR_TEMPORARY, "the server said BYE: %s", outcome->text);
	imap_rest(imap);
	return 0;
}

int
imap_command(struct imap *imap, const char *text, enum guard_expectation expectation,
    uint64_t budget, struct imap_outcome *outcome)
{
	const char *line;
	int rc;

	guard_expect(&imap->guard, expectation, budget);
	if ((rc = send_line(imap, text, "\r\n")) != 0 || (rc = imap_read_line(imap, &line)) != 0)
		return rc;
	return imap_take_answer(imap, outcome);
}

int
imap_refused(const struct imap_outcome *outcome, const char *what, enum response_context context,
    struct error *e)
{
	static const char *const names[] = { "NO", "BAD", "BYE" };
	int code = response_error(outcome->status, outcome->code, context);

	return error_set(e, code, "%s answered %s%s%s%s %s", what, names[outcome->status],
	    outcome->code[0] == '\0' ? "" : " [", outcome->code,
	    outcome->code[0] == '\0' ? "" : "]", outcome->text);
}

int
imap_simple(struct imap *imap, const char *text, const char *what, uint64_t budget,
    enum response_context context, struct error *e)
{
	struct imap_outcome outcome;

	if (imap_command(imap, text, GUARD_EXPECT_RESPONSE, budget, &outcome) != 0) {
		imap_dead_error(imap, e);
		error_prefix(e, "%s", what);
		return imap->error.code;
	}
	return outcome.ok ? 0 : imap_refused(&outcome, what, context, e);
}
