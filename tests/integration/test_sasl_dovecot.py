"""Tokens and masters on a real server: rules 26, 27 and 34 on a Dovecot that asks about tokens and has a master user."""
import base64

from harness import certificates, clients, corpus, servers
from harness.cases import Case
from harness.oauth import TOKEN_OF
from harness.popgate import Popgate

SERVER = None
GATE = None
MESSAGE = corpus.message("one", b"text\r\n")


def setUpModule():
    global SERVER, GATE
    SERVER = servers.dovecot_with_tokens()
    GATE = Popgate({"port": SERVER.imap_port, "auth_mechanisms": "plain, login, xoauth2, oauthbearer",
                    "master_separator": '"*"'})


def tearDownModule():
    GATE.stop()


def shown(mechanism, user, token):
    text = {"XOAUTH2": f"user={user}\1auth=Bearer {token}\1\1", "OAUTHBEARER": f"n,a={user},\1auth=Bearer {token}\1\1"}
    return base64.b64encode(text[mechanism].encode()).decode()


class Tokens(Case):
    def setUp(self):
        self.user = SERVER.user("token")
        with SERVER.imap(self.user) as mailbox:
            mailbox.append([MESSAGE])

    def tearDown(self):
        SERVER.introspection.broken = False
        GATE.assert_alive()

    def connect(self):
        session = GATE.connect()
        self.addCleanup(session.close)
        return session

    def test_rule_26_good_tokens(self):
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            for token in (TOKEN_OF + self.user, TOKEN_OF + self.user + "." + "x" * 4000):
                with self.subTest(mechanism=mechanism, octets=len(token)):
                    session = self.connect()
                    session.ok(f"AUTH {mechanism} " + shown(mechanism, self.user, token))
                    self.assertEqual(session.retr(1), MESSAGE)
                    session.quit()

    def test_rule_27_bad_tokens(self):
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            for token in ("nonsense", TOKEN_OF + "somebody-else"):
                with self.subTest(mechanism=mechanism, token=token):
                    session = self.connect()
                    reply = session.command(f"AUTH {mechanism} " + shown(mechanism, self.user, token))
                    self.assertTrue(reply.startswith(b"+ "), reply)
                    self.assert_code(session.command("" if mechanism == "XOAUTH2" else "AQ=="), "AUTH")
                    session.ok(f"AUTH {mechanism} " + shown(mechanism, self.user, TOKEN_OF + self.user))
                    session.quit()

    def test_rule_27_nobody_can_judge_the_token(self):
        SERVER.introspection.broken = True
        reply = self.connect().command("AUTH XOAUTH2 " + shown("XOAUTH2", self.user, TOKEN_OF + self.user))
        self.assert_code(reply, "SYS/TEMP")

    def test_curl(self):
        ca = certificates.good().ca
        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            with self.subTest(mechanism=mechanism):
                got, _ = clients.curl_token(GATE.pop3s, self.user, TOKEN_OF + self.user, mechanism, ca)
                self.assertEqual(got, MESSAGE)
                got, status = clients.curl_token(GATE.pop3s, self.user, "nonsense", mechanism, ca)
                self.assertIsNone(got)
                self.assertIn(status, (67, 94))  # login denied; authentication failed


class Masters(Case):
    def test_a_master_reads_the_users_mail(self):
        user = SERVER.user("mastered")
        SERVER.fill(user, [MESSAGE])
        own = GATE.login(user)
        uids = own.uidl()
        own.quit()
        for line in (f"USER {user}*boss", "AUTH PLAIN " + base64.b64encode(f"{user}\0boss\0key".encode()).decode()):
            with self.subTest(line=line):
                session = GATE.connect()
                session.ok(line)
                if line.startswith("USER"):
                    session.ok("PASS key")
                self.assertEqual(session.uidl(), uids)
                self.assertEqual(session.retr(1), MESSAGE)
                session.quit()

    def test_who_is_no_master(self):
        user = SERVER.user("mastered")
        for master, password in (("boss", "secret"), ("jane", "secret"), ("jane", "key")):
            with self.subTest(master=master, password=password):
                session = GATE.connect()
                session.ok(f"USER {user}*{master}")
                self.assert_code(session.command(f"PASS {password}"), "AUTH")
                session.close()
