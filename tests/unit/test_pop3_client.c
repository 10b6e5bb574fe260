/* Unit tests of gateway/pop3_client.c: dialogues with a POP3 server that says what a table tells it to.
 * What real servers do is in tests/integration. */
#include "gateway/pop3_client.h"

#include <signal.h>

#include "fiberio/stream.h"
#include "scripted_server.h"

/* What the client does; it notes what it was told. */
struct talk {
	struct pop3_client *client;
	struct error e;
	char notes[1024];
};

struct dialogue {
	const char *name;
	const char *greeting; /* NULL: the usual one */
	struct exchange exchanges[8];
	int (*run)(struct talk *t);
	int result;
	const char *notes;
};

static void note(struct talk *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
note(struct talk *t, const char *format, ...)
{
	size_t used = strlen(t->notes);
	va_list args;

	va_start(args, format);
	vsnprintf(t->notes + used, sizeof(t->notes) - used, format, args);
	va_end(args);
}

/* ---- what the client does ---- */

static int
do_nothing(struct talk *t)
{
	note(t, "%x", pop3_client_capabilities(t->client));
	return 0;
}

/* NULL: nobody else. */
static int
log_in(struct talk *t, enum credentials_kind kind, const char *master)
{
	struct credentials c = { .kind = kind };
	int rc;

	credentials_set_user(&c, "joe", 3);
	if (master != NULL)
		credentials_set_master(&c, master, strlen(master));
	credentials_set_password(&c, " se cret", 8);
	rc = pop3_client_login(t->client, &c, &t->e);
	credentials_clear(&c);
	return rc;
}

static int
do_login(struct talk *t)
{
	return log_in(t, CREDENTIALS_PASSWORD, NULL);
}

static int
do_master(struct talk *t)
{
	return log_in(t, CREDENTIALS_PASSWORD, "boss");
}

/* As a table or a service may have it. */
static int
do_two_lines(struct talk *t)
{
	struct credentials c = { .user = strdup("joe\r\nDELE 1") };
	int rc;

	credentials_set_password(&c, " se cret", 8);
	rc = pop3_client_login(t->client, &c, &t->e);
	credentials_clear(&c);
	return rc;
}

static int
do_token(struct talk *t)
{
	return log_in(t, CREDENTIALS_XOAUTH2, NULL);
}

static int
on_message(void *ctx, uint32_t number, uint64_t size)
{
	note(ctx, "%u=%llu ", (unsigned) number, (unsigned long long) size);
	return number == 666 ? ERR_LIMIT : 0;
}

static int
do_list(struct talk *t)
{
	return pop3_client_list(t->client, on_message, t, &t->e);
}

static int
on_uidl(void *ctx, uint32_t number, const char *uidl)
{
	note(ctx, "%u=%s ", (unsigned) number, uidl);
	return 0;
}

static int
do_uidl(struct talk *t)
{
	return pop3_client_uidl(t->client, on_uidl, t, &t->e);
}

static int
do_stat(struct talk *t)
{
	uint64_t octets = 0;
	uint32_t messages = 0;
	int rc = pop3_client_stat(t->client, &messages, &octets, &t->e);

	if (rc == 0)
		note(t, "%u %llu", (unsigned) messages, (unsigned long long) octets);
	return rc;
}

static int
on_header_octets(void *ctx, uint32_t number, const char *octets, size_t len)
{
	(void) number;
	note(ctx, "%.*s", (int) len, octets);
	return 0;
}

static int
on_header_end(void *ctx, uint32_t number, int code)
{
	note(ctx, "<%u:%s>", (unsigned) number, code == 0 ? "" : error_name(code));
	return 0;
}

static int
do_headers(struct talk *t)
{
	static const struct pop3_header_reader reader = { on_header_octets, on_header_end };
	static const uint32_t numbers[] = { 1, 3, 4000000000 };

	return pop3_client_headers(t->client, numbers, 3, &reader, t, &t->e);
}

struct noting_sink {
	struct octet_sink sink;
	struct talk *talk;
};

static int
sink_begin(struct octet_sink *sink, uint64_t octets)
{
	note(((struct noting_sink *) sink)->talk, "%s", octets == POP3_CLIENT_OCTETS_UNKNOWN ? "?" : "");
	return 0;
}

static int
sink_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	note(((struct noting_sink *) sink)->talk, "%.*s", (int) len, octets);
	return 0;
}

static int
do_retrieve(struct talk *t)
{
	struct noting_sink sink = { { sink_begin, sink_chunk }, t };

	return pop3_client_retrieve(t->client, 7, &sink.sink, &t->e);
}

/* ---- one dialogue ---- */

struct run {
	const struct dialogue *dialogue;
	uint16_t port;
	uint64_t command_ms;
	struct talk talk;
	int result;
};

static void
run_client(void *arg)
{
	struct run *r = arg;
	const struct imap_options options = { .host = "127.0.0.1",
		.port = r->port,
		.security = IMAP_TLS_NONE,
		.connect_ms = 10000,
		.command_ms = r->command_ms };

	r->result = pop3_client_open(&options, &r->talk.client, &r->talk.e);
	if (r->result != 0)
		return;
	r->result = r->dialogue->run(&r->talk);
	/* The dead stay dead, and say why. */
	if (pop3_client_is_dead(r->talk.client) &&
	    pop3_client_list(r->talk.client, on_message, &r->talk, NULL) != r->result)
		r->result = -1;
	pop3_client_close(r->talk.client);
}

/* RUN with a server that is cut off after so many octets; returns how many it had left. */
static size_t
converse(struct run *run, struct server *server, size_t octets)
{
	server->greeting =
	    run->dialogue->greeting == NULL ? "+OK ready\r\n" : run->dialogue->greeting;
	server->exchanges = run->dialogue->exchanges;
	return serve_while(server, octets, &run->port, run_client, run);
}

/* A server that ends early never looks like one that was through. */
static void
check_cuts(const struct dialogue *d, size_t octets)
{
	for (size_t cut = 0; cut < octets; cut++) {
		struct server server = { 0 };
		struct run run = { .dialogue = d, .command_ms = 10000 };

		converse(&run, &server, cut);
		if (!UNIT_CHECK(run.result != 0, d->name))
			printf("    %s: fine after %zu octets\n", d->name, cut);
	}
}

static void
check(const struct dialogue *d, uint64_t command_ms)
{
	struct server server = { 0 };
	struct run run = { .dialogue = d, .command_ms = command_ms };
	size_t left = converse(&run, &server, SIZE_MAX);

	if (!UNIT_CHECK(server.fault[0] == '\0' && run.result == d->result &&
			    strcmp(run.talk.notes, d->notes) == 0,
		d->name))
		printf("    %s: server %s; result %d, notes \"%s\", error \"%s\"\n", d->name,
		    server.fault, run.result, run.talk.notes, run.talk.e.text);
	if (d->result == 0)
		check_cuts(d, SIZE_MAX - left);
}

static void
check_all(const struct dialogue *d, size_t count, uint64_t command_ms)
{
	begin();
	for (size_t i = 0; i < count; i++)
		check(&d[i], command_ms);
	end();
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define NO_CAPA { "CAPA", "-ERR what\r\n" }
#define PLAIN { "CAPA", "+OK\r\nSASL PLAIN\r\nUSER\r\nAUTH-RESP-CODE\r\n.\r\n" }
/* NUL joe NUL " se cret", and the same with boss for joe. */
#define JOE "AGpvZQAgc2UgY3JldA=="
#define BOSS "am9lAGJvc3MAIHNlIGNyZXQ="

static void
connections(void)
{
	static const struct dialogue rows[] = {
		{ "capabilities", NULL, { { "CAPA", "+OK\r\nTOP\r\nUIDL\r\n.\r\n" } }, do_nothing, 0,
		    "c" },
		{ "a server without CAPA", NULL, { NO_CAPA }, do_nothing, 0, "2" },
		{ "a server that is full", "-ERR too many\r\n", { { NULL, NULL } }, do_nothing,
		    ERR_TEMPORARY, "" },
		{ "an IMAP server", "* OK hello\r\n", { { NULL, NULL } }, do_nothing, ERR_PROTOCOL,
		    "" },
		{ "no server", "\r\n\r\n", { { NULL, NULL } }, do_nothing, ERR_PROTOCOL, "" },
		{ "a second greeting", "+OK\r\n+OK\r\n", { { END, "" } }, do_nothing, ERR_PROTOCOL,
		    "" },
	};

	check_all(rows, COUNT(rows), 10000);
}

static void
logins(void)
{
	static const struct dialogue rows[] = {
		{ "USER and PASS", NULL,
		    { NO_CAPA, { "USER joe", "+OK\r\n" }, { "PASS  se cret", "+OK\r\n" } }, do_login,
		    0, "" },
		{ "a name of two lines", NULL, { NO_CAPA }, do_two_lines, ERR_PERMANENT, "" },
		{ "no such user", NULL, { NO_CAPA, { "USER joe", "-ERR who\r\n" } }, do_login,
		    ERR_AUTH, "" },
		{ "a wrong password", NULL,
		    { NO_CAPA, { "USER joe", "+OK\r\n" }, { "PASS  se cret", "-ERR no\r\n" } },
		    do_login, ERR_AUTH, "" },
		{ "in use", NULL,
		    { NO_CAPA, { "USER joe", "+OK\r\n" },
			{ "PASS  se cret", "-ERR [IN-USE] no\r\n" } },
		    do_login, ERR_IN_USE, "" },
		{ "AUTH PLAIN", NULL, { PLAIN, { "AUTH PLAIN", "+ \r\n" }, { JOE, "+OK\r\n" } },
		    do_login, 0, "" },
		{ "a master", NULL, { PLAIN, { "AUTH PLAIN", "+ \r\n" }, { BOSS, "+OK\r\n" } },
		    do_master, 0, "" },
		{ "a master without AUTH", NULL, { NO_CAPA }, do_master, ERR_PERMANENT, "" },
		{ "a token without AUTH", NULL, { PLAIN }, do_token, ERR_PERMANENT, "" },
		{ "rejected", NULL,
		    { PLAIN, { "AUTH PLAIN", "+ \r\n" }, { JOE, "-ERR [AUTH] no\r\n" } }, do_login,
		    ERR_AUTH, "" },
		{ "rule_27: failed, but not rejected", NULL,
		    { PLAIN, { "AUTH PLAIN", "+ \r\n" }, { JOE, "-ERR no\r\n" } }, do_login,
		    ERR_TEMPORARY, "" },
		{ "AUTH refused", NULL, { PLAIN, { "AUTH PLAIN", "-ERR [AUTH] no\r\n" } }, do_login,
		    ERR_PERMANENT, "" },
		{ "in without credentials", NULL, { PLAIN, { "AUTH PLAIN", "+OK\r\n" } }, do_login,
		    ERR_PROTOCOL, "" },
		{ "a question too many", NULL,
		    { PLAIN, { "AUTH PLAIN", "+ \r\n" }, { JOE, "+ more\r\n" },
			{ "*", "-ERR [AUTH] no\r\n" } },
		    do_login, ERR_AUTH, "" },
		{ "questions without an end", NULL,
		    { PLAIN, { "AUTH PLAIN", "+ \r\n" }, { JOE, "+ more\r\n" }, { "*", "+ more\r\n" } },
		    do_login, ERR_PROTOCOL, "" },
		{ "octets behind the login", NULL,
		    { NO_CAPA, { "USER joe", "+OK\r\n" }, { "PASS  se cret", "+OK\r\n+OK\r\n" } },
		    do_login, ERR_PROTOCOL, "" },
		{ "a maildrop that cannot be opened after all", NULL,
		    { NO_CAPA, { "USER joe", "+OK\r\n" },
			{ "PASS  se cret", "+OK\r\n-ERR [SYS/PERM] no INBOX\r\n" } },
		    do_login, ERR_PERMANENT, "" },
		{ "one that cannot be opened now", NULL,
		    { NO_CAPA, { "USER joe", "+OK\r\n" },
			{ "PASS  se cret", "+OK\r\n-ERR [IN-USE] busy\r\n" } },
		    do_login, ERR_IN_USE, "" },
	};

	check_all(rows, COUNT(rows), 10000);
}

static void
listings(void)
{
	static const struct dialogue rows[] = {
		{ "STAT", NULL, { NO_CAPA, { "STAT", "+OK 2 320\r\n" } }, do_stat, 0, "2 320" },
		{ "STAT without numbers", NULL, { NO_CAPA, { "STAT", "+OK fine\r\n" } }, do_stat,
		    ERR_PROTOCOL, "" },
		{ "LIST", NULL, { NO_CAPA, { "LIST", "+OK\r\n1 20\r\n3 40\r\n.\r\n" } }, do_list, 0,
		    "1=20 3=40 " },
		{ "LIST, refused", NULL, { NO_CAPA, { "LIST", "-ERR [SYS/TEMP] no\r\n" } }, do_list,
		    ERR_TEMPORARY, "" },
		{ "LIST, called off", NULL, { NO_CAPA, { "LIST", "+OK\r\n666 1\r\n.\r\n" } }, do_list,
		    ERR_LIMIT, "666=1 " },
		{ "numbers twice", NULL, { NO_CAPA, { "LIST", "+OK\r\n1 1\r\n1 1\r\n.\r\n" } },
		    do_list, ERR_PROTOCOL, "1=1 " },
		{ "number 0", NULL, { NO_CAPA, { "LIST", "+OK\r\n0 1\r\n.\r\n" } }, do_list,
		    ERR_PROTOCOL, "" },
		{ "no numbers", NULL, { NO_CAPA, { "LIST", "+OK\r\nx\r\n.\r\n" } }, do_list,
		    ERR_PROTOCOL, "" },
		{ "UIDL", NULL, { NO_CAPA, { "UIDL", "+OK\r\n1 a\r\n2 b c\r\n.\r\n" } }, do_uidl, 0,
		    "1=a 2=b " },
		{ "no UIDL", NULL, { NO_CAPA, { "UIDL", "-ERR what\r\n" } }, do_uidl, ERR_PERMANENT,
		    "" },
	};

	check_all(rows, COUNT(rows), 10000);
}

static void
messages(void)
{
	static const struct dialogue rows[] = {
		{ "headers, one by one", NULL,
		    { NO_CAPA, { "TOP 1 0", "+OK\r\nA: b\r\n\r\n.\r\n" }, { "TOP 3 0", "-ERR\r\n" },
			{ "TOP 4000000000 0", "+OK\r\n..\r\n.\r\n" } },
		    do_headers, 0, "A: b\r\n\r\n<1:><3:message gone>.\r\n<4000000000:>" },
		{ "headers, all at once", NULL,
		    { { "CAPA", "+OK\r\nTOP\r\nPIPELINING\r\n.\r\n" }, { "TOP 1 0", "" }, { "TOP 3 0", "" },
			{ "TOP 4000000000 0",
			    "+OK\r\na\r\n.\r\n-ERR [SYS/TEMP] x\r\n+OK\r\nb\r\n.\r\n" } },
		    do_headers, 0, "a\r\n<1:><3:temporary failure>b\r\n<4000000000:>" },
		{ "no TOP", NULL, { NO_CAPA, { "TOP 1 0", "-ERR what\r\n" } }, do_headers,
		    ERR_PERMANENT, "" },
		{ "no TOP, as it seems", NULL,
		    { { "CAPA", "+OK\r\nPIPELINING\r\n.\r\n" }, { "TOP 1 0", "+OK\r\na\r\n.\r\n" },
			{ "TOP 3 0", "" }, { "TOP 4000000000 0", "-ERR\r\n-ERR\r\n" } },
		    do_headers, 0, "a\r\n<1:><3:message gone><4000000000:message gone>" },
		{ "RETR", NULL, { NO_CAPA, { "RETR 7", "+OK\r\nA: b\r\n\r\n..c\r\n.\r\n" } },
		    do_retrieve, 0, "?A: b\r\n\r\n.c\r\n" },
		{ "RETR, refused", NULL, { NO_CAPA, { "RETR 7", "-ERR gone\r\n" } }, do_retrieve,
		    ERR_GONE, "" },
	};

	check_all(rows, COUNT(rows), 10000);
}

static void
silence_has_an_end(void)
{
	static const struct dialogue rows[] = {
		{ "no greeting", "", { { END, "" } }, do_nothing, ERR_TIMEOUT, "" },
		{ "no answer", NULL, { NO_CAPA, { "LIST", "" }, { END, "" } }, do_list, ERR_TIMEOUT,
		    "" },
		{ "half an answer", NULL, { NO_CAPA, { "LIST", "+OK\r\n1 2\r\n" }, { END, "" } },
		    do_list, ERR_TIMEOUT, "1=2 " },
	};

	check_all(rows, COUNT(rows), 200);
}

/* ---- servers that never come to an end ---- */

struct flood {
	int listener;
	const char *before, *again;
	unsigned commands; /* read before the flood */
};

static void *
serve_flood(void *arg)
{
	struct flood *f = arg;
	int fd = accept(f->listener, NULL, NULL);
	char line[64];

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	if (write(fd, "+OK\r\n", 5) < 0)
		abort();
	for (unsigned i = 0; i < f->commands; i++)
		if (read(fd, line, sizeof(line)) <= 0 ||
		    (i == 0 && f->commands == 2 && write(fd, "-ERR\r\n", 6) < 0))
			abort();
	if (write(fd, f->before, strlen(f->before)) > 0)
		while (write(fd, f->again, strlen(f->again)) > 0)
			;
	close(fd);
	return NULL;
}

static void
answers_without_an_end(void)
{
	static const struct {
		const char *name, *before, *again;
		unsigned commands;
		int (*run)(struct talk *t);
		int result;
	} rows[] = {
		{ "a line", "+OK ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1, do_nothing, ERR_PROTOCOL },
		{ "capabilities", "+OK\r\n", "TOP\r\n", 1, do_nothing, ERR_PROTOCOL },
		{ "a listing", "+OK\r\n", "1 1\r\n", 2, do_list, ERR_PROTOCOL },
		{ "unique-ids", "+OK\r\n", "1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 2, do_uidl, ERR_PROTOCOL },
	};

	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dialogue dialogue = { .run = rows[i].run };
		struct run run = { .dialogue = &dialogue, .command_ms = 10000 };
		struct flood flood = { .before = rows[i].before,
			.again = rows[i].again,
			.commands = rows[i].commands };
		pthread_t thread;

		flood.listener = listen_on("127.0.0.1", 1, &run.port);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, serve_flood, &flood), 0);
		spawn(run_client, &run);
		run_all();
		pthread_join(thread, NULL);
		close(flood.listener);
		UNIT_CHECK(run.result == rows[i].result, rows[i].name);
	}
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "connections", connections },
		{ "logins", logins },
		{ "listings", listings },
		{ "messages", messages },
		{ "silence_has_an_end", silence_has_an_end },
		{ "answers_without_an_end", answers_without_an_end },
	};

	signal(SIGPIPE, SIG_IGN);
	return unit_run("pop3_client", tests, COUNT(tests));
}
