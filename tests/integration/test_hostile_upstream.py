"""Upstreams that fail, lie or attack: rules 4, 9, 10, 25, 27, 28, 32-35, 38 and the table of outcomes."""
import base64
import re
import ssl
import threading

from harness import certificates, corpus, ports, scripted_imap
from harness.cases import Case, ScriptedCase
from harness.scripted_imap import close, reset, send_then, stall

MESSAGES = [corpus.message(f"number {n}", b"text %d\r\n.dots\r\n" % n + corpus.FILL * 20 * n) for n in range(1, 4)]
WORDS = b"UPSTREAMWORDS http://evil.example/"
PASSWORD = "secret"


class Hostile(ScriptedCase):
    messages = MESSAGES

    def log_in(self, gate=None):
        """The answer to PASS, and the session if it was +OK."""
        session = (gate or self.gate).connect()
        self.addCleanup(session.close)
        session.ok("USER someone")
        reply = session.command(f"PASS {PASSWORD}")
        self.assertNotIn(b"UPSTREAM", reply)
        return reply, session

    def assert_login_fails(self, codes):
        reply, _ = self.log_in()
        if codes == "":
            return self.assert_code(reply)
        self.assertRegex(reply, rb"^-ERR \[(" + codes.replace("/", "\\/").encode() + rb")\] ")

    def assert_healthy(self):
        """With the usual answers a session works as ever."""
        self.server.usual()
        self.server.capability = list(self.capability)
        session = self.gate.login_when_free("someone")
        self.assertEqual(session.retr(2), MESSAGES[1])
        self.assertTrue(session.quit().startswith(b"+OK"))

    def rows(self, step, rows):
        """ROWS: (action, codes) for STEP during login."""
        for action, codes in rows:
            with self.subTest(step=step, action=getattr(action, "__name__", action)):
                self.server.on(step, action)
                self.assert_login_fails(codes)
                self.server.usual()
        self.assert_healthy()


def answer(text):
    return b"{tag} " + text + b" " + WORDS + b"\r\n"


BYE = send_then(b"* BYE " + WORDS + b"\r\n")
FAULTS = [(close, "SYS/TEMP"), (reset, "SYS/TEMP"), (stall, "SYS/TEMP"), (BYE, "SYS/TEMP"),
          (send_then(b"* BYE [UNAVAILABLE] " + WORDS + b"\r\n", stall), "SYS/TEMP"),
          (answer(b"NO [UNAVAILABLE]"), "SYS/TEMP"), (answer(b"NO [SERVERBUG]"), "SYS/TEMP"),
          (answer(b"NO [LIMIT]"), "SYS/TEMP")]


class Outcomes(Hostile):
    LOGIN = FAULTS + [
        (answer(b"NO"), "AUTH"), (answer(b"NO [AUTHENTICATIONFAILED]"), "AUTH"),
        (answer(b"NO [AUTHORIZATIONFAILED]"), "AUTH"), (answer(b"NO [EXPIRED]"), "AUTH"),
        (answer(b"NO [PRIVACYREQUIRED]"), "AUTH"), (answer(b"NO [INUSE]"), "IN-USE"),
        (b"{tag} NO [ALERT] Too many simultaneous connections. (Failure)\r\n", "SYS/TEMP"),
        (answer(b"no [authenticationfailed]"), "AUTH"), (answer(b"BAD"), "SYS/TEMP|SYS/PERM")]

    def test_rule_35_authenticate(self):
        self.rows("AUTHENTICATE", self.LOGIN)

    def test_rule_35_login(self):
        self.server.capability = ["IMAP4rev1", "UIDPLUS"]
        self.addCleanup(self.begin)
        for action, codes in self.LOGIN:
            with self.subTest(action=getattr(action, "__name__", action)):
                self.server.on("LOGIN", action)
                self.assert_login_fails(codes)
                self.server.usual()
        self.assertIn("LOGIN", self.server.names())
        self.assertNotIn("AUTHENTICATE", self.server.names())

    def test_rule_35_select(self):
        self.rows("SELECT", FAULTS + [
            (answer(b"NO [CONTACTADMIN]"), "SYS/PERM"), (answer(b"NO [NONEXISTENT]"), "SYS/PERM"),
            (answer(b"NO [NOPERM]"), "SYS/PERM"), (answer(b"NO [CANNOT]"), "SYS/PERM"),
            (answer(b"NO [INUSE]"), "IN-USE"), (answer(b"NO"), "SYS/TEMP|SYS/PERM"),
            (answer(b"BAD"), "SYS/TEMP|SYS/PERM"),
            (b"* 3 EXISTS\r\n{tag} OK no uidvalidity\r\n", "SYS/TEMP|SYS/PERM")])

    def test_rule_35_greeting_and_capability(self):
        faults = [row for row in FAULTS if not isinstance(row[0], bytes)]
        self.rows("greeting", faults)
        self.rows("CAPABILITY", FAULTS)

    def test_rule_01_listing_must_succeed(self):
        self.rows("fetch listing", FAULTS + [
            (answer(b"NO"), "SYS/TEMP|SYS/PERM"), (answer(b"BAD"), "SYS/TEMP|SYS/PERM"),
            (send_then(b"* 1 FETCH (UID 10 RFC822.SIZE 100 FLAGS ())\r\n"), "SYS/TEMP"),
            (send_then(b"* 1 FETCH (UID 10 RFC8"), "SYS/TEMP")])

    def test_rule_35_connection_refused(self):
        gate = self.gateway({"port": ports.free_port()})
        reply, _ = self.log_in(gate)
        self.assert_code(reply, "SYS/TEMP")
        self.assertNotIn(b"UPSTREAM", reply)

    def test_rule_35_unknown_host(self):
        gate = self.gateway({"port": 1, "host": "no-such-host.invalid"})
        reply, _ = self.log_in(gate)
        self.assertRegex(reply, rb"^-ERR \[SYS/(TEMP|PERM)\]")

    def test_referrals_are_ignored(self):
        elsewhere = self.scripted(MESSAGES)
        referral = b"NO [REFERRAL imap://someone@127.0.0.1:%d/]" % elsewhere.port
        for step in ("AUTHENTICATE", "SELECT"):
            self.server.on(step, answer(referral))
            reply, _ = self.log_in()
            self.assertTrue(reply.startswith(b"-ERR"))
            self.server.usual()
        self.assertEqual(elsewhere.accepted, 0)
        self.assert_healthy()

    def test_bye_while_the_session_is_idle(self):
        session = self.gate.login_when_free("someone")
        self.server.connections[-1].send(b"* BYE [UNAVAILABLE] " + WORDS + b"\r\n")
        self.server.drop_connections()
        self.assertNotIn(WORDS, session.retr(1), "rule 34: the next command has a new connection")
        self.assertNotIn(WORDS, session.quit())
        self.assert_healthy()

    def test_stalled_login_does_not_hold_others_up(self):
        released = threading.Event()

        def wait(connection, _command):
            released.wait(30)
            raise scripted_imap.Ended
        self.server.on("SELECT", scripted_imap.once(wait))
        slow = self.gate.connect()
        slow.ok("USER slow")
        slow.send(b"PASS secret\r\n")
        self.server.wait_for(lambda server: "SELECT" in server.names())
        for _ in range(5):
            session = self.gate.login_when_free("quick")
            self.assertEqual(session.retr(1), MESSAGES[0])
            session.quit()
        released.set()
        self.assert_code(slow.status(), "SYS/TEMP")


class Bodies(Hostile):
    """What comes back for UID FETCH ... BODY.PEEK[]; message 1 has UID 10."""

    BODY = MESSAGES[0]

    def fetched(self, text):
        """An action that answers a fetch by TEXT; {body} is the literal of message 1."""
        literal = b"{%d}\r\n" % len(self.BODY) + self.BODY

        def action(connection, command):
            connection.send(text.replace(b"{tag}", command.tag).replace(b"{body}", literal))
            return True
        return action

    def answer_to_retr(self, command=b"RETR 1\r\n"):
        """The session if COMMAND gets +OK; None if it gets -ERR, or an end without any answer."""
        session = self.gate.login_when_free("someone")
        session.send(command)
        try:
            line = session.line()
        except ConnectionResetError:
            return None
        if not line:
            return None
        if line.startswith(b"-ERR"):
            self.assertNotIn(b"UPSTREAM", line)
            return None
        self.assertTrue(line.startswith(b"+OK"), line)
        return session

    def assert_incomplete(self, action):
        """RETR 1 gets -ERR, or an end without the final dot line."""
        self.server.on("fetch body", action)
        session = self.answer_to_retr()
        if session is not None:
            octets = session.rest(until=b"\r\n.\r\n")
            self.assertFalse(octets.endswith(b"\r\n.\r\n") or octets == b".\r\n",
                             f"a cut message looks complete: ...{octets[-60:]!r}")
        self.server.usual()

    def assert_refused(self, action):
        """RETR 1 gets -ERR and the session goes on."""
        self.server.on("fetch body", action)
        session = self.gate.login_when_free("someone")
        session.err("RETR 1")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.server.usual()

    def assert_delivered(self, action, wanted=None):
        self.server.on("fetch body", action)
        session = self.gate.login_when_free("someone")
        self.assertEqual(session.retr(1), self.BODY if wanted is None else wanted)
        session.ok("NOOP")
        self.server.usual()
        self.assertEqual(session.retr(2), MESSAGES[1])
        session.quit()

    def test_rule_32_cut_body_has_no_final_dot(self):
        size = len(self.BODY)
        for kept in (0, 1, 2, 100, size // 2, size - 2, size - 1, size):
            for end in (close, reset, stall):
                if end is stall and kept not in (0, size // 2, size):
                    continue
                with self.subTest(kept=kept, end=end.__name__):
                    start = b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % size
                    self.assert_incomplete(send_then(start + self.BODY[:kept], end))
        self.assert_healthy()

    def test_rule_32_what_has_begun_is_not_begun_again(self):
        start = b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % len(self.BODY)
        for kept in (1, 100, len(self.BODY) - 1):
            for end in (close, reset):
                with self.subTest(kept=kept, end=end.__name__):
                    self.assert_incomplete(scripted_imap.once(send_then(start + self.BODY[:kept], end)))

    def test_rule_32_body_without_the_end_of_its_answer(self):
        for behind in (b"", b")", b")\r\n", b")\r\n* OK still here\r\n", b")\r\n{tag} O"):
            with self.subTest(behind):
                text = b"* 1 FETCH (UID 10 BODY[] {body}" + behind

                def action(connection, command, text=text):
                    self.fetched(text)(connection, command)
                    return close(connection, command)
                self.assert_incomplete(action)
        self.assert_healthy()

    def test_rule_32_no_after_the_whole_body(self):
        for status in (b"NO", b"BAD", b"NO [SERVERBUG]"):
            with self.subTest(status):
                self.assert_incomplete(self.fetched(
                    b"* 1 FETCH (UID 10 BODY[] {body})\r\n{tag} " + status + b" " + WORDS + b"\r\n"))
        self.assert_healthy()

    def test_rule_32_cut_message_is_not_deleted(self):
        self.server.on("fetch body", send_then(b"* 1 FETCH (UID 10 BODY[] {%d}\r\nFrom: x\r\n" % len(self.BODY)))
        session = self.gate.login_when_free("someone")
        session.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        session.rest()
        self.server.usual()
        self.assert_healthy()
        self.assertEqual(self.server.uids(), [10, 20, 30])
        self.assertNotIn("UID STORE", self.server.names())

    def test_rule_32_cut_in_top(self):
        self.server.on("fetch body", send_then(b"* 1 FETCH (UID 10 BODY[]<0> {%d}\r\nFrom: x\r\n" % len(self.BODY)))
        session = self.answer_to_retr(b"TOP 1 100000\r\n")
        if session is not None:
            self.assertFalse(session.rest().endswith(b"\r\n.\r\n"))
        self.assert_healthy()

    def test_rule_33_nil_and_nothing(self):
        for text in (b"* 1 FETCH (UID 10 BODY[] NIL)\r\n{tag} OK done\r\n", b"{tag} OK done\r\n",
                     b"* 1 FETCH (UID 10 FLAGS ())\r\n{tag} OK done\r\n", b"* 1 FETCH (UID 10)\r\n{tag} OK done\r\n",
                     b"{tag} NO gone\r\n", b"{tag} NO [EXPUNGEISSUED] gone\r\n"):
            with self.subTest(text):
                self.assert_refused(self.fetched(text))
        self.assert_healthy()

    def test_rule_33_session_goes_on_after_a_message_without_body(self):
        self.server.on("fetch body", self.fetched(b"* 1 FETCH (UID 10 BODY[] NIL)\r\n{tag} OK done\r\n"))
        session = self.gate.login_when_free("someone")
        session.err("RETR 1")
        self.server.usual()
        self.assertEqual(session.retr(2), MESSAGES[1])
        session.quit()

    def test_rule_33_another_uid_than_asked_for(self):
        for text in (b"* 2 FETCH (UID 20 BODY[] {body})\r\n{tag} OK done\r\n",
                     b"* 1 FETCH (UID 11 BODY[] {body})\r\n{tag} OK done\r\n",
                     b"* 1 FETCH (BODY[] {body} UID 11)\r\n{tag} OK done\r\n",
                     b"* 1 FETCH (UID 0 BODY[] {body})\r\n{tag} OK done\r\n"):
            with self.subTest(text):
                self.assert_incomplete(self.fetched(text))
        self.assert_healthy()

    def test_rule_33_two_bodies_are_not_joined(self):
        self.server.on("fetch body", self.fetched(
            b"* 1 FETCH (UID 10 BODY[] {body})\r\n* 1 FETCH (UID 10 BODY[] {body})\r\n{tag} OK done\r\n"))
        session = self.answer_to_retr()
        if session is not None:
            session.half_close()
            self.assertNotIn(self.BODY.replace(b"\r\n.", b"\r\n..") * 2, session.rest())
        self.assert_healthy()

    def test_rule_33_literal_that_is_longer_than_the_data(self):
        short = b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % (len(self.BODY) + 500) + self.BODY + b")\r\n"

        def action(connection, command):
            connection.send(short + command.tag + b" OK done\r\n")
            return True
        self.assert_incomplete(action)
        self.assert_healthy()

    def test_rule_33_literal_that_is_shorter_than_the_data(self):
        text = b"* 1 FETCH (UID 10 BODY[] {%d}\r\n" % 40 + self.BODY + b")\r\n"

        def action(connection, command):
            connection.send(text + command.tag + b" OK done\r\n")
            return True
        self.assert_incomplete(action)
        self.assert_healthy()

    def test_uid_after_the_body(self):
        self.assert_delivered(self.fetched(b"* 1 FETCH (BODY[] {body} UID 10)\r\n{tag} OK done\r\n"))

    def test_other_untagged_answers_around_the_body(self):
        self.assert_delivered(self.fetched(
            b"* OK [ALERT] " + WORDS + b"\r\n* 4 EXISTS\r\n* 1 RECENT\r\n* 2 FETCH (FLAGS (\\Seen))\r\n"
            b"* 1 FETCH (FLAGS (\\Seen) UID 10 MODSEQ (5) BODY[] {body})\r\n"
            b"* 3 FETCH (UID 30 FLAGS (\\Flagged))\r\n{tag} OK done\r\n"))

    def test_expunge_while_the_body_is_fetched(self):
        for text in (b"* 3 EXPUNGE\r\n* 1 FETCH (UID 10 BODY[] {body})\r\n{tag} OK done\r\n",
                     b"* 1 FETCH (UID 10 BODY[] {body})\r\n* 1 EXPUNGE\r\n{tag} OK done\r\n"):
            self.assert_delivered(self.fetched(text))

    def test_words_in_lower_case(self):
        self.assert_delivered(self.fetched(b"* 1 fetch (uid 10 body[] {body})\r\n{tag} ok done\r\n"))

    def test_body_as_a_quoted_string_is_whole_or_refused(self):
        self.server.on("fetch body", self.fetched(b'* 1 FETCH (UID 10 BODY[] "Subject: q")\r\n{tag} OK done\r\n'))
        session = self.answer_to_retr()
        if session is not None:
            self.assertEqual(session.multi_body(), b"Subject: q\r\n")
            session.close()
        self.assert_healthy()

    def test_size_that_differs_from_the_body(self):
        self.server.messages[0].size = 7
        session = self.gate.login_when_free("someone")
        self.assertEqual(session.retr(1), self.BODY)
        session.quit()
        self.server.messages[0].size = 10 * len(self.BODY)
        session = self.gate.login_when_free("someone")
        self.assertEqual(session.retr(1), self.BODY)
        session.quit()

    def test_rule_09_message_removed_while_the_session_lasts(self):
        session = self.gate.login_when_free("someone")
        with self.server.lock:
            self.server.messages.remove(self.server.message(10))
        session.err("RETR 1")
        session.err("TOP 1 0")
        self.assertEqual(sorted(session.list()), [1, 2, 3])
        self.assertEqual(session.retr(2), MESSAGES[1])
        session.ok("DELE 1")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.server.uids(), [20, 30])

    def test_rule_03_top_zero_costs_one_slice(self):
        self.begin([corpus.message("large", corpus.FILL * 20000)])
        session = self.gate.login_when_free("someone")
        session.top(1, 0)
        asked = [line for line in self.server.lines("UID FETCH") if b"BODY" in line.upper()]
        self.assertEqual(len(asked), 1)
        self.assertRegex(asked[0], rb"(?i)BODY\.PEEK\[\S*\]<0\.\d+>")
        session.quit()

    def test_rule_02_bodies_are_only_peeked_at(self):
        session = self.gate.login_when_free("someone")
        session.retr(1)
        session.top(2, 3)
        session.quit()
        self.assertTrue(all(b"BODY[" not in line.upper() for line in self.server.lines("UID FETCH")))
        self.assertEqual(self.server.flags(), {10: set(), 20: set(), 30: {"\\Flagged"}})


class Framing(Hostile):
    """Answers that no parser may trust. Each comes at several steps of a login."""

    settings = {"workers": 0}

    ATTACKS = {
        "endless line": b"* OK " + b"x" * (8 << 20) + b"\r\n{tag} OK done\r\n",
        "deep nesting": b"* 1 FETCH (BODYSTRUCTURE " + b"(" * 20000 + b")" * 20000 + b")\r\n{tag} OK done\r\n",
        "nesting without end": b"* 1 FETCH (X " + b"(" * 100000,
        "literal over 2^32": b"* 1 FETCH (UID 10 X {4294967301}\r\nabc)\r\n{tag} OK done\r\n",
        "literal of 4 GB": b"* 1 FETCH (UID 10 X {4000000000}\r\n",
        "literal over 2^64": b"* 1 FETCH (UID 10 X {18446744073709551621}\r\nabc)\r\n{tag} OK done\r\n",
        "unasked literal": b"* OK {1000000}\r\n" + b"y" * 1000000 + b"\r\n{tag} OK done\r\n",
        "number over 2^32": b"* 4294967301 EXISTS\r\n* 1 FETCH (UID 4294967306 RFC822.SIZE 1)\r\n{tag} OK done\r\n",
        "garbage": b"\x00\xff\x1b[2J garbage\r\n\r\n\r\n* \r\n+\r\n)\r\n{tag} WHAT\r\n",
        "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        "unknown tag": b"ZZZZ OK done\r\n",
    }

    def test_attacks_at_every_step(self):
        for step in ("CAPABILITY", "AUTHENTICATE", "SELECT", "fetch listing"):
            for name, octets in self.ATTACKS.items():
                with self.subTest(step=step, attack=name):
                    self.server.on(step, send_then(octets, close))
                    reply, session = self.log_in()
                    if step in ("SELECT", "fetch listing") or not reply.startswith(b"+OK"):
                        self.assertRegex(reply, rb"^-ERR \[SYS/(TEMP|PERM)\]")
                    self.server.usual()
        self.assert_healthy()

    def test_attacks_in_place_of_the_greeting(self):
        for name, octets in self.ATTACKS.items():
            with self.subTest(name):
                self.server.on("greeting", send_then(octets.replace(b"{tag}", b"A1"), close))
                self.assert_login_fails("SYS/TEMP|SYS/PERM")
                self.server.usual()
        self.assert_healthy()

    def test_attacks_in_a_fetch(self):
        for name, octets in self.ATTACKS.items():
            with self.subTest(name):
                session = self.gate.login_when_free("someone")
                self.server.on("fetch body", send_then(octets, close))
                session.send(b"RETR 1\r\n")
                octets = session.line()
                self.assertTrue(octets.startswith(b"-ERR"), octets)
                session.close()
                self.server.usual()
        self.assert_healthy()

    def test_flood_of_untagged_answers_ends(self):
        def flood(connection, _command):
            while True:
                connection.send(b"* OK flood\r\n" * 1000)
        for step in ("CAPABILITY", "SELECT", "fetch listing"):
            with self.subTest(step):
                self.server.on(step, flood)
                self.assert_login_fails("SYS/TEMP|SYS/PERM")
                self.server.usual()
        self.assert_healthy()

    def test_memory_stays_bounded(self):
        self.assert_healthy()
        before = self.resident_peak()
        for name in ("endless line", "deep nesting", "literal of 4 GB", "unasked literal"):
            self.server.on("SELECT", send_then(self.ATTACKS[name], close))
            self.log_in()
            self.server.usual()
        self.assertLess(self.resident_peak() - before, 32 << 10, "kB of resident memory")

    def resident_peak(self):
        with open(f"/proc/{self.gate.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])

    def test_listings_that_lie(self):
        line = b"* %d FETCH (UID %d RFC822.SIZE 10 FLAGS ())\r\n"
        lists = {
            "UID 0": line % (1, 0) + line % (2, 20) + line % (3, 30),
            "same UID twice": line % (1, 10) + line % (2, 10) + line % (3, 30),
            "not ascending": line % (1, 30) + line % (2, 20) + line % (3, 10),
            "fewer than EXISTS": line % (1, 10),
            "more than EXISTS": b"".join(line % (n, 10 * n) for n in range(1, 9)),
            "without sizes": b"* 1 FETCH (UID 10 FLAGS ())\r\n",
            "without UIDs": b"* 1 FETCH (RFC822.SIZE 5 FLAGS ())\r\n",
            "negative size": b"* 1 FETCH (UID 10 RFC822.SIZE -5 FLAGS ())\r\n",
            "size over 2^32": b"* 1 FETCH (UID 10 RFC822.SIZE 5000000000 FLAGS ())\r\n",
            "size over 2^64": b"* 1 FETCH (UID 10 RFC822.SIZE 18446744073709551617 FLAGS ())\r\n",
        }
        for name, text in lists.items():
            with self.subTest(name):
                self.server.on("fetch listing", text + b"{tag} OK done\r\n")
                reply, session = self.log_in()
                if reply.startswith(b"+OK"):
                    uids = list(session.uidl().values())
                    self.assertEqual(len(uids), len(set(uids)))
                    self.assertEqual(uids, sorted(uids), "numbers follow the UIDs")
                    self.assertTrue(all(size >= 0 for size in session.list().values()))
                    session.quit()
                else:
                    self.assertRegex(reply, rb"^-ERR \[SYS/(TEMP|PERM)\]")
                self.server.usual()
        self.assert_healthy()

    def test_exists_that_lies(self):
        text = (b"* 4294967295 EXISTS\r\n* FLAGS (\\Deleted)\r\n* OK [PERMANENTFLAGS (\\Deleted)] x\r\n"
                b"* OK [UIDVALIDITY 1700000000] x\r\n* OK [UIDNEXT 40] x\r\n{tag} OK [READ-WRITE] done\r\n")
        self.server.on("SELECT", text)
        reply, session = self.log_in()
        self.assertRegex(reply, rb"^(\+OK|-ERR \[SYS/(TEMP|PERM)\])")
        session.close()
        self.assert_healthy()

    def test_more_messages_than_configured(self):
        gate = self.gateway({"port": self.server.port, "max_messages": 2})
        reply, _ = self.log_in(gate)
        self.assertRegex(reply, rb"^-ERR \[SYS/(TEMP|PERM)\]")

    def test_rule_38_upstream_text_is_escaped_and_cut_in_the_log(self):
        text = b"NO [SERVERBUG] UPSTREAM\x1b[31m\x07\xff" + b"w" * 3000
        self.server.on("SELECT", b"{tag} " + text + b"\r\n")
        self.assert_login_fails("SYS/TEMP")
        self.assert_healthy()
        log = self.gate.log()
        self.assertNotRegex(log, "[\x00-\x08\x0b-\x1f\x7f]")
        self.assertNotIn("w" * 1000, log)


class Mechanisms(Hostile):
    def refused_as_configuration(self, capability):
        self.server.capability = list(capability)
        self.assert_login_fails("SYS/PERM")
        self.assertFalse(self.server.saw_credentials(PASSWORD), self.server.names())
        self.assert_healthy()

    def test_logindisabled(self):
        self.refused_as_configuration(("IMAP4rev1", "LOGINDISABLED"))

    def test_no_mechanism_that_we_speak(self):
        self.refused_as_configuration(("IMAP4rev1", "LOGINDISABLED", "AUTH=GSSAPI", "AUTH=X-OTHER"))

    def test_logindisabled_forbids_login_only(self):
        self.server.capability = ["IMAP4rev1", "LOGINDISABLED", "AUTH=PLAIN"]
        reply, session = self.log_in()
        self.assertTrue(reply.startswith(b"+OK"))
        session.quit()

    def test_preauth_is_refused(self):
        self.server.on("greeting", b"* PREAUTH welcome\r\n")
        self.assert_login_fails("SYS/PERM")
        self.assertFalse(self.server.saw_credentials(PASSWORD))
        self.assert_healthy()

    def test_initial_response_only_where_offered(self):
        self.server.capability = ["IMAP4rev1", "AUTH=PLAIN"]
        self.assert_healthy_with_current_capability()
        self.assertEqual(self.server.lines("AUTHENTICATE"), [b"PLAIN"])

    def assert_healthy_with_current_capability(self):
        reply, session = self.log_in()
        self.assertTrue(reply.startswith(b"+OK"), reply)
        session.quit()

    # letters of every kind that a parser of quoted strings, atoms or literals could trip over
    NAMES = ('plain', 'quo"te', 'back\\slash', 'both\\"', 'brace{3}', 'brace{3+}', 'star*', 'per%cent', '(paren)',
             'tab\there', ' leading', 'trailing ', 'two  spaces', 'NIL', '"', '\\', 'jürgen', '名前', 'a@b.example',
             "apostrophe'", '%s%n', '&-', 'x' * 60)

    def round_trip(self):
        for name in self.NAMES:
            with self.subTest(name):
                password = name + "!"
                self.server.users = {name: password}
                session = self.gate.connect()
                blob = base64.b64encode(b"\0" + name.encode() + b"\0" + password.encode())
                reply = session.command(b"AUTH PLAIN " + blob)
                if reply.startswith(b"+OK"):
                    session.quit()
                    self.assertEqual(self.server.logins[-1], (name, password))
                else:
                    self.assertNotIn(b"[AUTH]", reply)
                    self.assertRegex(name, r"[\x00-\x20\x80-\uffff]", "only odd names may be refused here")
        self.assertEqual(self.server.faults, [])

    def test_rule_28_credentials_through_authenticate(self):
        self.round_trip()

    def test_rule_28_credentials_through_login(self):
        self.server.capability = ["IMAP4rev1"]
        self.round_trip()
        self.assertIn("LOGIN", self.server.names())

    def test_rule_25_cr_lf_and_nul_never_reach_the_wire(self):
        for capability in (self.capability, ("IMAP4rev1",)):
            self.server.capability = list(capability)
            self.server.forget()
            for bad in ("\r", "\n", "\r\nX LOGOUT\r\n", "\0"):
                for user, password in ((f"a{bad}b", "secret"), ("someone", f"a{bad}b"), (f"{bad}", "x"),
                                       ("someone", f"secret{bad}")):
                    with self.subTest(user=user, password=password):
                        session = self.gate.connect()
                        blob = base64.b64encode(f"\0{user}\0{password}".encode())
                        self.assert_code(session.err(b"AUTH PLAIN " + blob))
                        session.close()
                        if "\0" in bad:
                            continue
                        session = self.gate.connect()
                        session.command("AUTH LOGIN")
                        reply = session.command(base64.b64encode(user.encode()))
                        if not reply.startswith(b"-ERR"):
                            self.assert_code(session.err(base64.b64encode(password.encode())))
                        session.close()
            self.assertEqual(self.server.logins, [])
            self.assertFalse(self.server.saw_credentials())
        self.begin()
        self.assert_healthy()


class Certificates(Hostile):
    """Implicit TLS; StartTls below runs the same tests over STARTTLS."""

    tls = "implicit"

    @classmethod
    def setUpClass(cls):
        cls.upstream = {"ca_file": certificates.authority().cert}
        super().setUpClass()
        cls.good = cls.server._context

    def use(self, certificate):
        self.server._context = self.context(certificate)
        self.addCleanup(setattr, self.server, "_context", self.good)

    @staticmethod
    def context(certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        return context

    def test_good_certificate(self):
        self.assert_healthy()

    def test_t14_bad_certificates_get_no_credentials(self):
        for name, certificate in certificates.bad().items():
            with self.subTest(name):
                self.use(certificate)
                self.server.forget()
                self.assert_login_fails("SYS/TEMP")
                self.assertFalse(self.server.saw_credentials(PASSWORD), "credentials were sent")
                self.server._context = self.good
        self.assert_healthy()

    def test_verify_name(self):
        self.use(certificates.bad()["wrong name"])
        gate = self.gateway({"port": self.server.port, "tls": self.tls, **self.upstream,
                             "verify_name": "mail.example.org"})
        self.assertTrue(self.log_in(gate)[0].startswith(b"+OK"))

    def test_t14_pinned_key(self):
        """The ninth bad certificate: good in everything, but its key is not the one that was pinned."""
        good, other = certificates.good(), certificates.second()
        gate = self.gateway({"port": self.server.port, "tls": self.tls, **self.upstream,
                             "tls_pin": f"{certificates.pin(other)}, {certificates.pin(good)}"})
        self.assertTrue(self.log_in(gate)[0].startswith(b"+OK"))
        self.server.forget()
        gate.upstream["tls_pin"] = certificates.pin(other)
        gate.reload()
        for _ in range(2):
            self.assert_code(self.log_in(gate)[0], "SYS/TEMP")
        self.assertFalse(self.server.saw_credentials(PASSWORD))
        gate.wait_log(f"no pin for its key, {certificates.pin(good)}")

    def test_t14_bad_certificates_with_a_pinned_key(self):
        """A pin comes on top of the chain; only where it stands in its place, it is enough."""
        for name, certificate in certificates.bad().items():
            with self.subTest(name):
                self.use(certificate)
                self.server.forget()
                gate = self.gateway({"port": self.server.port, "tls": self.tls, **self.upstream,
                                     "tls_pin": certificates.pin(certificate)})
                self.assert_code(self.log_in(gate)[0], "SYS/TEMP")
                self.assertFalse(self.server.saw_credentials(PASSWORD))
                gate.upstream["tls_verify"] = "pin"
                gate.reload()
                self.assertTrue(self.log_in(gate)[0].startswith(b"+OK"))
                gate.upstream["tls_pin"] = certificates.pin(certificates.second())
                gate.reload()
                self.server.forget()
                self.assert_code(self.log_in(gate)[0], "SYS/TEMP")
                self.assertFalse(self.server.saw_credentials(PASSWORD))
                gate.stop()

    def test_address_as_host(self):
        gate = self.gateway({"port": self.server.port, "tls": self.tls, **self.upstream, "host": "127.0.0.1"})
        self.assertTrue(self.log_in(gate)[0].startswith(b"+OK"))

    def test_without_ca_file_our_authority_is_unknown(self):
        gate = self.gateway({"port": self.server.port, "tls": self.tls})
        self.assert_code(self.log_in(gate)[0], "SYS/TEMP")
        self.assertFalse(self.server.saw_credentials(PASSWORD))

    def test_old_tls_versions_are_refused(self):
        context = self.context(certificates.good())
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        self.server._context = context
        self.addCleanup(setattr, self.server, "_context", self.good)
        self.assert_login_fails("SYS/TEMP")
        self.assertFalse(self.server.saw_credentials(PASSWORD))

    def test_handshake_that_stalls(self):
        class Silent:
            @staticmethod
            def wrap_socket(sock, server_side):
                while sock.recv(65536):
                    pass
                raise OSError
        self.server._context = Silent
        self.addCleanup(setattr, self.server, "_context", self.good)
        self.assert_code(self.log_in()[0], "SYS/TEMP")
        self.assertFalse(self.server.saw_credentials(PASSWORD))

    def test_tls_closed_without_notice_inside_a_body(self):
        self.server.on("fetch body", send_then(b"* 1 FETCH (UID 10 BODY[] {%d}\r\nFrom: x\r\n" % len(MESSAGES[0])))
        session = self.gate.login_when_free("someone")
        session.send(b"RETR 1\r\n")
        self.assertFalse(session.rest().endswith(b"\r\n.\r\n"))
        self.assert_healthy()


class StartTls(Certificates):
    tls = "starttls"

    def assert_no_credentials(self, codes="SYS/TEMP"):
        self.assert_login_fails(codes)
        self.assertFalse(self.server.saw_credentials(PASSWORD), self.server.names())
        self.server.usual()

    def test_refused_starttls(self):
        for text in (b"{tag} NO no\r\n", b"{tag} BAD no\r\n", b"* BYE no\r\n"):
            with self.subTest(text):
                self.server.on("STARTTLS", text)
                self.assert_no_credentials("SYS/TEMP|SYS/PERM")
        self.assert_healthy()

    def test_starttls_that_is_not_announced(self):
        self.server.on("CAPABILITY", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n{tag} OK done\r\n")
        self.server.on("STARTTLS", b"{tag} BAD unknown\r\n")
        self.assert_no_credentials("SYS/TEMP|SYS/PERM")
        self.assert_healthy()

    def test_octets_injected_behind_the_answer(self):
        for behind in (b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n", b"A1 OK logged in\r\n", b"x", b"\r\n",
                       b"* PREAUTH welcome\r\n"):
            with self.subTest(behind):
                def action(connection, command, behind=behind):
                    connection.send(command.tag + b" OK begin\r\n" + behind)
                    connection.start_tls()
                    return True
                self.server.on("STARTTLS", action)
                self.assert_no_credentials("SYS/TEMP|SYS/PERM")
        self.assert_healthy()

    def test_what_was_said_before_tls_is_forgotten(self):
        def first(connection, command):
            if connection.secure:
                connection.send(b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n")
            else:
                connection.send(b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR\r\n")
            connection.done(command)
            return True
        self.server.on("CAPABILITY", first)
        self.assert_no_credentials("SYS/PERM")
        self.assert_healthy()

    def test_capability_is_asked_for_again(self):
        self.assert_healthy()
        names = self.server.names()
        self.assertIn("CAPABILITY", names[names.index("STARTTLS"):names.index("AUTHENTICATE")])

    def test_preauth_before_starttls(self):
        self.server.on("greeting", b"* PREAUTH welcome\r\n")
        self.assert_no_credentials("SYS/PERM")
        self.assert_healthy()


class PlainServerForTls(Hostile):
    def test_implicit_tls_to_a_plain_server(self):
        gate = self.gateway({"port": self.server.port, "tls": "implicit", "tls_timeout": "1s",
                             "ca_file": certificates.authority().cert})
        self.assert_code(self.log_in(gate)[0], "SYS/TEMP")
        self.assertFalse(self.server.saw_credentials(PASSWORD))
