/* Unit tests of gateway/retrieval.c: what is asked for ahead, by the octets that all sessions share. */
#include "gateway/retrieval.h"

#include "books.h"
#include "imap_dialogue.h"

/* Messages 5 to 8, of one octet each. */
static struct snapshot *
make(const struct uidl_book *book)
{
	struct snapshot *s;

	CU_ASSERT_EQUAL_FATAL(snapshot_new(77, book, 4, &s), 0);
	for (uint32_t uid = 5; uid <= 8; uid++)
		CU_ASSERT_EQUAL(snapshot_add(s, uid, 1, 100), 0);
	return s;
}

/* Takes messages 5 and 6, while POOL is as it is. */
static int
take_two(struct client *c, struct retrieval_pool *pool)
{
	static char inbox[] = "INBOX";
	static char *const mailboxes[] = { inbox };
	struct uidl_book *book = book_of("%08Xu");
	struct snapshot *snapshot = make(book);
	struct mailbox_link link = { .imap = c->imap, .mailbox_name = inbox, .is_selected = true };
	struct retrieval r = { .link = &link, .snapshot = snapshot, .mailboxes = mailboxes, .pool = pool };
	struct noting_sink s = { { note_begin, note_chunk }, c };
	uint64_t before = pool->used;
	int rc = 0;

	for (size_t number = 1; number <= 2 && rc == 0; number++) {
		const struct wanted wanted = { .message = snapshot_at(snapshot, number) };

		rc = retrieval_run(&r, &wanted, &s.sink, &c->e);
	}
	note(c, retrieval_is_ahead(&r) ? " ahead" : " alone");
	retrieval_end(&r);
	CU_ASSERT_EQUAL(pool->used, before);
	snapshot_free(snapshot);
	uidl_book_free(book);
	return rc;
}

static int
with_room(struct client *c)
{
	struct retrieval_pool pool = { .used = 10, .most = 14 };

	return take_two(c, &pool);
}

static int
without_room(struct client *c)
{
	struct retrieval_pool pool = { .used = 10, .most = 10 };

	return take_two(c, &pool);
}

/* A reload to more workers makes the share of each smaller than what is asked for already. */
static int
over_the_top(struct client *c)
{
	struct retrieval_pool pool = { .used = 10, .most = 5 };

	return take_two(c, &pool);
}

#define FIRST                                                                                      \
	{ "UID FETCH 5 (UID BODY.PEEK[])", "* 1 FETCH (UID 5 BODY[] {1}\r\na)\r\n{tag} OK x\r\n" }
#define SECOND                                                                                     \
	{ "UID FETCH 6 (UID BODY.PEEK[])", "* 2 FETCH (UID 6 BODY[] {1}\r\nb)\r\n{tag} OK x\r\n" }
#define AHEAD                                                                                      \
	{ "UID FETCH 6:8 (UID BODY.PEEK[])",                                                       \
		"* 2 FETCH (UID 6 BODY[] {1}\r\nb)\r\n* 3 FETCH (UID 7 BODY[] {1}\r\nc)\r\n"       \
		"* 4 FETCH (UID 8 BODY[] {1}\r\nd)\r\n{tag} OK x\r\n" }

static const struct dialogue dialogues[] = {
	{ "room for those behind", NULL, { FIRST, AHEAD }, with_room, 0, ALIVE, "1:a1:b ahead" },
	{ "no room", NULL, { FIRST, SECOND }, without_room, 0, ALIVE, "1:a1:b alone" },
	{ "less than none", NULL, { FIRST, SECOND }, over_the_top, 0, ALIVE, "1:a1:b alone" },
};

static void
the_pool_bounds_what_is_asked_for_ahead(void)
{
	begin();
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		const struct dialogue *d = &dialogues[i];
		struct server server = { 0 };
		struct run run = { .dialogue = d, .security = IMAP_TLS_NONE, .command_ms = 10000 };

		converse(&run, &server, SIZE_MAX);
		UNIT_CHECK(server.fault[0] == '\0', d->name);
		UNIT_CHECK(run.result == d->result && run.life == d->life, d->name);
		if (!UNIT_CHECK(strcmp(run.client.notes, d->notes) == 0, d->name))
			printf("    %s: server %s; notes \"%s\", error \"%s\"\n", d->name, server.fault,
			    run.client.notes, run.client.e.text);
	}
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the pool bounds what is asked for ahead", the_pool_bounds_what_is_asked_for_ahead },
	};

	signal(SIGPIPE, SIG_IGN);
	return unit_run("retrieval", tests, sizeof(tests) / sizeof(tests[0]));
}
