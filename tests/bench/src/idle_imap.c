/* idle_imap.c - a light IMAP server for ten thousand sessions at once, where what is measured is
 * the gateway before it.
 *
 *   bench_idle_imap PORT CERTIFICATE KEY MAILDIR
 *
 * Every user, with any password, has the messages of MAILDIR, which is only read. One thread,
 * epoll, TLS from the first octet. It knows the commands that a gateway needs, and answers BAD to
 * others; a literal in a command ends the connection. Prints "ready" when it listens. */
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "text.h"

enum {
	MESSAGES_MAX = 1000,
	LINE_MAX_OCTETS = 16 << 10,
};

#define CAPABILITIES "IMAP4rev1 SASL-IR UIDPLUS UNSELECT ENABLE ID"

struct conn {
	int fd;
	SSL *ssl;
	bool want_out, ending, continuation;
	char tag[64];
	char *in;
	size_t in_len;
	struct text out;
	size_t out_off; /* of it, sent */
};

static struct {
	int epoll, listener;
	SSL_CTX *tls;
	struct text messages[MESSAGES_MAX]; /* of UID 1, 2, ... */
	unsigned count;
} server;

/* ---- what it serves ---- */

static void
read_message(const char *path, struct text *m)
{
	FILE *f = fopen(path, "r");
	char c;
	int got;

	if (f == NULL)
		die(path);
	while ((got = getc(f)) != EOF) {
		c = (char) got;
		text_put(m, c == '\n' ? "\r\n" : &c, c == '\n' ? 2 : 1);
	}
	fclose(f);
}

static int
is_message(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void
read_maildir(const char *maildir)
{
	char folder[4096], path[sizeof(folder) + 300];
	struct dirent **names;
	int n;

	snprintf(folder, sizeof(folder), "%s/cur", maildir);
	if ((n = scandir(folder, &names, is_message, alphasort)) < 0)
		die(folder);
	for (int i = 0; i < n; i++) {
		if (server.count == MESSAGES_MAX)
			break;
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		read_message(path, &server.messages[server.count++]);
		free(names[i]);
	}
	free(names);
}

/* ---- answers ---- */

static void
fetch_one(struct conn *c, unsigned uid, const char *items)
{
	const struct text *m = &server.messages[uid - 1];
	const char *body = strstr(items, "BODY.PEEK[]");
	size_t off = 0, len = m->len;
	char *end;

	text_putf(&c->out, "* %u FETCH (UID %u", uid, uid);
	if (strstr(items, "FLAGS") != NULL)
		text_putf(&c->out, " FLAGS (\\Seen)");
	if (strstr(items, "RFC822.SIZE") != NULL)
		text_putf(&c->out, " RFC822.SIZE %zu", m->len);
	if (body != NULL && body[11] == '<') {
		off = strtoul(body + 12, &end, 10);
		len = strtoul(end + 1, NULL, 10);
		text_putf(&c->out, " BODY[]<%zu>", off);
		off = off < m->len ? off : m->len;
		len = len < m->len - off ? len : m->len - off;
	} else if (body != NULL) {
		text_putf(&c->out, " BODY[]");
	}
	if (body != NULL) {
		text_putf(&c->out, " {%zu}\r\n", len);
		text_put(&c->out, m->p + off, len);
	}
	text_put(&c->out, ")\r\n", 3);
}

/* A number of a set, or "*". */
static unsigned
set_number(const char **p)
{
	char *end;
	unsigned long n;

	if (**p == '*') {
		++*p;
		return server.count;
	}
	n = strtoul(*p, &end, 10);
	*p = end;
	return n < UINT32_MAX ? (unsigned) n : UINT32_MAX;
}

/* UID FETCH: a set, a blank, and what is wanted of each. */
static void
fetch(struct conn *c, const char *set)
{
	const char *items = strchr(set, ' ');

	while (items != NULL && set < items) {
		unsigned from = set_number(&set), to = from;

		if (*set == ':') {
			set++;
			to = set_number(&set);
		}
		for (unsigned uid = from < 1 ? 1 : from; uid <= to && uid <= server.count; uid++)
			fetch_one(c, uid, items);
		if (*set != ',')
			break;
		set++;
	}
}

static void
search(struct conn *c, const char *keys)
{
	text_putf(&c->out, "* SEARCH");
	if (strncasecmp(keys, "ALL", 3) == 0 || strncasecmp(keys, "UNDELETED", 9) == 0)
		for (unsigned uid = 1; uid <= server.count; uid++)
			text_putf(&c->out, " %u", uid);
	text_putf(&c->out, "\r\n");
}

static void
answer_select(struct conn *c)
{
	text_putf(&c->out,
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] as it is\r\n"
	    "* %u EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1700000000] valid\r\n"
	    "* OK [UIDNEXT %u] next\r\n",
	    server.count, server.count + 1);
}

static bool
begins(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncasecmp(line, word, n) == 0 && (line[n] == '\0' || line[n] == ' ');
}

/* One command without its tag. What every command gets in the end is the tagged answer. */
static void
command(struct conn *c, const char *line)
{
	const char *code = "";

	if (begins(line, "LOGIN") || begins(line, "AUTHENTICATE")) {
		/* Without an initial response, the credentials come in a line of their own. */
		if (begins(line, "AUTHENTICATE PLAIN") && line[18] == '\0') {
			c->continuation = true;
			text_putf(&c->out, "+ \r\n");
			return;
		}
		code = "[CAPABILITY " CAPABILITIES "] ";
	} else if (begins(line, "CAPABILITY")) {
		text_putf(&c->out, "* CAPABILITY " CAPABILITIES "\r\n");
	} else if (begins(line, "SELECT")) {
		answer_select(c);
		code = "[READ-WRITE] ";
	} else if (begins(line, "UID FETCH")) {
		fetch(c, line + 10);
	} else if (begins(line, "FETCH")) { /* number and UID are the same here */
		fetch(c, line + 6);
	} else if (begins(line, "UID SEARCH")) {
		search(c, line + 11);
	} else if (begins(line, "LOGOUT")) {
		text_putf(&c->out, "* BYE until later\r\n");
		c->ending = true;
	} else if (begins(line, "ID")) {
		text_putf(&c->out, "* ID NIL\r\n");
	} else if (!begins(line, "NOOP") && !begins(line, "UNSELECT") && !begins(line, "ENABLE")) {
		text_putf(&c->out, "%s BAD not known here\r\n", c->tag);
		return;
	}
	text_putf(&c->out, "%s OK %sdone\r\n", c->tag, code);
}

/* A whole line, NUL-terminated. False when the connection shall end. */
static bool
take_line(struct conn *c, char *line)
{
	char *blank;
	size_t n = strlen(line);

	if (n > 0 && line[n - 1] == '}')
		return false;
	if (c->continuation) {
		c->continuation = false;
		text_putf(&c->out, "%s OK [CAPABILITY " CAPABILITIES "] done\r\n", c->tag);
		return true;
	}
	if ((blank = strchr(line, ' ')) == NULL || (size_t) (blank - line) >= sizeof(c->tag))
		return false;
	*blank = '\0';
	snprintf(c->tag, sizeof(c->tag), "%s", line);
	command(c, blank + 1);
	return true;
}

/* ---- connections ---- */

static void
conn_end(struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c->in);
	free(c->out.p);
	free(c);
}

static void
conn_want(struct conn *c, bool out)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	if (c->want_out == out)
		return;
	if (out)
		event.events |= EPOLLOUT;
	c->want_out = out;
	epoll_ctl(server.epoll, EPOLL_CTL_MOD, c->fd, &event);
}

/* Whether RC of an OpenSSL call only means: not now. */
static bool
is_later(struct conn *c, int rc)
{
	rc = SSL_get_error(c->ssl, rc);
	return rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE;
}

static int
conn_flush(struct conn *c)
{
	while (c->out_off < c->out.len) {
		int n = SSL_write(
		    c->ssl, c->out.p + c->out_off, (int) (c->out.len - c->out_off));

		if (n <= 0) {
			if (!is_later(c, n))
				return -1;
			conn_want(c, true);
			return 0;
		}
		c->out_off += (size_t) n;
	}
	free(c->out.p);
	c->out = (struct text){ 0 };
	c->out_off = 0;
	conn_want(c, false);
	return c->ending ? -1 : 0;
}

/* Takes whole lines out of LEN octets at P. Returns what is left over, or SIZE_MAX. */
static size_t
take_lines(struct conn *c, char *p, size_t len)
{
	char *lf;

	while ((lf = memchr(p, '\n', len)) != NULL) {
		*lf = '\0';
		if (lf > p && lf[-1] == '\r')
			lf[-1] = '\0';
		if (!take_line(c, p))
			return SIZE_MAX;
		len -= (size_t) (lf + 1 - p);
		p = lf + 1;
	}
	return len;
}

static int
conn_read(struct conn *c)
{
	static char buffer[2 * LINE_MAX_OCTETS];
	size_t len = c->in_len, left;
	int n;

	if (len > 0)
		memcpy(buffer, c->in, len);
	while ((n = SSL_read(c->ssl, buffer + len, LINE_MAX_OCTETS)) > 0) {
		len += (size_t) n;
		if ((left = take_lines(c, buffer, len)) > LINE_MAX_OCTETS)
			return -1;
		memmove(buffer, buffer + len - left, left);
		len = left;
	}
	/* A session that rests keeps no buffer. */
	free(c->in);
	c->in = NULL;
	c->in_len = len;
	if (len > 0)
		memcpy(c->in = grown(NULL, len), buffer, len);
	return is_later(c, n) ? conn_flush(c) : -1;
}

static void
conn_event(struct conn *c)
{
	bool first = !SSL_is_init_finished(c->ssl);
	int rc = SSL_do_handshake(c->ssl);

	if (rc != 1) {
		if (is_later(c, rc))
			conn_want(c, SSL_want_write(c->ssl));
		else
			conn_end(c);
		return;
	}
	if (first)
		text_putf(&c->out, "* OK [CAPABILITY " CAPABILITIES "] ready\r\n");
	if (conn_flush(c) < 0 || conn_read(c) < 0)
		conn_end(c);
}

static void
accept_all(void)
{
	int one = 1, fd;

	while ((fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

		if (c == NULL || (c->ssl = SSL_new(server.tls)) == NULL)
			die("memory");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		SSL_set_fd(c->ssl, fd);
		SSL_set_accept_state(c->ssl);
		if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			die("epoll_ctl");
	}
	if (errno == EMFILE)
		die("accept");
}

static void
begin_listening(unsigned long port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t) port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	int one = 1;

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(server.listener, (struct sockaddr *) &address, sizeof(address)) < 0 ||
	    listen(server.listener, 4096) < 0)
		die("listen");
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) < 0)
		die("epoll_ctl");
}

int
main(int argc, char **argv)
{
	unsigned long port = argc == 5 ? strtoul(argv[1], NULL, 10) : 0;

	if (port == 0 || port > 65535) {
		fputs("usage: bench_idle_imap PORT CERTIFICATE KEY MAILDIR\n", stderr);
		return 64;
	}
	/* OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	server.tls = SSL_CTX_new(TLS_server_method());
	if (server.tls == NULL || SSL_CTX_use_certificate_chain_file(server.tls, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(server.tls, argv[3], SSL_FILETYPE_PEM) != 1)
		die("certificate or key");
	SSL_CTX_set_mode(server.tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
	read_maildir(argv[4]);
	begin_listening(port);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[256];
		int n = epoll_wait(server.epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_all();
			else
				conn_event(events[i].data.ptr);
		}
	}
}
