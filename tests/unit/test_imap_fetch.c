/* Unit tests of imapback/fetch.c: messages and parts of them, as good and bad servers send them. */
#include "imapback/imap.h"

#include "imap_dialogue.h"

static int
do_fetch(struct client *c)
{
	struct noting_sink s = { { note_begin, note_chunk }, c };

	return imap_fetch(c->imap, 5, &s.sink, &c->e);
}

static int
do_fetch_part(struct client *c)
{
	struct noting_sink s = { { note_begin, note_chunk }, c };

	return imap_fetch_part(c->imap, 5, 7, 4, &s.sink, &c->e);
}

static int
do_fetch_twice(struct client *c)
{
	int rc = do_fetch(c);

	note(c, " %s; ", error_name(rc));
	return do_fetch(c);
}

#define FETCH "UID FETCH 5 (UID BODY.PEEK[])"
#define PART "UID FETCH 5 (UID BODY.PEEK[]<7.4>)"

static const struct dialogue bodies[] = {
	{ "a message", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[] {6}\r\nab\r\nc\n)\r\n{tag} OK x\r\n" } }, do_fetch,
	    0, ALIVE, "6:ab\r\nc\n" },
	{ "UID behind it, and news of others", NULL,
	    { { FETCH, "* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n* 2 EXPUNGE\r\n* 3 FETCH (FLAGS (x) "
		       "BODY[] {3}\r\n)\r\n UID 5)\r\n* 4 FETCH (FLAGS ())\r\n{tag} OK x\r\n" } },
	    do_fetch, 0, ALIVE, "3:)\r\n" },
	{ "an empty message", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[] {0}\r\n)\r\n{tag} OK x\r\n" } }, do_fetch, 0, ALIVE,
	    "0:" },
	{ "a quoted message", NULL,
	    { { FETCH, "* 3 FETCH (BODY[] \"a\\\"b\" UID 5)\r\n{tag} OK x\r\n" } }, do_fetch, 0,
	    ALIVE, "3:a\"b" },
	{ "an empty quoted message", NULL,
	    { { FETCH, "* 3 FETCH (BODY[] \"\" UID 5)\r\n{tag} OK x\r\n" } }, do_fetch, 0, ALIVE,
	    "0:" },
	{ "two messages", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n{tag} OK x\r\n" },
		{ FETCH, "* 3 FETCH (UID 5 BODY[] {1}\r\nb)\r\n{tag} OK x\r\n" } },
	    do_fetch_twice, 0, ALIVE, "1:a no error; 1:b" },
	{ "no message", NULL, { { FETCH, "* 3 FETCH (UID 4 FLAGS ())\r\n{tag} OK x\r\n" } },
	    do_fetch, ERR_GONE, ALIVE, "" },
	{ "NIL", NULL, { { FETCH, "* 3 FETCH (UID 5 BODY[] NIL)\r\n{tag} OK x\r\n" } }, do_fetch,
	    ERR_TEMPORARY, ALIVE, "" },
	{ "NO", NULL, { { FETCH, "{tag} NO [EXPUNGEISSUED] x\r\n" } }, do_fetch, ERR_TEMPORARY,
	    ALIVE, "" },
	{ "NO behind the message", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n{tag} NO x\r\n" } }, do_fetch,
	    ERR_TEMPORARY, ALIVE, "1:a" },
	{ "another message", NULL,
	    { { FETCH, "* 3 FETCH (UID 6 BODY[] {1}\r\na)\r\n{tag} OK x\r\n" } }, do_fetch,
	    ERR_PROTOCOL, DEAD, "" },
	{ "another message, told too late", NULL,
	    { { FETCH, "* 3 FETCH (BODY[] {1}\r\na UID 6)\r\n{tag} OK x\r\n" } }, do_fetch,
	    ERR_PROTOCOL, DEAD, "1:a" },
	{ "a message of nobody", NULL,
	    { { FETCH, "* 3 FETCH (BODY[] {1}\r\na)\r\n{tag} OK x\r\n" } }, do_fetch, ERR_PROTOCOL,
	    DEAD, "1:a" },
	{ "a part for the whole", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[]<0> {1}\r\na)\r\n{tag} OK x\r\n" } }, do_fetch,
	    ERR_PROTOCOL, DEAD, "" },
	{ "a message that is cut", NULL, { { FETCH, "* 3 FETCH (UID 5 BODY[] {4}\r\nabc" } },
	    do_fetch, ERR_CLOSED, DEAD, "4:abc" },
	{ "an answer ahead of its time", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n{tag} OK x\r\n* 3 FETCH (UID 5 BODY[] "
		       "{3}\r\nbc" },
		{ FETCH, "d)\r\n{tag} OK x\r\n" } },
	    do_fetch_twice, 0, ALIVE, "1:a no error; 3:bcd" },
	{ "a client that is gone", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[] {13}\r\nabcdefghijklm)\r\n{tag} OK x\r\n" } },
	    do_fetch, ERR_CLOSED, DEAD, "13:" },

	{ "a part", NULL, { { PART, "* 3 FETCH (UID 5 BODY[]<7> {4}\r\nabcd)\r\n{tag} OK x\r\n" } },
	    do_fetch_part, 0, ALIVE, "4:abcd" },
	{ "the last part", NULL,
	    { { PART, "* 3 FETCH (UID 5 BODY[]<7> {1}\r\na)\r\n{tag} OK x\r\n" } }, do_fetch_part,
	    0, ALIVE, "1:a" },
	{ "a part behind the end", NULL,
	    { { PART, "* 3 FETCH (UID 5 BODY[]<7> \"\")\r\n{tag} OK x\r\n" } }, do_fetch_part, 0,
	    ALIVE, "0:" },
	{ "a part from elsewhere", NULL,
	    { { PART, "* 3 FETCH (UID 5 BODY[]<6> {4}\r\nabcd)\r\n{tag} OK x\r\n" } },
	    do_fetch_part, ERR_PROTOCOL, DEAD, "" },
	{ "a quoted part from elsewhere", NULL,
	    { { PART, "* 3 FETCH (UID 5 BODY[] \"abcd\")\r\n{tag} OK x\r\n" } }, do_fetch_part,
	    ERR_PROTOCOL, DEAD, "" },
	{ "a part too large", NULL,
	    { { PART, "* 3 FETCH (UID 5 BODY[]<7> {5}\r\nabcde)\r\n{tag} OK x\r\n" } },
	    do_fetch_part, ERR_PROTOCOL, DEAD, "" },
};

static const struct dialogue silence[] = {
	{ "a server that falls silent", NULL,
	    { { FETCH, "* 3 FETCH (UID 5 BODY[] {4}\r\nabc" }, { END, "" } }, do_fetch, ERR_TIMEOUT,
	    DEAD, "4:abc" },
};

static void
messages(void)
{
	check_all(bodies, sizeof(bodies) / sizeof(bodies[0]), IMAP_TLS_NONE, 10000);
	check_all(silence, 1, IMAP_TLS_NONE, 50);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "messages", messages },
	};

	signal(SIGPIPE, SIG_IGN);
	return unit_run("imap_fetch", tests, sizeof(tests) / sizeof(tests[0]));
}
