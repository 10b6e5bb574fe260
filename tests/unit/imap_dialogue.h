/* imap_dialogue.h - dialogues with an IMAP server that says what a table tells it to, over a real
 * connection. */
#pragma once
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "fibers.h"
#include "imapback/imap.h"
#include "sockets.h"

/* What the server waits for and what it then says. Of a line that begins with a tag only the rest
 * is compared; "{tag}" in an answer becomes the tag. */
struct exchange {
	const char *line;
	const char *answer;
};

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

/* ---- the server ---- */

/* In place of a line: waits until the client is gone. */
#define END "(end)"

#define USUAL "* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN] hello\r\n"

struct server {
	const struct dialogue *dialogue;
	int listener;
	size_t left;	 /* octets that it may still send before it is cut off */
	char tag[16];	 /* of the last command */
	char fault[600]; /* what was not as the table says; "" for nothing */
};

static inline bool
read_line(FILE *from, char *line, size_t room)
{
	if (fgets(line, (int) room, from) == NULL)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return true;
}

/* Sends ANSWER, as far as it may; false when that was not all. */
static inline bool
say(struct server *s, FILE *to, const char *answer)
{
	char text[4096];
	size_t len = 0;

	for (const char *mark; (mark = strstr(answer, "{tag}")) != NULL; answer = mark + 5)
		len += (size_t) snprintf(text + len, sizeof(text) - len, "%.*s%s",
		    (int) (mark - answer), answer, s->tag);
	len += (size_t) snprintf(text + len, sizeof(text) - len, "%s", answer);
	if (len > s->left) {
		fwrite(text, 1, s->left, to);
		s->left = 0;
		return false;
	}
	fwrite(text, 1, len, to);
	s->left -= len;
	return true;
}

/* One line of the client, and the answer to it; false at the end. */
static inline bool
serve_line(struct server *s, FILE *peer, const struct exchange *x)
{
	static const char digits[] = "0123456789";
	char line[1024];
	size_t tag_len;
	char *rest;

	if (!read_line(peer, line, sizeof(line))) {
		if (strcmp(x->line, END) == 0)
			return false;
		snprintf(s->fault, sizeof(s->fault), "no \"%s\"", x->line);
		return false;
	}
	tag_len = strspn(line, digits);
	rest = line;
	if (tag_len > 0 && tag_len < sizeof(s->tag) && line[tag_len] == ' ') {
		snprintf(s->tag, sizeof(s->tag), "%.*s", (int) tag_len, line);
		rest = line + tag_len + 1;
	}
	if (strcmp(rest, x->line) != 0)
		snprintf(
		    s->fault, sizeof(s->fault), "\"%.200s\" instead of \"%.200s\"", rest, x->line);
	return say(s, peer, x->answer);
}

static inline void *
serve(void *arg)
{
	struct server *s = arg;
	FILE *peer = fdopen(accept(s->listener, NULL, NULL), "r+");

	if (peer == NULL)
		abort();
	setvbuf(peer, NULL, _IONBF, 0);
	if (say(s, peer, s->dialogue->greeting == NULL ? USUAL : s->dialogue->greeting))
		for (const struct exchange *x = s->dialogue->exchanges; x->line != NULL; x++)
			if (!serve_line(s, peer, x))
				break;
	fclose(peer);
	return NULL;
}

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
	pthread_t thread;

	server->dialogue = run->dialogue;
	server->left = octets;
	server->listener = listen_on("127.0.0.1", 1, &run->port);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, serve, server), 0);
	spawn(run_client, run);
	run_all();
	pthread_join(thread, NULL);
	close(server->listener);
	return server->left;
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
