/* Unit tests of mapping/match.c: which messages are paired, and which are not. */
#include "mapping/match.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "unit.h"

/* A mailbox in a row of a table: a word for each message, "CONTENT[:SIZE][/X-UIDL]". CONTENT, a letter
 * or more, is what the message says; its header is made of that. In front of it, "=" is one without
 * Message-ID and Received, "?" one whose header cannot be read, "~" one whose Received was lost on the
 * way, "*" one whose Message-ID is that of all with its first letter, "#" one of which both servers know
 * the identity, "!" one of which they know nothing else. A word
 * "|" is where the next mailbox begins. The old side's UIDLs are "uidl-N" or, where the row says so,
 * "stamped-CONTENT". */
struct mailbox {
	struct match_message messages[64];
	struct match_message truth[64]; /* with every print that can be read */
	struct match_side side;
	bool is_at_seam;
};

static struct fingerprint
print_for(const char *content, size_t len, char kind)
{
	struct fingerprint print = { 0 };
	uint64_t key = fingerprint_key(content, len);

	print.headers[0] = key;
	print.headers[1] = kind == '~' ? 2 : 1;
	print.strong = kind != '=';
	print.date = key + 1;
	print.message_id = kind == '=' ? 0 : kind == '*' ? fingerprint_key(content, 1) : key + 2;
	return print;
}

static void
add_word(struct mailbox *box, const char *word, size_t len, bool is_old)
{
	struct match_message *m = &box->truth[box->side.count];
	const char *end = word + len, *at, *content;
	char name[64], kind = 0;

	if (strchr("=?~*#!", *word) != NULL)
		kind = *word++;
	content = word;
	while (word < end && *word != ':' && *word != '/')
		word++;
	*m = (struct match_message){ .header = kind == '?' || kind == '!' ? MATCH_HEADER_UNAVAILABLE
									  : MATCH_HEADER_READ };
	m->print = print_for(content, (size_t) (word - content), kind);
	m->size = 1000 + (uint64_t) (unsigned char) content[0];
	if (kind == '#' || kind == '!')
		m->identity = fingerprint_key(content, (size_t) (word - content));
	if (word < end && *word == ':') {
		m->size = word[1] == '-' ? MATCH_NO_SIZE : strtoull(word + 1, NULL, 10);
		for (word++; word < end && *word != '/';)
			word++;
	}
	if (is_old) {
		snprintf(name, sizeof(name), "stamped-%.*s", (int) (word - content), content);
		m->name = fingerprint_key(name, strlen(name));
	} else if ((at = memchr(word, '/', (size_t) (end - word))) != NULL) {
		m->print.x_uidl = fingerprint_key(at + 1, (size_t) (end - at - 1));
	}
	box->messages[box->side.count] = *m;
	box->messages[box->side.count].print = (struct fingerprint){ 0 };
	box->messages[box->side.count].header = MATCH_HEADER_UNREAD;
	box->messages[box->side.count].begins_mailbox = box->is_at_seam;
	box->is_at_seam = false;
	box->side.count++;
}

static void
read_mailbox(struct mailbox *box, const char *words, bool is_old)
{
	memset(box, 0, sizeof(*box));
	box->side.messages = box->messages;
	while (*words != '\0') {
		size_t len = strcspn(words, " ");

		if (len > 0 && *words == '|')
			box->is_at_seam = true;
		else if (len > 0)
			add_word(box, words, len, is_old);
		words += len + strspn(words + len, " ");
	}
}

/* Reads what is wanted; returns how many headers that were. */
static size_t
read_headers(const struct match_side *side, const struct match_message *truth)
{
	size_t read = 0;

	for (size_t i = 0; i < side->count; i++) {
		if (!match_wants(side, i))
			continue;
		side->messages[i].print = truth[i].print;
		side->messages[i].header = truth[i].header;
		read++;
	}
	return read;
}

/* Matches to the end; returns how many headers were read of both sides. */
static size_t
run(struct match *m, const struct match_side *old, const struct match_message *old_truth,
    const struct match_side *new, const struct match_message *new_truth, enum match_depth depth)
{
	size_t read = 0;
	bool done;

	CU_ASSERT_EQUAL_FATAL(match_begin(m, old, new, depth), 0);
	do {
		read += read_headers(old, old_truth);
		read += read_headers(new, new_truth);
		CU_ASSERT_EQUAL_FATAL(match_step(m, &done), 0);
	} while (!done);
	return read;
}

/* For each old message: "-" unmatched, "?" ambiguous, or the first letter of how it was paired (i, x, o,
 * h, m, p) and the position of its partner. */
static void
describe(const struct match *m, char *out, size_t room)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < m->old.count; i++) {
		const struct match_message *o = &m->old.messages[i];
		const char *gap = i > 0 ? " " : "";

		if (o->partner == MATCH_NONE)
			at += (size_t) snprintf(out + at, room - at, "%s%s", gap,
			    o->how == MATCH_AMBIGUOUS ? "?" : "-");
		else
			at += (size_t) snprintf(out + at, room - at, "%s%c%u", gap,
			    match_how_name(o->how)[0], (unsigned) o->partner + 1);
	}
}

static const struct {
	const char *name, *old, *new, *wanted;
} tables[] = {
	{ "nothing", "", "", "" },
	{ "nothing new", "A B", "", "- -" },
	{ "nothing old", "", "A B", "" },
	{ "the same", "A B C", "A B C", "o1 o2 o3" },
	{ "new mail behind", "A B C", "A B C D", "o1 o2 o3" },
	{ "the old side has more", "A B C D", "A B C", "o1 o2 o3 -" },
	{ "the first is gone", "A B C", "B C", "- h1 h2" },
	{ "one in the middle is gone", "A B C D E", "A B D E", "o1 o2 - h3 h4" },
	{ "one in the middle came", "A B C", "A X B C", "o1 h3 h4" },
	{ "another order", "A B C", "C A B", "h2 h3 h1" },
	{ "all of one size", "A:9 B:9 C:9 D:9", "A:9 B:9 C:9 D:9", "o1 o2 o3 o4" },
	{ "all of one size, one gone", "A:9 B:9 C:9 D:9", "A:9 C:9 D:9", "o1 - h2 h3" },
	{ "all of one size, another order", "A:9 B:9 C:9", "C:9 B:9 A:9", "h3 o2 h1" },
	{ "a size that fits by chance behind a gap", "A B:9 C:9 D", "A C:9 D", "o1 - h2 h3" },
	{ "the end of the prefix fits by chance", "A B C:9", "A B X:9", "o1 h2 -" },
	{ "duplicates, as many on both sides", "A A A", "A A A", "o1 o2 o3" },
	{ "duplicates elsewhere, as many", "A B B C", "B C B A", "h4 h1 h3 h2" },
	{ "duplicates, one is gone", "A A B", "A B", "o1 - h2" },
	{ "duplicates elsewhere, one is gone", "B A A", "A B", "h2 ? ?" },
	{ "duplicates elsewhere, one came", "B A", "A A B", "h3 ?" },
	{ "duplicates of other sizes", "B A:10 A:11", "A:11 B", "h2 ? h1" },
	{ "sizes by LF there and CRLF here", "A:100 B:200 C:300", "A:110 B:230 C:305", "h1 h2 h3" },
	{ "Received lost, sizes the same", "B A C", "~A ~B ~C", "m2 m1 m3" },
	{ "Received lost, other sizes", "A:100 B:100", "~B:110 ~A:120", "m2 m1" },
	{ "Received lost, sizes that cannot be", "A:100 B:100", "~B:300 ~A:300", "? ?" },
	{ "one Message-ID, two Dates", "*Dmonday", "*Dtuesday", "?" },
	{ "one Message-ID, two Dates, elsewhere", "B *Dmonday:30 C", "C *Dtuesday:31 B", "h3 ? h1" },
	{ "without Message-ID, the size decides", "=B:20 =A:10", "=A:10 =B:21", "- h1" },
	/* Without headers eight sizes that nobody else has are enough, and their last four may be of others. */
	{ "headers cannot be read there", "?A B C D E F G H I", "A B C D E F G H I J",
	    "o1 o2 o3 o4 o5 ? ? ? ?" },
	{ "nor here, and one is gone", "?A B C D E F G H I J", "?A ?B ?C ?D ?E ?F ?G ?H ?J",
	    "o1 o2 o3 o4 ? ? ? ? - -" },
	{ "a report of one size each night, unread", "?A:9", "B:9", "?" },
	{ "three reports each night, unread", "?A B C", "X:1065 Y:1066 Z:1067", "? ? ?" },
	{ "seven sizes, unread", "?A B C D E F G", "A B C D E F G", "? ? ? ? ? ? ?" },
	{ "seven sizes and many of two, unread",
	    "?A B C D E F G V:1 W:1 V:2 W:2 V:1 W:1 V:2 W:2", "A B C D E F G X:1 Y:1 X:2 Y:2 X:1 Y:1 X:2 Y:2",
	    "? ? ? ? ? ? ? ? ? ? ? ? ? ? ?" },
	{ "the last ones came in the place of others, unread", "?A B C D E F G H I J K L",
	    "A B C D E F G H W:1073 X:1074 Y:1075 Z:1076", "o1 o2 o3 o4 o5 o6 o7 o8 ? ? ? ?" },
	{ "an older report of the last one's size, unread", "?R:7 A B C D E F G H R:7",
	    "R:7 A B C D E F G H X:7", "o1 o2 o3 o4 o5 ? ? ? ? ?" },
	{ "unread and of one size", "?A:9 ?B:9", "?A:9 ?B:9", "? ?" },
	{ "unread, shifted by chance", "?A:1 ?B:2 ?C:3 ?D:1 ?E:2 ?F:3 ?G:1",
	    "?D:1 ?E:2 ?F:3 ?G:1", "? ? ? ? - - -" },
	{ "one cannot be read", "A ?B C", "A B C", "o1 o2 o3" },
	{ "the end cannot be read", "A B ?C", "A B C", "o1 h2 -" },
	{ "X-UIDL", "B A C", "A/stamped-A C/stamped-C B/stamped-B X", "x3 x1 x2" },
	{ "X-UIDL of another life", "B A", "A/stamped-X B/stamped-Y", "h2 h1" },
	{ "X-UIDL twice", "B A C", "A/stamped-A D/stamped-A C/stamped-C", "- h1 x3" },
	{ "X-UIDL, and one without", "A B C", "A/stamped-A C/stamped-C B", "x1 h3 x2" },
	{ "X-UIDL, of another size by far", "B A:100", "A:100/stamped-B B:5000", "h2 h1" },
	{ "identity", "#A #B #C", "#C:1 #A:2 #X #B:3", "i2 i4 i1" },
	{ "identity of some", "#A B #C D", "B #C D #A", "i4 h1 i2 h3" },
	{ "identity alone", "!A:9 !B:9 !C:9 !D:9", "!D:9 !A:9 !C:9", "i2 - i3 i1" },
	{ "identity tells those apart that order and size do not", "!A:1 !B:2 !C:3", "!A:1 !X:2 !C:3",
	    "i1 - i3" },
	{ "identity of none is the same", "!A:1 !B:2 !C:3", "!X:1 !Y:2 !Z:3", "? ? ?" },
	{ "identity, and none", "!A ?B !C !D !E !F !G !H", "!A ?B !C !D !E !F !G !H",
	    "i1 o2 i3 i4 i5 i6 i7 i8" },
	{ "identity of few, and none", "!A:1 ?B:2 !C:3", "!A:1 ?B:2 !C:3", "i1 ? i3" },
	{ "no sizes, Message-IDs", "B:- A:-", "A B", "h2 h1" },
	{ "positions alone", "?A:- ?B:-", "A B", "p1 p2" },
	{ "positions alone, not as many", "?A:- ?B:-", "A B C", "- -" },
	{ "two mailboxes, not sorted", "A B C D", "A B | C D", "o1 o2 o3 o4" },
	{ "two mailboxes, sorted", "A S B T C", "A B C | S T", "o1 h4 h2 h5 h3" },
	{ "two mailboxes, all in the second", "A B", "| A B", "o1 o2" },
	{ "two mailboxes, new mail in the first", "A B C D", "A B X | C D", "o1 o2 h4 h5" },
	{ "one went, one as large came at the end of the first", "A B C:9 D E", "A B X:9 | D E",
	    "o1 h2 - o4 o5" },
	{ "the end of the first mailbox cannot be read", "A B ?C D", "A B C | D", "o1 h2 - o4" },
	{ "one is in both mailboxes, and elsewhere", "B A", "A | A B", "h3 ?" },
	{ "twice there, once in each", "B A A", "A | A B", "h3 h1 h2" },
	{ "sizes fit by chance from the second on", "A B C:9 D:8", "A B | X:9 Y:8", "o1 o2 - -" },
	{ "the second mailbox, unread", "?A B C D E F G H I J K", "A B C D E F G H I | J K",
	    "o1 o2 o3 o4 o5 ? ? ? ? ? ?" },
	{ "the second mailbox alone, unread", "?A B C D E F G H", "| A B C D E F G H",
	    "o1 o2 o3 o4 ? ? ? ?" },
	{ "positions alone, two mailboxes", "?A:- ?S:- ?B:-", "A B | S", "- - -" },
	{ "positions alone, all in the second", "?A:- ?B:-", "| A B", "p1 p2" },
};

static void
rows(void)
{
	static struct mailbox old, new;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		char found[512], message[1024];
		struct match m;

		read_mailbox(&old, tables[i].old, true);
		read_mailbox(&new, tables[i].new, false);
		/* What cannot be read of a whole side is known beforehand. */
		if (tables[i].old[0] == '?' || tables[i].old[0] == '!')
			for (size_t j = 0; j < old.side.count; j++)
				old.messages[j].header = MATCH_HEADER_UNAVAILABLE;
		run(&m, &old.side, old.truth, &new.side, new.truth, MATCH_USUAL);
		describe(&m, found, sizeof(found));
		snprintf(message, sizeof(message), "%s: wanted %s, found %s", tables[i].name,
		    tables[i].wanted, found);
		if (!UNIT_CHECK(strcmp(found, tables[i].wanted) == 0, tables[i].name))
			printf("%s\n", message);
	}
}

static void
positions_with_gaps_are_none(void)
{
	static struct mailbox old, new;
	struct match m;

	for (int gaps = 0; gaps < 2; gaps++) {
		read_mailbox(&old, "?A:- ?B:-", true);
		read_mailbox(&new, "A B", false);
		for (size_t i = 0; i < old.side.count; i++)
			old.messages[i].header = MATCH_HEADER_UNAVAILABLE;
		old.side.has_gaps = gaps == 1;
		run(&m, &old.side, old.truth, &new.side, new.truth, MATCH_USUAL);
		CU_ASSERT_EQUAL(m.paired, gaps == 1 ? 0 : 2);
	}
}

/* ---- mailboxes at random ---- */

static uint64_t seed;

static uint32_t
next_random(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t) (seed >> 32) % below;
}

enum { RANDOM_MAX = 400 };

struct random_side {
	struct match_message messages[RANDOM_MAX];
	struct match_message truth[RANDOM_MAX];
	uint32_t content[RANDOM_MAX]; /* which original this is */
	struct match_side side;
};

static void
add_original(struct random_side *s, uint32_t content, uint64_t size)
{
	struct match_message *m = &s->truth[s->side.count];
	char name[16];

	snprintf(name, sizeof(name), "%u", (unsigned) content);
	*m = (struct match_message){ .size = size, .header = MATCH_HEADER_READ };
	m->print = print_for(name, strlen(name), 0);
	s->messages[s->side.count] = (struct match_message){ .size = size };
	s->content[s->side.count] = content;
	s->side.count++;
}

enum losses {
	LOSSES_ONE_SIDE,
	LOSSES_BOTH_SIDES,
};

/* COUNT originals, some of them duplicates, their sizes below RANGE; some are lost on the way, and new
 * ones come behind. */
static void
make_sides(struct random_side *old, struct random_side *new, uint32_t range, enum losses losses)
{
	uint32_t count = 1 + next_random(RANDOM_MAX / 2), lost = next_random(40);
	bool at_old = next_random(2) == 0;
	uint64_t sizes[RANDOM_MAX];

	old->side = (struct match_side){ .messages = old->messages };
	new->side = (struct match_side){ .messages = new->messages };
	for (uint32_t i = 0; i < count; i++) {
		uint32_t content = i > 0 && next_random(10) == 0 ? next_random(i) : i;

		sizes[i] = content == i ? 1 + next_random(range) : sizes[content];
		if (!(losses == LOSSES_BOTH_SIDES || at_old) || next_random(100) >= lost)
			add_original(old, content, sizes[i]);
		if (!(losses == LOSSES_BOTH_SIDES || !at_old) || next_random(100) >= lost)
			add_original(new, content, sizes[i]);
	}
	for (uint32_t i = next_random(20); i > 0; i--)
		add_original(new, count + i, 1 + next_random(range));
}

/* How many of SIDE have CONTENT. */
static size_t
count_content(const struct random_side *s, uint32_t content)
{
	size_t count = 0;

	for (size_t i = 0; i < s->side.count; i++)
		count += s->content[i] == content;
	return count;
}

/* Partners point at each other, nobody has two, contents are the same; what is on both sides once is
 * paired. Returns how many pairs there are. */
static size_t
judge(const struct random_side *old, const struct random_side *new)
{
	size_t pairs = 0, backwards = 0;

	for (size_t i = 0; i < old->side.count; i++) {
		const struct match_message *m = &old->messages[i];

		if (m->partner == MATCH_NONE) {
			CU_ASSERT_TRUE(m->how == MATCH_OPEN || m->how == MATCH_AMBIGUOUS);
			CU_ASSERT_FALSE(count_content(old, old->content[i]) == 1 &&
			    count_content(new, old->content[i]) == 1);
			continue;
		}
		pairs++;
		CU_ASSERT_TRUE_FATAL(m->partner < new->side.count);
		CU_ASSERT_EQUAL(new->messages[m->partner].partner, i);
		CU_ASSERT_EQUAL(new->content[m->partner], old->content[i]);
	}
	for (size_t i = 0; i < new->side.count; i++)
		backwards += new->messages[i].partner != MATCH_NONE;
	CU_ASSERT_EQUAL(backwards, pairs);
	return pairs;
}

static void
try_at_random(uint32_t range, enum losses losses, enum match_depth depth, unsigned rounds)
{
	static struct random_side old, new;
	struct match m;

	for (unsigned i = 0; i < rounds; i++) {
		make_sides(&old, &new, range, losses);
		run(&m, &old.side, old.truth, &new.side, new.truth, depth);
		CU_ASSERT_EQUAL(judge(&old, &new), m.paired);
		CU_ASSERT_EQUAL(m.new_left, new.side.count - m.paired);
	}
}

static void
never_a_wrong_pair(void)
{
	seed = UINT64_C(0x9e3779b97f4a7c15);
	for (uint32_t range = 1; range < 100000; range *= 7) {
		try_at_random(range, LOSSES_ONE_SIDE, MATCH_USUAL, 150);
		try_at_random(range, LOSSES_BOTH_SIDES, MATCH_THOROUGH, 150);
	}
	/* Messages that differ in size are told apart whatever went where. */
	try_at_random(UINT32_MAX, LOSSES_BOTH_SIDES, MATCH_USUAL, 150);
}

/* Without headers fewer are paired, and none wrongly where sizes tell anything. */
static void
never_a_wrong_pair_unread(void)
{
	static struct random_side old, new;
	size_t pairs = 0;
	struct match m;

	seed = 88172645463325252u;
	for (unsigned i = 0; i < 300; i++) {
		make_sides(&old, &new, 100000, LOSSES_ONE_SIDE);
		for (size_t j = 0; j < old.side.count; j++)
			old.messages[j].header = MATCH_HEADER_UNAVAILABLE;
		run(&m, &old.side, old.truth, &new.side, new.truth, MATCH_USUAL);
		for (size_t j = 0; j < old.side.count; j++)
			if (old.messages[j].partner != MATCH_NONE)
				CU_ASSERT_EQUAL(new.content[old.messages[j].partner], old.content[j]);
		pairs += m.paired;
	}
	CU_ASSERT_TRUE(pairs > 300);
}

/* ---- size ---- */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static struct match_side
make_large(size_t count, uint64_t one_size, size_t first, struct match_message **truth)
{
	struct match_message *messages = calloc(count, sizeof(*messages));
	struct match_side side = { .messages = messages, .count = count };

	*truth = calloc(count, sizeof(**truth));
	for (size_t i = 0; i < count; i++) {
		uint64_t n = first + i;

		messages[i].size = one_size != 0 ? one_size : 1000 + n * 2654435761u % 40000;
		(*truth)[i] = messages[i];
		(*truth)[i].header = MATCH_HEADER_READ;
		(*truth)[i].print = (struct fingerprint){ .headers = { n, 1 }, .strong = true };
	}
	return side;
}

/* COUNT messages, of which the first SHIFT are gone; returns how many headers were read. */
static size_t
match_large(size_t count, uint64_t one_size, size_t shift, const char *what)
{
	struct match_message *old_truth, *new_truth;
	struct match_side old = make_large(count, one_size, 1, &old_truth);
	struct match_side new = make_large(count, one_size, 1 + shift, &new_truth);
	double began = now();
	struct match m;
	size_t read;

	read = run(&m, &old, old_truth, &new, new_truth, MATCH_USUAL);
	CU_ASSERT_EQUAL(m.paired, count - shift);
	printf("%s: %zu messages in %.3f s, %zu headers\n", what, count, now() - began, read);
	free(old.messages);
	free(new.messages);
	free(old_truth);
	free(new_truth);
	return read;
}

/* Work must not grow with the square; time is printed, and what would take hours ends no test. */
static void
large_mailboxes(void)
{
	CU_ASSERT_TRUE(match_large(100000, 0, 0, "in order") < 2 * 100000 / 20);
	CU_ASSERT_EQUAL(match_large(100000, 0, 1, "shifted"), 2 * 100000);
	match_large(100000, 77, 0, "of one size");
	match_large(100000, 77, 1, "of one size, shifted");
}

/* Headers of one side alone are of no use. */
static void
no_headers_in_vain(void)
{
	struct match_message *old_truth, *new_truth;
	struct match_side old = make_large(2000, 0, 1, &old_truth);
	struct match_side new = make_large(1999, 0, 2, &new_truth);
	struct match m;

	for (size_t i = 0; i < old.count; i++)
		old.messages[i].header = MATCH_HEADER_UNAVAILABLE;
	old.messages[0].size = new.messages[0].size; /* a prefix of one */
	CU_ASSERT_TRUE(run(&m, &old, old_truth, &new, new_truth, MATCH_USUAL) <= 2);
	CU_ASSERT_TRUE(m.paired <= 1);
	free(old.messages);
	free(new.messages);
	free(old_truth);
	free(new_truth);
}

/* Where every header is to be compared, nothing goes without. */
static void
thorough_unread(void)
{
	struct match_message *old_truth, *new_truth;
	struct match_side old = make_large(100, 0, 1, &old_truth);
	struct match_side new = make_large(100, 0, 1, &new_truth);
	struct match m;

	for (size_t i = 0; i < old.count; i++)
		old.messages[i].header = MATCH_HEADER_UNAVAILABLE;
	run(&m, &old, old_truth, &new, new_truth, MATCH_THOROUGH);
	CU_ASSERT_EQUAL(m.paired, 0);
	run(&m, &old, old_truth, &new, new_truth, MATCH_USUAL);
	CU_ASSERT_EQUAL(m.paired, 100 - MATCH_UNSEEN_END);
	free(old.messages);
	free(new.messages);
	free(old_truth);
	free(new_truth);
}

static void
limits(void)
{
	struct match_side side = { .count = (size_t) MATCH_MESSAGES_MAX + 1 }, none = { 0 };
	struct match m;

	CU_ASSERT_EQUAL(match_begin(&m, &side, &none, MATCH_USUAL), ERR_LIMIT);
	CU_ASSERT_EQUAL(match_begin(&m, &none, &side, MATCH_USUAL), ERR_LIMIT);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rows", rows },
		{ "positions_with_gaps_are_none", positions_with_gaps_are_none },
		{ "never a wrong pair", never_a_wrong_pair },
		{ "never a wrong pair, headers unread", never_a_wrong_pair_unread },
		{ "large mailboxes", large_mailboxes },
		{ "no headers in vain", no_headers_in_vain },
		{ "thorough, headers unread", thorough_unread },
		{ "limits", limits },
	};

	return unit_run("match", tests, sizeof(tests) / sizeof(tests[0]));
}
