/* id.c - ID (RFC 2971): who we are, and who the server says it is. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "imapback/imap_internal.h"

enum { ID_VALUE_MAX = 64 }; /* octets of a value of the server's, escaped */

/* Adds VALUE to what SERVER holds already. */
static void
append_value(char *server, size_t room, const char *value)
{
	size_t used = strlen(server);
	char escaped[ID_VALUE_MAX];

	text_escape(value, strlen(value), escaped, sizeof(escaped));
	if (used + 1 < room)
		snprintf(server + used, room - used, "%s%s", used == 0 ? "" : " ", escaped);
}

/* Adds the value of the field NAME, if the server gave one. */
static void
append_field(
    const struct mailimap_id_params_list *fields, const char *name, char *server, size_t room)
{
	for (clistiter *i = clist_begin(fields->idpa_list); i != NULL; i = clist_next(i)) {
		const struct mailimap_id_param *field = clist_content(i);

		if (field->idpa_value != NULL &&
		    text_is_word(field->idpa_name, strlen(field->idpa_name), name)) {
			append_value(server, room, field->idpa_value);
			return;
		}
	}
}

static void
read_answer(const struct imap *imap, char *server, size_t room)
{
	const struct mailimap_response_info *info = imap->session->imap_response_info;

	if (info == NULL || info->rsp_extension_list == NULL)
		return;
	for (clistiter *i = clist_begin(info->rsp_extension_list); i != NULL; i = clist_next(i)) {
		const struct mailimap_extension_data *data = clist_content(i);

		if (data->ext_extension->ext_id != MAILIMAP_EXTENSION_ID || data->ext_data == NULL)
			continue;
		append_field(data->ext_data, "name", server, room);
		append_field(data->ext_data, "version", server, room);
		return;
	}
}

static bool
is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\')
			return false;
	return true;
}

/* Writes the command to TEXT (ROOM). */
static int
write_command(const struct imap_id_field *fields, size_t count, char *text, size_t room)
{
	size_t len = (size_t) snprintf(text, room, "ID (");

	for (size_t i = 0; i < count; i++) {
		if (!is_plain(fields[i].name) || !is_plain(fields[i].value))
			return ERR_INVALID;
		len += (size_t) snprintf(text + len, room - len, "%s\"%s\" \"%s\"",
		    i == 0 ? "" : " ", fields[i].name, fields[i].value);
		if (len + sizeof(")") > room)
			return ERR_LIMIT;
	}
	snprintf(text + len, room - len, ")");
	return 0;
}

int
imap_id(struct imap *imap, const struct imap_id_field *fields, size_t count, char *server,
    size_t room, struct error *e)
{
	struct imap_outcome outcome;
	char text[IMAP_ID_MAX];
	int rc;

	if (server != NULL && room > 0)
		server[0] = '\0';
	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((imap->capabilities & IMAP_CAP_ID) == 0)
		return 0;
	if ((rc = write_command(fields, count, text, sizeof(text))) != 0)
		return error_set(e, rc, "ID: a field that cannot be sent");
	if (imap_command(imap, text, GUARD_EXPECT_ID, &outcome) != 0)
		return imap_dead_error(imap, e);
	if (outcome.ok && server != NULL && room > 0)
		read_answer(imap, server, room);
	return 0; /* a server that does not like ID is no worse a mail server */
}
