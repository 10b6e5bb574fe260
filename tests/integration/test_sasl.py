"""How clients log in, on a scripted server: rules 21, 24-28, 34 and 35 for every mechanism, names that are allowed,
masters, certificates."""
import base64
import os
import ssl

from harness import certificates, corpus, ports, workspace
from harness.cases import Case, ScriptedCase
from harness.pop3 import Pop3, tls_context
from harness.scripted_imap import CAPABILITY, send_then

MESSAGES = [corpus.message("one", b"text\r\n")]
EVERY = "plain, login, xoauth2, oauthbearer"
TOKENS = tuple(CAPABILITY) + ("AUTH=XOAUTH2", "AUTH=OAUTHBEARER")
FAILURES = {"XOAUTH2": b'{"status":"401","schemes":"bearer"}', "OAUTHBEARER": b'{"status":"invalid_token"}'}
DUMMIES = {"XOAUTH2": b"", "OAUTHBEARER": b"AQ=="}


def b64(octets):
    return base64.b64encode(octets)


def message(mechanism, user, secret):
    """What a client says for MECHANISM, all octets."""
    if mechanism == "PLAIN":
        return b"\0" + user + b"\0" + secret
    if mechanism == "XOAUTH2":
        return b"user=" + user + b"\1auth=Bearer " + secret + b"\1\1"
    name = user.replace(b"=", b"=3D").replace(b",", b"=2C")
    return b"n,a=" + name + b",\1host=client.example\1port=110\1auth=Bearer " + secret + b"\1\1"


class SaslCase(ScriptedCase):
    messages = MESSAGES
    capability = TOKENS
    upstream = {"auth_mechanisms": EVERY}

    def setUp(self):
        super().setUp()
        self.server.token, self.server.password = b"token", "secret"
        self.server.refusal = b'{"status":"401","schemes":"bearer","scope":"UPSTREAM"}'

    def connect(self, gate=None):
        session = (gate or self.gate).connect()
        self.addCleanup(session.close)
        return session

    def authenticate(self, mechanism, octets, session=None, initial=True):
        """The answer of popgate to AUTH."""
        session = session or self.connect()
        if initial:
            return session.command(b"AUTH " + mechanism.encode() + b" " + b64(octets))
        self.assertEqual(session.command("AUTH " + mechanism), b"+ ")
        return session.command(b64(octets))

    def assert_usable(self):
        session = self.connect()
        self.assertTrue(self.authenticate("PLAIN", b"\0someone\0secret", session).startswith(b"+OK"))
        self.assertTrue(session.quit().startswith(b"+OK"))


class Tokens(SaslCase):
    def test_rule_26_passed_on_by_the_same_mechanism(self):
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            for offered in (TOKENS, tuple(word for word in TOKENS if word != "SASL-IR")):
                for initial in (True, False):
                    with self.subTest(mechanism=mechanism, initial=initial, upstream_initial="SASL-IR" in offered):
                        self.begin()
                        self.server.capability = list(offered)
                        session = self.connect()
                        reply = self.authenticate(mechanism, message(mechanism, b"jane", b"token"), session, initial)
                        self.assertTrue(reply.startswith(b"+OK"), reply)
                        self.assertEqual(session.retr(1), MESSAGES[0])
                        self.assertTrue(session.quit().startswith(b"+OK"))
                        self.assertEqual(self.server.shown, [(mechanism, b"jane", None, b"token")])

    def test_rule_26_rejected_tokens(self):
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            for answer in (DUMMIES[mechanism], b"*", b"whatever"):
                with self.subTest(mechanism=mechanism, answer=answer):
                    self.server.forget()
                    session = self.connect()
                    reply = self.authenticate(mechanism, message(mechanism, b"jane", b"expired"), session)
                    self.assertEqual(reply, b"+ " + b64(FAILURES[mechanism]))
                    self.assert_code(session.command(answer), "AUTH")
                    self.assertEqual(self.server.dummies, [DUMMIES[mechanism] + b"\r\n"])
                    self.assertTrue(self.authenticate(mechanism, message(mechanism, b"jane", b"token"),
                                                      session).startswith(b"+OK"))
                    session.quit()

    def test_rule_35_a_status_says_whether_the_token_is_bad(self):
        rows = [(b'{"status":"400"}', b"+ "), (b'{"status":"invalid_token"}', b"+ "), (b'{"status":"503"}', b"-ERR [SYS/TEMP]"),
                (b'{"status":"temporarily_unavailable"}', b"-ERR [SYS/TEMP]"), (b"UPSTREAM words", b"+ "), (b"", b"+ ")]
        for refusal, expected in rows:
            for mechanism in ("XOAUTH2", "OAUTHBEARER"):
                with self.subTest(refusal=refusal, mechanism=mechanism):
                    self.server.refusal = refusal
                    reply = self.authenticate(mechanism, message(mechanism, b"jane", b"x"))
                    self.assertTrue(reply.startswith(expected), reply)
                    self.assertNotIn(b"UPSTREAM", base64.b64decode(reply[2:]) if reply[:2] == b"+ " else reply)

    def test_rule_35_codes_count_more_than_a_status(self):
        for code, expected in ((b"UNAVAILABLE", b"-ERR [SYS/TEMP]"), (b"AUTHORIZATIONFAILED", b"+ ")):
            self.server.on("AUTHENTICATE", send_then(b"{tag} NO [%s] UPSTREAM\r\n" % code))
            self.assertTrue(self.authenticate("XOAUTH2", message("XOAUTH2", b"j", b"x")).startswith(expected), code)

    def test_rule_35_a_mechanism_that_upstream_does_not_have(self):
        self.server.capability = list(CAPABILITY)
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            start = len(self.gate.log())
            self.assert_code(self.authenticate(mechanism, message(mechanism, b"jane", b"token")), "SYS/PERM")
            self.gate.wait_log(f"the server offers no AUTH={mechanism}", start=start)
        self.assertNotIn("AUTHENTICATE", self.server.names())
        self.assertNotIn("LOGIN", self.server.names())
        self.assert_usable()

    def test_rule_26_tokens_of_12_kib(self):
        self.server.token = None
        token = bytes(0x21 + i % 94 for i in range(12288))
        longest = b"j" * 255
        for mechanism in ("XOAUTH2", "OAUTHBEARER", "PLAIN"):
            if mechanism == "PLAIN":
                self.server.password = token.decode()
            for initial in (True, False):
                with self.subTest(mechanism=mechanism, initial=initial):
                    self.server.forget()
                    session = self.connect()
                    reply = self.authenticate(mechanism, message(mechanism, longest, token), session, initial)
                    self.assertTrue(reply.startswith(b"+OK"), reply)
                    session.quit()
                    self.assertEqual(self.server.shown, [(mechanism, longest, None, token)])
            with self.subTest(mechanism=mechanism, octets=12289):
                self.server.forget()
                self.assert_code(self.authenticate(mechanism, message(mechanism, b"jane", token + b"x")))
                self.assertEqual(self.server.shown, [])
        session = self.connect()
        session.send(b"AUTH XOAUTH2 " + b"A" * 30000)
        self.assertEqual(session.line(), b"-ERR line too long")
        self.assertTrue(session.at_eof())

    def test_rule_34_a_token_that_has_expired_at_the_reconnect(self):
        session = self.connect()
        self.assertTrue(self.authenticate("XOAUTH2", message("XOAUTH2", b"jane", b"token"), session).startswith(b"+OK"))
        self.server.token = b"fresh"
        self.server.drop_connections()
        reply = session.command("RETR 1")
        self.assert_code(reply, "SYS/TEMP")
        self.gate.wait_log("reconnect: login answered NO")
        # one try only: providers lock accounts
        self.server.wait_for(lambda server: len(server.shown) == 2)
        session.close()
        self.assertEqual(len(self.server.shown), 2)

    def test_rule_34_a_token_that_is_still_good(self):
        session = self.connect()
        self.assertTrue(self.authenticate("OAUTHBEARER", message("OAUTHBEARER", b"jane", b"token"),
                                          session).startswith(b"+OK"))
        self.server.drop_connections()
        self.assertEqual(session.retr(1), MESSAGES[0])
        self.assertEqual(self.server.shown, [("OAUTHBEARER", b"jane", None, b"token")] * 2)
        session.quit()

    def test_tokens_are_in_no_log(self):
        canary = b"canary-token-7f3a"
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            self.authenticate(mechanism, message(mechanism, b"jane", canary))
        self.assertNotIn(canary.decode(), self.gate.log())
        self.assertNotIn(b64(message("XOAUTH2", b"jane", canary)).decode(), self.gate.log())


class Mechanisms(Case):
    def offered(self, mechanisms):
        server = self.scripted(MESSAGES, capability=TOKENS)
        gate = self.gateway({"port": server.port, "auth_mechanisms": mechanisms})
        session = gate.connect()
        self.addCleanup(session.close)
        return session

    def test_rule_21_capa_is_exact(self):
        rows = [("plain, login", [b"USER", b"SASL PLAIN LOGIN"]), ("xoauth2", [b"SASL XOAUTH2"]),
                ("login, oauthbearer, xoauth2", [b"USER", b"SASL LOGIN XOAUTH2 OAUTHBEARER"])]
        for mechanisms, lines in rows:
            with self.subTest(mechanisms=mechanisms):
                session = self.offered(mechanisms)
                self.assertEqual([line for line in session.capa() if line.startswith((b"USER", b"SASL"))], lines)
                names = [name for name in ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "EXTERNAL")
                         if name.encode() in b" ".join(lines).split()]
                self.assertEqual(session.lines("AUTH"), [name.encode() for name in names])

    def test_passwords_are_refused_where_they_are_not_offered(self):
        session = self.offered("xoauth2")
        self.assert_code(session.err("USER jane"))
        self.assert_code(session.err("AUTH PLAIN " + b64(b"\0jane\0secret").decode()))


class Octets(SaslCase):
    """Every octet at the first, a middle and the last place: one command that reads back as the same octets, or none."""

    def places(self, octet):
        one = bytes([octet])
        return one + b"ab", b"a" + one + b"b", b"ab" + one

    def assert_round_trip(self, mechanism, user, secret, shown_as, allowed):
        self.server.forget()
        session = self.connect()
        reply = self.authenticate(mechanism, message(mechanism, user, secret), session)
        if reply.startswith(b"+OK"):
            session.quit()  # the next one may come to another worker, and finds the maildrop free then
        session.close()
        logins = [name for name in self.server.names() if name in ("AUTHENTICATE", "LOGIN")]
        if allowed:
            self.assertTrue(reply.startswith(b"+OK"), (user, secret, reply))
            self.assertEqual(self.server.shown, [(shown_as, user, None, secret)])
            self.assertEqual(len(logins), 1)
        else:
            self.assert_code(reply)
            self.assertEqual((self.server.shown, logins), ([], []), (user, secret))
        known = {"CAPABILITY", "AUTHENTICATE", "LOGIN", "SELECT", "UID FETCH", "LOGOUT", "UID SEARCH"}
        self.assertLessEqual(set(self.server.names()), known)

    def run_all(self, mechanism, shown_as):
        bearer = mechanism != "PLAIN"
        self.server.token = None
        for octet in range(256):
            for text in self.places(octet):
                if bearer:
                    allowed = 0x21 <= octet <= 0x7e
                else:
                    allowed = octet not in b"\0\r\n"
                self.server.password = text.decode(errors="surrogateescape")
                self.assert_round_trip(mechanism, b"jane", text, shown_as, allowed)
                # no octet above 0x7F is a character of UTF-8 by itself
                self.server.password = "secret"
                self.assert_round_trip(mechanism, text, b"secret", shown_as, 0x20 <= octet <= 0x7e)
        self.assert_round_trip(mechanism, "jürgen€𝄞".encode(), b"secret", shown_as, True)

    def test_plain(self):
        self.run_all("PLAIN", "PLAIN")

    def test_login(self):
        self.server.capability = ["IMAP4rev1", "UIDPLUS"]
        self.run_all("PLAIN", "LOGIN")

    def test_xoauth2(self):
        self.run_all("XOAUTH2", "XOAUTH2")

    def test_oauthbearer(self):
        self.run_all("OAUTHBEARER", "OAUTHBEARER")


class Names(Case):
    def test_names_that_are_not_allowed_look_like_wrong_passwords(self):
        server = self.scripted(MESSAGES, capability=TOKENS)
        gate = self.gateway({"port": server.port, "auth_mechanisms": EVERY}, user_characters="a-z 0-9 . _ @ -",
                            user_max_length=20, max_auth_failures=100)
        wrong = gate.connect()
        wrong.ok("USER jane")
        expected = wrong.command("PASS wrong")
        self.assertTrue(expected.startswith(b"-ERR [AUTH]"))
        server.forget()
        for name in ("Jane", "jane doe", "jürgen", "j" * 21, "root;id", "jane*boss", "a'b", "%00"):
            with self.subTest(name=name):
                self.assertTrue(wrong.ok(f"USER {name}").startswith(b"+OK"))
                self.assertEqual(wrong.command("PASS secret"), expected)
                self.assertEqual(wrong.command(b"AUTH PLAIN " + b64(b"\0" + name.encode() + b"\0secret")), expected)
                reply = wrong.command(b"AUTH XOAUTH2 " + b64(message("XOAUTH2", name.encode(), b"token")))
                self.assertEqual(reply, b"+ " + b64(FAILURES["XOAUTH2"]))
                self.assertEqual(wrong.command(""), expected)
        self.assertEqual(server.accepted, 1)
        wrong.login("jane.doe@x-1_2")
        self.assertRegex(gate.log(), r"login failed .*user=Jane .*this user name is not allowed here")


class Masters(Case):
    def start(self, **upstream):
        server = self.scripted(MESSAGES, users={"boss": "key", "jane": "secret"})
        gate = self.gateway({"port": server.port, **upstream})
        return server, gate

    def test_off_by_default(self):
        server, gate = self.start()
        session = gate.connect()
        self.assert_code(session.err(b"AUTH PLAIN " + b64(b"jane\0boss\0key")))
        self.assertEqual(server.accepted, 0)
        session.ok("USER jane*boss")
        self.assert_code(session.err("PASS key"), "AUTH")
        self.assertEqual(server.shown, [("PLAIN", b"jane*boss", None, b"key")])
        session.close()

    def test_both_ways_to_name_a_user(self):
        server, gate = self.start(master_separator='"*"')
        for line in (b"AUTH PLAIN " + b64(b"jane\0boss\0key"), b"AUTH PLAIN " + b64(b"\0jane*boss\0key"), b"PASS key"):
            with self.subTest(line=line):
                server.forget()
                session = gate.connect()
                if line.startswith(b"PASS"):
                    session.ok("USER jane*boss")
                session.ok(line)
                self.assertEqual(server.shown, [("PLAIN", b"jane", b"boss", b"key")])
                # the maildrop is the user's, also for others
                other = gate.connect()
                other.ok("USER jane")
                self.assert_code(other.command("PASS secret"), "IN-USE")
                other.close()
                server.drop_connections()
                self.assertEqual(session.retr(1), MESSAGES[0])
                session.quit()
        self.assertRegex(gate.log(), r"logged in for another user.* user=jane master=boss by=password")
        # a wrong password of the master is a wrong password
        session = gate.connect()
        session.ok("USER jane*boss")
        self.assert_code(session.command("PASS secret"), "AUTH")
        session.close()

    def test_upstream_must_have_plain(self):
        server, gate = self.start(master_separator='"*"')
        server.capability = ["IMAP4rev1", "UIDPLUS"]
        session = gate.connect()
        session.ok("USER jane*boss")
        self.assert_code(session.command("PASS key"), "SYS/PERM")
        self.assertEqual(server.shown, [])
        session.close()


class Certificates(Case):
    @classmethod
    def setUpClass(cls):
        folder = workspace.folder("master")
        cls.password = os.path.join(folder, "password")
        with open(cls.password, "w") as out:
            out.write("key\n")
        os.chmod(cls.password, 0o600)
        cls.clients = certificates.Authority("clients")

    def start(self, kind="pop3s", mode="require", users=None, **listener):
        server = self.scripted(MESSAGES, users=users or {"boss": "key"})
        gate = self.gateway({"port": server.port, "auth_mechanisms": "plain, external", "master_user": "boss",
                             "master_password_file": self.password})
        self.address = (ports.HOST, ports.free_port())
        ours = certificates.good()
        gate.more_listeners.append((kind, {
            "address": "%s:%d" % self.address, "certificate": ours.cert, "key": ours.key, "client_ca": self.clients.cert,
            "client_certificate": mode, **listener}))
        gate.reload()
        return server, gate

    def context(self, certificate=None):
        context = tls_context(certificates.good().ca)
        if certificate:
            context.load_cert_chain(certificate.cert, certificate.key)
        return context

    def connect(self, certificate=None):
        session = Pop3(self.address, tls=self.context(certificate))
        self.addCleanup(session.close)
        return session

    def person(self, names="email:jane@example.org", common_name="jane", **options):
        return self.clients.issue(common_name, names, **{"usage": "clientAuth", **options})

    def test_external(self):
        server, gate = self.start()
        for line in ("AUTH EXTERNAL =", "AUTH EXTERNAL " + b64(b"jane@example.org").decode()):
            session = self.connect(self.person())
            self.assertIn(b"SASL PLAIN EXTERNAL", session.capa())
            session.ok(line)
            self.assertEqual(session.retr(1), MESSAGES[0])
            session.quit()
        session = self.connect(self.person())
        self.assertEqual(session.command("AUTH EXTERNAL"), b"+ ")
        session.ok("")
        session.quit()
        self.assertEqual(server.shown, [("PLAIN", b"jane@example.org", b"boss", b"key")] * 3)
        self.assertRegex(gate.log(), r"logged in for another user.* user=jane@example.org master=boss "
                                     r'by="client certificate"')
        self.assertNotIn("SASL PLAIN EXTERNAL", gate.connect().capa())

    def test_a_certificate_is_for_its_user_alone(self):
        server, _ = self.start()
        session = self.connect(self.person())
        for other in (b"root", b"jane@example.or", b"jane@example.org\0", b"JANE@example.org"):
            with self.subTest(other=other):
                session = self.connect(self.person())
                self.assert_code(session.err(b"AUTH EXTERNAL " + b64(other)))
        self.assertEqual(server.shown, [])

    def test_what_names_nobody_is_no_user(self):
        self.start()
        for names in ("email:a@example.org,email:b@example.org", "DNS:localhost", None):
            with self.subTest(names=names):
                session = self.connect(self.person(names))
                self.assertIn(b"SASL PLAIN", session.capa())
                self.assert_code(session.err("AUTH EXTERNAL ="))

    def test_common_name(self):
        server, _ = self.start(client_certificate_user="common-name")
        session = self.connect(self.person(names=None, common_name="jane"))
        session.ok("AUTH EXTERNAL =")
        self.assertEqual(server.shown, [("PLAIN", b"jane", b"boss", b"key")])
        session.quit()

    def test_who_is_not_let_in(self):
        server, _ = self.start()
        stranger = certificates.Authority("stranger of clients").issue("jane", "email:jane@example.org",
                                                                       usage="clientAuth")
        rows = {"none": None, "stranger": stranger, "expired": self.person(dates=certificates.EXPIRED),
                "not yet": self.person(dates=certificates.NOT_YET), "a server's": self.person(usage="serverAuth")}
        for label, certificate in rows.items():
            with self.subTest(label), self.assertRaises((ssl.SSLError, ConnectionError, AssertionError)):
                session = self.connect(certificate)
                self.assertTrue(session.greeting)
        self.assertEqual(server.accepted, 0)
        self.connect(self.person()).quit()

    def test_request_lets_others_use_passwords(self):
        server, _ = self.start(mode="request", users={"boss": "key", "jane": "secret"})
        session = self.connect()
        self.assertIn(b"SASL PLAIN", session.capa())
        self.assert_code(session.err("AUTH EXTERNAL ="))
        session.auth_plain("jane")
        session.quit()
        session = self.connect(self.person())
        session.ok("AUTH EXTERNAL =")
        session.quit()
        self.assertEqual(server.shown, [("PLAIN", b"jane", None, b"secret"), ("PLAIN", b"jane@example.org", b"boss", b"key")])

    def test_stls(self):
        server, _ = self.start(kind="pop3", mode="request")
        session = Pop3(self.address)
        self.addCleanup(session.close)
        self.assert_code(session.err("AUTH EXTERNAL ="))
        session.stls(self.context(self.person()))
        session.ok("AUTH EXTERNAL =")
        session.quit()
        self.assertEqual(server.shown, [("PLAIN", b"jane@example.org", b"boss", b"key")])

    def test_a_master_that_is_refused_is_no_fault_of_the_client(self):
        server, _ = self.start(users={"boss": "another key"})
        self.assert_code(self.connect(self.person()).err("AUTH EXTERNAL ="), "SYS/PERM")
        self.assertEqual(len(server.shown), 1)
