/* setting_value.c - from the words of a file to the field of a struct, by the type of the setting.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/text.h"
#include "gateway/config.h"
#include "gateway/settings.h"
#include "gateway/suggestion.h"
#include "gateway/text_list.h"

enum { SHOWN_MAX = 64 }; /* octets of a value that a message repeats */

_Static_assert(sizeof(enum log_level) == sizeof(int), "enums are kept as int");

/* A value on its way: what is set, from what, and what to say when it is wrong. */
struct assignment {
	const struct setting *setting;
	void *field;
	const char *const *items;
	size_t count;
	const char *folder;
	char *message;
};

static const struct {
	const char *suffix;
	uint64_t ms;
} units[] = {
	/* the longest first: setting_format_duration takes the first that fits */
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

/* "NAME: expected WHAT, found "ITEM"". */
static int
expected(const struct assignment *a, const char *what, const char *item)
{
	char shown[SHOWN_MAX];

	text_escape(item, strlen(item), shown, sizeof(shown));
	snprintf(a->message, SETTING_MESSAGE_MAX, "%s: expected %s, found \"%s\"", a->setting->name,
	    what, shown);
	return ERR_INVALID;
}

static int
set_text(const struct assignment *a, const char *text)
{
	char *copy;

	if ((copy = strdup(text)) == NULL)
		return ERR_NO_MEMORY;
	free(*(char **) a->field);
	*(char **) a->field = copy;
	return 0;
}

static int
check_length(const struct assignment *a, const char *item)
{
	size_t len = strlen(item);
	char what[64];

	if (len >= a->setting->min && len <= a->setting->max)
		return 0;
	snprintf(what, sizeof(what), "%" PRIu64 " to %" PRIu64 " octets", a->setting->min,
	    a->setting->max);
	return expected(a, what, item);
}

static int
assign_text(const struct assignment *a)
{
	int rc = check_length(a, a->items[0]);

	return rc == 0 ? set_text(a, a->items[0]) : rc;
}

/* ITEM as seen from the folder of the file, allocated; NULL: no memory. */
static char *
path_of(const struct assignment *a, const char *item)
{
	char *path;

	if (item[0] == '\0' || item[0] == '/' || a->folder[0] == '\0')
		return strdup(item);
	return asprintf(&path, "%s/%s", a->folder, item) < 0 ? NULL : path;
}

static int
assign_path(const struct assignment *a)
{
	char *path;

	if (a->items[0][0] == '\0')
		return expected(a, "a path", "");
	if ((path = path_of(a, a->items[0])) == NULL)
		return ERR_NO_MEMORY;
	free(*(char **) a->field);
	*(char **) a->field = path;
	return 0;
}

static int
assign_host(const struct assignment *a)
{
	const char *host = a->items[0];
	size_t len = strlen(host);

	for (size_t i = 0; i < len; i++)
		if (strchr("-_.:", host[i]) == NULL && !(host[i] >= '0' && host[i] <= '9') &&
		    !((host[i] | 0x20) >= 'a' && (host[i] | 0x20) <= 'z'))
			return expected(a, "a host name or an address", host);
	if (len < a->setting->min || len > a->setting->max)
		return expected(a, "a host name or an address", host);
	return set_text(a, host);
}

static void
set_number(const struct assignment *a, uint64_t number)
{
	uint16_t n16 = (uint16_t) number;
	uint32_t n32 = (uint32_t) number;

	switch (a->setting->size) {
	case sizeof(n16):
		memcpy(a->field, &n16, sizeof(n16));
		break;
	case sizeof(n32):
		memcpy(a->field, &n32, sizeof(n32));
		break;
	default:
		memcpy(a->field, &number, sizeof(number));
	}
}

/* The number that the word ITEM stands for. */
static bool
number_of_word(const struct setting *setting, const char *item, uint64_t *number)
{
	for (const struct setting_choice *c = setting->choices; c != NULL && c->word != NULL; c++) {
		if (strcmp(c->word, item) == 0) {
			*number = (uint64_t) c->value;
			return true;
		}
	}
	return false;
}

static int
assign_number(const struct assignment *a)
{
	const char *word = a->setting->choices != NULL ? a->setting->choices->word : NULL;
	char what[80];
	uint64_t number;

	if (number_of_word(a->setting, a->items[0], &number)) {
		set_number(a, number);
		return 0;
	}
	if (text_to_number(a->items[0], strlen(a->items[0]), a->setting->max, &number) != 0 ||
	    number < a->setting->min) {
		snprintf(what, sizeof(what), "%s%sa number from %" PRIu64 " to %" PRIu64,
		    word != NULL ? word : "", word != NULL ? " or " : "", a->setting->min,
		    a->setting->max);
		return expected(a, what, a->items[0]);
	}
	set_number(a, number);
	return 0;
}

/* Reads "10m" and the like. */
static bool
read_duration(const char *text, uint64_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number;

	if (text_to_number(text, digits, UINT32_MAX, &number) != 0)
		return false;
	if (number == 0 && text[digits] == '\0') { /* nothing is nothing in any unit */
		*ms = 0;
		return true;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].suffix) == 0) {
			*ms = number * units[i].ms;
			return true;
		}
	}
	return false;
}

void
setting_format_duration(uint64_t ms, char *out, size_t room)
{
	size_t i = 0;

	while (ms != 0 && ms % units[i].ms != 0)
		i++;
	if (ms == 0)
		i = 2;
	snprintf(out, room, "%" PRIu64 "%s", ms / units[i].ms, units[i].suffix);
}

static int
assign_duration(const struct assignment *a)
{
	char least[32], most[32], what[96];
	uint64_t ms;

	if (!read_duration(a->items[0], &ms))
		return expected(a, "a duration such as 30s or 10m", a->items[0]);
	if (ms < a->setting->min || ms > a->setting->max) {
		setting_format_duration(a->setting->min, least, sizeof(least));
		setting_format_duration(a->setting->max, most, sizeof(most));
		snprintf(what, sizeof(what), "a duration from %s to %s", least, most);
		return expected(a, what, a->items[0]);
	}
	set_number(a, ms);
	return 0;
}

/* Appends to the text in OUT (ROOM). */
static void
append(char *out, size_t room, const char *text)
{
	size_t len = strlen(out);

	snprintf(out + len, room - len, "%s", text);
}

/* "stderr or syslog", "error, warning, info or debug": the words of CHOICES. */
static void
list_choices(const struct setting_choice *choices, char *out, size_t room)
{
	out[0] = '\0';
	for (const struct setting_choice *c = choices; c->word != NULL; c++) {
		append(out, room, c->word);
		if (c[1].word != NULL)
			append(out, room, c[2].word != NULL ? ", " : " or ");
	}
}

static int
assign_word(const struct assignment *a, const struct setting_choice *choices, int *value)
{
	struct suggestion nearest;
	char what[80];

	suggestion_begin(&nearest, a->items[0], strlen(a->items[0]));
	for (const struct setting_choice *c = choices; c->word != NULL; c++) {
		if (strcmp(c->word, a->items[0]) == 0) {
			*value = c->value;
			return 0;
		}
		suggestion_offer(&nearest, c->word);
	}
	list_choices(choices, what, sizeof(what));
	expected(a, what, a->items[0]);
	if (suggestion_best(&nearest) != NULL) {
		append(a->message, SETTING_MESSAGE_MAX, "; did you mean \"");
		append(a->message, SETTING_MESSAGE_MAX, suggestion_best(&nearest));
		append(a->message, SETTING_MESSAGE_MAX, "\"?");
	}
	return ERR_INVALID;
}

static int
assign_choice(const struct assignment *a)
{
	int rc, value;

	if ((rc = assign_word(a, a->setting->choices, &value)) == 0)
		memcpy(a->field, &value, sizeof(value));
	return rc;
}

/* Adds the bits of the words in ITEM: one of a file; of a default, all that there are, "a, b". */
static int
add_choices(const struct assignment *a, const char *item, unsigned *bits)
{
	char word[SHOWN_MAX];
	const char *words[] = { word };
	struct assignment one = *a;
	int rc, value;

	one.items = words;
	do {
		size_t len = strcspn(item, ",");

		snprintf(word, sizeof(word), "%.*s", (int) len, item);
		if ((rc = assign_word(&one, a->setting->choices, &value)) != 0)
			return rc;
		*bits |= (unsigned) value;
		item += len + strspn(item + len, ", ");
	} while (*item != '\0');
	return 0;
}

static int
assign_choices(const struct assignment *a)
{
	unsigned bits = 0;
	int rc;

	for (size_t i = 0; i < a->count; i++)
		if ((rc = add_choices(a, a->items[i], &bits)) != 0)
			return rc;
	memcpy(a->field, &bits, sizeof(bits));
	return 0;
}

static int
assign_yes_no(const struct assignment *a)
{
	static const struct setting_choice words[] = { { "yes", 1 }, { "no", 0 }, { NULL, 0 } };
	int rc, value;

	if ((rc = assign_word(a, words, &value)) == 0)
		*(bool *) a->field = value != 0;
	return rc;
}

/* All items as they are. */
static int
set_texts(const struct assignment *a)
{
	const struct text_list items = { (char **) a->items, a->count };
	struct text_list list;
	int rc;

	if ((rc = text_list_copy(&items, &list)) != 0)
		return rc;
	text_list_clear(a->field);
	*(struct text_list *) a->field = list;
	return 0;
}

static int
assign_texts(const struct assignment *a)
{
	int rc = 0;

	for (size_t i = 0; i < a->count && rc == 0; i++)
		rc = check_length(a, a->items[i]);
	return rc == 0 ? set_texts(a) : rc;
}

static int
assign_endpoints(const struct assignment *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (!network_is_endpoint(a->items[i], NULL))
			return expected(a, "an address and port such as 127.0.0.1:110 or [::]:110",
			    a->items[i]);
	return set_texts(a);
}

static int
assign_paths(const struct assignment *a)
{
	struct text_list list = { 0 };

	for (size_t i = 0; i < a->count; i++)
		if (a->items[i][0] == '\0' && a->setting->min > 0)
			return expected(a, "paths", "");
	if ((list.items = calloc(a->count, sizeof(*list.items))) == NULL)
		return ERR_NO_MEMORY;
	for (; list.count < a->count; list.count++) {
		if ((list.items[list.count] = path_of(a, a->items[list.count])) == NULL) {
			text_list_clear(&list);
			return ERR_NO_MEMORY;
		}
	}
	text_list_clear(a->field);
	*(struct text_list *) a->field = list;
	return 0;
}

/* "2027-06-30" (RFC 3339 full-date), in this century. */
static int
assign_date(const struct assignment *a)
{
	static const char form[] = "dddd-dd-dd";
	const char *text = a->items[0];
	struct tm tm = { 0 }, given;

	if (strlen(text) != sizeof(form) - 1)
		return expected(a, "a day such as 2027-06-30", text);
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return expected(a, "a day such as 2027-06-30", text);
	tm.tm_year = (int) strtol(text, NULL, 10) - 1900;
	tm.tm_mon = (int) strtol(text + 5, NULL, 10) - 1;
	tm.tm_mday = (int) strtol(text + 8, NULL, 10);
	given = tm;
	/* A day that does not exist comes back as another. */
	if (tm.tm_year < 100 || timegm(&tm) < 0 || tm.tm_mon != given.tm_mon ||
	    tm.tm_mday != given.tm_mday)
		return expected(a, "a day such as 2027-06-30", text);
	set_number(a, (uint64_t) (timegm(&tm) / (24 * 60 * 60)));
	return 0;
}

static int
assign_pins(const struct assignment *a)
{
	struct pin_list list = { 0 }, *field = a->field;

	if ((list.items = calloc(a->count, sizeof(*list.items))) == NULL)
		return ERR_NO_MEMORY;
	for (; list.count < a->count; list.count++) {
		if (tls_pin_parse(a->items[list.count], &list.items[list.count]) != 0) {
			free(list.items);
			return expected(a, "\"sha256/\" and a digest of 32 octets in base64",
			    a->items[list.count]);
		}
	}
	free(field->items);
	*field = list;
	return 0;
}

/* A single "" is the empty list. */
static int
assign_networks(const struct assignment *a)
{
	struct network_list list = { 0 }, *field = a->field;
	size_t count = a->count == 1 && a->items[0][0] == '\0' ? 0 : a->count;

	if ((list.items = calloc(count + 1, sizeof(*list.items))) == NULL)
		return ERR_NO_MEMORY;
	for (; list.count < count; list.count++) {
		if (network_parse(a->items[list.count], &list.items[list.count]) != 0) {
			free(list.items);
			return expected(
			    a, "a network such as 10.0.0.0/8 or fd00::/8", a->items[list.count]);
		}
	}
	free(field->items);
	*field = list;
	return 0;
}

static int (*const assigners[])(const struct assignment *) = {
	[SETTING_TEXT] = assign_text,
	[SETTING_TEXTS] = assign_texts,
	[SETTING_PATH] = assign_path,
	[SETTING_PATHS] = assign_paths,
	[SETTING_HOST] = assign_host,
	[SETTING_NUMBER] = assign_number,
	[SETTING_DURATION] = assign_duration,
	[SETTING_CHOICE] = assign_choice,
	[SETTING_CHOICES] = assign_choices,
	[SETTING_YES_NO] = assign_yes_no,
	[SETTING_ENDPOINTS] = assign_endpoints,
	[SETTING_NETWORKS] = assign_networks,
	[SETTING_DATE] = assign_date,
	[SETTING_PINS] = assign_pins,
};

static bool
is_list(enum setting_type type)
{
	return type == SETTING_ENDPOINTS || type == SETTING_NETWORKS || type == SETTING_CHOICES ||
	       type == SETTING_PATHS || type == SETTING_PINS || type == SETTING_TEXTS;
}

int
setting_assign(const struct setting *s, void *target, const char *const *items, size_t count,
    const char *folder, char message[SETTING_MESSAGE_MAX])
{
	struct assignment a = {
		.setting = s,
		.field = (char *) target + s->offset,
		.items = items,
		.count = count,
		.folder = folder,
		.message = message,
	};

	if (count != 1 && !is_list(s->type)) {
		snprintf(message, SETTING_MESSAGE_MAX, "%s: expected one value, found %zu", s->name,
		    count);
		return ERR_INVALID;
	}
	return assigners[s->type](&a);
}

void
settings_clear(enum setting_block block, void *target)
{
	struct network_list *networks;
	struct pin_list *pins;
	const struct setting *s;
	void *field;

	for (s = settings; s < settings + settings_count; s++) {
		field = (char *) target + s->offset;
		if (s->block != block)
			continue;
		if (s->type == SETTING_TEXT || s->type == SETTING_PATH || s->type == SETTING_HOST) {
			free(*(char **) field);
			*(char **) field = NULL;
		} else if (s->type == SETTING_ENDPOINTS || s->type == SETTING_PATHS ||
			   s->type == SETTING_TEXTS) {
			text_list_clear(field);
		} else if (s->type == SETTING_PINS) {
			pins = field;
			free(pins->items);
			memset(pins, 0, sizeof(*pins));
		} else if (s->type == SETTING_NETWORKS) {
			networks = field;
			free(networks->items);
			memset(networks, 0, sizeof(*networks));
		}
	}
}

void
setting_describe(const struct setting *s, char *out, size_t room)
{
	static const char *const names[] = {
		[SETTING_TEXT] = "text",
		[SETTING_TEXTS] = "text, ...",
		[SETTING_PATH] = "path",
		[SETTING_PATHS] = "path, ...",
		[SETTING_HOST] = "host",
		[SETTING_YES_NO] = "yes | no",
		[SETTING_ENDPOINTS] = "address:port, ...",
		[SETTING_NETWORKS] = "network, ...",
		[SETTING_DATE] = "year-month-day",
		[SETTING_PINS] = "sha256/base64, ...",
	};
	char least[32], most[32];

	if (s->type == SETTING_NUMBER) {
		snprintf(out, room, "%s%snumber, %" PRIu64 " to %" PRIu64,
		    s->choices != NULL ? s->choices->word : "",
		    s->choices != NULL ? " | " : "", s->min, s->max);
	} else if (s->type == SETTING_DURATION) {
		setting_format_duration(s->min, least, sizeof(least));
		setting_format_duration(s->max, most, sizeof(most));
		snprintf(out, room, "duration, %s to %s", least, most);
	} else if (s->type == SETTING_CHOICE || s->type == SETTING_CHOICES) {
		out[0] = '\0';
		for (const struct setting_choice *c = s->choices; c->word != NULL; c++) {
			append(out, room, c->word);
			append(out, room, c[1].word != NULL ? " | " : "");
		}
		append(out, room, s->type == SETTING_CHOICES ? ", ..." : "");
	} else {
		snprintf(out, room, "%s", names[s->type]);
	}
}
