/* fetch.c - listing a mailbox and pouring messages (RFC 3501 section 6.4.5, UID FETCH).
 *
 * Listings and bodies come as events of the guard, see driver.c; the parser would hold them. A
 * server may also send a short body as a quoted string, or NIL, and those the parser has. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "imapback/imap_internal.h"

/* ---- listing ---- */

static void
list_command(uint32_t first, char *text, size_t room)
{
	snprintf(text, room, "UID FETCH %u:* (UID RFC822.SIZE FLAGS)", (unsigned) first);
}

void
imap_foresee_list_from(struct imap *imap, uint32_t first)
{
	char text[64];

	list_command(first, text, sizeof(text));
	imap_foresee(imap, text);
}

int
imap_list_from(struct imap *imap, uint32_t first, imap_list_fn *each, void *ctx, struct error *e)
{
	const struct mailimap_selection_info *info = imap->session->imap_selection_info;
	struct imap_outcome outcome;
	char text[64];
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if (info == NULL ||
	    info->sel_exists == 0) /* 1:* in an empty mailbox is an error to some servers */
		return 0;
	imap->operation = (struct imap_operation){ .each = each, .each_ctx = ctx };
	list_command(first, text, sizeof(text));
	rc = imap_command(imap, text, GUARD_EXPECT_LIST, &outcome);
	imap->operation = (struct imap_operation){ 0 };
	if (rc != 0)
		return imap_dead_error(imap, e);
	return outcome.ok ? 0 : imap_refused(imap, &outcome, "FETCH", RESPONSE_TO_SELECT, e);
}

int
imap_list(struct imap *imap, imap_list_fn *each, void *ctx, struct error *e)
{
	return imap_list_from(imap, 1, each, ctx, e);
}

/* ---- attributes ---- */

enum { ATTRIBUTE_MAX = 512 }; /* octets that are kept of a value */

static const struct {
	const char *item;   /* as it is asked for */
	const char *answer; /* what the item begins with in the answer */
	unsigned capability; /* that says it is there; 0: none does */
} attributes[] = {
	[IMAP_ATTRIBUTE_GMAIL_ID] = { "X-GM-MSGID", "X-GM-MSGID", IMAP_CAP_GMAIL },
	[IMAP_ATTRIBUTE_MESSAGE_ID] = { "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]<0.400>",
	    "BODY[HEADER.FIELDS", 0 },
	[IMAP_ATTRIBUTE_EMAILID] = { "EMAILID", "EMAILID", IMAP_CAP_OBJECTID },
	[IMAP_ATTRIBUTE_GUID] = { "X-GUID", "X-GUID", 0 },
};

int
imap_list_attribute(struct imap *imap, const struct uid_range *ranges, size_t count,
    enum imap_attribute attribute, imap_attribute_fn *each, void *ctx, struct error *e)
{
	unsigned capability = attributes[attribute].capability;
	char after[80], value[ATTRIBUTE_MAX], *text;
	struct imap_outcome outcome;
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((imap->capabilities & capability) != capability)
		return error_set(e, ERR_PERMANENT, "the server does not offer %s",
		    attributes[attribute].item);
	snprintf(after, sizeof(after), " (UID %s)", attributes[attribute].item);
	if ((text = imap_set_command("UID FETCH ", ranges, count, after)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	imap->operation = (struct imap_operation){
		.each_attribute = each,
		.each_ctx = ctx,
		.wanted = attributes[attribute].answer,
		.value = value,
		.value_room = sizeof(value),
	};
	rc = imap_command(imap, text, GUARD_EXPECT_ATTRIBUTE, &outcome);
	imap->operation = (struct imap_operation){ 0 };
	free(text);
	if (rc != 0)
		return imap_dead_error(imap, e);
	return outcome.ok ? 0 : imap_refused(imap, &outcome, "FETCH", RESPONSE_TO_OTHER, e);
}

/* ---- bodies ---- */

/* What one FETCH response says, as far as we want to know. */
struct fetched {
	uint32_t uid; /* 0: not said */
	const struct mailimap_msg_att_body_section *body;
};

static void
read_response(const struct mailimap_msg_att *response, struct fetched *out)
{
	*out = (struct fetched){ 0 };
	for (clistiter *i = clist_begin(response->att_list); i != NULL; i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		const struct mailimap_msg_att_static *fixed = item->att_data.att_static;

		if (item->att_type != MAILIMAP_MSG_ATT_ITEM_STATIC)
			continue;
		if (fixed->att_type == MAILIMAP_MSG_ATT_UID)
			out->uid = fixed->att_data.att_uid;
		else if (fixed->att_type == MAILIMAP_MSG_ATT_BODY_SECTION)
			out->body = fixed->att_data.att_body_section;
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
	if (body->sec_origin_octet != op->offset || body->sec_length > op->octets) {
		imap_fail(imap, ERR_PROTOCOL, "the server sent another part of the message");
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

/* What the parser has of the answer: the response with the body. */
static void
take_responses(struct imap *imap)
{
	struct mailimap_response_info *info = imap->session->imap_response_info;
	struct fetched fetched;

	if (info == NULL || info->rsp_fetch_list == NULL)
		return;
	for (clistiter *i = clist_begin(info->rsp_fetch_list); i != NULL && !imap->dead;
	     i = clist_next(i)) {
		read_response(clist_content(i), &fetched);
		if (fetched.body != NULL)
			take_body(imap, &fetched);
	}
	/* Poured; it would only rest in memory. */
	mailimap_response_info_free(info);
	imap->session->imap_response_info = NULL;
}

/* What came of a fetch whose command was answered. */
static int
judge_fetch(struct imap *imap, const struct imap_outcome *outcome, struct error *e)
{
	const struct imap_operation *op = &imap->operation;

	if (op->body_begun && !(op->body_complete && op->uid_confirmed))
		imap_fail(imap, ERR_PROTOCOL, "the server did not say whose body it sent");
	if (imap->dead)
		return imap_dead_error(imap, e);
	/* Once octets came, the message is there, and whatever the reason, they are worthless. */
	if (!outcome->ok && op->body_begun)
		return error_set(e, ERR_TEMPORARY, "FETCH failed in the end: %s", outcome->text);
	if (!outcome->ok)
		return imap_refused(imap, outcome, "FETCH", RESPONSE_TO_OTHER, e);
	if (op->body_begun)
		return 0;
	if (op->body_nil)
		return error_set(e, ERR_TEMPORARY, "the server has NIL for the message");
	return error_set(e, ERR_GONE, "the message does not exist any more");
}

/* Sends TEXT, which asks for what the operation of IMAP expects. */
static int
fetch(struct imap *imap, const char *text, enum guard_expectation expectation, struct error *e)
{
	struct imap_outcome outcome;
	int rc;

	rc = imap_command(imap, text, expectation, &outcome);
	if (rc == 0)
		take_responses(imap);
	rc = rc != 0 ? imap_dead_error(imap, e) : judge_fetch(imap, &outcome, e);
	imap->operation = (struct imap_operation){ 0 };
	return rc;
}

int
imap_fetch(struct imap *imap, uint32_t uid, struct octet_sink *sink, struct error *e)
{
	char text[64];

	if (imap->dead)
		return imap_dead_error(imap, e);
	snprintf(text, sizeof(text), "UID FETCH %" PRIu32 " (UID BODY.PEEK[])", uid);
	imap->operation = (struct imap_operation){ .sink = sink, .uid = uid, .octets = UINT64_MAX };
	return fetch(imap, text, GUARD_EXPECT_BODY, e);
}

int
imap_fetch_part(struct imap *imap, uint32_t uid, uint64_t offset, uint32_t octets,
    struct octet_sink *sink, struct error *e)
{
	char text[96];

	if (imap->dead)
		return imap_dead_error(imap, e);
	snprintf(text, sizeof(text),
	    "UID FETCH %" PRIu32 " (UID BODY.PEEK[]<%" PRIu64 ".%" PRIu32 ">)", uid, offset,
	    octets);
	imap->operation =
	    (struct imap_operation){ .sink = sink, .uid = uid, .offset = offset, .octets = octets };
	return fetch(imap, text, GUARD_EXPECT_PART, e);
}
