"""Hostile upstreams, case by case; the cases are a table in harness/hostile.py. Whatever the server does to one session,
the answer is that of behaviour.md, and meanwhile: another session is served, memory is bounded, the process does not spin,
and no password is told to anybody."""
import re
import threading

from harness import certificates, hostile
from harness.cases import ScriptedCase
from harness.popgate import binary
from harness.vitals import Vitals

MESSAGES = [hostile.BODY, b"Subject: two\r\n\r\n2\r\n", b"Subject: three\r\n\r\n3\r\n"]
PASSWORD = "canary-7b1f"
CPU_SECONDS = 0.5


class Cases(ScriptedCase):
    """A server, a gateway, and a neighbour who has logged in before the trouble begins."""

    messages = MESSAGES
    settings = {"workers": 0}
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.upstream = {"ca_file": certificates.authority().cert}
        super().setUpClass()
        cls.server.password = PASSWORD
        cls.vitals = Vitals(cls.gate.process.pid, binary())
        cls.full_mailbox(cls())
        cls.neighbour = cls.gate.login("neighbour", PASSWORD)
        cls.neighbour.retr(3)

    def full_mailbox(self):
        super().begin()
        self.reached = threading.Event()

    begin = full_mailbox

    @classmethod
    def tearDownClass(cls):
        cls.neighbour.close()
        super().tearDownClass()
        if PASSWORD in cls.gate.log():
            raise AssertionError("the password is in the log")

    def setUp(self):
        super().setUp()
        Cases.count += 1
        self.user = f"victim{Cases.count}"  # another maildrop each time, so that no journal leads from case to case
        self.vitals.forget_peak()
        self.kb, self.cpu = self.vitals.resident_kb(), self.vitals.cpu_seconds()

    def tearDown(self):
        self.server.usual()
        self.assertLess(self.vitals.peak_kb() - self.kb, self.vitals.growth_kb, "kB of resident memory")
        self.assertLess(self.vitals.cpu_seconds() - self.cpu, CPU_SECONDS, "seconds of processor time")
        super().tearDown()

    def arm(self, case):
        """CASE happens to the victim's connections only."""
        def action(connection, command):
            if connection.user not in (None, self.user):
                return False
            self.reached.set()
            return connection.act(case.action, command)
        if case.step:
            self.server.on(case.step, action)

    def assert_served(self):
        """The neighbour's round trips, one of them through a server's connection, complete."""
        self.assertEqual(self.neighbour.stat()[0], 3)
        self.assertEqual(self.neighbour.retr(3), MESSAGES[2])

    def connect(self):
        session = self.gate.connect()
        self.addCleanup(session.close)
        return session

    def login(self):
        session = self.connect()
        session.login(self.user, PASSWORD)
        return session

    def trouble(self, session, octets):
        """Sends OCTETS, waits until the server has begun to misbehave, and sees that others are served."""
        session.send(octets)
        self.assertTrue(self.reached.wait(60), f"the server was not asked: {self.server.names()}")
        self.assert_served()

    # what happens in each phase

    def at_login(self, case):
        self.arm(case)
        session = self.connect()
        session.ok(f"USER {self.user}")
        self.trouble(session, b"PASS %s\r\n" % PASSWORD.encode())
        reply = session.status()
        if isinstance(case.answer, str):
            code = case.answer if case.answer == "AUTH" else "SYS/" + case.answer
            self.assert_code(reply, code)
        else:
            self.assertTrue(reply.startswith(b"+OK"), reply)
            uids = list(session.uidl().values())
            self.assertEqual(len(uids), case.answer)
            self.assertEqual(len(set(uids)), len(uids))
            self.assertEqual(session.stat(), (len(uids), sum(session.list().values())))
            session.quit()
        if case.step in ("greeting", "CAPABILITY", "STARTTLS") and isinstance(case.answer, str) and case not in hostile.LOGIN:
            self.assertFalse(self.server.saw_credentials(PASSWORD), self.server.names())

    def at_body(self, case, command=b"RETR 1\r\n", wanted=hostile.BODY):
        session = self.login()
        self.arm(case)
        self.trouble(session, command)
        self.judge_message(case, session, wanted)

    def judge_message(self, case, session, wanted):
        try:
            line = session.line()
        except ConnectionResetError:
            line = b""
        if case.answer == "whole":
            self.assertTrue(line.startswith(b"+OK"), line)
            self.assertEqual(session.multi_body(), wanted)
        elif case.answer == "refused":
            self.assertTrue(line.startswith(b"-ERR"), line)
            self.server.usual()
            follows = session.command("RETR 2")
            if follows.startswith(b"+OK"):
                self.assertEqual(session.multi_body(), MESSAGES[1])
        elif line.startswith(b"+OK"):
            self.assertNotIn(b"\r\n.\r\n", b"\r\n" + session.rest())
        else:
            self.assertRegex(line, rb"^(-ERR( |$)|$)")
        session.close()

    def at_top(self, case):
        self.at_body(case, b"TOP 1 0\r\n", hostile.BODY[:20])

    def at_quit(self, case):
        session = self.login()
        session.ok("DELE 2")
        self.arm(case)
        self.trouble(session, b"QUIT\r\n")
        reply = session.status()
        there = 20 in self.server.uids()
        self.assertRegex(reply, rb"^(\+OK bye|-ERR \[SYS/TEMP\] 1 of 1 messages not removed)$")
        if reply.startswith(b"+OK"):
            self.assertFalse(there, "+OK, and the message is there")
        if case.answer == "kept":
            self.assertTrue(there)
        if case.answer == "gone":
            self.assertTrue(reply.startswith(b"+OK"), reply)
        elif case.answer != "truth":
            self.assertTrue(reply.startswith(b"-ERR"), reply)
        if case.action is not hostile.removes_another:
            self.assertLessEqual({10, 30}, set(self.server.uids()))
            self.assertEqual([self.server.message(uid).flags for uid in (10, 30)], [set(), {"\\Flagged"}])

    def at_rest(self, case):
        session = self.login()
        connection = self.server.connections[-1]
        self.assertEqual(connection.user, self.user)
        connection.send(case.action)
        self.assert_served()
        session.send(b"RETR 1\r\n")
        try:
            line = session.line()
        except ConnectionResetError:
            line = b"-ERR"
        if case.answer == "whole":
            self.assertTrue(line.startswith(b"+OK"), line)
        if line.startswith(b"+OK"):
            self.assertEqual(session.multi_body(), hostile.BODY)
        else:
            self.assertRegex(line, rb"^-ERR")


class HostileLogin(Cases):
    pass


class HostileMailbox(Cases):
    pass


class HostileMessage(Cases):
    pass


class HostileDeletion(Cases):
    pass


class HostileStartTls(Cases):
    tls = "starttls"


def add(test_class, phase, cases, run):
    """Makes each of CASES a test of TEST_CLASS."""
    for case in cases:
        name = re.sub(r"\W+", "_", f"test_{phase}_{case.name}").rstrip("_").lower()
        assert not hasattr(test_class, name), name
        setattr(test_class, name, lambda self, case=case: run(self, case))


add(HostileLogin, "greeting", hostile.GREETING, Cases.at_login)
add(HostileLogin, "capability", hostile.CAPABILITY, Cases.at_login)
add(HostileLogin, "login", hostile.LOGIN, Cases.at_login)
add(HostileMailbox, "select", hostile.SELECT, Cases.at_login)
add(HostileMailbox, "listing", hostile.LISTING, Cases.at_login)
add(HostileMessage, "body", hostile.BODIES, Cases.at_body)
add(HostileMessage, "top", hostile.TOP, Cases.at_top)
add(HostileMessage, "idle", hostile.IDLE, Cases.at_rest)
add(HostileDeletion, "quit", hostile.DELETION, Cases.at_quit)
add(HostileStartTls, "starttls", hostile.STARTTLS, Cases.at_login)
