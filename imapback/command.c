/* command.c - one IMAP command at a time: sent by us, answered through libetpan's parser. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

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

/* ---- what is foreseen ---- */

static void
foresee_at(struct imap *imap, size_t at, const char *text)
{
	char *copy;

	if (imap->dead || imap->foreseen_sent || imap->foreseen_count == IMAP_FORESEEN_MAX ||
	    (copy = strdup(text)) == NULL)
		return;
	memmove(imap->foreseen + at + 1, imap->foreseen + at,
	    (imap->foreseen_count - at) * sizeof(imap->foreseen[0]));
	imap->foreseen[at] = copy;
	imap->foreseen_count++;
}

void
imap_foresee(struct imap *imap, const char *text)
{
	foresee_at(imap, imap->foreseen_count, text);
}

void
imap_foresee_first(struct imap *imap, const char *text)
{
	foresee_at(imap, 0, text);
}

void
imap_forget_foreseen(struct imap *imap)
{
	for (size_t i = 0; i < imap->foreseen_count; i++)
		free(imap->foreseen[i]);
	imap->foreseen_count = 0;
	imap->foreseen_sent = false;
}

/* The first of what was sent ahead is the command that runs now. */
static void
begin_foreseen(struct imap *imap)
{
	free(imap->foreseen[0]);
	imap->foreseen_count--;
	memmove(imap->foreseen, imap->foreseen + 1,
	    imap->foreseen_count * sizeof(imap->foreseen[0]));
	imap->foreseen_sent = imap->foreseen_count > 0;
	imap->session->imap_tag++;
}

/* Throws away the answers to all that was sent ahead. Whether the server could do it does not
 * matter: behind a SELECT that failed it cannot. */
int
imap_drop_foreseen(struct imap *imap)
{
	struct imap_operation kept = imap->operation;
	struct imap_outcome outcome;
	const char *line;
	int rc = 0;

	while (rc == 0 && imap->foreseen_sent) {
		begin_foreseen(imap);
		imap->operation = (struct imap_operation){ 0 };
		/* Of all kinds of answers, search results may have the longest lines. */
		guard_expect(&imap->guard, GUARD_EXPECT_SEARCH, budget(imap));
		imap_wait_anew(imap);
		if ((rc = imap_read_line(imap, &line)) == 0)
			rc = imap_take_answer(imap, &outcome);
		free(imap->operation.hits);
	}
	imap->operation = kept;
	return rc;
}

/* Puts the tag, TEXT and END into the parser's stream. */
static int
put_line(struct imap *imap, const char *text, const char *end)
{
	mailstream *stream = imap->session->imap_stream;

	if (mailimap_send_current_tag(imap->session) != MAILIMAP_NO_ERROR ||
	    mailstream_write(stream, text, strlen(text)) < 0 ||
	    mailstream_write(stream, end, strlen(end)) < 0)
		return imap_fail(imap, ERR_CLOSED, "a command could not be sent");
	return 0;
}

/* Behind a whole command, with tags of its own; the parser goes on with the tag of that command. */
static int
put_foreseen(struct imap *imap)
{
	int tag = imap->session->imap_tag, rc = 0;

	for (size_t i = 0; i < imap->foreseen_count && rc == 0; i++)
		rc = put_line(imap, imap->foreseen[i], "\r\n");
	imap->foreseen_sent = imap->foreseen_count > 0;
	imap->session->imap_tag = tag;
	return rc;
}

static int
flush(struct imap *imap)
{
	if (mailstream_flush(imap->session->imap_stream) < 0)
		return imap_fail(imap, ERR_CLOSED, "a command could not be sent");
	return 0;
}

static bool
is_foreseen(const struct imap *imap, const char *text)
{
	return imap->foreseen_sent && strcmp(imap->foreseen[0], text) == 0;
}

/* ---- commands ---- */

/* Puts the tag, TEXT and END into the parser's stream and sends all that is in it, unless that has
 * happened already. */
static int
send_line(struct imap *imap, const char *text, const char *end, enum guard_expectation expectation)
{
	bool whole = end[0] != '\0', sent = whole && is_foreseen(imap, text);
	int rc;

	if (imap->dead || imap_batch_close(imap, NULL) != 0)
		return imap->error.code;
	if (sent)
		begin_foreseen(imap);
	else if ((rc = imap_drop_foreseen(imap)) != 0)
		return rc;
	guard_expect(&imap->guard, expectation, budget(imap));
	guard_collect(&imap->guard, imap->operation.wanted, imap->operation.value,
	    imap->operation.value_room);
	imap_wait_anew(imap);
	if (sent)
		return 0;
	if ((rc = put_line(imap, text, end)) != 0 || (whole && (rc = put_foreseen(imap)) != 0))
		return rc;
	return flush(imap);
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
imap_send_secret(struct imap *imap, const char *text, const void *octets, size_t len,
    enum guard_expectation expectation)
{
	enum { TAG_MAX = 16 };
	size_t head, room = TAG_MAX + strlen(text) + len;
	char *line;
	int rc;

	if (imap->dead || imap_drop_foreseen(imap) != 0 || imap_batch_close(imap, NULL) != 0)
		return imap->error.code;
	if ((line = malloc(room)) == NULL)
		return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
	guard_expect(&imap->guard, expectation, budget(imap));
	imap_wait_anew(imap);
	/* As mailimap_send_current_tag does it. */
	head = (size_t) snprintf(line, room, "%i %s", ++imap->session->imap_tag, text);
	memcpy(line + head, octets, len);
	rc = imap_write_raw(imap, line, head + len);
	OPENSSL_cleanse(line, room);
	free(line);
	return rc;
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
imap_send_foreseen(struct imap *imap)
{
	if (imap->dead || imap_drop_foreseen(imap) != 0 || imap_batch_close(imap, NULL) != 0)
		return imap->error.code;
	imap_wait_anew(imap);
	if (put_foreseen(imap) != 0 || flush(imap) != 0)
		return imap->error.code;
	return 0;
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
