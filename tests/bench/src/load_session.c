/* load_session.c - what a session of the load generator says next, and what it checks. See load.h.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
wrong(struct load *l, const char *what, size_t got, size_t wanted)
{
	if (l->t.list_bad++ < 2)
		note(l, "%s: %zu, should be %zu", what, got, wanted);
}

/* Whether the mailbox has as many messages as the manifest. */
static void
check_count(struct conn *c, const char *what, size_t count)
{
	if (c->load->manifest != NULL && count != c->load->manifest_count)
		wrong(c->load, what, count, c->load->manifest_count);
}

void
session_message_begin(struct conn *c)
{
	xxh64_begin(&c->hash);
	c->got = 0;
}

void
session_message_add(struct conn *c, const char *p, size_t n)
{
	xxh64_add(&c->hash, p, n);
	c->got += n;
}

void
session_message_end(struct conn *c, size_t number)
{
	struct load *l = c->load;
	struct message wanted = { 0, 0 };

	l->t.messages++;
	l->t.octets += c->got;
	if (l->manifest == NULL)
		return;
	if (number >= 1 && number <= l->manifest_count)
		wanted = l->manifest[number - 1];
	if (wanted.size == c->got && wanted.hash == xxh64_value(&c->hash))
		return;
	if (l->t.bad++ < 2)
		note(l, "message %zu: %llu octets, should be %llu; or other octets", number,
		    (unsigned long long) c->got, (unsigned long long) wanted.size);
}

static void
keep_uidl(struct load *l, const char *uidl, size_t n)
{
	struct tally *t = &l->t;
	struct xxh64 h;

	xxh64_begin(&h);
	xxh64_add(&h, uidl, n);
	xxh64_add(&t->uidl_hash, uidl, n);
	if (t->uidl_count == t->uidl_room) {
		t->uidl_room = t->uidl_room ? t->uidl_room * 2 : 4096;
		t->uidls = grown(t->uidls, t->uidl_room * sizeof(*t->uidls));
	}
	t->uidls[t->uidl_count++] = xxh64_value(&h);
}

void
session_list_line(struct conn *c, enum step s, const char *line, size_t n)
{
	struct load *l = c->load;
	char *end;
	size_t number = strtoul(line, &end, 10), size;

	c->lines++;
	if (*end != ' ' || number != c->lines) {
		wrong(l, "number in a listing", number, c->lines);
		return;
	}
	if (s == STEP_UIDL) {
		/* Of several sessions, those of other users may have the same. */
		if (l->o.count == 1)
			keep_uidl(l, end + 1, (size_t) (line + n - end - 1));
		return;
	}
	size = strtoull(end + 1, NULL, 10);
	if (l->manifest == NULL)
		return;
	if (number > l->manifest_count)
		wrong(l, "messages in LIST", number, l->manifest_count);
	else if (l->manifest[number - 1].size != size)
		wrong(l, "size in LIST", size, l->manifest[number - 1].size);
}

void
session_log_in(struct conn *c)
{
	const struct options *o = &c->load->o;
	char user[200];

	if (o->users > 1)
		snprintf(user, sizeof(user), "%s%04u", o->user, o->first + c->session % o->users);
	else
		snprintf(user, sizeof(user), "%s", o->user);
	c->auth_sent = now();
	if (o->imap)
		conn_command(c, STEP_LOGIN, "LOGIN %s %s", user, o->password);
	else
		conn_command(c, STEP_USER, "USER %s", user);
}

void
session_quit(struct conn *c)
{
	c->mark = now();
	conn_command(c, STEP_QUIT, c->load->o.imap ? "LOGOUT" : "QUIT");
}

static bool
may_send(const struct conn *c)
{
	return c->sent < c->wanted && c->sent - c->done < c->load->o.pipeline;
}

static void
send_retr(struct conn *c)
{
	while (may_send(c))
		conn_command(c, STEP_RETR, "RETR %zu", ++c->sent);
}

static void
send_dele(struct conn *c)
{
	while (may_send(c))
		conn_command(c, STEP_DELE, "DELE %zu", ++c->sent);
}

static void
after_retr(struct conn *c)
{
	c->load->t.retr_end = now();
	if (!c->load->o.delete || c->exists == 0) {
		session_quit(c);
		return;
	}
	c->sent = c->done = 0;
	c->wanted = c->exists;
	c->mark = now();
	if (c->load->o.imap)
		conn_command(c, STEP_STORE, "STORE 1:%zu +FLAGS.SILENT (\\Deleted)", c->wanted);
	else
		send_dele(c);
}

static void
begin_retr(struct conn *c)
{
	struct tally *t = &c->load->t;

	c->wanted = c->load->o.retr < c->exists ? c->load->o.retr : c->exists;
	c->sent = c->done = 0;
	if (t->retr_begin <= 0)
		t->retr_begin = now();
	if (c->wanted == 0)
		after_retr(c);
	else if (c->load->o.imap)
		conn_command(c, STEP_FETCH, "FETCH 1:%zu (UID BODY.PEEK[])", c->wanted);
	else
		send_retr(c);
}

static void
go_idle(struct conn *c)
{
	struct load *l = c->load;

	l->held[c->session] = c;
	c->idle = true;
	l->t.ready++;
	conn_start(l);
}

static void
after_stat(struct conn *c, const char *line)
{
	unsigned long count = 0;

	if (strlen(line) > 4)
		count = strtoul(line + 4, NULL, 10);
	check_count(c, "messages by STAT", count);
	c->exists = count;
	sample_add(c->load, SAMPLE_STAT, now() - c->auth_sent);
	if (c->load->o.mode == MODE_LOGIN)
		session_quit(c);
	else if (c->load->o.mode == MODE_OPEN)
		conn_command(c, STEP_LIST, "LIST");
	else
		go_idle(c);
}

static void
after_listing(struct conn *c, enum step s)
{
	bool opens = c->load->o.mode == MODE_OPEN;

	c->exists = c->lines;
	check_count(c, s == STEP_LIST ? "lines of LIST" : "lines of UIDL", c->lines);
	sample_add(c->load, s == STEP_LIST ? SAMPLE_LIST : SAMPLE_UIDL, now() - c->auth_sent);
	/* MODE_OPEN asks for LIST and then UIDL, MODE_DRAIN the other way round. */
	if (s == STEP_LIST && opens)
		conn_command(c, STEP_UIDL, "UIDL");
	else if (s == STEP_LIST)
		begin_retr(c);
	else if (opens)
		session_quit(c);
	else
		conn_command(c, STEP_LIST, "LIST");
}

static void
after_one_retr(struct conn *c)
{
	if (c->load->o.mode == MODE_WORK) {
		c->idle = true;
		return;
	}
	if (++c->done == c->wanted)
		after_retr(c);
	else
		send_retr(c);
}

static void
after_one_dele(struct conn *c)
{
	c->load->t.deleted++;
	if (++c->done < c->wanted) {
		send_dele(c);
		return;
	}
	sample_add(c->load, SAMPLE_DELE, now() - c->mark);
	session_quit(c);
}

/* The steps of a plain IMAP client. SELECT and the listing go out together. */
static void
imap_step(struct conn *c, enum step s, double sent)
{
	struct load *l = c->load;
	double since_auth = now() - c->auth_sent;

	if (s == STEP_LOGIN) {
		sample_add(l, SAMPLE_AUTH, since_auth);
		conn_command(c, STEP_SELECT, "SELECT INBOX");
		if (l->o.mode == MODE_LOGIN || l->o.mode == MODE_OPEN)
			conn_command(c, STEP_SIZES, "FETCH 1:* (UID RFC822.SIZE)");
	} else if (s == STEP_SELECT) {
		sample_add(l, SAMPLE_SELECT, since_auth);
		check_count(c, "EXISTS", c->exists);
		if (l->o.mode == MODE_DRAIN)
			begin_retr(c);
		else if (l->o.mode == MODE_HOLD)
			go_idle(c);
	} else if (s == STEP_SIZES) {
		check_count(c, "sizes in FETCH", c->lines);
		for (enum sample kind = SAMPLE_STAT; kind <= SAMPLE_UIDL; kind++)
			sample_add(l, kind, since_auth);
		session_quit(c);
	} else if (s == STEP_FETCH) {
		after_retr(c);
	} else if (s == STEP_STORE) {
		l->t.deleted += c->wanted;
		sample_add(l, SAMPLE_DELE, now() - c->mark);
		conn_command(c, STEP_EXPUNGE, "EXPUNGE");
	} else { /* STEP_EXPUNGE: with LOGOUT it is what QUIT is in POP3 */
		session_quit(c);
		c->mark = sent;
	}
}

bool
session_step(struct conn *c, enum step s, bool ok, const char *line)
{
	struct load *l = c->load;
	double sent = c->flight_sent[(c->flight_head - 1) % IN_FLIGHT_MAX];

	if (!ok) {
		note(l, "%s (session %u): %.120s", step_name(s), c->session, line);
		conn_end(c, s == STEP_QUIT ? STEP_GREETING : s);
		return false;
	}
	switch (s) {
	case STEP_GREETING:
		if (l->o.stls)
			conn_command(c, STEP_STLS, l->o.imap ? "STARTTLS" : "STLS");
		else
			session_log_in(c);
		break;
	case STEP_STLS:
		conn_begin_tls(c);
		break;
	case STEP_USER:
		conn_command(c, STEP_PASS, "PASS %s", l->o.password);
		c->auth_sent = now();
		break;
	case STEP_PASS:
		sample_add(l, SAMPLE_AUTH, now() - sent);
		if (l->o.mode == MODE_DRAIN)
			conn_command(c, STEP_UIDL, "UIDL");
		else
			conn_command(c, STEP_STAT, "STAT");
		break;
	case STEP_STAT:
		after_stat(c, line);
		break;
	case STEP_LIST:
	case STEP_UIDL:
		after_listing(c, s);
		break;
	case STEP_RETR:
		sample_add(l, SAMPLE_RETR, now() - sent);
		after_one_retr(c);
		break;
	case STEP_DELE:
		after_one_dele(c);
		break;
	case STEP_NOOP:
		sample_add(l, SAMPLE_NOOP, now() - sent);
		c->idle = true;
		break;
	case STEP_QUIT:
		sample_add(l, SAMPLE_QUIT, now() - c->mark);
		sample_add(l, SAMPLE_TOTAL, now() - c->begun);
		conn_end(c, STEP_QUIT);
		return false;
	default:
		imap_step(c, s, sent);
	}
	return true;
}
