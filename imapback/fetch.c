/* fetch.c - listing a mailbox and pouring messages (RFC 3501 section 6.4.5, UID FETCH).
 *
 * Of a listing, a handler sees each response and the parser keeps none. Bodies come as events of
 * the guard, see driver.c; a server may also send a short one as a quoted string, or NIL, and those
 * the parser has. */
#include <inttypes.h>
#include <stdlib.h>

#include "imapback/imap_internal.h"

/* What one FETCH response says, as far as we want to know. */
struct fetched {
	uint32_t uid; /* 0: not said */
	uint32_t size;
	bool has_size;
	bool deleted;
	const struct mailimap_msg_att_body_section *body;
};

static bool
has_deleted_flag(const struct mailimap_msg_att_dynamic *dynamic)
{
	if (dynamic->att_list == NULL)
		return false;
	for (clistiter *i = clist_begin(dynamic->att_list); i != NULL; i = clist_next(i)) {
		const struct mailimap_flag_fetch *flag = clist_content(i);

		if (flag->fl_type == MAILIMAP_FLAG_FETCH_OTHER &&
		    flag->fl_flag->fl_type == MAILIMAP_FLAG_DELETED)
			return true;
	}
	return false;
}

static void
read_item(const struct mailimap_msg_att_item *item, struct fetched *out)
{
	const struct mailimap_msg_att_static *fixed = item->att_data.att_static;

	if (item->att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC) {
		out->deleted = has_deleted_flag(item->att_data.att_dyn);
		return;
	}
	if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC)
		return;
	if (fixed->att_type == MAILIMAP_MSG_ATT_UID)
		out->uid = fixed->att_data.att_uid;
	else if (fixed->att_type == MAILIMAP_MSG_ATT_BODY_SECTION)
		out->body = fixed->att_data.att_body_section;
	else if (fixed->att_type == MAILIMAP_MSG_ATT_RFC822_SIZE) {
		out->size = fixed->att_data.att_rfc822_size;
		out->has_size = true;
	}
}

/* A body that stayed with the parser: pours it as if the guard had diverted it. */
static void
pour_parsed_body(struct imap *imap, const struct mailimap_msg_att_body_section *body)
{
	struct imap_operation *op = &imap->operation;
	int rc;

	if (body->sec_body_part == NULL) {
		op->body_nil = true;
		return;
	}
	op->body_begun = true;
	rc = op->sink->begin(op->sink, body->sec_length);
	if (rc == 0 && body->sec_length > 0)
		rc = op->sink->chunk(op->sink, body->sec_body_part, body->sec_length);
	if (rc == 0)
		op->body_complete = true;
	else
		imap_fail(imap, rc, "delivery: %s", error_name(rc));
}

static void
take_body(struct imap *imap, const struct fetched *fetched)
{
	struct imap_operation *op = &imap->operation;

	/* The UID may stand behind the body, which has then been poured already: the sink is told
	 * by our return code. */
	if (fetched->uid != op->uid) {
		imap_fail(imap, ERR_PROTOCOL, "the server sent UID %u instead of %u",
		    (unsigned) fetched->uid, (unsigned) op->uid);
		return;
	}
	op->uid_confirmed = true;
	if (!op->body_begun)
		pour_parsed_body(imap, fetched->body);
}

static void
read_response(const struct mailimap_msg_att *response, struct fetched *out)
{
	*out = (struct fetched){ 0 };
	for (clistiter *i = clist_begin(response->att_list); i != NULL; i = clist_next(i))
		read_item(clist_content(i), out);
}

/* ---- listing ---- */

static void
on_listed(struct mailimap_msg_att *response, void *context)
{
	struct imap *imap = context;
	struct imap_operation *op = &imap->operation;
	struct fetched fetched;
	int rc;

	if (imap->dead)
		return;
	read_response(response, &fetched);
	/* Responses without a size are news of flags that some other client changed. */
	if (fetched.uid != 0 && fetched.has_size &&
	    (rc = op->each(op->each_ctx, fetched.uid, fetched.size, fetched.deleted)) != 0)
		imap_fail(imap, rc, "listing: %s", error_name(rc));
}

static void
ignore_progress(size_t current, size_t maximum, void *context)
{
	(void) current;
	(void) maximum;
	(void) context;
}

/* libetpan calls a handler of responses only while a function for its progress is set, too. */
static void
set_handler(struct imap *imap, mailimap_msg_att_handler *handler)
{
	mailimap_set_msg_att_handler(imap->session, handler, imap);
	mailimap_set_progress_callback(
	    imap->session, handler == NULL ? NULL : ignore_progress, NULL, NULL);
}

int
imap_list(struct imap *imap, imap_list_fn *each, void *ctx, struct error *e)
{
	const struct mailimap_selection_info *info = imap->session->imap_selection_info;
	struct imap_outcome outcome;
	uint64_t budget;
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if (info == NULL ||
	    info->sel_exists == 0) /* 1:* in an empty mailbox is an error to some servers */
		return 0;
	budget = IMAP_BUDGET + (uint64_t) info->sel_exists * IMAP_MESSAGE_BUDGET;
	imap->operation = (struct imap_operation){ .each = each, .each_ctx = ctx };
	set_handler(imap, on_listed);
	rc = imap_command(
	    imap, "UID FETCH 1:* (UID RFC822.SIZE FLAGS)", GUARD_EXPECT_RESPONSE, budget, &outcome);
	set_handler(imap, NULL);
	imap->operation.each = NULL;
	if (rc != 0)
		return imap_dead_error(imap, e);
	return outcome.ok ? 0 : imap_refused(&outcome, "FETCH", RESPONSE_TO_SELECT, e);
}

/* ---- bodies ---- */

/* What the parser kept of the answer: the one response with the body, and news of flags. */
static void
take_responses(struct imap *imap)
{
	const struct mailimap_response_info *info = imap->session->imap_response_info;
	struct fetched fetched;

	if (info == NULL || info->rsp_fetch_list == NULL)
		return;
	for (clistiter *i = clist_begin(info->rsp_fetch_list); i != NULL && !imap->dead;
	     i = clist_next(i)) {
		read_response(clist_content(i), &fetched);
		if (fetched.body != NULL)
			take_body(imap, &fetched);
	}
}

/* What came of a fetch whose command was answered. A body that is not complete when the answer is,
 * or whose owner is not known, was sent out of turn: the rest of it would be taken for part of the
 * next message, so the connection ends. */
static int
judge_fetch(struct imap *imap, const struct imap_outcome *outcome, struct error *e)
{
	const struct imap_operation *op = &imap->operation;

	if (op->body_begun && !op->body_complete)
		imap_fail(imap, ERR_PROTOCOL, "the answer to FETCH ended inside the message");
	else if (op->body_begun && !op->uid_confirmed)
		imap_fail(imap, ERR_PROTOCOL, "the server did not say whose body it sent");
	if (imap->dead)
		return imap_dead_error(imap, e);
	/* Once octets came, the message is there, and whatever the reason, they are worthless. */
	if (!outcome->ok && op->body_begun)
		return error_set(e, ERR_TEMPORARY, "FETCH failed in the end: %s", outcome->text);
	if (!outcome->ok)
		return imap_refused(outcome, "FETCH", RESPONSE_TO_OTHER, e);
	if (op->body_begun)
		return 0;
	if (op->body_nil)
		return error_set(e, ERR_TEMPORARY, "the server has NIL for the message");
	return error_set(e, ERR_GONE, "the message does not exist any more");
}

static int
fetch(struct imap *imap, const char *text, uint32_t uid, struct octet_sink *sink, struct error *e)
{
	struct imap_outcome outcome;
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	imap->operation = (struct imap_operation){ .sink = sink, .uid = uid };
	rc = imap_command(imap, text, GUARD_EXPECT_BODY, IMAP_BUDGET, &outcome);
	if (rc == 0)
		take_responses(imap);
	imap->operation.sink = NULL;
	return rc != 0 ? imap_dead_error(imap, e) : judge_fetch(imap, &outcome, e);
}

int
imap_fetch(struct imap *imap, uint32_t uid, struct octet_sink *sink, struct error *e)
{
	char text[64];

	snprintf(text, sizeof(text), "UID FETCH %" PRIu32 " (UID BODY.PEEK[])", uid);
	return fetch(imap, text, uid, sink, e);
}

int
imap_fetch_part(struct imap *imap, uint32_t uid, uint64_t offset, uint32_t octets,
    struct octet_sink *sink, struct error *e)
{
	char text[96];

	snprintf(text, sizeof(text),
	    "UID FETCH %" PRIu32 " (UID BODY.PEEK[]<%" PRIu64 ".%" PRIu32 ">)", uid, offset,
	    octets);
	return fetch(imap, text, uid, sink, e);
}
