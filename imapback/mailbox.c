/* mailbox.c - SELECT, and changing what is in a mailbox (RFC 3501 section 6.3.1 and 6.4, RFC 4315,
 * RFC 6851, RFC 7162). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "imapback/imap_internal.h"
#include "imapback/mailbox_name.h"

enum {
	NAME_MAX_OCTETS = 1024, /* of an encoded mailbox name */
	DIGITS = 10,
	KEYWORD_MAX = 64,
};

static const char search_deleted[] = "UID SEARCH DELETED";
static const char search_keyword[] = "UID SEARCH KEYWORD ";

/* NAME encoded and quoted in BUF: what modified UTF-7 yields is printable ASCII. */
static int
quoted_name(const char *name, char buf[2 * NAME_MAX_OCTETS + 3], struct error *e)
{
	char encoded[NAME_MAX_OCTETS];
	char *at = buf;

	if (mailbox_name_encode(name, encoded, sizeof(encoded)) != 0)
		return error_set(e, ERR_PERMANENT, "not a mailbox name: too long, or not UTF-8");
	*at++ = '"';
	for (const char *p = encoded; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			*at++ = '\\';
		*at++ = *p;
	}
	*at++ = '"';
	*at = '\0';
	return 0;
}

/* Whether the flag TYPE (0: any keyword) can be stored for good. A server that says nothing lets
 * all flags be stored (RFC 3501 section 7.1, PERMANENTFLAGS). */
static bool
is_permanent(const struct mailimap_selection_info *info, int type)
{
	if (info->sel_perm_flags == NULL)
		return true;
	for (clistiter *i = clist_begin(info->sel_perm_flags); i != NULL; i = clist_next(i)) {
		const struct mailimap_flag_perm *flag = clist_content(i);

		if (type == 0 && flag->fl_type == MAILIMAP_FLAG_PERM_ALL)
			return true;
		if (type != 0 && flag->fl_type == MAILIMAP_FLAG_PERM_FLAG &&
		    flag->fl_flag->fl_type == type)
			return true;
	}
	return false;
}

/* A fresh place for what SELECT tells; libetpan fills it while it parses. */
static int
reset_selection(struct imap *imap)
{
	mailimap *session = imap->session;

	if (session->imap_selection_info != NULL)
		mailimap_selection_info_free(session->imap_selection_info);
	if ((session->imap_selection_info = mailimap_selection_info_new()) == NULL)
		return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
	session->imap_selection_info->sel_perm = MAILIMAP_MAILBOX_READWRITE;
	imap->exists = 0;
	return 0;
}

void
imap_want_qresync(struct imap *imap)
{
	imap->wants_qresync = true;
}

/* ENABLE has its place before SELECT (RFC 5161 section 3.1), and its answer matters only to what
 * comes behind SELECT. */
static int
enable_qresync(struct imap *imap, const char *select, struct error *e)
{
	struct imap_outcome outcome;

	if (!imap->wants_qresync || imap->has_qresync ||
	    (imap->capabilities & IMAP_CAP_QRESYNC) == 0 ||
	    imap->session->imap_state == MAILIMAP_STATE_SELECTED)
		return 0;
	imap_foresee_first(imap, select);
	if (imap_command(imap, "ENABLE QRESYNC", GUARD_EXPECT_RESPONSE, &outcome) != 0)
		return imap_dead_error(imap, e);
	imap->has_qresync = outcome.ok;
	return 0;
}

int
imap_select(struct imap *imap, const char *name, struct imap_mailbox *out, struct error *e)
{
	char quoted[2 * NAME_MAX_OCTETS + 3], text[sizeof(quoted) + 16];
	const struct mailimap_selection_info *info;
	int rc;

	/* An answer that is thrown away must not be taken for what SELECT tells. */
	if (imap->dead || imap_drop_foreseen(imap) != 0 || imap_batch_close(imap, NULL) != 0 ||
	    reset_selection(imap) != 0)
		return imap_dead_error(imap, e);
	if ((rc = quoted_name(name, quoted, e)) != 0)
		return rc;
	snprintf(text, sizeof(text), "SELECT %s", quoted);
	if ((rc = enable_qresync(imap, text, e)) != 0)
		return rc;
	/* Where it fails, no mailbox is selected any more (RFC 3501 section 6.3.1). */
	imap->session->imap_state = MAILIMAP_STATE_AUTHENTICATED;
	if ((rc = imap_simple(imap, text, "SELECT", RESPONSE_TO_SELECT, e)) != 0)
		return rc;
	imap->session->imap_state = MAILIMAP_STATE_SELECTED;
	info = imap->session->imap_selection_info;
	if (info->sel_uidvalidity == 0)
		return error_set(e, imap_fail(imap, ERR_PROTOCOL, "no UIDVALIDITY"),
		    "the server tells no UIDVALIDITY");
	/* A maildrop that looks empty for want of a number makes clients forget what they have. */
	if (!info->sel_has_exists)
		return error_set(e, imap_fail(imap, ERR_PROTOCOL, "no EXISTS"),
		    "the server does not tell how many messages there are");
	out->exists = imap->exists = info->sel_exists;
	out->uidvalidity = info->sel_uidvalidity;
	out->uidnext = info->sel_uidnext;
	out->modseq = guard_modseq(&imap->guard);
	out->read_only = info->sel_perm == MAILIMAP_MAILBOX_READONLY;
	out->deleted_permanent = !out->read_only && is_permanent(info, MAILIMAP_FLAG_DELETED);
	out->seen_permanent = !out->read_only && is_permanent(info, MAILIMAP_FLAG_SEEN);
	out->keywords_permanent = !out->read_only && is_permanent(info, 0);
	return 0;
}

int
imap_has_mailbox(struct imap *imap, const char *name, bool *there, struct error *e)
{
	char quoted[2 * NAME_MAX_OCTETS + 3], text[sizeof(quoted) + 16];
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((rc = quoted_name(name, quoted, e)) != 0)
		return rc;
	snprintf(text, sizeof(text), "LIST \"\" %s", quoted);
	rc = imap_simple(imap, text, "LIST", RESPONSE_TO_OTHER, e);
	*there = rc != 0 || guard_has_listed(&imap->guard);
	return rc;
}

char *
imap_set_command(
    const char *before, const struct uid_range *ranges, size_t count, const char *after)
{
	size_t room = strlen(before) + count * (2 * DIGITS + 2) + strlen(after) + 1, at;
	char *text = malloc(room);

	if (text == NULL)
		return NULL;
	at = (size_t) snprintf(text, room, "%s", before);
	for (size_t i = 0; i < count; i++) {
		const char *comma = i == 0 ? "" : ",";

		if (ranges[i].first == ranges[i].last)
			at += (size_t) snprintf(
			    text + at, room - at, "%s%u", comma, (unsigned) ranges[i].first);
		else
			at += (size_t) snprintf(text + at, room - at, "%s%u:%u", comma,
			    (unsigned) ranges[i].first, (unsigned) ranges[i].last);
	}
	snprintf(text + at, room - at, "%s", after);
	return text;
}

/* A command over a set that answers nothing of interest. */
static int
on_set(struct imap *imap, const char *what, const char *before, const struct uid_range *ranges,
    size_t count, const char *after, struct error *e)
{
	char *text;
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((text = imap_set_command(before, ranges, count, after)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	rc = imap_simple(imap, text, what, RESPONSE_TO_OTHER, e);
	free(text);
	return rc;
}

int
imap_store(struct imap *imap, const struct uid_range *ranges, size_t count,
    enum imap_flag_change change, unsigned flags, struct error *e)
{
	char after[64];
	bool both = (flags & IMAP_FLAG_DELETED) != 0 && (flags & IMAP_FLAG_SEEN) != 0;

	snprintf(after, sizeof(after), " %cFLAGS.SILENT (%s%s%s)",
	    change == IMAP_FLAGS_ADD ? '+' : '-',
	    (flags & IMAP_FLAG_DELETED) != 0 ? "\\Deleted" : "", both ? " " : "",
	    (flags & IMAP_FLAG_SEEN) != 0 ? "\\Seen" : "");
	return on_set(imap, "STORE", "UID STORE ", ranges, count, after, e);
}

/* Keywords come from the configuration, and could end a command all the same. */
static int
check_keyword(const char *keyword, struct error *e)
{
	if (text_is_atom(keyword, strlen(keyword)) && strlen(keyword) <= KEYWORD_MAX)
		return 0;
	return error_set(e, ERR_INVALID, "not an IMAP keyword");
}

int
imap_store_keyword(struct imap *imap, const struct uid_range *ranges, size_t count,
    enum imap_flag_change change, const char *keyword, struct error *e)
{
	char after[KEYWORD_MAX + 32];
	int rc;

	if ((rc = check_keyword(keyword, e)) != 0)
		return rc;
	snprintf(after, sizeof(after), " %cFLAGS.SILENT (%s)", change == IMAP_FLAGS_ADD ? '+' : '-',
	    keyword);
	return on_set(imap, "STORE", "UID STORE ", ranges, count, after, e);
}

int
imap_uid_expunge(struct imap *imap, const struct uid_range *ranges, size_t count, struct error *e)
{
	return on_set(imap, "EXPUNGE", "UID EXPUNGE ", ranges, count, "", e);
}

int
imap_expunge(struct imap *imap, struct error *e)
{
	if (imap->dead)
		return imap_dead_error(imap, e);
	return imap_simple(imap, "EXPUNGE", "EXPUNGE", RESPONSE_TO_OTHER, e);
}

int
imap_move(struct imap *imap, const struct uid_range *ranges, size_t count, const char *name,
    struct error *e)
{
	char after[2 * NAME_MAX_OCTETS + 4] = " ";
	int rc;

	if ((rc = quoted_name(name, after + 1, e)) != 0)
		return rc;
	return on_set(imap, "MOVE", "UID MOVE ", ranges, count, after, e);
}

int
imap_copy(struct imap *imap, const struct uid_range *ranges, size_t count, const char *name,
    struct error *e)
{
	char after[2 * NAME_MAX_OCTETS + 4] = " ";
	int rc;

	if ((rc = quoted_name(name, after + 1, e)) != 0)
		return rc;
	return on_set(imap, "COPY", "UID COPY ", ranges, count, after, e);
}

static int
compare_uids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

	return (left > right) - (left < right);
}

/* Adds the results to FOUND, in ascending order: in any other, a long list could cost a set more
 * time than we have. */
static int
add_hits(struct imap_operation *op, struct uidset *found, struct error *e)
{
	qsort(op->hits, op->hit_count, sizeof(*op->hits), compare_uids);
	for (size_t i = 0; i < op->hit_count; i++)
		if (uidset_add(found, op->hits[i]) != 0)
			return error_set(e, ERR_NO_MEMORY, "out of memory");
	return 0;
}

/* Runs the search TEXT. */
static int
search(struct imap *imap, const char *text, struct uidset *found, struct error *e)
{
	struct imap_operation *op = &imap->operation;
	struct imap_outcome outcome;
	int rc;

	*op = (struct imap_operation){ 0 };
	if (imap_command(imap, text, GUARD_EXPECT_SEARCH, &outcome) != 0)
		rc = imap_dead_error(imap, e);
	else if (!outcome.ok)
		rc = imap_refused(imap, &outcome, "SEARCH", RESPONSE_TO_OTHER, e);
	else if (!guard_has_searched(&imap->guard)) /* it is due, found or not */
		rc = error_set(e, ERR_TEMPORARY, "the server does not say what it found");
	else
		rc = op->hit_count == 0 ? 0 : add_hits(op, found, e);
	free(op->hits);
	*op = (struct imap_operation){ 0 };
	return rc;
}

/* Searches among RANGES for what AFTER says besides. */
static int
search_among(struct imap *imap, const struct uid_range *ranges, size_t count, const char *after,
    struct uidset *found, struct error *e)
{
	char *text;
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((text = imap_set_command("UID SEARCH UID ", ranges, count, after)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	rc = search(imap, text, found, e);
	free(text);
	return rc;
}

static int
keep_listed(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	(void) size;
	(void) deleted;
	return imap_keep_hit(ctx, uid);
}

/* Which of RANGES exist, by a command that must answer for each of them. */
static int
fetch_uids(struct imap *imap, const struct uid_range *ranges, size_t count, struct uidset *found,
    struct error *e)
{
	struct imap_operation *op = &imap->operation;
	struct imap_outcome outcome;
	char *text;
	int rc;

	text = imap_set_command("UID FETCH ", ranges, count, " (UID RFC822.SIZE)");
	if (text == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	*op = (struct imap_operation){ .each = keep_listed, .each_ctx = imap };
	if (imap_command(imap, text, GUARD_EXPECT_UIDS, &outcome) != 0)
		rc = imap_dead_error(imap, e);
	else if (!outcome.ok)
		rc = imap_refused(imap, &outcome, "FETCH", RESPONSE_TO_OTHER, e);
	else
		rc = op->hit_count == 0 ? 0 : add_hits(op, found, e);
	free(op->hits);
	*op = (struct imap_operation){ 0 };
	free(text);
	return rc;
}

int
imap_search_uids(struct imap *imap, const struct uid_range *ranges, size_t count,
    struct uidset *found, struct error *e)
{
	int rc = search_among(imap, ranges, count, "", found, e);

	/* Some servers say nothing where nothing was found. */
	if (rc == ERR_TEMPORARY && !imap->dead && !guard_has_searched(&imap->guard))
		rc = fetch_uids(imap, ranges, count, found, e);
	return rc;
}

int
imap_search_marked(struct imap *imap, const struct uid_range *ranges, size_t count,
    const char *keyword, bool with, struct uidset *found, struct error *e)
{
	char after[KEYWORD_MAX + 32];
	int rc;

	if (keyword == NULL)
		return search_among(
		    imap, ranges, count, with ? " DELETED" : " UNDELETED", found, e);
	if ((rc = check_keyword(keyword, e)) != 0)
		return rc;
	snprintf(after, sizeof(after), " %sKEYWORD %s", with ? "" : "UN", keyword);
	return search_among(imap, ranges, count, after, found, e);
}

int
imap_search_keyword(struct imap *imap, const char *keyword, struct uidset *found, struct error *e)
{
	char text[KEYWORD_MAX + 32];
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((rc = check_keyword(keyword, e)) != 0)
		return rc;
	snprintf(text, sizeof(text), "%s%s", search_keyword, keyword);
	return search(imap, text, found, e);
}

int
imap_search_all(struct imap *imap, struct uidset *found, struct error *e)
{
	if (imap->dead)
		return imap_dead_error(imap, e);
	return search(imap, "UID SEARCH ALL", found, e);
}

/* FETCH tells what has changed besides, which is of no interest. BAD is no reason to give up the
 * connection: it may come from a server that did not mean what it said of QRESYNC. */
int
imap_list_vanished(struct imap *imap, uint32_t uidnext, uint64_t modseq, size_t most,
    struct uidset *gone, struct error *e)
{
	struct imap_operation *op = &imap->operation;
	struct imap_outcome outcome;
	char text[96];
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if (!imap->has_qresync || modseq == 0 || uidnext < 2)
		return error_set(e, ERR_TEMPORARY, "the server does not say what has vanished");
	snprintf(text, sizeof(text), "UID FETCH 1:%u (UID) (CHANGEDSINCE %" PRIu64 " VANISHED)",
	    (unsigned) (uidnext - 1), modseq);
	*op = (struct imap_operation){ .vanished_most = most };
	if (imap_command(imap, text, GUARD_EXPECT_VANISHED, &outcome) != 0)
		rc = imap_dead_error(imap, e);
	else if (!outcome.ok || op->vanished_too_many)
		rc = error_set(e, ERR_TEMPORARY, "the server does not say what has vanished");
	else if ((rc = uidset_take_ranges(gone, op->vanished, op->vanished_count)) != 0)
		error_set(e, rc, "out of memory");
	else
		op->vanished = NULL;
	free(op->vanished);
	*op = (struct imap_operation){ 0 };
	return rc;
}

void
imap_foresee_search_deleted(struct imap *imap)
{
	imap_foresee(imap, search_deleted);
}

void
imap_foresee_search_keyword(struct imap *imap, const char *keyword)
{
	char text[KEYWORD_MAX + 32];

	if (check_keyword(keyword, NULL) != 0)
		return;
	snprintf(text, sizeof(text), "%s%s", search_keyword, keyword);
	imap_foresee(imap, text);
}

int
imap_search_deleted(struct imap *imap, struct uidset *found, struct error *e)
{
	if (imap->dead)
		return imap_dead_error(imap, e);
	return search(imap, search_deleted, found, e);
}

int
imap_noop(struct imap *imap, struct error *e)
{
	if (imap->dead)
		return imap_dead_error(imap, e);
	return imap_simple(imap, "NOOP", "NOOP", RESPONSE_TO_OTHER, e);
}
