"""Sessions that are passed on to an old POP3 server (protocol = pop3)."""
import re
import socket
import threading
import time

from harness import certificates, clients, corpus, octets, scripted_imap, scripted_pop3, servers
from harness.cases import Case
from harness.pop3 import Pop3
from harness.popgate import Popgate

MESSAGES = [message for _, message in corpus.SMALL + corpus.LARGE if b"\0" not in message]
THREE = [corpus.message(name, b"body of " + name.encode() + b"\r\n.\r\n..\r\nend\r\n") for name in ("one", "two", "three")]
OLD = {"protocol": "pop3", "host": "localhost"}

# security at the old server -> gateway
GATES = {}


def setUpModule():
    dovecot = servers.dovecot()
    authority = {"ca_file": certificates.authority().cert}
    GATES["none"] = Popgate({**OLD, "port": dovecot.pop3_port})
    GATES["stls"] = Popgate({**OLD, "port": dovecot.pop3_port, "tls": "starttls", **authority}, workers=0)
    GATES["tls"] = Popgate({**OLD, "port": dovecot.pop3s_port, "tls": "implicit", **authority}, workers=0)


def tearDownModule():
    while GATES:
        GATES.popitem()[1].stop()


def direct(user):
    """A session with the old server itself."""
    session = Pop3(("127.0.0.1", servers.dovecot().pop3_port))
    session.login(user)
    return session


class RealServer(Case):
    def old(self, messages=()):
        user = servers.dovecot().user("old")
        servers.dovecot().fill(user, messages)
        return user

    def test_all_answers_are_the_old_server_s(self):
        user = self.old(MESSAGES[:12])
        commands = [b"STAT", b"LIST", b"UIDL", b"TOP 3 2", b"RETR 5", b"RETR 99", b"XTND", b"CAPA", b"RSET", b"NOOP"]
        multi = {b"LIST", b"UIDL", b"TOP 3 2", b"RETR 5", b"CAPA"}

        def dialogue(session):
            said = []
            for command in commands:
                said.append(session.command(command))
                if command in multi:
                    said.append(session.raw_multi())
            said.append(session.quit())
            return said

        wanted = dialogue(direct(user))
        for security, gate in GATES.items():
            with self.subTest(upstream=security):
                self.assertEqual(dialogue(gate.login(user)), wanted)

    def test_messages_octet_for_octet_by_real_clients(self):
        messages = [message for message in MESSAGES if clients.fetchmail_carries(message)][:20]
        user = self.old(messages)
        authority = certificates.authority().cert
        for upstream, gate in GATES.items():
            for security, address in (("none", gate.pop3), ("stls", gate.pop3), ("tls", gate.pop3s)):
                old = ("127.0.0.1", servers.dovecot().pop3s_port if security == "tls" else servers.dovecot().pop3_port)
                for client in (clients.fetchmail, clients.mpop):
                    with self.subTest(upstream=upstream, client=client.__name__, security=security):
                        self.compare(client(old, user, "secret", security, authority),
                                     client(address, user, "secret", security, authority))
                with self.subTest(upstream=upstream, client="curl", security=security):
                    self.compare(clients.curl(old, user, "secret", len(messages), security, authority),
                                 clients.curl(address, user, "secret", len(messages), security, authority))

    def compare(self, wanted, got):
        self.assertGreater(len(wanted), 0)
        self.assertEqual(len(got), len(wanted))
        for number, (message, received) in enumerate(zip(wanted, got), 1):
            if received != message:
                self.fail(f"message {number}: {octets.describe_difference(message, received)}")

    def test_a_client_deletes_what_it_has_fetched(self):
        for client in (clients.fetchmail, clients.mpop):
            for security, gate in GATES.items():
                with self.subTest(client=client.__name__, upstream=security):
                    user = self.old(THREE)
                    self.assertEqual(len(client(gate.pop3, user, "secret", delete=True)), 3)
                    self.assertEqual(direct(user).stat()[0], 0)

    def test_rule_16_without_quit_nothing_is_deleted(self):
        user = self.old(THREE)
        session = GATES["none"].login(user)
        session.ok("DELE 1")
        session.close()
        session = GATES["none"].login_when_free(user)
        self.assertEqual(session.stat()[0], 3)
        session.ok("DELE 2")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(direct(user).stat()[0], 2)

    def test_rule_27_the_old_server_rejects(self):
        for security, gate in GATES.items():
            with self.subTest(upstream=security), gate.connect() as session:
                session.ok("USER spaces")
                self.assert_code(session.command("PASS wrong"), "AUTH")
                session.ok("USER spaces")
                session.ok(b"PASS  two  words ")

    def test_rule_28_8_bit_names(self):
        for gate in GATES.values():
            session = gate.login("jürgen", "pässwörd")
            session.stat()
            session.quit()


class ScriptedServer(Case):
    """A server of which every step can go wrong."""

    @classmethod
    def setUpClass(cls):
        cls.server = scripted_pop3.Server(THREE)
        cls.gate = Popgate({**OLD, "port": cls.server.port, "command_timeout": "1s", "connect_timeout": "3s"})

    @classmethod
    def tearDownClass(cls):
        cls.gate.stop()
        cls.server.stop()
        if cls.server.faults:
            raise AssertionError(cls.server.faults)

    def setUp(self):
        self.server.usual()
        self.server.capability = list(scripted_pop3.CAPABILITY)
        self.server.users = None
        self.server.messages = [scripted_imap.Message(i, message) for i, message in enumerate(THREE, 1)]
        self.server.forget()

    def tearDown(self):
        self.gate.assert_alive()

    def reset_comes(self, session):
        """All octets up to the reset that must come; a close is a failure."""
        got = b""
        try:
            while more := session.sock.recv(65536):
                got += more
        except ConnectionResetError:
            return got
        self.fail(f"the connection was closed in order behind {got[-60:]!r}")

    def test_rule_32_a_cut_is_a_reset(self):
        whole = b"+OK here it is\r\n" + scripted_pop3.stuffed(THREE[0])
        for cut in (3, 14, 16, 30, len(whole) - 5, len(whole) - 3, len(whole) - 1):
            for end in (scripted_imap.close, scripted_imap.reset):
                with self.subTest(cut=cut, end=end.__name__):
                    self.server.on("RETR", scripted_imap.send_then(whole[:cut], end))
                    session = self.gate.login("joe")
                    session.send(b"RETR 1\r\n")
                    got = self.reset_comes(session)
                    self.assertTrue(whole.startswith(got))

    def test_rule_32_a_cut_behind_quit_in_the_pipeline(self):
        whole = b"+OK here it is\r\n" + scripted_pop3.stuffed(THREE[0])
        self.server.on("RETR", scripted_imap.send_then(whole[:40]))
        session = self.gate.login("joe")
        session.send(b"RETR 1\r\nQUIT\r\n")
        self.reset_comes(session)

    def test_a_last_word_of_the_server_arrives(self):
        self.server.on("NOOP", scripted_imap.send_then(b"-ERR [SYS/TEMP] going down\r\n"))
        session = self.gate.login("joe")
        self.assertEqual(session.command("NOOP"), b"-ERR [SYS/TEMP] going down")
        self.assertEqual(session.sock.recv(100), b"")

    def test_quit_is_answered_and_closed_in_order(self):
        session = self.gate.login("joe")
        session.ok("DELE 2")
        session.send(b"QUIT\r\n")
        self.assertEqual(session.line(), b"+OK bye")
        self.assertEqual(session.sock.recv(100), b"")
        self.assertEqual(len(self.server.messages), 2)
        self.gate.wait_log(lambda log: re.search(r"session ended.*\bpassed_on=yes.*\breason=quit", log))

    def test_rule_35_a_stuck_server_is_given_up(self):
        for step in ("greeting", "CAPA", "AUTH"):
            with self.subTest(step=step):
                self.server.usual()
                self.server.on(step, scripted_imap.stall)
                with self.gate.connect() as session:
                    session.ok("USER joe")
                    self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        for said in (b"", b"+OK he"):
            with self.subTest(said=said):
                self.server.usual()
                self.server.on("RETR", scripted_imap.send_then(said, scripted_imap.stall))
                session = self.gate.login("joe")
                session.send(b"RETR 1\r\n")
                self.assertEqual(self.reset_comes(session), said)

    def test_rule_38_nothing_of_the_server_s_text_before_the_login(self):
        for step, said, code in (("greeting", b"-ERR UPSTREAM is full\r\n", "SYS/TEMP"),
                                 ("greeting", b"* OK UPSTREAM\r\n", "SYS/TEMP"),
                                 ("AUTH", b"-ERR UPSTREAM\r\n", "SYS/PERM"),
                                 ("CAPA", b"+OK UPSTREAM\r\n" + b"X" * 3000, "SYS/TEMP")):
            with self.subTest(step=step, said=said[:20]):
                self.server.usual()
                self.server.on(step, said)
                with self.gate.connect() as session:
                    session.ok("USER joe")
                    reply = session.command("PASS secret")
                    self.assert_code(reply, code)
                    self.assertNotIn(b"UPSTREAM", reply)

    def test_rule_27_what_a_refusal_means(self):
        for said, code in ((b"-ERR [AUTH] no", "AUTH"), (b"-ERR [IN-USE] no", "IN-USE"), (b"-ERR [SYS/TEMP] no", "SYS/TEMP"),
                           (b"-ERR [SYS/PERM] no", "SYS/PERM"), (b"-ERR no", "AUTH"), (b"-ERR mailbox in use", "IN-USE"),
                           (b"-ERR [LOGIN-DELAY] no", "SYS/TEMP")):
            with self.subTest(said=said):
                self.server.capability = ["USER", "TOP", "UIDL"]
                self.server.on("PASS", said + b"\r\n")
                with self.gate.connect() as session:
                    session.ok("USER joe")
                    self.assert_code(session.command("PASS secret"), code)

    def test_octets_behind_the_login_are_not_an_answer(self):
        self.server.capability = ["USER"]
        self.server.on("PASS", b"+OK\r\n+OK UPSTREAM\r\n")
        with self.gate.connect() as session:
            session.ok("USER joe")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")

    def test_rule_31_a_whole_session_in_one_packet(self):
        session = self.gate.connect()
        session.send(b"USER joe\r\nPASS secret\r\nSTAT\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n")
        session.status(), session.status()
        self.assertTrue(session.status().startswith(b"+OK 3 "))
        session.status()
        self.assertEqual(session.multi_body(), THREE[1])
        session.status()
        self.assertEqual(session.status(), b"+OK bye")
        self.assertEqual(len(self.server.messages), 2)

    def test_a_half_closed_client_gets_its_answers(self):
        session = self.gate.login("joe")
        session.send(b"RETR 1\r\nRETR 3\r\n")
        session.half_close()
        got = b""
        while more := session.sock.recv(65536):  # and no reset: the server, told that no more comes, has closed
            got += more
        self.assertEqual(got, b"".join(b"+OK here it is\r\n" + scripted_pop3.stuffed(THREE[i]) for i in (0, 2)))

    def test_rule_32_a_half_closed_client_sees_a_cut_too(self):
        whole = b"+OK here it is\r\n" + scripted_pop3.stuffed(THREE[0])
        self.server.on("RETR", scripted_imap.send_then(whole[:whole.index(b"\r\n.") + 2]))
        session = self.gate.login("joe")
        session.send(b"RETR 1\r\n")
        session.half_close()
        self.reset_comes(session)

    def test_rule_32_a_half_closed_client_sees_a_cut_behind_the_status(self):
        self.server.on("RETR", scripted_imap.send_then(b"+OK here it is\r\n"))
        session = self.gate.login("joe")
        session.send(b"RETR 1\r\n")
        session.half_close()
        self.reset_comes(session)

    def test_rule_32_a_message_that_stops_behind_a_line_is_cut(self):
        whole = b"+OK here it is\r\n" + scripted_pop3.stuffed(THREE[0])
        for lines, commands in ((1, b"RETR 1\r\n"), (3, b"RETR 1\r\n"), (3, b"RETR 1\r\nQUIT\r\n")):
            said = b"".join(whole.splitlines(keepends=True)[:lines])
            self.server.on("RETR", scripted_imap.send_then(said, scripted_imap.stall))
            for ending in (False, True):
                with self.subTest(lines=lines, commands=commands, ending=ending):
                    gate = self.gateway({**OLD, "port": self.server.port, "command_timeout": "3s"}, idle_timeout="6s")
                    session = gate.login("joe")
                    session.send(commands)
                    self.assertEqual(session.sock.recv(len(said), socket.MSG_WAITALL), said)
                    if ending:
                        gate.process.signal(15)
                    self.assertEqual(self.reset_comes(session), b"")

    def test_rule_15_quit_and_gone_in_the_midst_of_a_message(self):
        body = corpus.message("large", (b"y" * 76 + b"\r\n") * 100000)
        self.server.messages.append(scripted_imap.Message(4, body))
        session = self.gate.login("joe")
        session.send(b"DELE 1\r\nRETR 4\r\nQUIT\r\n")
        session.status()
        session.reset()
        self.server.wait_for(lambda server: len(server.messages) == 3)

    def test_rule_15_quit_and_gone(self):
        session = self.gate.login("joe")
        session.send(b"DELE 1\r\nQUIT\r\n")
        session.reset()
        self.server.wait_for(lambda server: len(server.messages) == 2)

    def test_a_server_that_never_ends_is_left_behind_quit(self):
        gone = threading.Event()

        def mumble(connection, _command):
            try:
                while True:
                    connection.send(b"+")
                    time.sleep(0.2)  # it is never silent
            except OSError:
                gone.set()
                raise scripted_imap.Ended from None

        self.server.on("QUIT", mumble)
        session = self.gate.login("joe")
        session.send(b"QUIT\r\n")
        session.reset()
        self.assertTrue(gone.wait(60))

    def test_a_flood_of_commands_brings_nobody_to_a_stop(self):
        body = corpus.message("large", b"x" * 70 + b"\r\n") + (b"y" * 76 + b"\r\n") * 4000
        self.server.messages = [scripted_imap.Message(1, body)]
        session = self.gate.login("joe")
        count = 120
        commands = b"RETR 1\r\n" + b"NOOP\r\n" * 1500
        sender = FloodOf(session.sock, commands * count)
        for _ in range(count):
            session.status()
            self.assertEqual(len(session.multi_body()), len(body))
            for _ in range(1500):
                session.status()
        sender.join()
        session.quit()

    def test_max_sessions_per_user_counts_them(self):
        gate = self.gateway({**OLD, "port": self.server.port}, max_sessions_per_user=2)
        sessions = [gate.login("joe") for _ in range(2)]
        with gate.connect() as session:
            session.ok("USER joe")
            self.assertTrue(session.command("PASS secret").startswith(b"-ERR"))
        sessions.pop().quit()
        gate.login_when_free("joe").quit()
        sessions.pop().quit()

    def test_rejected_logins_are_throttled(self):
        gate = self.gateway({**OLD, "port": self.server.port}, max_failed_logins_per_user=2, workers=0)
        for password in ("a", "b", "c", "d"):
            with gate.connect() as session:
                session.ok("USER joe")
                session.err(f"PASS {password}")
        self.assertLess(len(self.server.shown), 4)

    def test_rule_37_shutdown_tells_idle_sessions(self):
        gate = Popgate({**OLD, "port": self.server.port}, workers=0)
        session = gate.login("joe")
        session.stat()
        gate.process.signal(15)
        self.assertTrue(session.line().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(gate.process.wait(30), 0)

    def test_rule_17_who_is_silent_is_let_go(self):
        gate = self.gateway({**OLD, "port": self.server.port, "command_timeout": "1s"}, idle_timeout="2s")
        session = gate.login("joe")
        session.ok("DELE 1")
        self.assertEqual(session.rest(), b"")
        self.server.wait_for(lambda server: not server.connections)
        self.assertEqual(len(self.server.messages), 3)

    def test_a_master_logs_in_by_auth_plain(self):
        gate = self.gateway({**OLD, "port": self.server.port, "master_separator": "*"})
        self.server.users = {"boss": "secret"}
        gate.login("joe*boss").quit()
        self.assertEqual(self.server.shown, [("joe", "boss", "secret")])
        self.server.capability = ["USER"]
        with gate.connect() as session:
            session.ok("USER joe*boss")
            self.assert_code(session.command("PASS secret"), "SYS/PERM")


class FloodOf:
    """Sends OCTETS on SOCK beside the test."""

    def __init__(self, sock, octets_):
        self._thread = threading.Thread(target=sock.sendall, args=(octets_,))
        self._thread.start()

    def join(self):
        self._thread.join()


class TlsCare(Case):
    """No password without the TLS that was asked for."""

    def refused(self, server, **upstream):
        gate = self.gateway({**OLD, "port": server.port, **upstream})
        with gate.connect() as session:
            session.ok("USER joe")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        self.assertFalse(server.saw_credentials("secret"), bytes(server.received))
        server.stop()

    def test_stls_refused(self):
        self.refused(scripted_pop3.Server(THREE), tls="starttls", ca_file=certificates.authority().cert)

    def test_octets_behind_stls(self):
        server = scripted_pop3.Server(THREE, tls="starttls")

        def inject(connection, _command):
            connection.send(b"+OK\r\n+OK capabilities\r\n")
            connection.start_tls()
        server.on("STLS", inject)
        self.refused(server, tls="starttls", ca_file=certificates.authority().cert)

    def test_certificates(self):
        for name, certificate in certificates.bad().items():
            for tls in ("starttls", "implicit"):
                with self.subTest(certificate=name, tls=tls):
                    self.refused(scripted_pop3.Server(THREE, tls=tls, certificate=certificate), tls=tls,
                                 ca_file=certificates.authority().cert)
