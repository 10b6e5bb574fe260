/* imap_dialogue.h - dialogues with an IMAP server that says what a table tells it to, over a real
 * connection. */
#pragma once
#include <signal.h>

#include "imapback/imap.h"
#include "scripted_server.h"

/* What the client does; it notes what it was told. */
struct client {
	struct imap *imap;
	struct error e;
	char notes[2048];
};
typedef int client_fn(struct client *c);

enum life { DEAD, ALIVE };

struct dialogue {
	const char *name;
	const char *greeting; /* NULL: the usual one */
	struct exchange exchanges[8];
	client_fn *run; /* NULL: the connection is not even opened */
	int result;
	enum life life; /* of the connection in the end */
	const char *notes;
};

#define USUAL "* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN] hello\r\n"

/* ---- the client ---- */

static void note(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void
note(struct client *c, const char *format, ...)
{
	size_t used = strlen(c->notes);
	va_list args;

	va_start(args, format);
	vsnprintf(c->notes + used, sizeof(c->notes) - used, format, args);
	va_end(args);
}

/* ---- one dialogue ---- */

/* Writes what it is given into the client's notes; messages of 13 octets are too much for it. */
struct noting_sink {
	struct octet_sink sink;
	struct client *client;
};

static inline int
note_begin(struct octet_sink *sink, uint64_t octets)
{
	struct noting_sink *s = (struct noting_sink *) sink;

	note(s->client, "%llu:", (unsigned long long) octets);
	return octets == 13 ? ERR_CLOSED : 0;
}

static inline int
note_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	struct noting_sink *s = (struct noting_sink *) sink;

	note(s->client, "%.*s", (int) len, octets);
	return 0;
}

struct run {
	const struct dialogue *dialogue;
	enum imap_security security;
	uint64_t command_ms;
	uint16_t port;
	struct client client;
	int result;
	enum life life;
};

static inline void
run_client(void *arg)
{
	struct run *r = arg;
	const struct imap_options options = { .host = "127.0.0.1",
		.port = r->port,
		.security = r->security,
		.connect_ms = 10000,
		.command_ms = r->command_ms };

	r->result = imap_open(&options, &r->client.imap, &r->client.e);
	if (r->result != 0)
		return;
	if (r->dialogue->run != NULL)
		r->result = r->dialogue->run(&r->client);
	r->life = imap_is_dead(r->client.imap) ? DEAD : ALIVE;
	/* The dead stay dead, and say why. */
	if (r->life == DEAD && imap_noop(r->client.imap, NULL) != r->result)
		r->result = -1;
	imap_close(r->client.imap);
}

/* RUN with a server that is cut off after so many octets; returns how many it had left. */
static inline size_t
converse(struct run *run, struct server *server, size_t octets)
{
	server->greeting = run->dialogue->greeting == NULL ? USUAL : run->dialogue->greeting;
	server->exchanges = run->dialogue->exchanges;
	return serve_while(server, octets, &run->port, run_client, run);
}

/* A server that ends early never looks like one that was through. */
static inline void
check_cuts(const struct dialogue *d, size_t octets)
{
	for (size_t cut = 0; cut < octets; cut++) {
		struct server server = { 0 };
		struct run run = { .dialogue = d, .security = IMAP_TLS_NONE, .command_ms = 10000 };

		converse(&run, &server, cut);
		if (!UNIT_CHECK(run.result != 0, d->name))
			printf("    %s: fine after %zu octets\n", d->name, cut);
	}
}

static inline void
check(const struct dialogue *d, enum imap_security security, uint64_t command_ms)
{
	struct server server = { 0 };
	struct run run = { .dialogue = d, .security = security, .command_ms = command_ms };
	size_t left = converse(&run, &server, SIZE_MAX);

	UNIT_CHECK(server.fault[0] == '\0', d->name);
	UNIT_CHECK(run.result == d->result && run.life == d->life, d->name);
	UNIT_CHECK(strcmp(run.client.notes, d->notes) == 0, d->name);
	if (server.fault[0] != '\0' || run.result != d->result || run.life != d->life ||
	    strcmp(run.client.notes, d->notes) != 0)
		printf("    %s: server %s; result %d, %s, notes \"%s\", error \"%s\"\n", d->name,
		    server.fault, run.result, run.life == DEAD ? "dead" : "alive", run.client.notes,
		    run.client.e.text);
	if (security == IMAP_TLS_NONE && d->result == 0)
		check_cuts(d, SIZE_MAX - left);
}

static inline void
check_all(const struct dialogue *d, size_t count, enum imap_security security, uint64_t command_ms)
{
	begin();
	for (size_t i = 0; i < count; i++)
		check(&d[i], security, command_ms);
	end();
}
