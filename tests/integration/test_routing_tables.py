"""Where a user goes, by what others say: tables, and services that speak nginx's auth_http."""
import contextlib
import os
import select
import sqlite3
import time
import unittest.mock

from harness import auth_http, certificates, workspace
from harness.auth_http import reply
from harness.popgate import run
from harness.vitals import wait_until
from test_routing import NEW_MAIL, OLD_MAIL, RoutingCase
import test_routing

CONNECTIONS_MAX = 64  # to services, at a time


def setUpModule():
    test_routing.setUpModule()


def tearDownModule():
    test_routing.tearDownModule()


class Tables(RoutingCase):
    def setUp(self):
        self.table = os.path.join(workspace.folder("table"), "users")

    def build(self, text):
        with open(self.table, "w", encoding="utf-8") as out:
            out.write(text)
        return run("table", "build", self.table)

    def test_users_and_domains_names_and_mailboxes(self):
        old = test_routing.OLD
        built = self.build("tab1 old\ntab2@example.org new tab2\n@example.org old - Lists\ntab3 old,new\ntab6 - tab4\n")
        self.assertEqual((built.returncode, built.stdout), (0, "5 users\n"))
        self.at_both("tab1", "tab2", "tab3", "tab4")
        with old.imap("tab5@example.org") as mailbox:
            mailbox.create("Lists")
        gate = self.routed(("table", {"table": self.table, "upstream": "old"}), ("rest", {"upstream": "new"}))
        self.assertEqual(self.mail_of(gate, "tab1"), OLD_MAIL)
        self.assertEqual(self.mail_of(gate, "tab6"), OLD_MAIL)
        self.assertEqual(self.mail_of(gate, "TAB2@example.org"), NEW_MAIL)
        self.assertEqual(self.mail_of(gate, "tab3"), OLD_MAIL)
        self.assertEqual(self.mail_of(gate, "tab4"), NEW_MAIL)  # in no table
        with gate.login("tab5@example.org") as session:
            self.assertEqual(session.stat()[0], 0)
            session.quit()

    def test_a_new_index_counts_at_the_next_login(self):
        self.at_both("turn1")
        self.build("turn1 old\n")
        gate = self.routed(("table", {"table": self.table, "upstream": "new"}), ("rest", {"upstream": "new"}))
        self.assertEqual(self.mail_of(gate, "turn1"), OLD_MAIL)
        self.build("turn1 new\n")
        self.assertEqual(self.mail_of(gate, "turn1"), NEW_MAIL)
        failed = self.build("turn1 old\nturn1 new\n")
        self.assertEqual(failed.returncode, 65)
        self.assertIn("line 2: the user has a line already", failed.stderr)
        self.assertEqual(self.mail_of(gate, "turn1"), NEW_MAIL)
        self.build("")
        self.assertEqual(self.mail_of(gate, "turn1"), NEW_MAIL)

    def test_what_is_wrong_with_a_table(self):
        self.build("wrong1 nowhere\nwrong2 -\n")
        gate = self.routed(("table", {"table": self.table}), ("rest", {"upstream": "new"}))
        self.assert_code(self.refusal(gate, "wrong1"), "SYS/PERM")
        gate.wait_log("names the upstream nowhere, which there is not")
        self.assert_code(self.refusal(gate, "wrong2"), "SYS/PERM")
        with open(self.table + ".db", "wb") as out:
            out.write(b"no database")
        self.assert_code(self.refusal(gate, "anybody"), "SYS/TEMP")
        self.build("wrong1 new\n")
        gate.login("wrong1").quit()
        os.unlink(self.table + ".db")
        self.assert_code(self.refusal(gate, "wrong1"), "SYS/TEMP")
        checked = run("check-config", "--config", gate.config)
        self.assertIn("has no index", checked.stderr + checked.stdout)

    def test_wrong_words_are_told_with_what_to_do(self):
        for words, message in (((), "expected build"), (("make", "f"), "expected build"), (("build",), "FILE"),
                               (("build", "f", "g"), "too many arguments"), (("build", "--force"), "no options")):
            with self.subTest(words=words):
                done = run("table", *words)
                self.assertEqual((done.returncode, done.stdout), (64, ""))
                self.assertIn(message, done.stderr)
                self.assertIn('Try "popgate table --help".', done.stderr)
        for words in (("--help",), ("build", "--help"), ("build", "-h")):
            with self.subTest(words=words):
                done = run("table", *words)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("usage: popgate table build FILE", done.stdout)


class HttpCase(RoutingCase):
    def service(self, answer, **options):
        started = auth_http.Service(answer, **options)
        self.addCleanup(started.stop)
        return started

    def asking(self, service, upstream=None, **route):
        return self.routed(("web", {"auth_http": service.url, "upstream": "new, old", **route}),
                           upstream={"host": "127.0.0.1", **(upstream or {})}, workers=0)


class Http(HttpCase):
    def test_what_is_asked(self):
        service = self.service(lambda fields: reply("OK"))
        gate = self.asking(service, auth_http_header="X-Key: very secret")
        self.assert_code(self.refusal(gate, "who%x@example.org", "wrong one"), "AUTH")
        line, fields = service.requests[0]
        self.assertEqual(line, "GET /auth?x=1 HTTP/1.1")
        wanted = {"auth-method": "plain", "auth-user": "who%25x@example.org", "auth-pass": "wrong%20one", "auth-protocol": "imap",
                  "auth-login-attempt": "1", "client-ip": "127.0.0.1", "x-key": "very secret"}
        self.assertEqual({name: fields.get(name) for name in wanted}, wanted)
        self.assertNotIn("wrong%20one", gate.log())
        self.assertNotIn("very secret", gate.log())

    def test_it_chooses_an_upstream_by_address_and_the_name_there(self):
        old = test_routing.OLD
        self.at_both("web1")
        service = self.service(lambda fields: reply("OK", Auth_Server="127.0.0.1", Auth_Port=old.imap_port, Auth_User="web1"))
        gate = self.gateway({"label": "new", "port": test_routing.NEW.imap_port, "host": "127.0.0.1"}, blocks=[
            ("upstream old", {"host": "127.0.0.1", "port": old.imap_port}),
            ("route web", {"auth_http": service.url, "upstream": "new, old"})])
        self.assertEqual(self.mail_of(gate, "somebody"), OLD_MAIL)

    def test_it_chooses_an_address_among_those_allowed(self):
        self.at_both("web2")
        service = self.service(lambda fields: reply("OK", Auth_Server="127.0.0.1"))
        gate = self.asking(service, upstream={"host": "localhost"}, auth_http_servers="127.0.0.1/32")
        self.assertEqual(self.mail_of(gate, "web2"), NEW_MAIL)
        gate.wait_log("reason=quit")

    def test_what_is_remembered_counts_at_whichever_server_of_the_farm_it_chooses(self):
        def uidls(gate, user):
            with gate.login_when_free(user) as session:
                seen = session.uidl()
                session.quit()
            return seen

        chosen = [{}, {"Auth_Server": "127.0.0.1"}]
        service = self.service(lambda fields: reply("OK", **chosen[-1]))
        gate = self.asking(service, upstream={"host": "localhost"}, auth_http_servers="127.0.0.1/32", auth_http_cache="0s")
        for user in ("farm1", "farm2"):
            test_routing.NEW.fill(user, [b"Message-ID: <1@x>\r\n\r\nof the farm\r\n"])
        path = os.path.join(workspace.folder("farm"), "uidls.csv")
        with open(path, "w", encoding="utf-8") as out:
            out.write("user,uidl,message-id\nfarm1,imported,<1@x>\n")
        users = os.path.join(os.path.dirname(path), "users")
        with open(users, "w", encoding="utf-8") as out:
            out.write("farm1 secret\n")
        done = run("uidl", "import", "--config", gate.config, "--file", path, "--users", users)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(uidls(gate, "farm1"), {1: b"imported"})
        elsewhere = uidls(gate, "farm2")
        chosen.pop()
        self.assertEqual(uidls(gate, "farm1"), {1: b"imported"})
        self.assertEqual(uidls(gate, "farm2"), elsewhere)
        gate.wait_log("user=farm2 server=127.0.0.1 upstream=new")
        with contextlib.closing(sqlite3.connect(os.path.join(gate.state_directory, "state.db"))) as ledger:
            self.assertEqual(ledger.execute("SELECT user, upstream FROM maildrop WHERE upstream <> 'file' ORDER BY user").fetchall(),
                             [("farm1", "new"), ("farm2", "new")])

    def test_it_cannot_choose_anything_else(self):
        trap = self.scripted()
        answers = [reply("OK", Auth_Server="127.0.0.1", Auth_Port=trap.port), reply("OK", Auth_Server="169.254.169.254"),
                   reply("OK", Auth_Server="::1")]
        service = self.service(lambda fields: answers.pop())
        gate = self.asking(service, auth_http_servers="127.0.0.2/32")
        for user in ("a", "b", "c"):
            self.assert_code(self.refusal(gate, user), "SYS/PERM")
        self.assertEqual(answers, [])
        self.assertEqual(trap.accepted, 0)
        self.assertRegex(gate.log(), r"warning login refused .*auth_http chose ::1 port \d+: make it the host of an upstream of the "
                         "route web, or name it in its auth_http_servers")

    def test_what_it_rejects_reaches_no_server(self):
        trap = self.scripted()
        service = self.service(lambda fields: reply("Invalid login or password", Auth_Wait=1))
        gate = self.asking(service, upstream={"port": trap.port})
        began = time.monotonic()
        self.assert_code(self.refusal(gate, "rejected"), "AUTH")
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual(trap.accepted, 0)
        gate.wait_log("auth_http says: Invalid login or password")

    def test_no_answer_and_nonsense(self):
        answers = {"silent": None, "empty": b"", "nonsense": b"nonsense\r\n\r\n", "cut": b"HTTP/1.0 200 OK\r\nAuth-Sta",
                   "error": b"HTTP/1.0 500 No\r\n\r\n", "name": reply("OK", Auth_Server="localhost"),
                   "large": b"HTTP/1.0 200 OK\r\n" + b"X: %s\r\n" % (b"x" * 60000) * 3 + b"\r\n",
                   "body": reply("OK", body=b"x" * 200000), "twice": reply("OK", Auth_status="OK")}
        service = self.service(lambda fields: answers[fields["auth-user"]])
        gate = self.asking(service, auth_http_timeout="300ms")
        for user in answers:
            with self.subTest(answer=user):
                self.assert_code(self.refusal(gate, user), "SYS/TEMP")
        service.stop()
        self.assert_code(self.refusal(gate, "gone"), "SYS/TEMP")

    def test_a_yes_is_remembered(self):
        for keep, asked in (("1m", 1), ("0s", 2)):
            service = self.service(lambda fields: reply("OK"))
            gate = self.asking(service, auth_http_cache=keep)
            user = f"kept{asked}"
            test_routing.NEW.fill(user, [NEW_MAIL])
            self.assertEqual(self.mail_of(gate, user), NEW_MAIL)
            self.assertEqual(self.mail_of(gate, user), NEW_MAIL)
            self.assertEqual(len(service.requests), asked)
            self.assert_code(self.refusal(gate, user, "wrong"), "AUTH")  # another password is another question
            self.assertEqual(len(service.requests), asked + 1)
            gate.login(f"not{user}").quit()  # and so is another user
            self.assertEqual(len(service.requests), asked + 2)

    def test_a_yes_is_for_one_address(self):
        service = self.service(lambda fields: reply("OK" if fields["client-ip"] == "127.0.0.1" else "not from there"))
        gate = self.asking(service, auth_http_cache="1m")
        gate.login("local").quit()
        with gate.connect(source="127.0.0.2") as session:
            session.ok("USER local")
            self.assert_code(session.command("PASS secret"), "AUTH")

    def test_the_certificate_of_the_service_is_verified(self):
        certificate = certificates.good()
        service = self.service(lambda fields: reply("OK"), certificate=certificate)
        gate = self.asking(service, auth_http_ca_file=certificate.ca)
        gate.login("https1").quit()
        self.assert_code(self.refusal(self.asking(service), "https2"), "SYS/TEMP")
        self.assertEqual(len(service.requests), 1)

    def test_connections_are_kept(self):
        service = self.service(lambda fields: reply("OK", version="HTTP/1.1 200 OK", Content_Length=0), keep=True)
        gate = self.asking(service, auth_http_cache="0s")
        for user in ("keep1", "keep2", "keep3"):
            gate.login(user).quit()
        self.assertEqual((len(service.requests), service.connections), (3, 1))

    def test_many_at_a_time_and_clients_that_go_away(self):
        service = self.service(lambda fields: None if fields["auth-user"].startswith("hang") else reply("OK"))
        gate = self.asking(service)
        sessions = [gate.connect() for _ in range(4)]
        for i, session in enumerate(sessions):
            session.ok(f"USER hang{i}")
            session.send(b"PASS secret\r\n")
        gate.login("lively").quit()
        for session in sessions:
            session.close()
        gate.stop()  # cuts those that still wait

    def test_who_waits_for_a_connection_to_it_does_not_wait_for_longer(self):
        service = self.service(lambda fields: None)
        long = {"auth_http": service.url, "upstream": "new", "auth_http_timeout": "2m"}
        gate = self.routed(("long", {**long, "users": "@long.example"}),
                           ("short", {**long, "users": "@short.example", "auth_http_timeout": "1s"}), workers=0)
        waiting = []
        for number in range(CONNECTIONS_MAX):
            session = gate.connect(source=f"127.0.8.{number // 4 + 1}")
            self.addCleanup(session.close)
            session.ok(f"USER {number}@long.example")
            session.send(b"PASS secret\r\n")
            waiting.append(session)
        wait_until(lambda: len(service.requests) == CONNECTIONS_MAX, "requests of all")
        self.assert_code(self.refusal(gate, "one@short.example"), "SYS/TEMP")
        self.assertEqual(select.select([session.sock for session in waiting], [], [], 0)[0], [])

    def test_without_libcurl_the_configuration_is_at_fault(self):
        service = self.service(lambda fields: reply("OK"))
        gate = self.asking(service)
        folder = workspace.folder("no-libcurl")
        for name in ("libcurl.so.4", "libcurl-gnutls.so.4"):  # what it is called depends on the system
            with open(os.path.join(folder, name), "w", encoding="ascii") as out:
                out.write("no library")
        with unittest.mock.patch.dict(os.environ, LD_LIBRARY_PATH=folder):
            checked = run("check-config", "--config", gate.config)
        self.assertEqual(checked.returncode, 78)
        self.assertIn("auth_http: libcurl cannot be used: ", checked.stderr + checked.stdout)
        self.assertEqual(run("check-config", "--config", gate.config).returncode, 0)

    def test_guesses_at_the_service_are_failed_logins(self):
        service = self.service(lambda fields: reply("no"))
        gate = self.routed(("web", {"auth_http": service.url, "upstream": "new"}), workers=0,
                           max_failed_logins_per_user=2)
        for i in range(2):
            self.assert_code(self.refusal(gate, "guessed", f"wrong {i}"), "AUTH")
        self.assert_code(self.refusal(gate, "guessed", "wrong 3"), "AUTH")
        self.assertEqual(len(service.requests), 2)
