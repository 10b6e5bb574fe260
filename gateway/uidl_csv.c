/* uidl_csv.c - see uidl_csv.h. */
#include "gateway/uidl_csv.h"

#include <string.h>

#include "base/credentials.h"
#include "base/text.h"

enum column { USER, UIDL, SIZE, MESSAGE_ID, POSITION };

static const char *const columns[UIDL_CSV_COLUMNS] = {
	[USER] = "user",
	[UIDL] = "uidl",
	[SIZE] = "size",
	[MESSAGE_ID] = "message-id",
	[POSITION] = "position",
};

enum { VALUES_MAX = 64 };

/* Takes the value at *AT out of its quotation marks and ends it with NUL; *AT becomes the beginning of
 * the next one, NULL behind the last. False where the form is wrong. */
static bool
cut_value(char **at, const char **value)
{
	char *in = *at, *out = *at;
	bool quoted = *in == '"', open = quoted;

	*value = out;
	in += quoted;
	while (*in != '\0' && (open || *in != ',')) {
		if (*in == '"' && !quoted)
			return false;
		if (*in == '"' && *++in != '"') {
			open = false;
			break;
		}
		*out++ = *in++;
	}
	if (open || (*in != ',' && *in != '\0'))
		return false;
	*at = *in == ',' ? in + 1 : NULL;
	*out = '\0';
	return true;
}

/* Cuts the line into VALUES, *COUNT of them. */
static int
cut_line(
    struct uidl_csv *csv, const char *values[VALUES_MAX], unsigned *count, struct error *e)
{
	char *at = csv->line;

	for (*count = 0; at != NULL; (*count)++) {
		if (*count == VALUES_MAX)
			return error_set(e, ERR_INVALID, "more than %d columns", VALUES_MAX);
		if (!cut_value(&at, &values[*count]))
			return error_set(e, ERR_INVALID, "quotation marks that do not fit");
	}
	return 0;
}

static int
read_columns(struct uidl_csv *csv, const char *const *values, unsigned count, struct error *e)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned c = 0; c < UIDL_CSV_COLUMNS; c++)
			if (text_is_word(values[i], strlen(values[i]), columns[c]))
				csv->at[c] = i + 1;
	if (csv->at[USER] == 0 || csv->at[UIDL] == 0)
		return error_set(e, ERR_INVALID, "the first line must name the columns user and uidl");
	csv->begun = true;
	return 0;
}

/* The value of COLUMN, or "". */
static const char *
value_of(
    const struct uidl_csv *csv, const char *const *values, unsigned count, enum column column)
{
	unsigned at = csv->at[column];

	return at == 0 || at > count ? "" : values[at - 1];
}

static int
read_row(const struct uidl_csv *csv, const char *const *values, unsigned count,
    struct uidl_csv_row *row, struct error *e)
{
	const char *size = value_of(csv, values, count, SIZE);
	const char *position = value_of(csv, values, count, POSITION);
	uint64_t number = 0;

	*row = (struct uidl_csv_row){
		.user = value_of(csv, values, count, USER),
		.uidl = value_of(csv, values, count, UIDL),
		.message_id = value_of(csv, values, count, MESSAGE_ID),
		.size = UINT64_MAX,
	};
	if (row->user[0] == '\0' || row->uidl[0] == '\0')
		return error_set(e, ERR_INVALID, "user or uidl is missing");
	if (credentials_check_user(row->user, strlen(row->user)) != 0)
		return error_set(e, ERR_INVALID,
		    "the user's name is too long, has control characters or is not UTF-8");
	if (size[0] != '\0' && text_to_number(size, strlen(size), INT64_MAX, &row->size) != 0)
		return error_set(e, ERR_INVALID, "size is no number of octets");
	if (position[0] != '\0' &&
	    (text_to_number(position, strlen(position), UINT32_MAX, &number) != 0 || number == 0))
		return error_set(e, ERR_INVALID, "position is no number from 1 on");
	row->position = (uint32_t) number;
	return 0;
}

int
uidl_csv_read(struct uidl_csv *csv, const char *line, size_t len, struct uidl_csv_row *row,
    bool *is_row, struct error *e)
{
	const char *values[VALUES_MAX];
	unsigned count;

	*is_row = false;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len > UIDL_CSV_LINE_MAX)
		return error_set(e, ERR_INVALID, "the line is too long");
	if (memchr(line, '\0', len) != NULL)
		return error_set(e, ERR_INVALID, "the line holds NUL");
	if (!csv->begun) {
		size_t mark = text_mark(line, len);

		line += mark;
		len -= mark;
	}
	if (len == 0)
		return 0;
	memcpy(csv->line, line, len);
	csv->line[len] = '\0';
	if (cut_line(csv, values, &count, e) != 0)
		return ERR_INVALID;
	if (!csv->begun)
		return read_columns(csv, values, count, e);
	*is_row = true;
	return read_row(csv, values, count, row, e);
}
