/* load.h - a client that puts load on a POP3 server and checks every answer.
 *
 * With --proto imap it does the same work by plain IMAP commands: what the server behind a gateway
 * can give at most. One thread, epoll. Every message is hashed as the client gets it and compared
 * with the manifest of its mailbox, so that a speed with wrong octets does not pass as one.
 *
 * load.c has the options and the main loop, load_wire.c the connections, load_session.c what a
 * session says next, load_parse.c the answers, load_hold.c sessions that rest or work for long,
 * load_report.c the JSON object that comes out. */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xxh64.h"

enum {
	IN_FLIGHT_MAX = 4096, /* commands of a connection without an answer; a power of two */
	ERRORS_KEPT = 6,
	ERROR_TEXT = 200, /* octets */
};

enum mode {
	MODE_LOGIN, /* log in, STAT, QUIT */
	MODE_DRAIN, /* UIDL, LIST, RETR of all, DELE of all if wanted, QUIT */
	MODE_OPEN,  /* STAT, LIST, UIDL, QUIT */
	MODE_HOLD,  /* log in all, rest, then NOOPs at a steady rate */
	MODE_WORK,  /* log in all, then RETR by each at a steady rate until told to stop */
};

enum step {
	STEP_GREETING,
	STEP_STLS,
	STEP_USER,
	STEP_PASS,
	STEP_STAT,
	STEP_LIST,
	STEP_UIDL,
	STEP_RETR,
	STEP_DELE,
	STEP_QUIT,
	STEP_NOOP,
	STEP_LOGIN,
	STEP_SELECT,
	STEP_SIZES,
	STEP_FETCH,
	STEP_STORE,
	STEP_EXPUNGE,
};

enum sample {
	SAMPLE_TOTAL,  /* connect to the answer of QUIT */
	SAMPLE_AUTH,   /* PASS or LOGIN to its answer */
	SAMPLE_SELECT, /* the rest: since PASS or LOGIN was sent */
	SAMPLE_STAT,
	SAMPLE_LIST,
	SAMPLE_UIDL,
	SAMPLE_RETR,  /* RETR to the last octet */
	SAMPLE_FIRST, /* RETR to its +OK */
	SAMPLE_DELE,  /* all DELE of a session */
	SAMPLE_QUIT,
	SAMPLE_NOOP,
	SAMPLE_KINDS,
};

struct samples {
	double *v; /* seconds */
	size_t count, room;
};

struct message {
	uint64_t size, hash; /* with CRLF, without dot-stuffing */
};

struct options {
	enum mode mode;
	bool imap, tls, stls, delete;
	const char *host, *ca, *user, *password, *manifest;
	unsigned port, users, first, count, at_once, pipeline, noops, rate, timeout;
	size_t retr; /* at most so many messages of a session */
};

/* What was seen, for the report. */
struct tally {
	unsigned started, finished, failed, ready;
	uint64_t octets, messages, bad, list_bad, deleted;
	double begin, retr_begin, retr_end;
	struct samples samples[SAMPLE_KINDS];
	char errors[ERRORS_KEPT][ERROR_TEXT];
	unsigned error_count;
	uint64_t *uidls; /* hash of each UIDL of the only session */
	size_t uidl_count, uidl_room;
	struct xxh64 uidl_hash;
};

struct load {
	struct options o;
	struct tally t;
	struct message *manifest; /* by number less one; NULL without a manifest */
	size_t manifest_count;
	int epoll;
	SSL_CTX *tls;
	size_t in_room;	    /* octets of a connection's input buffer */
	unsigned live;	    /* connections */
	struct conn **held; /* by session: those that have logged in, in MODE_HOLD and MODE_WORK */
};

struct conn {
	struct load *load;
	int fd;
	SSL *ssl;
	bool connecting, handshaking, registered, want_out;
	bool idle;	 /* held, and nothing in flight */
	bool multiline;	 /* inside a multi-line answer */
	bool line_begin; /* the next octet of a message begins a line */
	bool literal;	 /* inside an IMAP literal */
	char *in, *out;
	size_t in_len, out_len, out_off, out_room;
	unsigned char flight[IN_FLIGHT_MAX]; /* enum step of each command */
	double flight_sent[IN_FLIGHT_MAX];
	unsigned flight_head, flight_tail;
	unsigned session, tag;
	struct xxh64 hash;
	uint64_t literal_left, got;
	size_t literal_number, lines, exists, wanted, sent, done;
	double begun, auth_sent, mark, due;
};

/* load.c */
double now(void); /* seconds, monotonic */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void *grown(void *old, size_t octets); /* realloc that does not fail */

/* load_wire.c */
/* Begins the next session, if one is left to begin. */
void conn_start(struct load *l);
/* Closes and frees C, and begins the next session. WHERE is STEP_QUIT after a session that
 * went well, else where it failed. */
void conn_end(struct conn *c, enum step where);
/* Queues a command; it is written when what has come in is dealt with, or by conn_flush. */
void conn_command(struct conn *c, enum step s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes what is queued. 0, or -1 when the connection is broken. */
int conn_flush(struct conn *c);
void conn_begin_tls(struct conn *c);
/* Deals with what epoll says of C; it may be freed. */
void conn_event(struct conn *c);
/* Waits at most MS for events and deals with them. */
void conn_wait(struct load *l, int ms);

/* load_session.c */
/* Goes on after the answer to the command S, whose first line is LINE. False when C was freed. */
bool session_step(struct conn *c, enum step s, bool ok, const char *line);
void session_log_in(struct conn *c);
void session_quit(struct conn *c);
void session_message_begin(struct conn *c);
void session_message_add(struct conn *c, const char *p, size_t n);
void session_message_end(struct conn *c, size_t number);
/* A line of LIST or UIDL: LINE is NUL-terminated, N octets. */
void session_list_line(struct conn *c, enum step s, const char *line, size_t n);

/* load_parse.c */
/* Takes all answers that are complete out of C's input. False when C was freed. */
bool parse_answers(struct conn *c);

/* load_hold.c */
void hold_run(struct load *l, double deadline);
void work_run(struct load *l, double deadline);

/* load_report.c */
const char *step_name(enum step s);
void sample_add(struct load *l, enum sample kind, double seconds);
void note(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the report. Returns the exit status: 1 when an answer was wrong or did not come. */
int report(struct load *l);
