/* capability.c - what the server can do (RFC 3501 section 7.2.1). */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "imapback/imap_internal.h"

static const struct {
	const char *name;
	unsigned bits;
} known[] = {
	/* IMAP4rev2 contains what used to be extensions (RFC 9051 appendix E). */
	{ "IMAP4REV2", IMAP_CAP_IMAP4REV2 | IMAP_CAP_UIDPLUS | IMAP_CAP_MOVE | IMAP_CAP_UNSELECT |
			   IMAP_CAP_SASL_IR },
	{ "STARTTLS", IMAP_CAP_STARTTLS },
	{ "LOGINDISABLED", IMAP_CAP_LOGINDISABLED },
	{ "AUTH=PLAIN", IMAP_CAP_AUTH_PLAIN },
	{ "AUTH=XOAUTH2", IMAP_CAP_AUTH_XOAUTH2 },
	{ "AUTH=OAUTHBEARER", IMAP_CAP_AUTH_OAUTHBEARER },
	{ "SASL-IR", IMAP_CAP_SASL_IR },
	{ "ID", IMAP_CAP_ID },
	{ "UIDPLUS", IMAP_CAP_UIDPLUS },
	{ "MOVE", IMAP_CAP_MOVE },
	{ "UNSELECT", IMAP_CAP_UNSELECT },
	{ "LITERAL+", IMAP_CAP_LITERAL_PLUS },
	{ "QRESYNC", IMAP_CAP_QRESYNC },
	{ "OBJECTID", IMAP_CAP_OBJECTID },
	{ "X-GM-EXT-1", IMAP_CAP_GMAIL },
};

static unsigned
bits_of(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (text_is_word(name, strlen(name), known[i].name))
			return known[i].bits;
	return 0;
}

/* The name of a capability as the server wrote it, in BUF. */
static void
name_of(const struct mailimap_capability *cap, char *buf, size_t room)
{
	if (cap->cap_type == MAILIMAP_CAPABILITY_AUTH_TYPE)
		snprintf(buf, room, "AUTH=%s", cap->cap_data.cap_auth_type);
	else
		snprintf(buf, room, "%s", cap->cap_data.cap_name);
}

static int
note(struct imap *imap, const struct mailimap_capability_data *data)
{
	char name[64];
	size_t size = 1, at = 0;
	char *line;

	for (clistiter *i = clist_begin(data->cap_list); i != NULL; i = clist_next(i)) {
		name_of(clist_content(i), name, sizeof(name));
		size += strlen(name) + 1;
	}
	if ((line = malloc(size)) == NULL)
		return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
	line[0] = '\0';
	imap->capabilities = 0;
	for (clistiter *i = clist_begin(data->cap_list); i != NULL; i = clist_next(i)) {
		name_of(clist_content(i), name, sizeof(name));
		imap->capabilities |= bits_of(name);
		at += (size_t) snprintf(line + at, size - at, "%s%s", at == 0 ? "" : " ", name);
	}
	free(imap->capability_line);
	imap->capability_line = line;
	return 0;
}

int
imap_learn_capabilities(struct imap *imap, struct error *e)
{
	struct mailimap_connection_info *info = imap->session->imap_connection_info;
	int rc;

	if (info == NULL || info->imap_capability == NULL) {
		rc = imap_simple(imap, "CAPABILITY", "CAPABILITY", RESPONSE_TO_OTHER, e);
		if (rc != 0)
			return rc;
		info = imap->session->imap_connection_info;
	}
	if (info == NULL || info->imap_capability == NULL ||
	    info->imap_capability->cap_list == NULL) {
		imap_fail(imap, ERR_PROTOCOL, "the server tells no capabilities");
		return imap_dead_error(imap, e);
	}
	if (note(imap, info->imap_capability) != 0)
		return imap_dead_error(imap, e);
	/* Noted; the parser's list of small allocations would only rest in memory. */
	mailimap_capability_data_free(info->imap_capability);
	info->imap_capability = NULL;
	return 0;
}

void
imap_forget_capabilities(struct imap *imap)
{
	struct mailimap_connection_info *info = imap->session->imap_connection_info;

	imap->capabilities = 0;
	if (info != NULL && info->imap_capability != NULL) {
		mailimap_capability_data_free(info->imap_capability);
		info->imap_capability = NULL;
	}
}
