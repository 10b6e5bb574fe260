/* scripted_server.h - a server that says what a table tells it to, over a real connection, on a thread
 * of its own. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "fibers.h"
#include "sockets.h"

/* What the server waits for and what it then says. Of a line that begins with a tag (digits and a
 * blank) only the rest is compared; "{tag}" in an answer becomes the tag. */
struct exchange {
	const char *line; /* NULL: the end of the table */
	const char *answer;
};

/* In place of a line: waits until the client is gone. */
#define END "(end)"

struct server {
	const char *greeting;
	const struct exchange *exchanges;
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
	if (say(s, peer, s->greeting))
		for (const struct exchange *x = s->exchanges; x->line != NULL; x++)
			if (!serve_line(s, peer, x))
				break;
	fclose(peer);
	return NULL;
}

/* Serves one connection to *PORT of 127.0.0.1, which is set, while the fiber that ENTRY(ARG) begins
 * runs; the server is cut off after so many OCTETS. Returns how many it had left. */
static inline size_t
serve_while(
    struct server *server, size_t octets, uint16_t *port, void (*entry)(void *arg), void *arg)
{
	pthread_t thread;

	server->left = octets;
	server->listener = listen_on("127.0.0.1", 1, port);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, serve, server), 0);
	spawn(entry, arg);
	run_all();
	pthread_join(thread, NULL);
	close(server->listener);
	return server->left;
}
