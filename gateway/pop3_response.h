/* pop3_response.h - what a POP3 server answers (RFC 1939 section 3, RFC 2449, RFC 3206), taken apart
 * octet by octet. Pure: a buffer in, events out; memory is bounded whatever the server sends.
 *
 * An answer is a status line; behind +OK a multi-line answer follows where the command has one, with
 * its dots undone here. Lines end in CRLF, or in a bare LF where the status line does: some old
 * servers know nothing else, and with all others a bare LF is a matter of the message. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	POP3_LINE_MAX = 1024, /* octets of a status or listing line without its end; RFC 1939 allows 512 */
	POP3_CHALLENGE_MAX = 4096, /* octets of the status line in an exchange of AUTH */
	POP3_UIDL_MAX = 70,   /* octets of a unique-id */
};

enum pop3_response_form { /* what is expected */
	POP3_RESPONSE_STATUS, /* a status line alone */
	POP3_RESPONSE_LINES,  /* behind +OK, lines: CAPA, LIST, UIDL */
	POP3_RESPONSE_OCTETS, /* behind +OK, a message: RETR, TOP */
	POP3_RESPONSE_AUTH,   /* a status line, or "+ " and a challenge (RFC 5034) */
};

enum pop3_response_event {
	POP3_EVENT_MORE,      /* all octets are taken, and the answer is not complete */
	POP3_EVENT_OK,	      /* +OK has come: text is what follows it. For a status alone, the end */
	POP3_EVENT_ERR,	      /* -ERR has come: text is what follows it. The end */
	POP3_EVENT_CHALLENGE, /* "+ " has come: text is what follows it. The end */
	POP3_EVENT_LINE,      /* a line of a listing: text */
	POP3_EVENT_OCTETS,    /* octets of the message: text; a part of a line, or its end */
	POP3_EVENT_END,	      /* the line of one dot: the end */
	POP3_EVENT_BAD,	      /* not POP3: reason says why. There is no way to go on */
};

/* An answer on its way. */
struct pop3_response {
	enum pop3_response_form form;
	int state;     /* enum in pop3_response.c */
	bool bare;     /* lines end in a bare LF */
	bool after_cr; /* the last octet of the message was CR */
	size_t line_len;
	const char *text; /* of the last event; valid until the next call */
	size_t text_len;
	const char *reason; /* of POP3_EVENT_BAD */
	char line[POP3_CHALLENGE_MAX];
};

/* Begins an answer. */
void pop3_response_begin(struct pop3_response *r, enum pop3_response_form form);

/* Takes octets of DATA (LEN) up to the next event; *TAKEN is how many. To be called again with the
 * rest, or with what comes next, until an event that is the end. */
enum pop3_response_event pop3_response_feed(
    struct pop3_response *r, const char *data, size_t len, size_t *taken);

enum pop3_capability { /* bits */
	POP3_CAP_STLS = 1 << 0,
	POP3_CAP_USER = 1 << 1,
	POP3_CAP_TOP = 1 << 2,
	POP3_CAP_UIDL = 1 << 3,
	POP3_CAP_PIPELINING = 1 << 4,
	POP3_CAP_RESP_CODES = 1 << 5,
	POP3_CAP_AUTH_RESP_CODE = 1 << 6,
	POP3_CAP_SASL_PLAIN = 1 << 7,
	POP3_CAP_SASL_XOAUTH2 = 1 << 8,
	POP3_CAP_SASL_OAUTHBEARER = 1 << 9,
};

/* The capabilities in a line of CAPA's answer; 0 for others than these. */
unsigned pop3_capability_bits(const char *line, size_t len);

/* Reads the two numbers of an answer to STAT, or of a line of LIST's: messages or the number of one,
 * and octets. Returns 0 or ERR_PROTOCOL. What follows is passed over (RFC 1939 section 5 allows it). */
int pop3_numbers(const char *line, size_t len, uint32_t *messages, uint64_t *octets);

/* Reads a line of UIDL's answer: "number unique-id". Returns 0 or ERR_PROTOCOL; the unique-id (NUL-
 * terminated) has 1 to POP3_UIDL_MAX characters of 0x21 to 0x7E. */
int pop3_uidl_line(
    const char *line, size_t len, uint32_t *number, char uidl[POP3_UIDL_MAX + 1]);

/* What -ERR with TEXT means. Never 0. To a login: ERR_AUTH only where the credentials were really
 * rejected, as far as can be told: a server that has ANNOUNCED AUTH-RESP-CODE says so (RFC 3206 section
 * 4); of others, some words are known. */
int pop3_login_refusal(const char *text, size_t len, unsigned announced);

/* The same to any other command. */
int pop3_refusal(const char *text, size_t len);
