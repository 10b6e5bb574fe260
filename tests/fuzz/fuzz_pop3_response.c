/* fuzz_pop3_response.c - what a POP3 server answers.
 *
 * The first octet chooses what is expected, the second how the answer is cut. Every cut comes to the
 * same events; no line is longer than it may be; a message has no more octets than came; lines are
 * read as those of LIST, UIDL and CAPA, and refusals are judged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gateway/pop3_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* What came of an answer, in one number: octets of a message count the same however they came. */
struct outcome {
	uint64_t digest;
	size_t octets; /* of the message */
	int last;      /* event */
};

static void
mix(struct outcome *o, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		o->digest = (o->digest ^ (unsigned char) text[i]) * 0x100000001b3u;
}

static void
read_line(const char *line, size_t len)
{
	char uidl[POP3_UIDL_MAX + 1];
	uint32_t number;
	uint64_t size;

	check(len <= POP3_LINE_MAX);
	(void) pop3_capability_bits(line, len);
	(void) pop3_numbers(line, len, &number, &size);
	if (pop3_uidl_line(line, len, &number, uidl) == 0)
		check(strlen(uidl) >= 1 && strlen(uidl) <= POP3_UIDL_MAX);
}

static void
note(struct outcome *o, enum pop3_response_event event, const struct pop3_response *r)
{
	if (event == POP3_EVENT_MORE)
		return;
	if (event == POP3_EVENT_OCTETS) {
		check(r->text_len > 0);
		o->octets += r->text_len;
	} else {
		mix(o, (const char *) &event, sizeof(event));
		o->last = (int) event;
	}
	if (event == POP3_EVENT_BAD || event == POP3_EVENT_END)
		return;
	mix(o, r->text, r->text_len);
	if (event == POP3_EVENT_LINE)
		read_line(r->text, r->text_len);
	if (event == POP3_EVENT_ERR) {
		check(pop3_login_refusal(r->text, r->text_len, 0) != 0);
		check(pop3_login_refusal(r->text, r->text_len, POP3_CAP_AUTH_RESP_CODE) != 0);
		check(pop3_refusal(r->text, r->text_len) != 0);
	}
}

/* Feeds the answer in parts of STEP octets, each a copy, so that a step past the end is seen. */
static struct outcome
read_answer(enum pop3_response_form form, const char *answer, size_t len, size_t step)
{
	struct outcome o = { 0xcbf29ce484222325u, 0, 0 };
	struct pop3_response r;

	pop3_response_begin(&r, form);
	for (size_t at = 0; at < len; at += step) {
		size_t part = step < len - at ? step : len - at, begin = 0, taken;
		enum pop3_response_event event;
		char *copy = malloc(part);

		if (copy == NULL)
			exit(2);
		memcpy(copy, answer + at, part);
		do {
			event = pop3_response_feed(&r, copy + begin, part - begin, &taken);
			check(taken <= part - begin);
			begin += taken;
			note(&o, event, &r);
		} while (event != POP3_EVENT_BAD && event != POP3_EVENT_MORE);
		free(copy);
		if (event == POP3_EVENT_BAD)
			break;
		check(begin == part);
	}
	check(o.octets <= len);
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, parts;
	enum pop3_response_form form;

	if (size < 2)
		return 0;
	form = (enum pop3_response_form)(data[0] % (POP3_RESPONSE_AUTH + 1));
	whole = read_answer(form, (const char *) data + 2, size - 2, size);
	parts = read_answer(form, (const char *) data + 2, size - 2, 1 + data[1] % 64);
	check(whole.last == parts.last);
	/* Where the answer breaks off, less of it may have been taken. */
	if (whole.last != POP3_EVENT_BAD)
		check(whole.digest == parts.digest && whole.octets == parts.octets);
	return 0;
}
