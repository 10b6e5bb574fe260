/* Unit tests of fiberio/stream_tls.c: octets, waits and ends once the hands are shaken. */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "tls_parties.h"

/* ---- scripts of the other side ---- */

static void
echo_script(struct peer *peer)
{
	char buf[5000];
	int got;

	while ((got = SSL_read(peer->ssl, buf, sizeof(buf))) > 0)
		SSL_write(peer->ssl, buf, got);
	SSL_shutdown(peer->ssl);
}

static void
orderly_script(struct peer *peer)
{
	SSL_write(peer->ssl, "data", 4);
	SSL_shutdown(peer->ssl);
}

static void
cut_script(struct peer *peer)
{
	SSL_write(peer->ssl, "data", 4);
	SSL_set_quiet_shutdown(peer->ssl, 1);
}

/* ---- octets ---- */

struct echo {
	struct party party;
	size_t octets;
};

enum { ECHOED = 400000 };

static void
echo_main(void *arg)
{
	struct echo *echo = arg;
	struct party *p = &echo->party;
	unsigned seed = 7;

	shake_main(p);
	while (p->rc == 0 && echo->octets < ECHOED) {
		size_t len = odd_length(&seed, sizeof(p->buf)), back = 0, wrong = 0;

		for (size_t i = 0; i < len; i++)
			p->buf[i] = (char) pattern(echo->octets + i);
		ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
		p->rc = stream_write(p->s, p->buf, len, 30000);
		while (p->rc == 0 && back < len) {
			size_t room = odd_length(&seed, 3000);

			p->rc = stream_read(p->s, p->buf, room < len - back ? room : len - back,
			    &p->got, FIBER_NO_DEADLINE);
			for (size_t i = 0; p->rc == 0 && i < p->got; i++)
				wrong +=
				    (unsigned char) p->buf[i] != pattern(echo->octets + back + i);
			back += p->got;
		}
		CU_ASSERT_EQUAL(wrong, 0);
		echo->octets += len;
	}
}

static void
both_versions_in_both_roles(void)
{
	static const struct {
		enum role ours;
		int version;
		const char *name;
	} rows[] = {
		{ AS_CLIENT, TLS1_2_VERSION, "TLSv1.2" },
		{ AS_CLIENT, TLS1_3_VERSION, "TLSv1.3" },
		{ AS_SERVER, TLS1_2_VERSION, "TLSv1.2" },
		{ AS_SERVER, TLS1_3_VERSION, "TLSv1.3" },
	};
	static struct echo echo;

	begin_tls();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer peer;
		int fds[2];

		tcp_pair(fds);
		echo.octets = 0;
		init_party(&echo.party, rows[i].ours, fds[0]);
		init_peer(&peer, rows[i].ours == AS_CLIENT ? AS_SERVER : AS_CLIENT, fds[1],
		    rows[i].version, echo_script);
		start_peer(&peer);
		spawn(echo_main, &echo);
		run_all();
		UNIT_CHECK(echo.party.rc == 0, echo.party.e.text);
		CU_ASSERT_TRUE(echo.octets >= ECHOED);
		CU_ASSERT_TRUE(stream_is_tls(echo.party.s));
		CU_ASSERT_STRING_EQUAL(stream_tls_version(echo.party.s), rows[i].name);
		CU_ASSERT_TRUE(strlen(stream_tls_cipher(echo.party.s)) > 8);
		stream_close(echo.party.s);
		finish_peer(&peer);
	}
	end_tls();
}

struct transfer {
	struct party party;
	size_t octets;
};

enum { TRANSFERRED = 3 * 1024 * 1024 };

static void
sender_main(void *arg)
{
	struct transfer *t = arg;
	unsigned seed = 5;

	shake_main(&t->party);
	while (t->party.rc == 0 && t->octets < TRANSFERRED) {
		size_t len = odd_length(&seed, sizeof(t->party.buf));

		for (size_t i = 0; i < len; i++)
			t->party.buf[i] = (char) pattern(t->octets + i);
		t->party.rc = stream_write_two(
		    t->party.s, t->party.buf, len / 5, t->party.buf + len / 5, len - len / 5, 30000);
		t->octets += len;
	}
	stream_close(t->party.s);
}

static void
receiver_main(void *arg)
{
	struct transfer *t = arg;
	unsigned seed = 6;
	size_t wrong = 0;

	shake_main(&t->party);
	while (t->party.rc == 0) {
		size_t room = odd_length(&seed, sizeof(t->party.buf));

		t->party.rc =
		    stream_read(t->party.s, t->party.buf, room, &t->party.got, FIBER_NO_DEADLINE);
		for (size_t i = 0; t->party.rc == 0 && i < t->party.got; i++)
			wrong += (unsigned char) t->party.buf[i] != pattern(t->octets + i);
		if (t->party.rc == 0)
			t->octets += t->party.got;
		if (t->octets % 7 == 0)
			fiber_sleep(0);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	stream_close(t->party.s);
}

static void
megabytes_pass_in_odd_pieces(void)
{
	static struct transfer sender, receiver;
	int fds[2];

	begin_tls();
	unix_pair(fds);
	shrink_buffers(fds[0]);
	init_party(&sender.party, AS_SERVER, fds[0]);
	init_party(&receiver.party, AS_CLIENT, fds[1]);
	spawn(sender_main, &sender);
	spawn(receiver_main, &receiver);
	run_all();
	CU_ASSERT_EQUAL(sender.party.rc, 0);
	CU_ASSERT_EQUAL(receiver.party.rc, ERR_CLOSED);
	CU_ASSERT_TRUE(sender.octets >= TRANSFERRED);
	CU_ASSERT_EQUAL(sender.octets, receiver.octets);
	end_tls();
}

static void
small_records_script(struct peer *peer)
{
	for (int i = 0; i < 3; i++)
		SSL_write(peer->ssl, "data", 4);
	SSL_shutdown(peer->ssl);
}

/* Small records come together, and none is forgotten where there is no room; then comes the end. */
static void
records_are_read_together(void)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static struct party p;

	begin_tls();
	for (size_t i = 0; i < 2; i++) {
		struct peer peer;
		int fds[2];

		unix_pair(fds);
		init_party(&p, AS_CLIENT, fds[0]);
		init_peer(&peer, AS_SERVER, fds[1], versions[i], small_records_script);
		start_peer(&peer);
		spawn(shake_main, &p);
		run_all();
		CU_ASSERT_EQUAL_FATAL(p.rc, 0);
		finish_peer(&peer); /* all is in the socket */
		CU_ASSERT_TRUE(stream_has_input(p.s));
		spawn(read_five_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, 0);
		CU_ASSERT_TRUE(p.got == 5 && memcmp(p.buf, "datad", 5) == 0);
		CU_ASSERT_TRUE(stream_has_input(p.s));
		spawn(read_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, 0);
		CU_ASSERT_TRUE(p.got == 7 && memcmp(p.buf, "atadata", 7) == 0);
		CU_ASSERT_TRUE(stream_has_input(p.s));
		spawn(read_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, ERR_CLOSED);
		stream_close(p.s);
	}
	end_tls();
}

static void
forged_script(struct peer *peer)
{
	static const char forged[] = "\x17\x03\x03\x00\x20 this is no record of this stream";

	SSL_write(peer->ssl, "data", 4);
	CU_ASSERT_EQUAL(write(SSL_get_fd(peer->ssl), forged, 37), 37);
	SSL_set_quiet_shutdown(peer->ssl, 1);
}

/* What is found behind good records is told when those have been taken, and stays. */
static void
an_error_behind_octets_is_told_next(void)
{
	static struct party p;
	struct peer peer;
	int fds[2];

	begin_tls();
	unix_pair(fds);
	init_party(&p, AS_CLIENT, fds[0]);
	init_peer(&peer, AS_SERVER, fds[1], TLS1_3_VERSION, forged_script);
	start_peer(&peer);
	spawn(shake_main, &p);
	run_all();
	CU_ASSERT_EQUAL_FATAL(p.rc, 0);
	finish_peer(&peer);
	spawn(read_main, &p);
	run_all();
	CU_ASSERT_EQUAL(p.rc, 0);
	CU_ASSERT_EQUAL(p.got, 4);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_TRUE(stream_has_input(p.s));
		spawn(read_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, ERR_TLS);
	}
	stream_close(p.s);
	end_tls();
}

/* ---- the end of a stream ---- */

static void
no_end_is_an_end_of_data(void)
{
	static const struct {
		int version;
		void (*script)(struct peer *peer);
	} rows[] = {
		{ TLS1_2_VERSION, orderly_script },
		{ TLS1_2_VERSION, cut_script },
		{ TLS1_3_VERSION, orderly_script },
		{ TLS1_3_VERSION, cut_script },
	};
	static struct party p;

	begin_tls();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer peer;
		int fds[2];

		unix_pair(fds);
		init_party(&p, AS_CLIENT, fds[0]);
		init_peer(&peer, AS_SERVER, fds[1], rows[i].version, rows[i].script);
		start_peer(&peer);
		spawn(shake_main, &p);
		run_all();
		CU_ASSERT_EQUAL_FATAL(p.rc, 0);
		spawn(read_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, 0);
		CU_ASSERT_TRUE(p.got == 4 && memcmp(p.buf, "data", 4) == 0);
		for (int j = 0; j < 2; j++) {
			spawn(read_main, &p);
			run_all();
			CU_ASSERT_EQUAL(p.rc, ERR_CLOSED);
		}
		CU_ASSERT_TRUE(stream_has_input(p.s));
		stream_close(p.s);
		finish_peer(&peer);
	}
	end_tls();
}

static void
close_says_so_and_abort_does_not(void)
{
	static struct party p;

	begin_tls();
	for (int i = 0; i < 2; i++) {
		struct peer peer;
		int fds[2];

		tcp_pair(fds);
		init_party(&p, AS_SERVER, fds[0]);
		init_peer(&peer, AS_CLIENT, fds[1], TLS1_3_VERSION, read_script);
		start_peer(&peer);
		spawn(shake_main, &p);
		run_all();
		CU_ASSERT_EQUAL_FATAL(p.rc, 0);
		if (i == 0)
			stream_close(p.s);
		else
			stream_abort(p.s);
		finish_peer(&peer);
		CU_ASSERT_EQUAL(peer.last <= 0, true);
		CU_ASSERT_EQUAL(peer.reason == SSL_ERROR_ZERO_RETURN, i == 0);
	}
	end_tls();
}

/* A record half sent must not be followed by a close_notify: the peer would take what it has for
 * all there is. */
static void
no_farewell_after_a_write_that_failed(void)
{
	static struct party s, c;
	int fds[2];

	begin_tls();
	unix_pair(fds);
	shrink_buffers(fds[0]);
	introduce(&s, &c, fds);
	CU_ASSERT_TRUE_FATAL(s.rc == 0 && c.rc == 0);
	s.ms = 20;
	spawn(write_main, &s);
	run_all();
	CU_ASSERT_EQUAL(s.rc, ERR_TIMEOUT);
	stream_close(s.s);
	do {
		spawn(read_main, &c);
		run_all();
	} while (c.rc == 0);
	CU_ASSERT_EQUAL(c.rc, ERR_CLOSED);
	stream_close(c.s);
	end_tls();
}

/* ---- waits ---- */

static void
writes_and_reads_are_cancelled(void)
{
	static struct party s, c;
	struct fiber *fiber;
	int fds[2];

	begin_tls();
	unix_pair(fds);
	introduce(&s, &c, fds);
	CU_ASSERT_TRUE_FATAL(s.rc == 0 && c.rc == 0);
	s.ms = 60000;
	fiber = spawn(write_main, &s);
	run_a_little();
	CU_ASSERT_TRUE(s.got > 0);
	fiber_cancel(fiber);
	CU_ASSERT_EQUAL(s.rc, ERR_CANCELLED);
	stream_abort(s.s);
	do {
		spawn(read_main, &c);
		run_all();
	} while (c.rc == 0);
	CU_ASSERT_EQUAL(c.rc, ERR_CLOSED);
	stream_close(c.s);

	unix_pair(fds);
	introduce(&s, &c, fds);
	fiber = spawn(read_main, &s);
	run_a_little();
	fiber_cancel(fiber);
	CU_ASSERT_EQUAL(s.rc, ERR_CANCELLED);
	part(&s, &c);
	end_tls();
}

static void
has_input_knows_tickets_from_octets(void)
{
	static struct party s, c;
	int fds[2];

	begin_tls();
	unix_pair(fds);
	introduce(&s, &c, fds);
	CU_ASSERT_TRUE_FATAL(s.rc == 0 && c.rc == 0);
	CU_ASSERT_FALSE(stream_has_input(c.s)); /* but for the session tickets of TLS 1.3 */
	CU_ASSERT_FALSE(stream_has_input(s.s));
	say(&s, "+OK\r\n");
	CU_ASSERT_TRUE(stream_has_input(c.s));
	spawn(read_main, &c);
	run_all();
	CU_ASSERT_EQUAL(c.rc, 0);
	CU_ASSERT_EQUAL(c.got, 5);
	CU_ASSERT_FALSE(stream_has_input(c.s));
	stream_close(s.s);
	CU_ASSERT_TRUE(stream_has_input(c.s));
	stream_close(c.s);
	end_tls();
}

static void
an_interrupted_stream_still_writes(void)
{
	static struct party s, c;
	int fds[2];

	begin_tls();
	unix_pair(fds);
	introduce(&s, &c, fds);
	CU_ASSERT_TRUE_FATAL(s.rc == 0 && c.rc == 0);
	spawn(read_main, &s);
	run_a_little();
	stream_interrupt(s.s);
	run_all();
	CU_ASSERT_EQUAL(s.rc, ERR_INTERRUPTED);
	say(&s, "-ERR [SYS/TEMP] bye\r\n");
	stream_close(s.s);
	spawn(read_main, &c);
	run_all();
	CU_ASSERT_EQUAL(c.got, 21);
	spawn(read_main, &c);
	run_all();
	CU_ASSERT_EQUAL(c.rc, ERR_CLOSED);
	stream_close(c.s);
	end_tls();
}

struct signal {
	struct stream *s;
	struct stream *target;
};

static void
interrupter_main(void *arg)
{
	struct signal *signal = arg;
	char octet;
	size_t got;

	CU_ASSERT_EQUAL(stream_read(signal->s, &octet, 1, &got, FIBER_NO_DEADLINE), 0);
	stream_interrupt(signal->target);
	stream_close(signal->s);
}

/* The reader is interrupted and, before its turn has come, woken by a piece of a record: it must
 * not wait for the rest. */
static void
a_part_of_a_record_does_not_hide_an_interruption(void)
{
	static struct party s, c;
	struct signal signal;
	int fds[2], others[2], raw;

	begin_tls();
	unix_pair(fds);
	raw = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
	introduce(&s, &c, fds);
	CU_ASSERT_TRUE_FATAL(s.rc == 0 && c.rc == 0);
	unix_pair(others);
	signal = (struct signal){ adopt(runtime, others[0]), s.s };
	spawn(interrupter_main, &signal);
	spawn(read_main, &s);
	run_a_little();
	CU_ASSERT_EQUAL(write(others[1], "x", 1), 1);
	CU_ASSERT_EQUAL(write(raw, "\x17\x03\x03\x00\x40part", 9), 9);
	run_all();
	CU_ASSERT_EQUAL(s.rc, ERR_INTERRUPTED);
	close(others[1]);
	close(raw);
	part(&s, &c);
	end_tls();
}

/* ---- records that say nothing ---- */

/* Octets of the peer that wait in the socket RAW. */
static int
waiting(int raw)
{
	int octets = 0;

	CU_ASSERT_EQUAL_FATAL(ioctl(raw, FIONREAD, &octets), 0);
	return octets;
}

/* Room for a flood, at the socket RAW that is to get it. */
static void
widen(int raw)
{
	static const int octets = 200000;

	setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
}

/* Writes OCTETS (LEN), all of which the kernel has to take at once. */
static void
write_at_once(int fd, const char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		CU_ASSERT_TRUE_FATAL(n > 0);
		octets += n;
		len -= (size_t) n;
	}
}

/* P says to the socket RAW, in one go, COUNT times that it changes its keys, and then TEXT. */
static void
flood_with_key_updates(struct party *p, int raw, int count, const char *text)
{
	BIO *usual = SSL_get_wbio(p->s->ssl), *memory = BIO_new(BIO_s_mem());
	char *octets;
	long len;

	BIO_up_ref(usual);
	SSL_set0_wbio(p->s->ssl, memory);
	for (int i = 0; i < count; i++) {
		CU_ASSERT_EQUAL_FATAL(SSL_key_update(p->s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		CU_ASSERT_EQUAL_FATAL(SSL_do_handshake(p->s->ssl), 1);
	}
	CU_ASSERT_TRUE(SSL_write(p->s->ssl, text, (int) strlen(text)) > 0);
	len = BIO_get_mem_data(memory, &octets);
	write_at_once(raw, octets, (size_t) len);
	SSL_set0_wbio(p->s->ssl, usual);
}

static void
read_by_now_main(void *arg)
{
	struct party *p = arg;

	p->rc = stream_read(p->s, p->buf, sizeof(p->buf), &p->got, fiber_now());
}

static void
await_by_now_main(void *arg)
{
	struct party *p = arg;

	p->rc = stream_await_input(p->s, fiber_now());
}

/* OpenSSL would take such records one after the other, for as long as they come: no deadline would
 * be looked at, and nobody else have a turn. */
static void
a_flood_of_key_updates_holds_nobody(void)
{
	static struct party s, c;
	int fds[2], raws[2];

	begin_tls();
	tcp_pair(fds);
	for (int i = 0; i < 2; i++)
		raws[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
	introduce(&s, &c, fds);
	CU_ASSERT_TRUE_FATAL(s.rc == 0 && c.rc == 0);
	widen(raws[0]);
	flood_with_key_updates(&c, raws[1], 20000, "hello");
	s.s->readable = true; /* as the loop would tell */
	spawn(read_by_now_main, &s);
	run_all();
	CU_ASSERT_EQUAL_FATAL(s.rc, ERR_TIMEOUT);
	CU_ASSERT_TRUE_FATAL(waiting(raws[0]) > 0);
	spawn(await_by_now_main, &s);
	run_all();
	CU_ASSERT_TRUE(waiting(raws[0]) > 0);
	spawn(read_main, &s);
	run_all();
	CU_ASSERT_EQUAL(s.rc, 0);
	CU_ASSERT_EQUAL(s.got, 5);
	for (int i = 0; i < 2; i++)
		close(raws[i]);
	part(&s, &c);
	end_tls();
}

static void
shake_by_now_main(void *arg)
{
	struct party *p = arg;

	p->rc = stream_start_tls_client(p->s, p->client, p->name, fiber_now(), &p->e);
}

/* The same before the keys are known, of a server that asks again and again for what has begun. */
static void
a_flood_of_hello_requests_holds_nobody(void)
{
	static char flood[400000];
	static const char record[13] = "\x16\x03\x03\x00\x08";
	static struct party c;
	int fds[2], raw;

	for (size_t i = 0; i + sizeof(record) <= sizeof(flood); i += sizeof(record))
		memcpy(flood + i, record, sizeof(record));
	begin_tls();
	tcp_pair(fds);
	raw = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
	widen(raw);
	init_party(&c, AS_CLIENT, fds[1]);
	write_at_once(fds[0], flood, sizeof(flood) - sizeof(flood) % sizeof(record));
	spawn(shake_by_now_main, &c);
	run_all();
	CU_ASSERT_EQUAL(c.rc, ERR_TIMEOUT);
	CU_ASSERT_TRUE(waiting(raw) > 0);
	stream_close(c.s);
	close(raw);
	close(fds[0]);
	end_tls();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "both_versions_in_both_roles", both_versions_in_both_roles },
		{ "megabytes_pass_in_odd_pieces", megabytes_pass_in_odd_pieces },
		{ "records_are_read_together", records_are_read_together },
		{ "an_error_behind_octets_is_told_next", an_error_behind_octets_is_told_next },
		{ "no_end_is_an_end_of_data", no_end_is_an_end_of_data },
		{ "close_says_so_and_abort_does_not", close_says_so_and_abort_does_not },
		{ "no_farewell_after_a_write_that_failed", no_farewell_after_a_write_that_failed },
		{ "writes_and_reads_are_cancelled", writes_and_reads_are_cancelled },
		{ "has_input_knows_tickets_from_octets", has_input_knows_tickets_from_octets },
		{ "an_interrupted_stream_still_writes", an_interrupted_stream_still_writes },
		{ "a_part_of_a_record_does_not_hide_an_interruption",
		    a_part_of_a_record_does_not_hide_an_interruption },
		{ "a_flood_of_key_updates_holds_nobody", a_flood_of_key_updates_holds_nobody },
		{ "a_flood_of_hello_requests_holds_nobody", a_flood_of_hello_requests_holds_nobody },
	};

	return unit_run("stream_tls", tests, sizeof(tests) / sizeof(tests[0]));
}
