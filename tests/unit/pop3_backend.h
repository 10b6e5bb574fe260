/* pop3_backend.h - a maildrop in memory for the tests of POP3 sessions, and a client to talk to
 * them.
 *
 * The backend is honest: it does what backend.h says, unless a test asks for a fault. */
#pragma once
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/error.h"
#include "books.h"
#include "fibers.h"
#include "pop3front/sasl.h"
#include "pop3front/session.h"
#include "sockets.h"

enum backend_call { NO_CALL, CALL_OPEN, CALL_RETRIEVE, CALL_COMMIT };

struct mail {
	const char *text;
	size_t len;
};
#define MAIL(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

/* The user is "user" with password "pass word "; message N has UID 10 x N. */
struct memory_backend {
	const struct mail *mails;
	size_t count;
	size_t piece; /* octets that come at once; 0: all */
	bool read_only;

	/* Faults. */
	int open_error, retrieve_error, keepalive_error, commit_error;
	bool fails_behind_begin;
	bool ignores_octets;  /* a part is all that is left of the message */
	size_t fails_behind;  /* octets of the message, where it does */
	uint64_t not_removed; /* messages */
	enum backend_call sleeps_in;

	/* What happened. */
	enum credentials_kind kind; /* of the last login */
	char master[64];	    /* and who came for the user */
	unsigned opened, closed, keepalives, commits, parts;
	int sink_error;
	uint64_t part_offsets[16];
	uint32_t part_octets[16];
	struct uidset removed, seen;
	struct uidl_book *uidls;
	struct snapshot *snapshot;
};

static inline int
sleep_where_wanted(const struct memory_backend *b, enum backend_call call)
{
	return b->sleeps_in == call ? fiber_sleep(3600 * 1000) : 0;
}

static inline int
memory_open(void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{
	struct memory_backend *b = ctx;
	int rc;

	if ((rc = sleep_where_wanted(b, CALL_OPEN)) != 0)
		return rc;
	if (b->open_error != 0)
		return error_set(e, b->open_error, "told to fail");
	b->kind = c->kind;
	snprintf(b->master, sizeof(b->master), "%s", c->master != NULL ? c->master : "");
	if (strcmp(c->user, "user") != 0 ||
	    (strcmp(c->password, "pass word ") != 0 && strcmp(c->password, "token") != 0))
		return error_set(e, ERR_AUTH, "SERVER TEXT");
	b->uidls = book_of("u%u");
	if ((rc = snapshot_new(7, b->uidls, b->count, &b->snapshot)) != 0)
		return rc;
	for (size_t i = 0; i < b->count; i++)
		snapshot_add(b->snapshot, (uint32_t) (i + 1) * 10, b->mails[i].len, b->count);
	snapshot_seal(b->snapshot);
	if (b->read_only)
		snapshot_forbid_marks(b->snapshot);
	*out = (struct pop3_maildrop){ b, b->snapshot, false };
	b->opened++;
	return 0;
}

/* Pours LEN octets; fails behind those that FAILS says. */
static inline int
pour(struct memory_backend *b, const char *text, size_t len, struct octet_sink *sink,
    struct error *e)
{
	size_t most = b->fails_behind_begin && b->fails_behind < len ? b->fails_behind : len;

	if ((b->sink_error = sink->begin(sink, len)) != 0)
		return b->sink_error;
	for (size_t at = 0; at < most;) {
		size_t part = b->piece == 0 || most - at < b->piece ? most - at : b->piece;

		if ((b->sink_error = sink->chunk(sink, text + at, part)) != 0)
			return b->sink_error;
		at += part;
	}
	return b->fails_behind_begin ? error_set(e, b->retrieve_error, "told to fail") : 0;
}

static inline int
memory_retrieve(
    void *handle, const struct snapshot_message *m, struct octet_sink *sink, struct error *e)
{
	struct memory_backend *b = handle;
	const struct mail *mail = &b->mails[m->uid / 10 - 1];
	int rc;

	if ((rc = sleep_where_wanted(b, CALL_RETRIEVE)) != 0)
		return rc;
	if (b->retrieve_error != 0 && !b->fails_behind_begin)
		return error_set(e, b->retrieve_error, "told to fail");
	return pour(b, mail->text, mail->len, sink, e);
}

static inline int
memory_retrieve_part(void *handle, const struct snapshot_message *m, uint64_t offset,
    uint32_t octets, struct octet_sink *sink, struct error *e)
{
	struct memory_backend *b = handle;
	const struct mail *mail = &b->mails[m->uid / 10 - 1];
	size_t from = offset < mail->len ? (size_t) offset : mail->len;
	size_t left = mail->len - from;
	size_t len = left < octets || b->ignores_octets ? left : octets;

	b->part_offsets[b->parts % 16] = offset;
	b->part_octets[b->parts++ % 16] = octets;
	if (b->retrieve_error != 0 && !b->fails_behind_begin)
		return error_set(e, b->retrieve_error, "told to fail");
	return pour(b, mail->text + from, len, sink, e);
}

static inline int
memory_keepalive(void *handle, struct error *e)
{
	struct memory_backend *b = handle;

	b->keepalives++;
	return b->keepalive_error == 0 ? 0 : error_set(e, b->keepalive_error, "told to fail");
}

static inline int
memory_commit(void *handle, struct deletion_result *result, struct error *e)
{
	struct memory_backend *b = handle;
	int rc;

	b->commits++;
	if ((rc = sleep_where_wanted(b, CALL_COMMIT)) != 0)
		return rc;
	result->marked = snapshot_marked(b->snapshot);
	result->remaining = result->marked;
	if (b->commit_error != 0 && b->commit_error != ERR_INCOMPLETE)
		return error_set(e, b->commit_error, "told to fail");
	snapshot_retrieved_uids(b->snapshot, 0, &b->seen);
	snapshot_marked_uids(b->snapshot, 0, &b->removed);
	result->remaining = b->not_removed;
	return b->commit_error == 0 ? 0 : error_set(e, b->commit_error, "told to fail");
}

static inline void
memory_close(void *handle)
{
	struct memory_backend *b = handle;

	b->closed++;
	snapshot_free(b->snapshot);
	uidl_book_free(b->uidls);
	b->snapshot = NULL;
	b->uidls = NULL;
}

static const struct pop3_backend memory_backend = {
	.open = memory_open,
	.retrieve = memory_retrieve,
	.retrieve_part = memory_retrieve_part,
	.keepalive = memory_keepalive,
	.commit = memory_commit,
	.close = memory_close,
};

static const struct pop3_settings usual_settings = {
	.plaintext_login = true,
	.mechanisms = SASL_PASSWORDS,
	.login_ms = 60000,
	.authorization_ms = 180000,
	.idle_ms = 600000,
	.write_ms = 60000,
	.keepalive_ms = 60000,
	.auth_failure_delay_ms = 1,
	.max_auth_failures = 3,
	.max_bad_commands_before = 3,
	.max_bad_commands_after = 10,
};

/* A session on a fiber, and the client's end of its connection. */
struct talk {
	struct memory_backend backend;
	struct pop3_settings settings;
	struct pop3_report report;
	struct stream *stream; /* NULL once the session has ended */
	struct fiber *fiber;
	int client; /* -1: closed */
	char *received;
	size_t len;
};

static inline void
talk_main(void *arg)
{
	struct talk *t = arg;

	pop3_session_run(t->stream, &t->settings, &memory_backend, &t->backend, &t->report);
	t->stream = NULL;
}

static inline void
talk_begin(struct talk *t, const struct mail *mails, size_t count)
{
	int fds[2];

	*t = (struct talk){ .settings = usual_settings };
	t->backend.mails = mails;
	t->backend.count = count;
	begin();
	unix_pair(fds);
	t->client = fds[0];
	t->stream = adopt(runtime, fds[1]);
	t->fiber = spawn(talk_main, t);
}

/* Takes what the session has written so far. */
static inline void
talk_receive(struct talk *t)
{
	enum { PIECE = 65536 };
	ssize_t n;

	while (t->client >= 0) {
		t->received = realloc(t->received, t->len + PIECE + 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t->received);
		if ((n = recv(t->client, t->received + t->len, PIECE, MSG_DONTWAIT)) <= 0)
			break;
		t->len += (size_t) n;
	}
	if (t->received != NULL)
		t->received[t->len] = '\0';
}

static inline void
talk_send(struct talk *t, const char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = send(t->client, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return; /* the session has ended */
		if (n > 0) {
			octets += n;
			len -= (size_t) n;
		}
		uv_run(&loop, UV_RUN_NOWAIT);
		talk_receive(t);
	}
}

static inline void
talk_say(struct talk *t, const char *text)
{
	talk_send(t, text, strlen(text));
	run_a_little();
	talk_receive(t);
}

/* Waits until the session is over, reading. The loop must not sleep while it is for the client to
 * read. */
static inline void
talk_wait(struct talk *t)
{
	while (t->stream != NULL) {
		struct pollfd ready[] = { { uv_backend_fd(&loop), POLLIN, 0 },
			{ t->client, POLLIN, 0 } };

		poll(ready, 2, 1);
		uv_run(&loop, UV_RUN_NOWAIT);
		talk_receive(t);
	}
	run_all();
	talk_receive(t);
}

/* The client says no more (FIN). */
static inline void
talk_shut(struct talk *t)
{
	shutdown(t->client, SHUT_WR);
}

/* SENT comes PIECE octets at a time, with time for the session to deal with them. */
static inline void
hold(struct talk *t, const char *sent, size_t piece)
{
	for (size_t at = 0, len = strlen(sent); at < len; at += piece) {
		talk_send(t, sent + at, len - at < piece ? len - at : piece);
		for (int i = 0; i < 3; i++)
			uv_run(&loop, UV_RUN_NOWAIT);
	}
	talk_shut(t);
	talk_wait(t);
}

static inline void
talk_hang_up(struct talk *t)
{
	close(t->client);
	t->client = -1;
}

static inline void
talk_end(struct talk *t)
{
	talk_wait(t);
	CU_ASSERT_EQUAL(t->backend.opened, t->backend.closed);
	if (t->client >= 0)
		close(t->client);
	uidset_clear(&t->backend.removed);
	uidset_clear(&t->backend.seen);
	free(t->received);
	end();
}
