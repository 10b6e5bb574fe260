"""Every message of the corpus, octet for octet: rules 4-6, through the raw driver and through real clients."""
import re

from harness import certificates, clients, corpus, octets, scripted_imap, servers
from harness.cases import Case
from harness.pop3 import tls_context
from harness.popgate import Popgate

MESSAGES = corpus.SMALL + corpus.IRREGULAR + corpus.LARGE

# name -> gateway; the first three share Dovecot's mailboxes
GATES = {}
# server -> user -> [(name, octets that a client must get)]
MAILBOXES = {}


def fill(server, messages):
    """A new user with those MESSAGES that SERVER accepts, and what its own IMAP side says they are."""
    user = server.user("corpus")
    names = []
    with server.imap(user) as mailbox:
        for name, message in messages:
            try:
                mailbox.append([message])
                names.append(name)
            except AssertionError:
                # Cyrus takes no bare LF, no NUL and no header without its line end
                if server is servers.dovecot():
                    raise
        bodies = list(mailbox.bodies().values())
    return user, [(name, octets.expected(body)) for name, body in zip(names, bodies, strict=True)]


def setUpModule():
    dovecot, cyrus = servers.dovecot(), servers.cyrus()
    authority = certificates.authority().cert
    GATES["Dovecot plain"] = dovecot, Popgate({"port": dovecot.imap_port}, workers=0)
    GATES["Dovecot STARTTLS"] = dovecot, Popgate({"port": dovecot.imap_port, "tls": "starttls", "ca_file": authority}, workers=0)
    GATES["Dovecot TLS"] = dovecot, Popgate({"port": dovecot.imaps_port, "tls": "implicit", "ca_file": authority}, workers=0)
    GATES["Cyrus"] = cyrus, Popgate({"port": cyrus.imap_port})
    for server in (dovecot, cyrus):
        for_fetchmail = [(name, message) for name, message in MESSAGES if clients.fetchmail_carries(message)]
        MAILBOXES[server] = {"all": fill(server, MESSAGES), "fetchmail": fill(server, for_fetchmail)}


def tearDownModule():
    while GATES:
        GATES.popitem()[1][1].stop()


class CorpusCase(Case):
    def compare(self, wanted, got):
        self.assertEqual(len(got), len(wanted), "number of messages")
        for (name, message), received in zip(wanted, got):
            with self.subTest(message=name):
                if octets.digest(received) != octets.digest(message):
                    self.fail(octets.describe_difference(message, received))

    def each_gate(self, mailbox, test):
        for name, (server, gate) in GATES.items():
            with self.subTest(upstream=name):
                test(gate, *MAILBOXES[server][mailbox])
                gate.assert_alive()


class RawDriver(CorpusCase):
    def test_corpus_is_large_enough(self):
        self.assertGreaterEqual(len(MESSAGES) + 1, 40)
        self.assertGreater(len(MAILBOXES[servers.cyrus()]["all"][1]), 50)

    def test_rule_05_every_message_by_retr(self):
        def test(gate, user, wanted):
            session = gate.login_when_free(user)
            self.compare(wanted, [session.retr(number) for number in range(1, len(wanted) + 1)])
            session.quit()
        self.each_gate("all", test)

    def test_rule_05_every_message_in_one_pipeline(self):
        def test(gate, user, wanted):
            session = gate.login_when_free(user)
            session.send(b"".join(b"RETR %d\r\n" % number for number in range(1, len(wanted) + 1)))
            got = []
            for _ in wanted:
                self.assertTrue(session.status().startswith(b"+OK"))
                got.append(session.multi_body())
            self.compare(wanted, got)
            session.quit()
        self.each_gate("all", test)

    def test_rule_05_last_first_and_over_tls(self):
        def test(gate, user, wanted):
            gate.login_when_free(user).quit()
            session = gate.connect()
            session.stls(tls_context(gate.certificate.ca))
            session.login(user)
            got = {number: session.retr(number) for number in range(len(wanted), 0, -1)}
            self.compare(wanted, [got[number] for number in sorted(got)])
            session.quit()
        self.each_gate("all", test)

    def test_rule_03_top_of_every_message(self):
        def test(gate, user, wanted):
            session = gate.login_when_free(user)
            for lines in (0, 3, 1000000):
                self.compare([(name, octets.top(message, lines)) for name, message in wanted],
                             [session.top(number, lines) for number in range(1, len(wanted) + 1)])
            session.quit()
        self.each_gate("all", test)

    def test_sixty_megabytes(self):
        name, message = corpus.huge()
        for upstream in ("Dovecot plain", "Dovecot STARTTLS", "Dovecot TLS"):
            server, gate = GATES[upstream]
            with self.subTest(upstream=upstream):
                user = server.user()
                server.drop(user, message)
                session = gate.login(user)
                before = self.peak(gate)
                self.compare([(name, octets.expected(message))], [session.retr(1)])
                self.assertLess(self.peak(gate) - before, 32 << 10, "kB of resident memory")
                session.quit()

    @staticmethod
    def peak(gate):
        with open(f"/proc/{gate.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])


class Clients(CorpusCase):
    """Real clients; what each of them changes itself is in harness/clients.py."""

    def test_curl(self):
        self.each_gate("all", lambda gate, user, wanted: self.compare(
            wanted, clients.curl(gate.pop3, user, "secret", len(wanted))))

    def test_curl_over_tls(self):
        server, gate = GATES["Dovecot plain"]
        user, wanted = MAILBOXES[server]["all"]
        for security, address in (("stls", gate.pop3), ("tls", gate.pop3s)):
            with self.subTest(security):
                self.compare(wanted, clients.curl(address, user, "secret", len(wanted), security, gate.certificate.ca))

    def test_mpop(self):
        self.each_gate("all", lambda gate, user, wanted: self.compare(
            [(name, clients.expected_from_mpop(message)) for name, message in wanted],
            clients.mpop(gate.pop3, user, "secret")))

    def test_mpop_over_tls(self):
        server, gate = GATES["Dovecot plain"]
        user, wanted = MAILBOXES[server]["all"]
        for security, address in (("stls", gate.pop3), ("tls", gate.pop3s)):
            with self.subTest(security):
                self.compare([(name, clients.expected_from_mpop(message)) for name, message in wanted],
                             clients.mpop(address, user, "secret", security, gate.certificate.ca))

    def test_fetchmail(self):
        self.each_gate("fetchmail", lambda gate, user, wanted: self.compare(
            [(name, clients.expected_from_fetchmail(message)) for name, message in wanted],
            clients.fetchmail(gate.pop3, user, "secret")))

    def test_fetchmail_over_tls(self):
        server, gate = GATES["Dovecot plain"]
        user, wanted = MAILBOXES[server]["fetchmail"]
        for security, address in (("stls", gate.pop3), ("tls", gate.pop3s)):
            with self.subTest(security):
                self.compare([(name, clients.expected_from_fetchmail(message)) for name, message in wanted],
                             clients.fetchmail(address, user, "secret", security, gate.certificate.ca))

    def test_rule_14_clients_that_delete_leave_nothing(self):
        some = corpus.SMALL[:10]
        for name, (server, gate) in GATES.items():
            for client in (clients.mpop, clients.fetchmail):
                with self.subTest(upstream=name, client=client.__name__):
                    user = server.user()
                    server.fill(user, [message for _, message in some])
                    self.assertEqual(len(client(gate.pop3, user, "secret", delete=True)), len(some))
                    with server.imap(user) as mailbox:
                        self.assertEqual(mailbox.uids(), [])


class ScriptedUpstream(CorpusCase):
    """What no real server would store, and every way to cut an answer into packets."""

    def retrieve_all(self, gate, messages):
        session = gate.login_when_free("someone")
        got = [session.retr(number) for number in range(1, len(messages) + 1)]
        session.quit()
        return got

    def test_rule_05_irregular_messages_as_they_are(self):
        server = self.scripted([message for _, message in MESSAGES])
        gate = self.gateway({"port": server.port})
        self.compare([(name, octets.expected(message)) for name, message in MESSAGES],
                     self.retrieve_all(gate, MESSAGES))

    def test_rule_05_answers_in_small_pieces(self):
        messages = [(name, message) for name, message in corpus.SMALL + corpus.IRREGULAR if len(message) < 200]
        server = self.scripted([message for _, message in messages])
        gate = self.gateway({"port": server.port})
        for size in (1, 2, 3, 7):
            def action(connection, command, size=size):
                number, message = connection.chosen(command.arguments.split(b" ")[0], by_uid=True)[0]
                answer = connection.fetched(number, message, command.arguments.upper())
                answer += command.tag + b" OK done\r\n"
                for at in range(0, len(answer), size):
                    connection.send(answer[at:at + size])
                return True
            with self.subTest(size=size):
                server.on("fetch body", action)
                self.compare([(name, octets.expected(message)) for name, message in messages],
                             self.retrieve_all(gate, messages))

    def test_rule_06_nul(self):
        name, message = next(row for row in corpus.IRREGULAR if row[0] == "NUL")
        server = self.scripted([message])
        for way, wanted in (("keep", message), ("replace", message.replace(b"\0", b"\x80"))):
            with self.subTest(way):
                gate = self.gateway({"port": server.port}, nul=way)
                self.compare([(name, wanted)], self.retrieve_all(gate, [message]))

    def test_rule_04_size_of_an_irregular_message(self):
        message = b"Subject: x\n\nbare\nLF"
        server = self.scripted([scripted_imap.Message(1, message)])
        gate = self.gateway({"port": server.port})
        session = gate.login("someone")
        before = session.list()
        session.retr(1)
        self.assertEqual(session.list(), before)
        session.quit()
