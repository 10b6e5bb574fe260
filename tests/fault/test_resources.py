"""System calls fail: descriptors, socket memory, the disk, connections, interrupts.

What the client sees is the truth, the gateway lives on, nothing stays behind, and the next session is served."""
import collections
import unittest
from errno import (EADDRNOTAVAIL, EAGAIN, ECONNABORTED, ECONNREFUSED, ECONNRESET, EINTR, EIO, EMFILE, ENETDOWN,
                   ENETUNREACH, ENFILE, ENOBUFS, ENOMEM, ENOSPC, ENOSYS, EPIPE, EPROTO, EROFS, ETIMEDOUT, errorcode)

from inject import CLIENT, FILE, FOREVER, LONG, PLACE, UPSTREAM, Gateway
from truthful import Everything, Mailbox, Rounds

import tally
from harness import certificates, servers

STORM = 300      # calls in a row that say "not now"
EX_OSERR = 71


# What came of a session: calls that failed, answers to PASS and QUIT, messages marked, whether the mailbox is as it was.
Seen = collections.namedtuple("Seen", "failed answer quit marked untouched")


class Case(unittest.TestCase):
    """One gateway for the class, a mailbox for each test."""

    tls = False
    stride = 1

    @classmethod
    def setUpClass(cls):
        server = servers.dovecot()
        upstream = {"port": server.imap_port}
        if cls.tls:  # sessions of TLS that are kept for the next connection look like leaks
            upstream = {"port": server.imaps_port, "host": "localhost", "tls": "implicit", "tls_resumption": "no",
                        "ca_file": certificates.good().ca}
        cls.gate = Gateway(upstream)

    @classmethod
    def tearDownClass(cls):
        cls.gate.stop()

    def setUp(self):
        mailbox = Mailbox(servers.dovecot())
        self.addCleanup(mailbox.imap.close)
        self.control = self.gate.control
        self.rounds = Rounds(self.gate, Everything(self.gate, mailbox, self.tls))
        for _ in range(3):
            self.rounds.clean()
        self.rounds.base = self.control["live"]

    def tearDown(self):
        self.rounds.clean()

    def faulty(self, call, error, number=1, times=FOREVER, kinds=0):
        """A session in which calls fail. Returns whether it came to its end as if nothing had happened."""
        done, failed = self.once(call, error, number, times, kinds)
        session = self.rounds.session
        self.seen = Seen(failed, session.answer, session.quit, len(session.marked), session.mailbox.is_untouched())
        if self.rounds.live() > self.rounds.base:
            self.assertFalse(self.rounds.leaks(lambda: self.once(call, error, number, times, kinds)),
                             f"memory leaks when {call} number {number} fails with {errorcode[error]}")
        return done

    def once(self, call, error, number, times, kinds):
        self.rounds.prepare()
        self.control.clear()
        self.control.call(call, error, number, times, kinds)
        self.control.arm()
        done = self.rounds.failing()
        failed = self.control.failed(call)
        tally.add(runs=1, faults=failed)
        return done, failed

    def each_time(self, call, error, kinds=0):
        """Sessions in which the first, the second, ... of the calls fails once, until there are no more of them.
        Yields the number and whether the session came to its end as if nothing had happened."""
        number = 1
        while True:
            done = self.faulty(call, error, number, 1, kinds)
            if self.seen.failed == 0:
                break
            yield number, done
            number += self.stride
        self.assertGreater(number, 1, f"{call} was never called")

    def assert_invisible(self, call, error, **how):
        with self.subTest(call=call, error=errorcode[error], **how):
            self.assertTrue(self.faulty(call, error, **how), self.gate.log()[-2000:])
            self.assertGreater(self.seen.failed, 0)

    def assert_login_fails(self, call, error, **how):
        with self.subTest(call=call, error=errorcode[error], **how):
            self.assertFalse(self.faulty(call, error, **how))
            self.assertGreater(self.seen.failed, 0)
            self.assertTrue(self.seen.answer.startswith(b"-ERR [SYS/TEMP]"), self.seen.answer)
            self.assertTrue(self.seen.untouched)
            self.rounds.clean()


class Resources(Case):
    def test_a_connection_waits_until_there_are_descriptors(self):
        for error in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
            self.assert_invisible("accept", error, times=2)

    def test_a_connection_that_failed_in_the_queue_concerns_no_other(self):
        for error in (ECONNABORTED, EPROTO, ENETDOWN, EINTR):
            self.assert_invisible("accept", error, times=3)

    def test_no_socket_for_the_server(self):
        for error in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
            self.assert_login_fails("socket", error, kinds=UPSTREAM)

    def test_the_server_cannot_be_reached(self):
        for error in (ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, ETIMEDOUT, EAGAIN):
            self.assert_login_fails("connect", error, kinds=UPSTREAM)

    def test_the_lock_file_cannot_be_made(self):
        for error in (EMFILE, ENFILE, ENOSPC, EIO, EROFS):
            self.assert_login_fails("open", error, kinds=FILE)

    def test_one_lost_connection_at_any_moment(self):
        for call, kinds in (("send", CLIENT), ("send", UPSTREAM), ("recv", CLIENT), ("recv", UPSTREAM)):
            for error in (EPIPE, ECONNRESET, ENOBUFS) if call == "send" else (ECONNRESET, ETIMEDOUT):
                with self.subTest(call=call, kinds=kinds, error=errorcode[error]):
                    for _ in self.each_time(call, error, kinds):
                        pass

    def test_interrupts_are_invisible(self):
        for call in ("accept", "connect", "open", "read", "write", "send", "recv"):
            with self.subTest(call=call):
                for number, done in self.each_time(call, EINTR):
                    self.assertTrue(done, f"number {number}: {self.gate.log()[-2000:]}")

    def test_storms_of_not_now_are_invisible(self):
        for call in ("send", "recv"):
            for kinds in (CLIENT, UPSTREAM):
                for number in (1, 3):
                    self.assert_invisible(call, EAGAIN, number=number, times=STORM, kinds=kinds)

    def test_the_kernel_watches_no_more_descriptors(self):
        for error in (ENOSPC, ENOMEM):
            for kinds in (CLIENT, UPSTREAM):
                with self.subTest(error=errorcode[error], kinds=kinds):
                    self.assertFalse(self.faulty("epoll_ctl", error, kinds=kinds))
                    self.assertGreater(self.seen.failed, 0)
                    self.assertTrue(self.seen.untouched)
                    for _ in self.each_time("epoll_ctl", error, kinds):
                        self.rounds.clean()


class ResourcesInTls(Case):
    """Between OpenSSL and the sockets is a BIO of ours."""

    tls = True
    stride = 1 if LONG else 3

    def test_one_lost_connection_at_any_moment(self):
        for call, kinds in (("send", CLIENT), ("send", UPSTREAM), ("recv", CLIENT), ("recv", UPSTREAM)):
            with self.subTest(call=call, kinds=kinds):
                for _ in self.each_time(call, ECONNRESET, kinds):
                    pass

    def test_interrupts_are_invisible(self):
        for call in ("recv", "send"):
            for kinds in (CLIENT, UPSTREAM):
                with self.subTest(call=call, kinds=kinds):
                    for number, done in self.each_time(call, EINTR, kinds):
                        self.assertTrue(done, f"number {number}: {self.gate.log()[-2000:]}")

    def test_storms_of_not_now_are_invisible(self):
        for call in ("recv", "send"):
            for kinds in (CLIENT, UPSTREAM):
                for number in (1, 6):
                    self.assert_invisible(call, EAGAIN, number=number, times=STORM, kinds=kinds)

    def test_no_descriptor_to_look_up_a_name(self):
        for error in (EMFILE, ENFILE):
            self.assert_login_fails("open", error, kinds=FILE)


class Journal(Case):
    """The disk of the journal. Reading goes on, and nothing is removed that is not written down."""

    def test_nothing_is_removed_without_the_journal(self):
        for call, errors in (("write", (ENOSPC, EIO, EROFS)), ("sync", (EIO, ENOSPC, EINTR))):
            for error in errors:
                with self.subTest(call=call, error=errorcode[error]):
                    start = len(self.gate.log())
                    self.assertFalse(self.faulty(call, error, kinds=PLACE))
                    self.assertGreater(self.seen.failed, 0)
                    self.assertEqual(self.seen.marked, 2)
                    self.assertEqual(self.seen.quit, b"-ERR [SYS/TEMP] 2 of 2 messages not removed")
                    self.assertTrue(self.seen.untouched)
                    self.gate.wait_log("journal", start=start)
                    self.rounds.clean()

    def test_one_failure_at_any_moment(self):
        for call, error in (("open", EMFILE), ("read", EIO), ("write", ENOSPC), ("sync", EIO), ("truncate", EIO)):
            with self.subTest(call=call, error=errorcode[error]):
                number = 1
                while self.faulty(call, error, number, 1, PLACE) is not None and self.seen.failed > 0:
                    number += 1
                    self.rounds.clean()

    def test_all_fails_from_any_moment_on(self):
        for call, error in (("write", ENOSPC), ("sync", EIO)):
            with self.subTest(call=call, error=errorcode[error]):
                number = 1
                while self.faulty(call, error, number, FOREVER, PLACE) is not None and self.seen.failed > 0:
                    number += 1
                    self.rounds.clean()
                self.assertGreater(number, 1)


class Start(unittest.TestCase):
    def test_without_randomness_there_is_no_start(self):
        def no_randomness(control):
            control.call("random", ENOSYS)
            control.arm()
        server = servers.dovecot()
        with self.assertRaises(AssertionError) as raised:
            Gateway({"port": server.imap_port}, prepare=no_randomness).stop()
        self.assertIn("cannot start", str(raised.exception))

    def test_an_interrupt_of_getrandom_is_invisible(self):
        number, failed = 1, True
        while failed:
            def interrupted(control, number=number):
                control.call("random", EINTR, number, 1)
                control.arm()
            with self.subTest(number=number):
                gate = Gateway({"port": servers.dovecot().imap_port}, prepare=interrupted)
                gate.stop()
                failed = gate.control.failed("random") > 0
            number += 1
        self.assertGreater(number, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
