/* index.c - see index.h.
 *
 * The form: magic (8 octets), owner (8), UIDVALIDITY, UIDNEXT, messages, octets of the runs (4
 * each), MODSEQ (8), bits (4), checksum of all the rest (8); then for each run of UIDs how many are
 * missing before it, and how many it has less one; then the sizes, each twice and one more if it is
 * exact. Numbers of the head are little-endian. The last octet of the magic is the form's version:
 * a file of another one is listed anew. */
#include "mapping/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const unsigned char magic[8] = { 'P', 'G', 'I', 'N', 'D', 'E', 'X', '2' };

enum { AT_OWNER = 8, AT_UIDVALIDITY = 16, AT_UIDNEXT = 20, AT_COUNT = 24, AT_RUNS = 28 };
enum { AT_MODSEQ = 32, AT_BITS = 40, AT_CHECKSUM = 44 };
enum { BIT_ESTIMATES = 1 << 0 };
enum { NUMBER_MAX = 10 /* octets of a number in base 128 */ };

static void
put(unsigned char *at, uint64_t number, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		at[i] = (unsigned char) (number >> (8 * i));
}

static uint64_t
get(const unsigned char *at, size_t octets)
{
	uint64_t number = 0;

	for (size_t i = 0; i < octets; i++)
		number |= (uint64_t) at[i] << (8 * i);
	return number;
}

/* FNV-1a, 64 bits: against files that were torn or damaged, not against somebody who can write
 * them. */
static uint64_t
add_to_sum(uint64_t sum, const unsigned char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ octets[i]) * UINT64_C(1099511628211);
	return sum;
}

static uint64_t
checksum(const unsigned char *octets, size_t len)
{
	uint64_t sum = add_to_sum(UINT64_C(14695981039346656037), octets, AT_CHECKSUM);

	return add_to_sum(sum, octets + INDEX_HEADER, len - INDEX_HEADER);
}

/* ---- reading ---- */

/* One number of at most MAX, in its only form: the shortest. */
static bool
read_number(const unsigned char **at, const unsigned char *end, uint64_t max, uint64_t *out)
{
	uint64_t number = 0;

	for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
		unsigned char octet = *(*at)++;
		uint64_t bits = octet & 0x7f;

		if (bits > UINT64_MAX >> shift)
			return false;
		number |= bits << shift;
		if ((octet & 0x80) != 0)
			continue;
		*out = number;
		return number <= max && (octet != 0 || shift == 0);
	}
	return false;
}

enum step {
	STEP_MESSAGE,
	STEP_END,
	STEP_DAMAGE,
};

static enum step
step(struct index_reader *r, struct index_message *m)
{
	uint64_t gap, more, size;

	if (r->told == r->head.count)
		return r->left == 0 && r->run == r->run_end && r->size == r->size_end ? STEP_END
										      : STEP_DAMAGE;
	if (r->left == 0) {
		if (!read_number(&r->run, r->run_end, UINT32_MAX, &gap) ||
		    !read_number(&r->run, r->run_end, UINT32_MAX, &more) ||
		    r->uid + gap + more + 1 >= r->head.uidnext)
			return STEP_DAMAGE;
		r->uid += (uint32_t) gap;
		r->left = (uint32_t) more + 1;
	}
	if (!read_number(&r->size, r->size_end, UINT64_MAX, &size))
		return STEP_DAMAGE;
	r->left--;
	r->told++;
	m->uid = ++r->uid;
	m->size = size >> 1;
	m->exact = (size & 1) != 0;
	return STEP_MESSAGE;
}

bool
index_next(struct index_reader *r, struct index_message *m)
{
	return step(r, m) == STEP_MESSAGE;
}

int
index_read(struct index_reader *r, const void *octets, size_t len)
{
	const unsigned char *at = octets;
	struct index_reader walk;
	struct index_message m;
	enum step took;
	uint64_t runs, bits;

	if (len < INDEX_HEADER || memcmp(at, magic, sizeof(magic)) != 0 ||
	    get(at + AT_CHECKSUM, 8) != checksum(at, len))
		return ERR_INVALID;
	if ((runs = get(at + AT_RUNS, 4)) > len - INDEX_HEADER ||
	    (bits = get(at + AT_BITS, 4)) > BIT_ESTIMATES)
		return ERR_INVALID;
	*r = (struct index_reader){
		.head = { .owner = get(at + AT_OWNER, 8),
		    .uidvalidity = (uint32_t) get(at + AT_UIDVALIDITY, 4),
		    .uidnext = (uint32_t) get(at + AT_UIDNEXT, 4),
		    .count = (uint32_t) get(at + AT_COUNT, 4),
		    .modseq = get(at + AT_MODSEQ, 8),
		    .estimates = (bits & BIT_ESTIMATES) != 0 },
		.run = at + INDEX_HEADER,
		.run_end = at + INDEX_HEADER + runs,
		.size = at + INDEX_HEADER + runs,
		.size_end = at + len,
	};
	walk = *r;
	while ((took = step(&walk, &m)) == STEP_MESSAGE)
		r->head.exact += m.exact;
	return took == STEP_END ? 0 : ERR_INVALID;
}

/* ---- writing ---- */

static bool
put_number(struct index_octets *to, uint64_t number)
{
	unsigned char *grown;
	size_t room = to->room == 0 ? 512 : to->room * 2;

	if (to->room - to->len < NUMBER_MAX) {
		if ((grown = realloc(to->octets, room)) == NULL)
			return false;
		to->octets = grown;
		to->room = room;
	}
	for (; number > 0x7f; number >>= 7)
		to->octets[to->len++] = (unsigned char) (0x80 | (number & 0x7f));
	to->octets[to->len++] = (unsigned char) number;
	return true;
}

static bool
end_run(struct index_writer *w)
{
	if (w->count == 0)
		return true;
	return put_number(&w->runs, w->first - w->before - 1) &&
	       put_number(&w->runs, w->last - w->first);
}

void
index_add(struct index_writer *w, const struct index_message *m)
{
	if (w->failed)
		return;
	w->failed = m->uid <= w->last || m->size > INT64_MAX || w->count == UINT32_MAX ||
		    !put_number(&w->sizes, m->size << 1 | (m->exact ? 1 : 0));
	if (w->failed)
		return;
	if (w->count == 0 || m->uid != w->last + 1) {
		w->failed = !end_run(w);
		w->before = w->last;
		w->first = m->uid;
	}
	w->last = m->uid;
	w->count++;
	w->exact += m->exact;
}

int
index_finish(
    struct index_writer *w, const struct index_head *head, unsigned char **out, size_t *len)
{
	unsigned char *at;

	if (w->failed || (w->count > 0 && w->last >= head->uidnext))
		return ERR_INVALID;
	if (!end_run(w))
		return ERR_NO_MEMORY;
	w->failed = true; /* its last run is closed */
	if (w->runs.len > UINT32_MAX)
		return ERR_INVALID;
	*len = INDEX_HEADER + w->runs.len + w->sizes.len;
	if ((at = calloc(1, *len)) == NULL)
		return ERR_NO_MEMORY;
	memcpy(at, magic, sizeof(magic));
	put(at + AT_OWNER, head->owner, 8);
	put(at + AT_UIDVALIDITY, head->uidvalidity, 4);
	put(at + AT_UIDNEXT, head->uidnext, 4);
	put(at + AT_COUNT, w->count, 4);
	put(at + AT_RUNS, w->runs.len, 4);
	put(at + AT_MODSEQ, head->modseq, 8);
	put(at + AT_BITS, head->estimates ? BIT_ESTIMATES : 0, 4);
	if (w->count > 0) {
		memcpy(at + INDEX_HEADER, w->runs.octets, w->runs.len);
		memcpy(at + INDEX_HEADER + w->runs.len, w->sizes.octets, w->sizes.len);
	}
	put(at + AT_CHECKSUM, checksum(at, *len), 8);
	*out = at;
	return 0;
}

void
index_writer_clear(struct index_writer *w)
{
	free(w->runs.octets);
	free(w->sizes.octets);
	*w = (struct index_writer){ 0 };
}
