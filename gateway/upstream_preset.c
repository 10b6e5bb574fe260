/* upstream_preset.c - see upstream_preset.h. The same list stands in popgate.conf(5). */
#include "gateway/upstream_preset.h"

#include "gateway/settings.h"

static const struct {
	enum upstream_preset preset;
	const char *name;
	const char *value;
} values[] = {
	/* In Gmail a message is in several mailboxes at a time, and EXPUNGE takes it out of one: it
	 * stays in "All Mail" for ever. Only what is in the trash goes, after 30 days. */
	{ PRESET_GMAIL, "host", "imap.gmail.com" },
	{ PRESET_GMAIL, "delete", "trash" },
	{ PRESET_GMAIL, "trash_mailbox", "[Gmail]/Trash" },
	{ PRESET_GMAIL, "keepalive_interval", "9m" },
	{ PRESET_GMAIL, "auth_mechanisms", "plain, login, xoauth2, oauthbearer" },

	/* What is expunged can be recovered by its owner for 14 days. */
	{ PRESET_EXCHANGE_ONLINE, "host", "outlook.office365.com" },
	{ PRESET_EXCHANGE_ONLINE, "delete", "expunge" },
	{ PRESET_EXCHANGE_ONLINE, "keepalive_interval", "15m" },
	/* It takes no passwords by IMAP. */
	{ PRESET_EXCHANGE_ONLINE, "auth_mechanisms", "xoauth2" },
};

int
upstream_preset_apply(struct upstream *upstream, const struct setting_lines *lines)
{
	char message[SETTING_MESSAGE_MAX];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct setting *s = setting_find(SETTING_UPSTREAM, values[i].name);

		if (values[i].preset != upstream->preset || lines->at[s - settings] != 0)
			continue;
		if (setting_assign(s, upstream, &values[i].value, 1, "", message) != 0)
			return ERR_NO_MEMORY;
	}
	return 0;
}
