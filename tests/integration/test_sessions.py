"""POP3 sessions on Dovecot: rules 1-31 and 36, as far as the client and a good server can show them."""
import base64
import re
import ssl

from harness import corpus, octets, ports, servers
from harness.cases import Case
from harness.pop3 import Pop3, Pop3Error, tls_context
from harness.popgate import Popgate

SERVER = None
GATE = None

ONE = corpus.message("one", b"first\r\n.second\r\n\r\nfourth\r\nfifth\r\nsixth\r\nseventh\r\n")
TWO = corpus.message("two", b"text of two\r\n")
THREE = corpus.message("three", corpus.FILL * 100)


def setUpModule():
    global SERVER, GATE
    SERVER = servers.dovecot()
    GATE = Popgate({"port": SERVER.imap_port})


def tearDownModule():
    GATE.stop()


def b64(text):
    return base64.b64encode(text.encode()).decode()


class SessionCase(Case):
    def tearDown(self):
        GATE.assert_alive()

    def maildrop(self, *messages):
        user = SERVER.user()
        SERVER.fill(user, messages)
        return user

    def session(self, *messages):
        """A logged-in session on a new maildrop with MESSAGES."""
        session = GATE.login(self.maildrop(*messages))
        self.addCleanup(session.close)
        return session

    def connect(self, gate=None):
        session = (gate or GATE).connect()
        self.addCleanup(session.close)
        return session


class Greeting(SessionCase):
    def test_rule_36_greeting_names_neither_version_nor_timestamp(self):
        session = self.connect()
        self.assertTrue(session.greeting.startswith(b"+OK POP3"), session.greeting)
        self.assertNotRegex(session.greeting, rb"\d+\.\d+")
        self.assertNotIn(b"<", session.greeting)

    def test_rule_36_apop_is_not_offered(self):
        session = self.connect()
        self.assert_code(session.err("APOP user 0123456789abcdef0123456789abcdef"))
        self.assertFalse([line for line in session.capa() if line.startswith(b"APOP")])

    def test_quit_before_login(self):
        self.assertTrue(self.connect().quit().startswith(b"+OK"))

    def test_commands_of_the_other_state_are_refused(self):
        for command in ("STAT", "LIST", "RETR 1", "DELE 1", "UIDL", "TOP 1 0", "RSET"):
            with self.subTest(command):
                self.assert_code(self.connect().err(command))
        session = self.session(ONE)
        for command in ("USER x", "PASS x", "AUTH PLAIN", "STLS"):
            with self.subTest(command):
                session.err(command)
        self.assertEqual(session.stat()[0], 1)


class Login(SessionCase):
    def test_rule_24_user_is_always_accepted(self):
        replies = set()
        for user in (self.maildrop(ONE), "nobody-has-this-name", "jürgen", "x" * 200):
            replies.add(self.connect().ok(f"USER {user}"))
        self.assertEqual(len(replies), 1)

    def test_rule_24_unknown_user_and_wrong_password_read_the_same(self):
        replies = set()
        for user in ("jürgen", "nobody-has-this-name"):
            session = self.connect()
            session.ok(f"USER {user}")
            replies.add(session.err("PASS wrong"))
        self.assertEqual(len(replies), 1)

    def test_rule_25_spaces_of_a_password_are_kept(self):
        session = self.connect()
        session.login("spaces", " two  words ")
        session.quit()
        for wrong in ("two  words ", " two  words", " two words "):
            session = self.connect()
            session.ok("USER spaces")
            self.assert_code(session.err(f"PASS {wrong}"), "AUTH")

    def test_rule_25_empty_password_is_refused_here(self):
        for line in ("PASS", "PASS "):
            session = self.connect()
            session.ok("USER someone")
            self.assert_code(session.err(line))

    def test_rule_25_pass_needs_user(self):
        self.assert_code(self.connect().err("PASS secret"))

    def test_rule_25_nul_is_refused(self):
        for line in (b"USER a\0b", b"USER \0"):
            session = self.connect()
            session.send(line + b"\r\n")
            self.assertFalse(session.line().startswith(b"+OK"))

    def test_rule_26_auth_plain_with_initial_response(self):
        session = self.connect()
        session.auth_plain(self.maildrop(ONE))
        self.assertEqual(session.stat()[0], 1)

    def test_rule_26_auth_plain_without_initial_response(self):
        user = self.maildrop(ONE)
        session = self.connect()
        self.assertEqual(session.command("AUTH PLAIN"), b"+ ")
        session.ok(b64(f"\0{user}\0secret"))
        self.assertEqual(session.stat()[0], 1)

    def test_rule_26_auth_plain_with_the_same_authorization_identity(self):
        user = self.maildrop(ONE)
        session = self.connect()
        session.ok("AUTH PLAIN " + b64(f"{user}\0{user}\0secret"))

    def test_rule_26_auth_plain_as_someone_else_is_refused(self):
        session = self.connect()
        session.err("AUTH PLAIN " + b64(f"other\0{self.maildrop(ONE)}\0secret"))

    def test_rule_26_auth_login_with_and_without_initial_response(self):
        user = self.maildrop(ONE)
        session = self.connect()
        self.assertEqual(session.command("AUTH LOGIN"), b"+ " + b64("Username:").encode())
        self.assertEqual(session.command(b64(user)), b"+ " + b64("Password:").encode())
        session.ok(b64("secret"))
        session.quit()
        session = self.connect()
        self.assertEqual(session.command("AUTH LOGIN " + b64(user)), b"+ " + b64("Password:").encode())
        session.ok(b64("secret"))

    def test_rule_26_star_cancels(self):
        for mechanism in ("PLAIN", "LOGIN"):
            session = self.connect()
            session.command(f"AUTH {mechanism}")
            self.assert_code(session.err("*"))
            session.capa()

    def test_rule_26_auth_alone_lists_mechanisms(self):
        listed = self.connect().lines("AUTH")
        self.assertIn(b"PLAIN", listed)
        self.assertIn(b"LOGIN", listed)

    def test_rule_26_bad_base64(self):
        for blob in ("!!!!", "AGE", "AGE===", "A=GE", "AGEAYg==AGEAYg==", "AG EAYg==", "====", "AGEAYh=="):
            with self.subTest(blob):
                session = self.connect()
                self.assert_code(session.err(f"AUTH PLAIN {blob}"))
                session = self.connect()
                session.command("AUTH PLAIN")
                self.assert_code(session.err(blob))

    def test_rule_26_malformed_plain_messages(self):
        for text in ("", "\0", "\0\0", "a", "a\0b", "\0user\0", "\0\0secret", "\0u\0p\0x", "\0a\r\nb\0c", "\0a\0b\nc"):
            with self.subTest(text):
                session = self.connect()
                self.assert_code(session.err("AUTH PLAIN " + (b64(text) or "=")))

    def test_rule_26_unknown_mechanism(self):
        for name in ("CRAM-MD5", "NTLM", "X", "PLAINX", "PLAI"):
            self.assert_code(self.connect().err(f"AUTH {name}"))

    def test_rule_27_auth_code_for_rejected_credentials(self):
        session = self.connect()
        session.ok("USER someone")
        self.assert_code(session.err("PASS wrong"), "AUTH")
        self.assert_code(session.err("AUTH PLAIN " + b64("\0someone\0wrong")), "AUTH")
        session.login(self.maildrop(ONE))

    def test_rule_28_eight_bit_names_and_passwords(self):
        session = self.connect()
        session.login("jürgen", "pässwörd")
        session.quit()
        session = self.connect()
        session.auth_plain("jürgen", "pässwörd")
        session.quit()
        session = self.connect()
        session.ok("USER jürgen")
        self.assert_code(session.err("PASS passwort"), "AUTH")

    def test_rule_28_broken_utf8_is_no_credential(self):
        for octet in (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80"):
            session = self.connect()
            if session.command(b"USER a" + octet).startswith(b"+OK"):
                session.err(b"PASS b" + octet)

    def test_variables_in_names_stay_as_they_are(self):
        session = self.connect()
        session.ok("USER %{env:HOME}%n%s%x")
        session.err("PASS %n%s wrong")


class Capabilities(SessionCase):
    ALWAYS = {b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE NEVER"}

    def capabilities(self, session):
        lines = session.capa()
        self.assertLessEqual(self.ALWAYS, set(lines))
        self.assertTrue([line for line in lines if line.startswith(b"IMPLEMENTATION ")])
        self.assertEqual(len(lines), len(set(lines)))
        return lines

    def test_rule_21_before_tls(self):
        lines = self.capabilities(self.connect())
        self.assertIn(b"STLS", lines)
        self.assertIn(b"USER", lines)
        self.assertTrue({b"PLAIN", b"LOGIN"} <= set(self.sasl(lines)), lines)

    @staticmethod
    def sasl(lines):
        found = [line.split()[1:] for line in lines if line.startswith(b"SASL")]
        return found[0] if found else []

    def test_rule_21_after_stls(self):
        session = self.connect()
        session.stls(tls_context(GATE.certificate.ca))
        lines = self.capabilities(session)
        self.assertNotIn(b"STLS", lines)
        self.assertIn(b"USER", lines)
        self.assertIn(b"PLAIN", self.sasl(lines))

    def test_rule_21_on_the_tls_port(self):
        with GATE.connect_tls() as session:
            lines = self.capabilities(session)
        self.assertNotIn(b"STLS", lines)
        self.assertIn(b"USER", lines)

    def test_rule_21_after_login(self):
        lines = self.capabilities(self.session(ONE))
        self.assertNotIn(b"STLS", lines)
        self.assertNotIn(b"USER", lines)
        self.assertFalse(self.sasl(lines))

    def test_rule_21_utf8(self):
        self.assertTrue([line for line in self.connect().capa() if line.startswith(b"UTF8")])


class Tls(SessionCase):
    def test_stls_then_a_whole_session(self):
        user = self.maildrop(ONE, THREE)
        session = self.connect()
        session.stls(tls_context(GATE.certificate.ca))
        session.login(user)
        self.assertEqual(session.retr(2), THREE)
        session.quit()

    def test_tls_port_then_a_whole_session(self):
        user = self.maildrop(ONE, THREE)
        with GATE.connect_tls() as session:
            session.login(user)
            self.assertEqual(session.retr(1), ONE)
            self.assertEqual(session.retr(2), THREE)
            self.assertTrue(session.quit().startswith(b"+OK"))

    def test_rule_22_octets_behind_stls_close_the_connection(self):
        for behind in (b"USER x\r\n", b"\r\n", b"x", b"CAPA\r\nQUIT\r\n"):
            with self.subTest(behind):
                session = self.connect()
                session.send(b"STLS\r\n" + behind)
                answers = session.rest()
                self.assertLessEqual(answers.count(b"\r\n"), 1, answers)

    def test_rule_22_state_starts_anew(self):
        user = self.maildrop(ONE)
        session = self.connect()
        session.ok(f"USER {user}")
        if not session.command("STLS").startswith(b"+OK"):
            return  # refusing STLS after USER is the other way to be safe
        session.sock = tls_context().wrap_socket(session.sock)
        self.assert_code(session.err("PASS secret"))

    def test_rule_22_no_stls_within_tls_or_after_login(self):
        session = self.connect()
        session.stls()
        self.assert_code(session.err("STLS"))
        with GATE.connect_tls() as session:
            self.assert_code(session.err("STLS"))

    def test_rule_22_failed_handshake_ends_the_connection_only(self):
        session = self.connect()
        session.ok("STLS")
        session.send(b"USER x\r\nPASS y\r\nthis is no handshake\r\n" * 20)
        self.assertNotIn(b"+OK", session.rest())
        self.session(ONE)

    def test_old_tls_versions_are_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            Pop3(GATE.pop3s, tls=context)

    def test_alpn_without_pop3_is_refused(self):
        for protocols in (["http/1.1"], ["h2", "http/1.1"], ["imap"], ["pop"]):
            with self.subTest(protocols):
                context = tls_context(GATE.certificate.ca)
                context.set_alpn_protocols(protocols)
                with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                    Pop3(GATE.pop3s, tls=context)
        context = tls_context(GATE.certificate.ca)
        context.set_alpn_protocols(["imap", "pop3"])
        with Pop3(GATE.pop3s, tls=context) as session:
            self.assertEqual(session.sock.selected_alpn_protocol(), "pop3")

    def test_plain_text_on_the_tls_port_gets_no_pop3_answer(self):
        with Pop3(GATE.pop3s, greeting=False) as session:
            session.send(b"CAPA\r\nUSER x\r\nQUIT\r\n")
            self.assertNotIn(b"+OK", session.rest())


class PlainTextRefused(SessionCase):
    def setUp(self):
        self.strict = self.gateway({"port": SERVER.imap_port}, plaintext_loopback="no")

    def test_rule_23_logins_need_tls(self):
        user = self.maildrop(ONE)
        for command in (f"USER {user}", "PASS secret", "AUTH PLAIN " + b64(f"\0{user}\0secret"), "AUTH LOGIN"):
            session = self.connect(self.strict)
            reply = session.err(command)
            self.assertNotIn(b"[AUTH]", reply)
            self.assertIn(b"TLS", reply)
        lines = self.connect(self.strict).capa()
        self.assertIn(b"STLS", lines)
        self.assertFalse([line for line in lines if line.startswith((b"USER", b"SASL"))])
        session = self.connect(self.strict)
        session.stls(tls_context(GATE.certificate.ca))
        session.login(user)
        session.quit()
        with self.strict.connect_tls() as session:
            session.auth_plain(user)

    def test_rule_23_listed_networks_need_none(self):
        listed = self.gateway({"port": SERVER.imap_port}, plaintext_loopback="no",
                              plaintext_networks="10.0.0.0/8, 127.0.0.0/8")
        listed.login(self.maildrop(ONE)).close()


class Commands(SessionCase):
    def test_stat_list_uidl(self):
        session = self.session(ONE, TWO, THREE)
        sizes = {1: len(ONE), 2: len(TWO), 3: len(THREE)}
        self.assertEqual(session.stat(), (3, sum(sizes.values())))
        self.assertEqual(session.list(), sizes)
        self.assertRegex(session.ok("LIST 2"), rb"^\+OK 2 %d$" % len(TWO))
        unique = session.uidl()
        self.assertEqual(sorted(unique), [1, 2, 3])
        self.assertEqual(session.ok("UIDL 3"), b"+OK 3 " + unique[3])

    def test_empty_maildrop(self):
        session = self.session()
        self.assertEqual(session.stat(), (0, 0))
        self.assertEqual((session.list(), session.uidl()), ({}, {}))
        for command in ("LIST 1", "UIDL 1", "RETR 1", "TOP 1 0", "DELE 1"):
            session.err(command)
        self.assertTrue(session.quit().startswith(b"+OK"))

    def test_retr_and_noop(self):
        session = self.session(ONE, TWO, THREE)
        for number, message in ((3, THREE), (1, ONE), (2, TWO), (1, ONE)):
            self.assertEqual(session.retr(number), message)
            session.ok("NOOP")

    def test_rule_02_retr_and_top_do_not_set_seen(self):
        user = self.maildrop(ONE, TWO)
        session = GATE.login(user)
        session.retr(1)
        session.top(2, 5)
        session.quit()
        with SERVER.imap(user) as mailbox:
            self.assertEqual(mailbox.flags(), {1: set(), 2: set()})

    def test_rule_02_mark_seen_applies_at_quit_to_what_was_retrieved(self):
        gate = self.gateway({"port": SERVER.imap_port, "mark_seen": "retr"})
        user = self.maildrop(ONE, TWO, THREE)
        session = gate.login(user)
        session.retr(1)
        session.top(2, 5)
        session.top(3, 100000)
        with SERVER.imap(user) as mailbox:
            self.assertEqual(mailbox.flags(), {1: set(), 2: set(), 3: set()})
            session.reset()
            session = gate.login_when_free(user)
            self.assertEqual(mailbox.flags(), {1: set(), 2: set(), 3: set()})
            session.retr(1)
            session.top(2, 5)
            session.top(3, 100000)
            self.assertTrue(session.quit().startswith(b"+OK"))
            self.assertEqual(mailbox.flags(), {1: {"\\Seen"}, 2: set(), 3: set()})

    def test_rule_03_top_is_a_prefix_of_retr(self):
        messages = [message for _, message in corpus.SMALL]
        user = self.maildrop(*messages)
        session = GATE.login(user)
        for number in range(1, len(messages) + 1):
            whole = session.retr(number)
            for lines in (0, 1, 5, 100000, 4294967296):
                part = session.top(number, lines)
                difference = octets.describe_difference(octets.top(whole, lines), part)
                self.assertFalse(difference, f"{corpus.SMALL[number - 1][0]}: TOP {lines}: {difference}")
        with SERVER.imap(user) as mailbox:
            self.assertEqual(set().union(*mailbox.flags().values()), set())
        session.quit()

    def test_rule_03_top_needs_two_numbers(self):
        session = self.session(ONE)
        for command in ("TOP", "TOP 1", "TOP 1 -1", "TOP 1 x", "TOP 1 1x", "TOP 0 1", "TOP 2 1"):
            session.err(command)

    def test_rule_04_sizes_stay_as_they_were(self):
        session = self.session(ONE, TWO, b"Subject: none\r\n\r\nno final line end")
        before = session.list(), session.stat()
        for number in (1, 2, 3):
            session.retr(number)
        self.assertEqual((session.list(), session.stat()), before)

    def test_rule_08_new_mail_is_not_shown(self):
        user = self.maildrop(ONE)
        session = GATE.login(user)
        SERVER.fill(user, [TWO])
        self.assertEqual(session.stat()[0], 1)
        session.err("RETR 2")
        self.assertEqual(session.retr(1), ONE)
        self.assertEqual(session.list(), {1: len(ONE)})
        session.quit()
        session = GATE.login_when_free(user)
        self.assertEqual(session.stat()[0], 2)
        session.close()

    def test_rule_08_numbers_are_not_reused(self):
        session = self.session(ONE, TWO, THREE)
        session.ok("DELE 2")
        self.assertEqual(sorted(session.list()), [1, 3])
        self.assertEqual(sorted(session.uidl()), [1, 3])
        self.assertEqual(session.stat(), (2, len(ONE) + len(THREE)))
        self.assertEqual(session.retr(3), THREE)

    def test_rule_09_message_expunged_by_someone_else(self):
        user = self.maildrop(ONE, TWO, THREE)
        session = GATE.login(user)
        before = session.list(), session.uidl()
        with SERVER.imap(user) as mailbox:
            mailbox.expunge([2])
        self.assert_is_error(session.command("RETR 2"))
        self.assert_is_error(session.command("TOP 2 0"))
        self.assertEqual((session.list(), session.uidl()), before)
        self.assertEqual(session.retr(3), THREE)
        self.assertEqual(session.retr(1), ONE)
        session.ok("DELE 2")
        session.ok("DELE 3")
        self.assertTrue(session.quit().startswith(b"+OK"))
        with SERVER.imap(user) as mailbox:
            self.assertEqual(mailbox.uids(), [1])

    def assert_is_error(self, reply):
        self.assertTrue(reply.startswith(b"-ERR"), reply)

    def test_rule_11_rset_clears_marks(self):
        user = self.maildrop(ONE, TWO)
        session = GATE.login(user)
        session.ok("DELE 1")
        session.ok("DELE 2")
        self.assertEqual(session.stat(), (0, 0))
        session.ok("RSET")
        self.assertEqual(session.stat()[0], 2)
        self.assertEqual(session.retr(1), ONE)
        self.assertTrue(session.quit().startswith(b"+OK"))
        with SERVER.imap(user) as mailbox:
            self.assertEqual(mailbox.flags(), {1: set(), 2: set()})

    def test_rule_12_a_marked_message_is_gone_for_every_command(self):
        session = self.session(ONE, TWO)
        session.ok("DELE 1")
        for command in ("DELE 1", "RETR 1", "TOP 1 0", "LIST 1", "UIDL 1"):
            self.assert_is_error(session.command(command))
        session.ok("RSET")
        session.ok("DELE 1")
        session.ok("RSET")

    def test_rule_13_message_numbers(self):
        bad = ("0", "3", "-1", "+1", "1x", "x", "0x1", "1.0", "1e0", "", "2147483648", "4294967295", "4294967296",
               "4294967297", "18446744073709551615", "18446744073709551616", "18446744073709551617", "9" * 200)
        for command in ("RETR {}", "TOP {} 0", "DELE {}", "LIST {}", "UIDL {}"):
            for part in (bad[:6], bad[6:12], bad[12:]):
                session = self.session(ONE, TWO)
                for number in part:
                    if not number and command in ("LIST {}", "UIDL {}"):
                        continue
                    with self.subTest(command.format(number)):
                        self.assert_is_error(session.command(command.format(number)))
                self.assertEqual(session.stat()[0], 2)
                session.close()

    def test_rule_13_trailing_blanks(self):
        session = self.session(ONE, TWO)
        self.assertEqual(session.multi("RETR 1  "), ONE)
        session.ok("LIST 1 ")
        session.ok("DELE 2 \t")
        session.ok("RSET ")
        self.assertTrue(session.command("QUIT ").startswith(b"+OK"))


class UniqueIds(SessionCase):
    def test_rule_07_equal_to_what_dovecot_says_itself(self):
        user = self.maildrop(ONE, TWO, THREE)
        with SERVER.imap(user) as mailbox:
            mailbox.expunge([2])
        SERVER.fill(user, [TWO])
        session = GATE.login(user)
        ours = session.uidl()
        session.quit()
        with Pop3((ports.HOST, SERVER.pop3_port)) as own:
            own.login(user)
            self.assertEqual(ours, own.uidl())

    def test_rule_07_stable_over_sessions_restart_and_lost_state(self):
        gate = self.gateway({"port": SERVER.imap_port})
        user = self.maildrop(*[corpus.of_size(200 + i) for i in range(50)])
        seen = []
        for event in ("first", "session", "restart", "crash"):
            if event == "restart":
                gate.stop()
                gate.start()
            if event == "crash":
                gate.kill()
                gate.start()
            session = gate.login_when_free(user)
            seen.append(session.uidl())
            session.quit()
        self.assertEqual(seen.count(seen[0]), 4)
        values = list(seen[0].values())
        self.assertEqual(len(set(values)), 50)
        for value in values:
            self.assertRegex(value, rb"^[\x21-\x7e]{1,70}$")

    def test_rule_07_survivors_keep_theirs(self):
        user = self.maildrop(ONE, TWO, THREE)
        session = GATE.login(user)
        before = session.uidl()
        session.ok("DELE 2")
        session.quit()
        session = GATE.login_when_free(user)
        self.assertEqual(session.uidl(), {1: before[1], 2: before[3]})
        session.close()

    def test_rule_07_other_templates(self):
        user = self.maildrop(ONE, TWO)
        with SERVER.imap(user) as mailbox:
            validity = mailbox.uidvalidity()
        for template, wanted in (("%v.%u", f"{validity}.2"), ("%u", "2"), ("UID%u-%v", f"UID2-{validity}"),
                                 ("%08Xv%08Xu", f"{validity:08x}00000002")):
            with self.subTest(template):
                gate = self.gateway({"port": SERVER.imap_port, "uidl": template})
                session = gate.login_when_free(user)
                self.assertEqual(session.uidl()[2].decode(), wanted)
                session.quit()


class Locks(SessionCase):
    def test_rule_20_second_session_is_told_in_use(self):
        user = self.maildrop(ONE)
        first = GATE.login(user)
        second = self.connect()
        second.ok(f"USER {user}")
        self.assert_code(second.err("PASS secret"), "IN-USE")
        self.assertEqual(first.retr(1), ONE)
        first.quit()
        GATE.login_when_free(user).close()

    def test_rule_20_lock_ends_with_a_reset_connection(self):
        user = self.maildrop(ONE)
        GATE.login(user).reset()
        GATE.login_when_free(user).close()

    def test_rule_20_lock_ends_with_a_crash(self):
        gate = self.gateway({"port": SERVER.imap_port})
        user = self.maildrop(ONE)
        gate.login(user)
        gate.kill()
        gate.start()
        gate.login(user).quit()

    def test_rule_20_lock_is_not_taken_by_a_failed_login(self):
        user = self.maildrop(ONE)
        session = self.connect()
        session.ok(f"USER {user}")
        session.err("PASS wrong")
        other = GATE.login(user)
        self.assertEqual(other.stat()[0], 1)
        other.quit()

    def test_sessions_of_different_users_do_not_mix(self):
        sessions = []
        for number in range(20):
            body = corpus.message(f"owner {number}", corpus.FILL * number)
            sessions.append((GATE.login(self.maildrop(body)), body))
        for session, body in sessions + sessions[::-1]:
            self.assertEqual(session.retr(1), body)
        for session, _ in sessions:
            session.close()


class CommandLines(SessionCase):
    def test_rule_29_any_case_bare_lf_and_trailing_blanks(self):
        user = self.maildrop(ONE)
        session = self.connect()
        session.send(f"uSeR {user}\n".encode())
        self.assertTrue(session.status().startswith(b"+OK"))
        session.send(b"pass secret\n")
        self.assertTrue(session.status().startswith(b"+OK"))
        for line in (b"stat\n", b"Stat  \r\n", b"NOOP \t \n", b"liSt 1\n"):
            session.send(line)
            self.assertTrue(session.status().startswith(b"+OK"), line)
        session.send(b"retr 1\n")
        session.status()
        self.assertEqual(session.multi_body(), ONE)

    def test_rule_29_one_octet_at_a_time(self):
        user = self.maildrop(ONE)
        session = self.connect()
        for octet in f"USER {user}\r\nPASS secret\r\nSTAT\r\n".encode():
            session.send(bytes([octet]))
        for _ in range(3):
            self.assertTrue(session.status().startswith(b"+OK"))

    def test_rule_29_longest_line(self):
        session = self.connect()
        session.ok(b"USER " + b"u" * 248)  # 255 octets with CRLF
        session.ok("CAPA")

    def test_rule_29_over_long_line_is_answered_once_and_closed(self):
        for line in (b"USER " + b"u" * 260 + b"\r\n", b"x" * 5000 + b"\r\n", b"X" * 300):
            with self.subTest(line[:8]):
                session = self.connect()
                session.send(line)
                answer = session.line()
                self.assertTrue(answer.startswith(b"-ERR"), answer)
                self.assertEqual(session.rest(), b"")

    def test_rule_29_endless_line_is_not_buffered(self):
        session = self.connect()
        try:
            for _ in range(200):
                session.send(b"x" * 65536)
        except (ConnectionResetError, BrokenPipeError):
            pass
        self.assertLessEqual(session.rest().count(b"\r\n"), 1)

    def test_rule_29_long_auth_line(self):
        session = self.connect()
        blob = b64("\0someone\0" + "p" * 8000)
        session.err(f"AUTH PLAIN {blob}")
        session.capa()
        session = self.connect()
        session.send(b"AUTH PLAIN " + b"A" * 20000 + b"\r\n")
        self.assertTrue(session.line().startswith(b"-ERR"))
        self.assertEqual(session.rest(), b"")

    def test_rule_30_bad_commands_are_not_echoed(self):
        session = self.session(ONE)
        for line in (b"XYZZYPLUGH", b"RETR XYZZYPLUGH", b"XYZZYPLUGH \xff\x1b[2J", b"", b" STAT", b"TOPXYZZYPLUGH 1"):
            self.assertNotIn(b"XYZZYPLUGH", session.err(line))

    def count_until_closed(self, session):
        """Sends bad commands one by one, returns how many were answered before the end."""
        answered = 0
        while answered < 50:
            try:
                session.send(b"XYZZY\r\n")
                line = session.line()
            except (ConnectionResetError, BrokenPipeError):
                break
            if not line:
                break
            self.assertTrue(line.startswith(b"-ERR"), line)
            answered += 1
        return answered

    def test_rule_30_three_bad_commands_before_login(self):
        self.assertEqual(self.count_until_closed(self.connect()), 3)

    def test_rule_30_ten_bad_commands_after_login(self):
        self.assertEqual(self.count_until_closed(self.session(ONE)), 10)

    def test_rule_30_http_is_not_pop3(self):
        session = self.connect()
        try:
            session.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\nUSER x\r\nPASS y\r\nQUIT\r\n")
        except OSError:
            pass
        self.assertNotIn(b"+OK", session.rest())


class Pipelining(SessionCase):
    def test_rule_31_a_whole_session_in_one_packet(self):
        user = self.maildrop(ONE, TWO, THREE)
        session = self.connect()
        session.send(f"CAPA\r\nUSER {user}\r\nPASS secret\r\nSTAT\r\nLIST\r\nUIDL\r\nRETR 3\r\nTOP 1 1\r\nRETR 1\r\n"
                     "DELE 2\r\nLIST 3\r\nNOOP\r\nRETR 2\r\nQUIT\r\n".encode())
        session.status()
        session.multi_body()
        for _ in range(3):
            self.assertTrue(session.status().startswith(b"+OK"))
        for wanted in (None, None, THREE, octets.top(ONE, 1), ONE):
            self.assertTrue(session.status().startswith(b"+OK"))
            content = session.multi_body()
            if wanted is not None:
                self.assertEqual(content, wanted)
        for status in (b"+OK", b"+OK", b"+OK", b"-ERR", b"+OK"):
            self.assertTrue(session.status().startswith(status))
        self.assertEqual(session.rest(), b"")
        with SERVER.imap(user) as mailbox:
            self.assertEqual(mailbox.uids(), [1, 3])

    def test_rule_31_auth_responses_in_the_same_packet(self):
        user = self.maildrop(ONE)
        session = self.connect()
        session.send(f"AUTH PLAIN\r\n{b64(chr(0) + user + chr(0) + 'secret')}\r\nSTAT\r\n".encode())
        self.assertEqual(session.status(), b"+ ")
        self.assertTrue(session.status().startswith(b"+OK"))
        self.assertTrue(session.status().startswith(b"+OK 1 "))

    def test_rule_31_unread_answers_cost_bounded_memory(self):
        gate = self.gateway({"port": SERVER.imap_port}, workers=0)
        large = corpus.message("large", corpus.FILL * (corpus.MEGABYTE // len(corpus.FILL)))
        user = self.maildrop(large)
        session = gate.login(user)
        session.retr(1)
        before = self.peak(gate)
        session.send(b"RETR 1\r\n" * 100)
        for _ in range(100):
            self.assertTrue(session.status().startswith(b"+OK"))
            self.assertEqual(session.multi_body(), large)
        self.assertLess(self.peak(gate) - before, 32 << 10, "kB of resident memory")
        session.close()

    @staticmethod
    def peak(gate):
        with open(f"/proc/{gate.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])

    def test_rule_31_many_commands_without_reading(self):
        session = self.session(ONE)
        count = 20000
        session.send(b"NOOP\r\n" * count)
        for _ in range(count):
            self.assertTrue(session.status().startswith(b"+OK"))


class Timers(SessionCase):
    by_the_clock = True

    def test_rule_17_idle_session_is_closed_without_update(self):
        gate = self.gateway({"port": SERVER.imap_port}, idle_timeout="500ms")
        user = self.maildrop(ONE, TWO)
        session = gate.login(user)
        session.ok("DELE 1")
        self.assertNotIn(b"+OK", session.rest())
        GATE.login_when_free(user).close()
        with SERVER.imap(user) as mailbox:
            self.assertEqual(mailbox.flags(), {1: set(), 2: set()})

    def test_rule_17_silence_before_login_ends(self):
        gate = self.gateway({"port": SERVER.imap_port}, login_timeout="500ms")
        self.assertNotIn(b"+OK", self.connect(gate).rest())

    def test_rule_17_authorization_ends_however_busy(self):
        gate = self.gateway({"port": SERVER.imap_port}, authorization_timeout="700ms")
        session = self.connect(gate)
        with self.assertRaises((Pop3Error, OSError)):
            for _ in range(200000):
                session.ok("CAPA")
                session.multi_body()

    def test_rule_17_half_a_command_is_silence(self):
        gate = self.gateway({"port": SERVER.imap_port}, login_timeout="500ms")
        session = self.connect(gate)
        session.send(b"USER some")
        self.assertNotIn(b"+OK", session.rest())

    def test_rule_17_upstream_is_kept_alive(self):
        server = self.scripted([ONE])
        gate = self.gateway({"port": server.port, "keepalive_interval": "200ms"})
        session = gate.login("someone")
        server.wait_for(lambda s: s.names().count("NOOP") >= 3)
        self.assertEqual(session.retr(1), ONE)
        session.quit()
