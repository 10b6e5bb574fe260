/* Unit tests of imapback/batch.c: many messages by one command, as good and bad servers send them.
 */
#include "imapback/imap.h"

#include "imap_dialogue.h"

static const struct uid_range five_to_eight[] = { { 5, 6 }, { 8, 8 } };

/* Takes the messages with an odd UID and passes over the others. */
static int
take_odd(struct client *c)
{
	struct noting_sink s = { { note_begin, note_chunk }, c };
	uint64_t octets;
	uint32_t uid;
	int rc;

	while ((rc = imap_batch_next(c->imap, &uid, &octets, &c->e)) == 0 && uid != 0) {
		note(c, "[%u %llu]", (unsigned) uid, (unsigned long long) octets);
		if (uid % 2 == 1 && (rc = imap_batch_take(c->imap, &s.sink, &c->e)) != 0)
			return rc;
	}
	note(c, rc == 0 ? "." : "");
	return rc;
}

static int
do_batch(struct client *c)
{
	int rc = imap_batch_open(c->imap, five_to_eight, 2, 0, &c->e);

	return rc == 0 ? take_odd(c) : rc;
}

static int
do_parts(struct client *c)
{
	int rc = imap_batch_open(c->imap, five_to_eight, 2, 4, &c->e);

	return rc == 0 ? take_odd(c) : rc;
}

static int
do_headers(struct client *c)
{
	int rc = imap_batch_open_headers(c->imap, five_to_eight, 2, &c->e);

	return rc == 0 ? take_odd(c) : rc;
}

/* Another command in the middle: what was not taken is thrown away. */
static int
do_half(struct client *c)
{
	struct noting_sink s = { { note_begin, note_chunk }, c };
	uint64_t octets;
	uint32_t uid;
	int rc;

	if ((rc = imap_batch_open(c->imap, five_to_eight, 2, 0, &c->e)) != 0 ||
	    (rc = imap_batch_next(c->imap, &uid, &octets, &c->e)) != 0 ||
	    (rc = imap_batch_take(c->imap, &s.sink, &c->e)) != 0)
		return rc;
	note(c, imap_in_batch(c->imap) ? " open " : " closed ");
	if ((rc = imap_noop(c->imap, &c->e)) == 0)
		note(c, imap_in_batch(c->imap) ? "open" : "closed");
	return rc;
}

#define BATCH "UID FETCH 5:6,8 (UID BODY.PEEK[])"
#define HEADERS "UID FETCH 5:6,8 (UID BODY.PEEK[HEADER])"
#define PARTS "UID FETCH 5:6,8 (UID BODY.PEEK[]<0.4>)"

static const struct dialogue batches[] = {
	{ "all of them", NULL,
	    { { BATCH,
		"* 1 FETCH (UID 5 BODY[] {3}\r\na\r\n)\r\n* 2 FETCH (UID 6 BODY[] {2}\r\nbb)\r\n"
		"* 4 FETCH (UID 8 BODY[] {0}\r\n)\r\n{tag} OK x\r\n" } },
	    do_batch, 0, ALIVE, "[5 3]3:a\r\n[6 2][8 0]." },
	{ "none of them", NULL, { { BATCH, "{tag} OK x\r\n" } }, do_batch, 0, ALIVE, "." },
	{ "some, then NO", NULL,
	    { { BATCH, "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n{tag} NO [EXPUNGEISSUED] x\r\n" } },
	    do_batch, 0, ALIVE, "[5 1]1:a." },
	{ "BAD", NULL, { { BATCH, "{tag} BAD x\r\n" } }, do_batch, ERR_PROTOCOL, DEAD, "" },
	{ "news of others in between", NULL,
	    { { BATCH,
		"* 9 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen) UID 5 BODY[] {1}\r\na FLAGS ())\r\n"
		"* 2 EXPUNGE\r\n* 3 FETCH (FLAGS (x))\r\n* 1 FETCH (UID 8 BODY[] {1}\r\nc)\r\n"
		"{tag} OK x\r\n" } },
	    do_batch, 0, ALIVE, "[5 1]1:a[8 1]." },
	{ "UID behind the body, quoted, NIL: passed over", NULL,
	    { { BATCH,
		"* 1 FETCH (BODY[] {1}\r\na UID 5)\r\n* 2 FETCH (UID 6 BODY[] \"b)\\\"\")\r\n"
		"* 4 FETCH (UID 8 BODY[] NIL)\r\n{tag} OK x\r\n" } },
	    do_batch, 0, ALIVE, "." },
	{ "a message that nobody asked for", NULL,
	    { { BATCH, "* 1 FETCH (UID 77 BODY[] {1}\r\na)\r\n{tag} OK x\r\n" } }, do_batch, 0,
	    ALIVE, "[77 1]1:a." },
	{ "parts", NULL,
	    { { PARTS, "* 1 FETCH (UID 5 BODY[]<0> {4}\r\nabcd)\r\n* 2 FETCH (UID 7 BODY[]<0> "
		       "{1}\r\ne)\r\n{tag} OK x\r\n" } },
	    do_parts, 0, ALIVE, "[5 4]4:abcd[7 1]1:e." },
	{ "headers", NULL,
	    { { HEADERS, "* 1 FETCH (UID 5 BODY[HEADER] {6}\r\na: b\r\n)\r\n* 2 FETCH (UID 6 body[header] "
			 "{0}\r\n)\r\n* 3 FETCH (UID 8 BODY[HEADER] NIL)\r\n{tag} OK x\r\n" } },
	    do_headers, 0, ALIVE, "[5 6]6:a: b\r\n[6 0]." },
	{ "another command in between", NULL,
	    { { BATCH,
		  "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n* 2 FETCH (UID 6 BODY[] {5}\r\nbbbbb)\r\n"
		  "{tag} OK x\r\n" },
		{ "NOOP", "{tag} OK x\r\n" } },
	    do_half, 0, ALIVE, "1:a open closed" },
};

static const struct dialogue lies[] = {
	{ "two UIDs", NULL,
	    { { BATCH, "* 1 FETCH (UID 5 BODY[] {1}\r\na UID 6)\r\n" }, { END, "" } }, do_batch,
	    ERR_PROTOCOL, DEAD, "[5 1]1:a" },
	{ "two bodies", NULL,
	    { { BATCH, "* 1 FETCH (UID 5 BODY[] {1}\r\na BODY[] {1}\r\nb)\r\n" }, { END, "" } },
	    do_batch, ERR_PROTOCOL, DEAD, "[5 1]1:a" },
	{ "a part instead of all", NULL,
	    { { BATCH, "* 1 FETCH (UID 5 BODY[]<0> {1}\r\na)\r\n" }, { END, "" } }, do_batch,
	    ERR_PROTOCOL, DEAD, "" },
	{ "a part from elsewhere", NULL,
	    { { PARTS, "* 1 FETCH (UID 5 BODY[]<2> {1}\r\na)\r\n" }, { END, "" } }, do_parts,
	    ERR_PROTOCOL, DEAD, "" },
	{ "a part too large", NULL,
	    { { PARTS, "* 1 FETCH (UID 5 BODY[]<0> {5}\r\nabcde)\r\n" }, { END, "" } }, do_parts,
	    ERR_PROTOCOL, DEAD, "" },
	{ "a body instead of headers", NULL,
	    { { HEADERS, "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n" }, { END, "" } }, do_headers,
	    ERR_PROTOCOL, DEAD, "" },
	{ "headers instead of a body", NULL,
	    { { BATCH, "* 1 FETCH (UID 5 BODY[HEADER] {1}\r\na)\r\n" }, { END, "" } }, do_batch,
	    ERR_PROTOCOL, DEAD, "" },
	{ "a cut body", NULL, { { BATCH, "* 1 FETCH (UID 5 BODY[] {9}\r\nabc" } }, do_batch,
	    ERR_CLOSED, DEAD, "[5 9]9:abc" },
	{ "a cut response", NULL, { { BATCH, "* 1 FETCH (UID 5 BODY[] {3}\r\nabc" } }, do_batch,
	    ERR_CLOSED, DEAD, "[5 3]3:abc" },
	{ "a sink that has enough", NULL,
	    { { BATCH, "* 1 FETCH (UID 5 BODY[] {13}\r\nabcdefghijklm)\r\n" }, { END, "" } },
	    do_batch, ERR_CLOSED, DEAD, "[5 13]13:" },
	{ "a message of a size that nobody has asked for, and nobody takes", NULL,
	    { { BATCH,
		"* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n"
		"* 2 FETCH (UID 6 BODY[] {9223372036854775807}\r\nbbbbb" }, { END, "" } },
	    do_half, ERR_CLOSED, DEAD, "1:a open " },
	{ "BYE in between", NULL,
	    { { BATCH, "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n* BYE x\r\n" }, { END, "" } },
	    do_batch, ERR_TEMPORARY, DEAD, "[5 1]1:a" },
};

static void
good_servers(void)
{
	check_all(batches, sizeof(batches) / sizeof(batches[0]), IMAP_TLS_NONE, 10000);
}

static void
bad_servers(void)
{
	check_all(lies, sizeof(lies) / sizeof(lies[0]), IMAP_TLS_NONE, 10000);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "good servers", good_servers },
		{ "bad servers", bad_servers },
	};

	signal(SIGPIPE, SIG_IGN);
	return unit_run("imap_batch", tests, sizeof(tests) / sizeof(tests[0]));
}
