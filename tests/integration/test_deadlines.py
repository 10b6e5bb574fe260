"""Nobody holds a session longer than configured: slow, silent and flooding clients and servers; rules 17, 31, 32, 35."""
import re
import resource
import socket
import ssl
import threading
import time

from harness import certificates, corpus, ports, scripted_imap
from harness.cases import Case
from harness.pop3 import Pop3, tls_context
from harness.popgate import Popgate, binary, environment
from harness.process import Process
from harness.scripted_imap import Ended, close, send_then
from harness.vitals import Vitals, wait_until

MESSAGES = [corpus.message(f"number {n}", b"text %d\r\n" % n + corpus.FILL * 20 * n) for n in range(1, 4)]
LARGE = corpus.message("large", corpus.FILL * 120000)
LIMIT = "1s"
GIVE_UP = 240  # seconds after which a slow peer stops: far beyond every limit here
STUCK, SILENT = "client did not take its data", "client was silent for too long"


def drip(start, piece, pause=0.05):
    """Sends START, and then PIECE again and again with a PAUSE in between, which is the misbehaviour itself."""
    def action(connection, command):
        connection.send_for(command, start)
        for _ in range(int(GIVE_UP / pause)):
            connection.send_for(command, piece)
            time.sleep(pause)
        raise Ended
    return action


def slowly(pause):
    """The usual answer, but not before PAUSE seconds have passed."""
    def action(_connection, _command):
        time.sleep(pause)
        return False
    return action


class Deadlines(Case):
    by_the_clock = True

    def server(self, messages=MESSAGES, **options):
        messages = [scripted_imap.Message(10 * i, m) for i, m in enumerate(messages, 1)]
        return self.scripted(messages, **options)

    def gate_to(self, server, upstream=None, **settings):
        return self.gateway({"port": server.port, "tls": server.tls, "command_timeout": LIMIT, "tls_timeout": LIMIT,
                             "connect_timeout": "5s", "ca_file": certificates.authority().cert, **(upstream or {})},
                            **settings)

    def assert_served(self, gate, neighbour):
        """A session that was there before is answered, and its messages come."""
        neighbour.ok("NOOP")
        self.assertEqual(neighbour.retr(1), MESSAGES[0])
        gate.assert_alive()

    def assert_ended(self, gate, reason, count=1):
        """So many sessions are logged as ended by themselves for REASON."""
        gate.wait_log(lambda text: len(re.findall(rf'session ended.*reason="{re.escape(reason)}"', text)) >= count,
                      timeout=60)


class SlowServers(Deadlines):
    LINE = b"* OK one moment\r\n"
    TOO_LONG, RATE = "the server takes too long", "the server sends less than 1 KiB/s"
    # name, step, how, what the log says: in a login all waiting counts together, later each command by itself
    LOGIN = [
        ("greeting, octet by octet", "greeting", drip(b"* OK ", b"x"), TOO_LONG),
        ("capability, octet by octet", "CAPABILITY", drip(b"* CAPABILITY IMAP4rev1 X", b"x"), TOO_LONG),
        ("capability, line by line", "CAPABILITY", drip(b"", LINE), TOO_LONG),
        ("ID, line by line", "ID", drip(b"", LINE), TOO_LONG),
        ("login, octet by octet", "AUTHENTICATE", drip(b"{tag} OK ", b"x"), TOO_LONG),
        ("login, line by line", "AUTHENTICATE", drip(b"", LINE), TOO_LONG),
        ("each step just in time", None, slowly(0.45), TOO_LONG),
        ("select, octet by octet", "SELECT", drip(b"* OK ", b"x"), RATE),
        ("select, line by line", "SELECT", drip(b"", LINE), TOO_LONG),
        ("listing, octet by octet", "fetch listing", drip(b"* 1 FETCH (UID 10 X", b"x"), RATE),
        ("listing, line by line", "fetch listing", drip(b"", b"* 1 FETCH (UID 10 RFC822.SIZE 9)\r\n"), RATE),
    ]
    LATER = [
        ("body", "fetch body", drip(b"* 1 FETCH (UID 10 BODY[] {100000}\r\n", b"x" * 10), b"RETR 1\r\n", RATE),
        ("before the body", "fetch body", drip(b"", LINE), b"RETR 1\r\n", RATE),
        ("behind the body", "fetch body", drip(b"* 1 FETCH (UID 10 BODY[] {1}\r\nx)\r\n", LINE), b"RETR 1\r\n", RATE),
        ("part", "fetch body", drip(b"* 1 FETCH (UID 10 BODY[]<0> {4000}\r\n", b"x" * 10), b"TOP 1 0\r\n", RATE),
        ("store", "UID STORE", drip(b"", LINE), b"DELE 3\r\nQUIT\r\n", TOO_LONG),
        ("expunge", "UID EXPUNGE", drip(b"", LINE), b"DELE 3\r\nQUIT\r\n", TOO_LONG),
        ("expunge, octet by octet", "UID EXPUNGE", drip(b"* 1 EXP", b"U"), b"DELE 3\r\nQUIT\r\n", None),
        ("verification", "UID SEARCH", drip(b"* SEARCH", b" 10"), b"DELE 3\r\nQUIT\r\n", RATE),
    ]

    def together(self, rows, run):
        """RUN for each of ROWS, at the same time; each has a server and a gateway of its own."""
        faults = []

        def guarded(row):
            try:
                run(*row)
            except BaseException as fault:  # told by the test, not lost in the thread
                faults.append((row[0], fault))
        threads = [threading.Thread(target=guarded, args=(row,)) for row in rows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    def start(self, step, action, **upstream):
        server = self.server()
        gate = self.gate_to(server, upstream)
        neighbour = gate.login("neighbour")
        for each in [step] if step else ["greeting", "CAPABILITY", "AUTHENTICATE"]:
            server.on(each, action)
        return server, gate, neighbour

    def test_rule_35_slow_logins_end(self):
        def run(name, step, action, why):
            _, gate, neighbour = self.start(step, action, send_id="yes")
            session = gate.connect(timeout=120)
            session.send(b"USER slow\r\nPASS secret\r\n")
            self.assert_served(gate, neighbour)
            session.line()
            self.assert_code(session.status(), "SYS/TEMP")
            gate.wait_log(why)
            self.assert_served(gate, neighbour)
        self.together(self.LOGIN, run)

    def test_rule_35_slow_commands_end(self):
        def run(name, step, action, commands, why):
            server, gate, neighbour = self.start("none", None)
            session = gate.connect(timeout=120)
            session.login("slow")
            server.on(step, lambda c, command: action(c, command) if c.user == "slow" else False)
            session.send(commands)
            self.assert_served(gate, neighbour)
            answer = session.rest()
            self.assertFalse(answer.endswith(b"\r\n.\r\n"), answer[-100:])
            if b"QUIT" in commands:
                self.assertRegex(answer, rb"-ERR \[SYS/TEMP\] [^\r]*\r\n$", name)
            if why:
                gate.wait_log(why)
            self.assert_served(gate, neighbour)
        self.together(self.LATER, run)

    def test_a_server_that_is_slow_but_steady_is_not_ended(self):
        def run(name, text, body):
            def action(connection, command):
                if connection.user != "slow":
                    return False
                for i in range(0, len(text), 4000):
                    connection.send_for(command, text[i:i + 4000])
                    time.sleep(0.1)
                return True
            _, gate, _ = self.start("fetch body", action)
            session = gate.connect(timeout=120)
            session.login("slow")
            self.assertEqual(session.retr(1), body)
            session.ok("NOOP")
        body = corpus.message("steady", corpus.FILL * 1600)
        whole = b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % len(body) + body + b")\r\n{tag} OK done\r\n"
        self.assertGreater(len(whole) / 4000 * 0.1, 2, "must take longer than the limit")
        said = b"* OK one moment, please, for this may take a while\r\n" * 40
        self.together([("body", whole, body), ("news and body", said * 20 + whole, body)], run)

    def test_a_busy_server_that_says_so_has_its_time(self):
        def busy(connection, _command):
            for _ in range(30):
                connection.send(self.LINE)
                time.sleep(0.1)
            return False
        _, gate, _ = self.start("UID EXPUNGE", busy)
        session = gate.login("busy")
        session.ok("DELE 1")
        self.assertTrue(session.quit().startswith(b"+OK"))

    def test_rule_17_slow_keepalive_ends(self):
        server = self.server()
        gate = self.gate_to(server, {"keepalive_interval": "1s", "command_timeout": "200ms"})
        server.on("NOOP", drip(b"", self.LINE))
        session = gate.login("slow")
        gate.wait_log(self.TOO_LONG)
        server.usual()
        self.assertEqual(session.retr(1), MESSAGES[0])

    def test_logout_is_not_waited_for(self):
        def flood(connection, _command):
            while True:
                connection.send(b"* OK flood\r\n" * 1000)
        for name, action in (("flood", flood), ("silence", scripted_imap.stall), ("slow", drip(b"", b"x"))):
            with self.subTest(name):
                server = self.server()
                gate = self.gate_to(server)
                server.on("LOGOUT", action)
                for _ in range(2):
                    self.assertTrue(gate.login_when_free("someone").quit().startswith(b"+OK"))
                gate.wait_log(lambda text: text.count("logged_in=yes") == 2)

    def test_flood_while_nobody_asks(self):
        """What comes between two commands waits in the kernel, costs nothing, and is refused in the end."""
        server = self.server()
        gate = self.gate_to(server, workers=0)
        vitals = Vitals(gate.process.pid, binary())
        session = gate.login("someone")
        vitals.forget_peak()
        before, cpu = vitals.resident_kb(), vitals.cpu_seconds()
        connection = server.connections[-1]
        connection.sock.settimeout(1)
        with self.assertRaises(TimeoutError):
            for _ in range(1000):
                connection.send(b"* OK flood\r\n" * 10000)
        session.ok("NOOP")
        self.assertLess(vitals.peak_kb() - before, vitals.growth_kb)
        self.assertLess(vitals.cpu_seconds() - cpu, 0.5)
        self.assertTrue(session.command("RETR 1").startswith(b"-ERR"))


class TlsHandshakes(Deadlines):
    """One octet at a time, of a record that is announced as long."""

    RECORD = b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03" + b"x" * 16000

    def drip_into(self, sock):
        """Returns once the peer has gone."""
        sock.settimeout(60)
        try:
            for octet in self.RECORD:
                sock.sendall(bytes([octet]))
                time.sleep(0.05)
        except OSError:
            return
        self.fail("the peer took it all")

    def test_with_the_server(self):
        for tls in ("implicit", "starttls"):
            with self.subTest(tls):
                server = self.server(tls=tls)
                gate = self.gate_to(server)
                neighbour = gate.login("neighbour")

                class Slow:
                    @staticmethod
                    def wrap_socket(sock, server_side):
                        sock.recv(65536)  # what came earlier would be taken for injected octets
                        self.drip_into(sock)
                        raise OSError
                server._context = Slow
                session = gate.connect()
                session.send(b"USER slow\r\nPASS secret\r\n")
                self.assert_served(gate, neighbour)
                session.line()
                self.assert_code(session.status(), "SYS/TEMP")
                gate.wait_log("TLS handshake timed out")

    def test_with_the_client(self):
        server = self.server()
        gate = self.gate_to(server, login_timeout="1s")
        neighbour = gate.login("neighbour")
        slow = socket.create_connection(gate.pop3s)
        self.addCleanup(slow.close)
        self.drip_into(slow)
        gate.wait_log("TLS handshake timed out")
        session = gate.connect()
        session.ok("STLS")
        self.drip_into(session.sock)
        gate.wait_log(lambda text: text.count("TLS handshake timed out") == 2)
        self.assert_served(gate, neighbour)


class SlowClients(Deadlines):
    def large(self, **settings):
        """A gateway and a server with one large message; a neighbour cannot share it, for messages are the server's."""
        server = self.server([MESSAGES[0], LARGE])
        gate = self.gate_to(server, **settings)
        return server, gate, gate.login("neighbour")

    @staticmethod
    def connect(gate, tls, room=16384):
        """A session with a receive buffer of about ROOM octets."""
        class Small(Pop3):
            def __init__(self, address, **options):
                original = socket.create_connection

                def small(address, timeout):
                    sock = socket.socket()
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
                    sock.settimeout(timeout)
                    sock.connect(address)
                    return sock
                socket.create_connection = small
                try:
                    super().__init__(address, **options)
                finally:
                    socket.create_connection = original
        if tls:
            return Small(gate.pop3s, tls=tls_context(gate.certificate.ca))
        return Small(gate.pop3)

    def drip_line(self, session, text):
        """Sends TEXT octet by octet for as long as the session lasts."""
        try:
            for _ in range(int(GIVE_UP / 0.05)):
                for octet in text:
                    session.send(bytes([octet]))
                    time.sleep(0.05)
        except OSError:
            return
        self.fail("the session goes on")

    def test_rule_17_a_dripped_command_ends_before_login(self):
        gate = self.gate_to(self.server(), login_timeout="1s")
        neighbour = gate.login("neighbour")
        self.drip_line(gate.connect(), b"U" + b"S" * 100)
        self.assert_ended(gate, SILENT)
        session = gate.connect()
        session.command("AUTH PLAIN")
        self.drip_line(session, b"A" * 10000)
        self.assert_ended(gate, SILENT, 2)
        self.assert_served(gate, neighbour)

    def test_rule_17_a_dripped_command_ends_after_login(self):
        server = self.server()
        gate = self.gate_to(server, idle_timeout="2s")
        for tls in (False, True):
            session = gate.connect_tls() if tls else gate.connect()
            session.login(f"slow {tls}")
            session.ok("DELE 1")
            self.drip_line(session, b"QUI" + b"Q" * 200)
            self.assert_ended(gate, SILENT, 1 + tls)
        self.assertNotIn("UID STORE", server.names())

    def test_rule_17_busy_without_a_login(self):
        gate = self.gate_to(self.server(), authorization_timeout="2s", login_timeout="60s")
        neighbour = gate.login("neighbour")
        session = gate.connect()
        with self.assertRaises((OSError, AssertionError)):
            while True:
                self.assertIn(b"USER", session.capa())
        self.assert_ended(gate, SILENT)
        self.assert_served(gate, neighbour)

    def test_a_client_that_never_reads_is_ended(self):
        server, gate, neighbour = self.large(client_write_timeout="1s")
        for count, tls in ((1, False), (2, True)):
            with self.subTest(tls=tls):
                session = self.connect(gate, tls)
                session.login(f"stuck {tls}")
                session.send(b"RETR 2\r\n")
                self.assert_served(gate, neighbour)
                self.assert_ended(gate, STUCK, count)
                self.assertFalse(session.rest().endswith(b"\r\n.\r\n"))
        wait_until(lambda: len(server.connections) == 1, "the end of the connections to the server")
        self.assert_served(gate, neighbour)

    def test_a_client_that_reads_slowly_but_steadily_is_not_ended(self):
        """As slowly as that, the socket buffer of the gateway does not become writable within the time-out."""
        _, gate, neighbour = self.large(client_write_timeout="1s")
        for tls in (False, True):
            with self.subTest(tls=tls):
                session = self.connect(gate, tls)
                session.login(f"steady {tls}")
                session.send(b"RETR 2\r\n")
                session.line()
                for _ in range(32):
                    session._buffer += session.sock.recv(16384)
                    time.sleep(0.125)
                self.assert_served(gate, neighbour)
                self.assertEqual(session.multi_body(), LARGE)
                self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertNotIn(STUCK, gate.log())

    def test_rule_31_a_client_that_sends_without_reading(self):
        _, gate, neighbour = self.large(client_write_timeout="1s", workers=0)
        vitals = Vitals(gate.process.pid, binary())
        for count, (tls, line) in enumerate(((False, b"NOOP\r\n"), (True, b"NOOP\r\n"), (False, b"RETR 1\r\n"),
                                             (False, b"LIST\r\n")), 1):
            with self.subTest(tls=tls, line=line):
                session = self.connect(gate, tls)
                session.login(f"flood {count}")
                vitals.forget_peak()
                before = vitals.resident_kb()
                with self.assertRaises(OSError):
                    for _ in range(1000):
                        session.send(line * (100_000 // len(line)))
                self.assert_ended(gate, STUCK, count)
                self.assertLess(vitals.peak_kb() - before, vitals.growth_kb)
                session.close()
        self.assert_served(gate, neighbour)

    def test_a_half_closed_client_gets_its_answers(self):
        _, gate, _ = self.large()
        for tls in (False, True):
            session = gate.connect_tls() if tls else gate.connect()
            session.login(f"half {tls}")
            session.send(b"RETR 2\r\n")
            if tls:  # the method of SSLSocket would end TLS in both directions
                socket.socket.shutdown(session.sock, socket.SHUT_WR)
            else:
                session.half_close()
            session.line()
            self.assertEqual(session.multi_body(), LARGE)
            self.assertEqual(session.rest(), b"")
            self.assert_ended(gate, "client closed the connection", 1 + tls)

    def test_words_behind_quit_do_not_cost_its_answer(self):
        _, gate, _ = self.large()
        for tls in (False, True):
            session = gate.connect_tls() if tls else gate.connect()
            session.login(f"chatter {tls}")
            session.send(b"QUIT\r\n" + b"NOOP\r\n" * 2000)  # one segment, one record: here before the end
            self.assertEqual(session.rest(), b"+OK bye\r\n")


class Aborts(Deadlines):
    """Rule 32 on both legs: however the server goes, the client must be able to tell that the message was cut."""

    @staticmethod
    def farewell(connection, _command):
        """The clean end of TLS: close_notify."""
        try:
            connection.sock.settimeout(10)
            connection.sock.unwrap()
        except OSError:
            pass
        raise Ended

    ENDS = {"none": [close, scripted_imap.reset], "implicit": [close, scripted_imap.reset, farewell]}

    def end_of(self, gate, tls, user, begun=lambda: None):
        """How the client sees the end of a message that is cut: an exception, or words about a clean end. BEGUN is
        called when the message has begun to arrive."""
        if tls:
            context = tls_context(gate.certificate.ca)
            raw = socket.create_connection(gate.pop3s, timeout=60)
            session = Pop3.__new__(Pop3)
            session.sock = context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
            session._buffer = bytearray()
            session.line()
        else:
            session = gate.connect()
        self.addCleanup(session.close)
        session.login(user)
        session.send(b"RETR 1\r\n")
        received = b""
        try:
            while True:
                octets = session.sock.recv(65536)
                if not octets:
                    return f"a clean end behind {received[-100:]}"
                received += octets
                begun()
        except (ConnectionResetError, ssl.SSLError) as error:
            self.assertNotIn(b"\r\n.\r\n", received)
            return error

    def test_rule_32_a_cut_message_ends_in_a_reset(self):
        body = b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % len(LARGE) + LARGE[:-20]
        for back, ends in self.ENDS.items():
            server = self.server([LARGE], tls=back)
            gate = self.gate_to(server)
            for i, end in enumerate(ends):
                server.on("fetch body", send_then(body, end))
                for tls in (False, True):
                    with self.subTest(back=back, end=end.__name__, front_tls=tls):
                        result = self.end_of(gate, tls, f"user {i} {tls}")
                        self.assertIsInstance(result, OSError, result)

    def test_rule_32_no_close_notify_behind_a_cut_message(self):
        """Of a small message nothing waits in buffers that a reset would throw away together with a close_notify."""
        server = self.server([LARGE])
        gate = self.gate_to(server)
        for size in (2000, 40000, 100000):
            server.on("fetch body", send_then(b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % size + LARGE[:size - 20]))
            with self.subTest(size=size):
                result = self.end_of(gate, True, f"user {size}")
                self.assertIsInstance(result, OSError, result)

    def test_a_session_that_is_cut_is_a_reset_for_the_client(self):
        """drain_timeout in the middle of a message."""
        for tls in (False, True):
            with self.subTest(tls=tls):
                server = self.server([LARGE])
                gate = self.gate_to(server, {"command_timeout": "60s"}, drain_timeout="0s")
                server.on("fetch body", send_then(b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % len(LARGE) + LARGE[:-20],
                                                  scripted_imap.stall))
                result, begun = [], threading.Event()
                reader = threading.Thread(target=lambda: result.append(self.end_of(gate, tls, "someone", begun.set)))
                reader.start()
                self.assertTrue(begun.wait(60))
                gate.stop()
                reader.join()
                self.assertIsInstance(result[0], OSError, result[0])


class Limited(Popgate):
    """With a hard limit of descriptors."""

    limit = 256

    def start(self):
        self.process = Process(["prlimit", f"--nofile={self.limit}:{self.limit}", binary(), "serve", "--config",
                                self.config], env=environment())
        for address in (self.pop3, self.pop3s):
            self.process.wait_connect(address).close()


class Descriptors(Deadlines):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.imap = self.server()

    def limited(self, upstream=None, **settings):
        gate = Limited({"port": self.imap.port, **(upstream or {})}, workers=0, max_sessions_per_address=5000, **settings)
        self.addCleanup(self._stop, gate)
        return gate, Vitals(gate.process.pid, binary())

    def storm(self, gate, count):
        """COUNT connections that say nothing; a few of them may be refused."""
        for _ in range(count):
            sock = socket.create_connection(gate.pop3, timeout=60)
            self.addCleanup(sock.close)
            yield sock

    @staticmethod
    def base(gate, vitals):
        """The descriptors of a process that has served a session, and whatever that opens for good."""
        gate.login("first").quit()
        gate.wait_log(lambda text: "logged_in=yes" in text and "TLS handshake failed" in text)
        return vitals.descriptors()

    def assert_at_rest(self, vitals):
        """Over a second in which nobody asks for anything, the process has next to nothing to do."""
        before = vitals.cpu_seconds()
        time.sleep(1)
        self.assertLess(vitals.cpu_seconds() - before, 0.2)

    def test_a_thousand_connections_and_256_descriptors(self):
        gate, vitals = self.limited()
        log = gate.wait_log("max_sessions lowered")
        possible = int(re.search(r"max_sessions lowered.* possible=(\d+)", log)[1])
        self.assertLessEqual(3 * possible, 256)
        base = self.base(gate, vitals)
        sockets = list(self.storm(gate, 1000))
        good = gate.login("good")
        self.assertEqual(good.retr(2), MESSAGES[1])
        self.assertLessEqual(vitals.descriptors(), base + 3 * possible)
        self.assert_at_rest(vitals)
        self.assertTrue(good.quit().startswith(b"+OK"))
        for sock in sockets:
            sock.close()
        wait_until(lambda: vitals.descriptors() == base, f"{base} descriptors")
        self.assertEqual(gate.login("later").retr(1), MESSAGES[0])

    def assert_all_who_are_let_in_can_log_in(self, **upstream):
        gate, vitals = self.limited(upstream)
        base = self.base(gate, vitals)
        possible = int(re.search(r"possible=(\d+)", gate.log())[1])
        sessions = []
        for i in range(possible):
            sessions.append(gate.login(f"user {i}"))
            self.addCleanup(sessions[-1].close)
        refused = gate.connect()
        self.assertTrue(refused.greeting.startswith(b"-ERR [SYS/TEMP]"), refused.greeting)
        for session in sessions:
            self.assertEqual(session.retr(1), MESSAGES[0])
            session.send(b"QUIT\r\n")
        for session in sessions:
            self.assertTrue(session.status().startswith(b"+OK"))
        wait_until(lambda: vitals.descriptors() == base, f"{base} descriptors")
        gate.login("later").ok("NOOP")

    def test_all_who_are_let_in_can_log_in(self):
        self.assert_all_who_are_let_in_can_log_in()

    def test_all_who_are_let_in_can_log_in_to_several_mailboxes(self):
        names = ["Drafts", "Junk", "Lists"]
        self.imap = self.server(boxes={name: scripted_imap.Box() for name in names})
        self.assert_all_who_are_let_in_can_log_in(mailbox=", ".join(["INBOX", *names]))

    def test_accept_rests_without_descriptors_and_recovers(self):
        gate, vitals = self.limited()
        good = gate.login("good")
        with_one = vitals.descriptors()
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (1, 256))  # no more than there are now
        waiting = list(self.storm(gate, 100))
        self.assert_at_rest(vitals)
        self.assertEqual(vitals.descriptors(), with_one)
        self.assertEqual(good.retr(1), MESSAGES[0])
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        last = waiting[-1].makefile("rb").readline()
        self.assertTrue(last.startswith(b"+OK"), last)
        self.assertEqual(gate.login("later").retr(1), MESSAGES[0])
        good.ok("NOOP")

    def test_a_login_without_descriptors_is_temporary(self):
        gate, _ = self.limited()
        session = gate.connect()
        session.ok("USER someone")
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (1, 256))
        self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        session.login("someone")
        self.assertEqual(session.retr(1), MESSAGES[0])

    def test_a_reload_counts_descriptors_anew(self):
        gate, _ = self.limited(max_sessions=5)
        self.assertNotIn("max_sessions lowered", gate.log())
        gate.settings["max_sessions"] = 100000
        gate.reload()
        gate.wait_log("max_sessions lowered")
