"""Much of everything at once, and none of it for others: floods, work that grows with its input, and sessions of many users
in any order. Bounded, on loopback; what was used is given back."""
import base64
import contextlib
import random
import resource
import socket
import ssl
import statistics
import threading
import time

from harness import corpus, scripted_imap
from harness.cases import Case
from harness.pop3 import Pop3
from harness.popgate import binary
from harness.vitals import Vitals, wait_until

ONE = corpus.message("one", corpus.FILL * 10)
SOURCES = 40  # addresses that a flood comes from


class Flood(Case):
    """A gateway of one process, with descriptors for all who come. Good logins meanwhile wait for less than a second."""
    by_the_clock = True

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def start(self, **settings):
        self.server = self.scripted([ONE])
        self.gate = self.gateway({"port": self.server.port}, workers=0, max_sessions=5000, **settings)
        self.vitals = Vitals(self.gate.process.pid, binary())
        self.good_login()
        self.gate.wait_log(lambda text: "logged_in=yes" in text and "TLS handshake failed" in text)
        self.base = self.vitals.descriptors()

    def connect(self, number, address=None):
        """One of the flood, from one of its addresses; it may be turned away."""
        sock = socket.create_connection(address or self.gate.pop3, timeout=60,
                                        source_address=(f"127.0.1.{number % SOURCES + 1}", 0))
        self.addCleanup(sock.close)
        return sock

    def good_login(self, connect=None):
        """A whole session; returns the seconds until it was logged in."""
        began = time.monotonic()
        session = (connect or self.gate.connect)()
        session.login("good")
        took = time.monotonic() - began
        self.assertEqual(session.retr(1), ONE)
        self.assertTrue(session.quit().startswith(b"+OK"))
        return took

    def good_logins(self, count, connect=None):
        self.assertLess(statistics.median(self.good_login(connect) for _ in range(count)), 1)

    def assert_back_to_base(self, before_kb):
        """All descriptors are given back, and the memory of a second flood is that of the first."""
        wait_until(lambda: self.vitals.descriptors() == self.base, f"{self.base} descriptors")
        self.assertLess(self.vitals.resident_kb() - before_kb, self.vitals.growth_kb)

    def flood(self, count, octets, address=None):
        """COUNT connections that have said OCTETS and stay."""
        sockets = [self.connect(number, address) for number in range(count)]
        for sock in sockets:
            try:
                sock.sendall(octets)
            except OSError:
                pass  # it had to make room
        return sockets

    def test_t5_slow_connections(self):
        """2,000 that have said one octet: a good login comes in meanwhile, and they are gone in time by themselves."""
        self.start(login_timeout="10s")
        self.flood(500, b"U")
        wait_until(lambda: self.vitals.descriptors() == self.base, "the end of the first flood")
        before = self.vitals.resident_kb()
        sockets = self.flood(2000, b"U")
        self.good_logins(10)
        self.assert_back_to_base(before)
        for sock in sockets:  # which they learn
            sock.settimeout(60)
            try:
                while sock.recv(4096):
                    pass
            except ConnectionResetError:
                pass
        self.good_login()

    def test_bad_exchanges_concern_nobody_else(self):
        """1,000 connections with an exchange that fails, or is left halfway; and 100 good logins, all of which succeed."""
        self.start(max_bad_commands_before_login=100)
        bad = [b"AUTH PLAIN !!!!\r\n", b"AUTH PLAIN AGEA\r\n", b"AUTH LOGIN\r\nAA==\r\n", b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n*\r\n",
               b"AUTH PLAIN " + b"A" * 9000, b"AUTH PLAIN " + base64.b64encode(b"\xc0\xaf\0\xff\0\x80") + b"\r\n", b"AUTH X\r\n"]
        before, sockets = 0, []
        for run in range(2):
            for sock in sockets:
                sock.close()
            wait_until(lambda: self.vitals.descriptors() == self.base, f"{self.base} descriptors")
            before = self.vitals.resident_kb()
            sockets = [self.connect(number) for number in range(1000)]
            for number, sock in enumerate(sockets):
                try:
                    sock.sendall(bad[number % len(bad)])
                except OSError:
                    pass
            self.good_logins(50)
        for sock in sockets:
            sock.close()
        self.assert_back_to_base(before)
        self.assertEqual({login for login in self.server.logins}, {("good", "secret")})

    def test_t2_parallel_guessers(self):
        """200 at once, at this user and at others, each with three guesses in a packet; and with the answers held back."""
        self.start(auth_failure_delay="500ms", max_failed_logins_per_user=10, max_auth_failures=3)
        self.server.users = {"good": "secret"}
        before = 0
        for run in range(2):
            before = self.vitals.resident_kb()
            sockets = self.flood(200, b"".join(b"USER %s\r\nPASS guess%d\r\n" % (user, run) for user in (b"good", b"x", b"y")))
            self.good_logins(20)
            for sock in sockets:
                sock.close()
            wait_until(lambda: self.vitals.descriptors() == self.base, f"{self.base} descriptors")
        self.assert_back_to_base(before)
        guesses = [login for login in self.server.logins if login != ("good", "secret")]
        self.assertTrue(guesses)
        self.assertLessEqual(len(guesses), 3 * 12)

    def test_t23_handshakes(self):
        """500 at once that do not get further than a half of the first message, or than the key exchange."""
        self.start(login_timeout="10s")
        context = ssl.create_default_context(cafile=self.gate.certificate.ca)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        hello = outgoing.read()
        before = 0
        for octets in (hello[:100], hello, hello):
            before = self.vitals.resident_kb()
            sockets = self.flood(500, octets, self.gate.pop3s)
            self.good_logins(20, self.gate.connect_tls)
            for sock in sockets:
                sock.close()
            wait_until(lambda: self.vitals.descriptors() == self.base, f"{self.base} descriptors")
        self.assert_back_to_base(before)

    def test_half_sessions_leave_nothing(self):
        """Clients that vanish at every step of a session, again and again: descriptors and memory are as before."""
        self.start()
        steps = [b"", b"CAPA\r\n", b"STLS\r\n", b"STLS\r\nx", b"USER x\r\n", b"USER x\r\nPASS ", b"AUTH PLAIN\r\n",
                 b"USER %d\r\nPASS secret\r\n", b"USER %d\r\nPASS secret\r\nRETR 1\r\n", b"USER %d\r\nPASS secret\r\nDELE 1\r\n"]

        def run(count):
            for number in range(count):
                step = steps[number % len(steps)]
                sock = self.connect(number)
                sock.sendall(step.replace(b"%d", b"%d" % number))
                sock.close()
            wait_until(lambda: self.vitals.descriptors() == self.base, f"{self.base} descriptors")
        run(300)
        before = self.vitals.resident_kb()
        run(1000)
        self.assert_back_to_base(before)
        self.assertEqual(self.server.uids(), [1])


class Doubling(Case):
    """T24. The time of the processor grows as the input does, and not with its square, whatever it is made of."""
    by_the_clock = True

    REPEAT = 4

    def setUp(self):
        self.start()

    def start(self, **settings):
        self.server = self.scripted()
        self.gate = self.gateway({"port": self.server.port}, workers=0, log_level="warning", **settings)
        self.vitals = Vitals(self.gate.process.pid, binary())

    def cost(self, work, size):
        work(size)
        before = self.vitals.cpu_seconds()
        for _ in range(self.REPEAT):
            work(size)
        return self.vitals.cpu_seconds() - before

    def assert_linear(self, work, size):
        """From SIZE to 16 times as much: 16 would be linear, 256 quadratic. The constant is how coarse the clock is."""
        small, large = self.cost(work, size), self.cost(work, 16 * size)
        self.assertLess(large, 32 * small + 0.3, f"{small:.2f} s for {size}, {large:.2f} s for 16 times as much")

    def test_t24_messages(self):
        self.messages()

    def test_t24_messages_octet_by_octet(self):
        self.start(nul="replace")
        self.messages()

    def messages(self):
        makers = {
            "one line": lambda size: b"x" * size,
            "dots": lambda size: b".\r\n" * (size // 3),
            "bare LF": lambda size: b"\n" * size,
            "CR": lambda size: b"\r" * size,
            "dots without a line": lambda size: b"." * size,
            "NUL": lambda size: b"\0" * size,
            "one header": lambda size: b"A: " + b"x" * size + b"\r\n\r\n",
            "headers": lambda size: b"A: b\r\n" * (size // 6) + b"\r\n",
            "continued headers": lambda size: b"A: b\r\n" + b" x\r\n" * (size // 4) + b"\r\n",
            "multiparts": lambda size: b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" * (size // 50),
        }
        for name, make in makers.items():
            for command in ("RETR 1", "TOP 1 0", "TOP 1 1000000000"):
                def work(size):
                    self.server.messages = [scripted_imap.Message(1, make(size))]
                    with self.gate.login_when_free("someone") as session:
                        session.ok(command)
                        session.raw_multi()
                        session.quit()
                with self.subTest(name, command=command):
                    self.assert_linear(work, 1 << 17)

    def test_t24_commands(self):
        for line in (b"NOOP\r\n", b"RETR 99999999999\r\n", b"LIST 1" + b" " * 240 + b"\r\n", b"DELE " + b"9" * 240 + b"\r\n"):
            def work(size):
                with self.gate.login_when_free("someone") as session:
                    sender = threading.Thread(target=session.send, args=(line * size,))
                    sender.start()
                    for _ in range(size):
                        session.status()
                    sender.join()
                    session.quit()
            with self.subTest(line[:20]):
                self.server.messages = [scripted_imap.Message(1, ONE)]
                self.assert_linear(work, 500)

    def test_t24_before_login(self):
        """Lines of AUTH that grow octet by octet, and end too long or malformed."""
        def work(size):
            with self.gate.connect() as session:
                session.send(b"AUTH PLAIN " + b"A" * size + b"\r\n")
                session.rest(until=b"\r\n")
        self.REPEAT = 200
        self.assert_linear(work, 1000)

    def test_t24_listings(self):
        def work(size):
            self.server.messages = [scripted_imap.Message(number, b"x") for number in range(1, size + 1)]
            self.server.uidvalidity += 1  # so that no listing is kept from last time,
            user = f"someone{self.server.uidvalidity}"  # and the guard has seen nothing of it
            with self.gate.login_when_free(user) as session:
                self.assertEqual(len(session.uidl()), size)
                self.assertEqual(len(session.list()), size)
                session.send(b"".join(b"DELE %d\r\n" % number for number in range(1, 501)))
                for _ in range(500):
                    session.status()
                session.ok("RSET")
                session.quit()
        self.assert_linear(work, 600)


class Mixups(Case):
    """T26. Whoever logs in when and wherever, all by the same password: what a session shows is its user's."""

    USERS, MESSAGES, THREADS, SESSIONS = 200, 120, 8, 400

    @staticmethod
    def body(user, uid):
        """As long as nobody else's of that UID."""
        number = int(user.removeprefix("user"))
        return (b"Owner: %s\r\n\r\nmessage %d\r\n" % (user.encode(), uid)).ljust(200 + number, b"x") + b"\r\n"

    def start(self, **upstream):
        server = self.scripted([scripted_imap.Message(uid, b"") for uid in range(1, self.MESSAGES + 1)],
                               capability=(*scripted_imap.CAPABILITY, "UNSELECT"))

        def fetch(connection, command):
            text, _, items = command.arguments.partition(b" ")
            answer = []
            for number, message in connection.chosen(text, by_uid=True):
                own = scripted_imap.Message(message.uid, self.body(connection.user, message.uid))
                answer.append(connection.fetched(number, own, items.upper()))
            connection.send(b"".join(answer))
            connection.done(command)
            return True
        server.on("fetch body", fetch)
        server.on("fetch listing", fetch)
        self.gate = self.gateway({"port": server.port, **upstream}, log_level="info")
        return server

    def session(self, chance, busy):
        """One session of a user who has none at the moment, with anything in it."""
        with self.lock:
            number = chance.choice([number for number in range(self.USERS) if number not in busy])
            busy.add(number)
        user = f"user{number}"
        try:
            session = self.gate.login_when_free(user)
            for _ in range(chance.randint(1, 5)):
                uid = chance.randint(1, self.MESSAGES)
                what = chance.randrange(5)
                body = self.body(user, uid)
                if what == 0:
                    self.assertEqual(session.retr(uid), body)
                elif what == 1:
                    self.assertEqual(session.multi(f"TOP {uid} 0"), body[:body.index(b"\r\n\r\n") + 4])
                elif what == 2:
                    self.assertEqual(session.ok(f"LIST {uid}"), b"+OK %d %d" % (uid, len(body)))
                elif what == 3:  # a series, which is fetched ahead; sometimes more than is taken
                    for following in range(uid, min(uid + 6, self.MESSAGES)):
                        self.assertEqual(session.retr(following), self.body(user, following))
                else:
                    self.assertEqual(sum(session.list().values()), session.stat()[1])
            if chance.random() < 0.7:
                session.quit()
            elif chance.random() < 0.5:
                session.reset()
            session.close()
        finally:
            with self.lock:
                busy.discard(number)

    def run_schedule(self, seed):
        self.lock, faults, busy, left = threading.Lock(), [], set(), list(range(self.SESSIONS))

        def run(chance):
            while left and not faults:
                left.pop()
                try:
                    self.session(chance, busy)
                except BaseException as fault:  # told by the test, not lost in the thread
                    faults.append(fault)
        threads = [threading.Thread(target=run, args=(random.Random(f"{seed} {number}"),)) for number in range(self.THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    def test_t26_kept_listings(self):
        self.start()
        self.run_schedule(1)

    def test_t26_without_listings(self):
        self.start(index_cache="no")
        self.run_schedule(2)

    def test_t26_kept_connections(self):
        server = self.start(reuse="60s")
        self.run_schedule(3)
        logins = len(server.logins)
        self.assertLess(logins, self.SESSIONS, "no connection was taken over")
