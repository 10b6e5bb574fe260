"""Services that speak nginx's auth_http: nginx itself as one, and nginx's mail proxy as the measure of what is asked and of
what becomes of the answers; whose failure a rejected login is; a state store that others have locked."""
import contextlib
import os
import socket
import sqlite3
import time

from harness import certificates, ports, scripted_pop3
from harness.auth_http import reply
from harness.nginx import MailProxy, Service
from harness.pop3 import Pop3, tls_context
from test_routing import NEW_MAIL, OLD_MAIL, RoutingCase
from test_routing_tables import HttpCase
import test_routing


def setUpModule():
    test_routing.setUpModule()


def tearDownModule():
    test_routing.tearDownModule()


class NginxAnswers(HttpCase):
    """The service is nginx."""

    def answering(self, answers, **options):
        started = Service(answers, **options)
        self.addCleanup(started.stop)
        return started

    def test_what_it_says_is_done(self):
        old = test_routing.OLD
        self.at_both("ngx1", "ngx2", "ngx3")
        there = {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": old.imap_port}
        service = self.answering({
            "ngx1": there, "ngx2": {"Auth-Status": "OK"}, "with%20blank%25": {**there, "Auth-User": "ngx3"},
            "no": {"Auth-Status": "Invalid login or password", "Auth-Wait": 1}})
        gate = self.gateway({"label": "new", "port": test_routing.NEW.imap_port, "host": "127.0.0.1"}, workers=0, blocks=[
            ("upstream old", {"host": "127.0.0.1", "port": old.imap_port}),
            ("route web", {"auth_http": service.url, "upstream": "new, old"})])
        self.assertEqual(self.mail_of(gate, "ngx1"), OLD_MAIL)
        self.assertEqual(self.mail_of(gate, "ngx2"), NEW_MAIL)
        self.assertEqual(self.mail_of(gate, "with blank%"), OLD_MAIL)
        began = time.monotonic()
        self.assert_code(self.refusal(gate, "no"), "AUTH")
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assert_code(self.refusal(gate, "somebody else"), "AUTH")
        gate.wait_log("auth_http says: Unknown user")
        self.assertEqual([(status, user) for _, status, user in service.asked()],
                         [("200", user) for user in ("ngx1", "ngx2", "with%20blank%25", "no", "somebody%20else")])

    def test_a_service_that_fails_or_is_slow(self):
        silent = socket.create_server((ports.HOST, 0))
        self.addCleanup(silent.close)
        service = self.answering({"broken": "/broken", "slow": "/slow", "impatient": "/impatient", "fine": {"Auth-Status": "OK"}},
                                 slow=silent.getsockname()[1])
        gate = self.asking(service, auth_http_timeout="1s")
        waiting = gate.connect()
        waiting.ok("USER slow")
        waiting.send(b"PASS secret\r\n")
        for user, status in (("broken", "500"), ("impatient", "504")):
            self.assert_code(self.refusal(gate, user), "SYS/TEMP")
            self.assertEqual(service.asked()[-1][1:], (status, user))
        gate.login("fine").quit()
        self.assert_code(waiting.status(), "SYS/TEMP")
        waiting.close()
        service.stop()
        self.assert_code(self.refusal(gate, "other"), "SYS/TEMP")

    def test_connections_are_kept_with_tls(self):
        users = ["tls1", "tls2", "tls3"]
        certificate = certificates.good()
        service = self.answering({user: {"Auth-Status": "OK"} for user in users}, certificate=certificate)
        gate = self.asking(service, auth_http_ca_file=certificate.ca)
        for user in users:
            gate.login(user).quit()
        asked = service.asked()
        self.assertEqual([user for _, _, user in asked], users)
        self.assertEqual(len({connection for connection, _, _ in asked}), 1)

    def test_a_certificate_of_another_authority(self):
        stranger = certificates.bad()["unknown authority"]
        service = self.answering({"tls4": {"Auth-Status": "OK"}}, certificate=stranger)
        gate = self.asking(service, auth_http_ca_file=certificates.authority().cert)
        self.assert_code(self.refusal(gate, "tls4"), "SYS/TEMP")
        self.assertEqual(service.asked(), [])


class AsNginxDoes(HttpCase):
    """The same clients through nginx's mail proxy and through popgate, before one POP3 server and one service."""

    def both(self, answer):
        """Names and addresses of the two, the service, and the server."""
        service = self.service(answer)
        server = scripted_pop3.Server()
        self.addCleanup(self._stop_scripted, server)
        self.server_port = server.port
        nginx = MailProxy(service.url, certificates.good(), '"X-Key: very secret"'.replace(": ", '" "'))
        self.addCleanup(nginx.stop)
        gate = self.gateway({"label": "old", "protocol": "pop3", "host": "127.0.0.1", "port": server.port}, workers=0, blocks=[
            ("route web", {"auth_http": service.url, "upstream": "old", "auth_http_header": "X-Key: very secret"})])
        return {"nginx": nginx.address, "popgate": gate.pop3}, service, server

    def assert_asked_alike(self, service, doors, talk):
        """TALK, with a session through each of DOORS, makes both ask the same; returns what."""
        asked = {}
        for name, address in doors.items():
            with Pop3(address) as session:
                talk(session)
            asked[name] = [{field: value for field, value in fields.items() if field not in ("host", "accept")}
                           for _, fields in service.requests]
            service.requests.clear()
        self.assertEqual(asked["popgate"], asked["nginx"])
        return asked["nginx"]

    @staticmethod
    def tries(*passwords, user=b"jane"):
        def talk(session):
            for password in passwords:
                session.ok(b"USER " + user)
                session.err(b"PASS " + password)
        return talk

    def test_questions(self):
        doors, service, _ = self.both(lambda fields: reply("no", Auth_Wait=1))
        asked = self.assert_asked_alike(service, doors, self.tries(
            b"plain", b"two  words ", b"a%b%20c\t\x01\x1f+&=\"\\~"))
        self.assertEqual([fields["auth-login-attempt"] for fields in asked], list("123"))
        self.assertEqual(asked[2]["auth-pass"], "a%25b%2520c%09%01%1F+&=\"\\~")
        self.assertEqual(asked[0]["x-key"], "very secret")
        self.assert_asked_alike(service, doors, self.tries(
            "pässwörd".encode(), b"\xff\x80", user="jürgen 50%@example.org".encode()))

    def test_questions_of_other_mechanisms(self):
        doors, service, _ = self.both(lambda fields: reply("no", Auth_Wait=1))

        def talk(session):
            session.err(b"AUTH PLAIN AGphbmUAYSBi")
            session.command(b"AUTH LOGIN")
            session.command(b"amFuZQ==")
            session.err(b"YSBi")
        asked = self.assert_asked_alike(service, doors, talk)
        self.assertEqual([(fields["auth-method"], fields["auth-pass"]) for fields in asked], [("plain", "a%20b")] * 2)

    def test_questions_over_tls(self):
        doors, service, _ = self.both(lambda fields: reply("no", Auth_Wait=1))

        def talk(session):
            session.stls(tls_context(certificates.good().ca))
            self.tries(b"x")(session)
        asked = self.assert_asked_alike(service, doors, talk)
        self.assertEqual((asked[0]["auth-ssl"], asked[0]["auth-ssl-protocol"]), ("on", "TLSv1.3"))

    def test_a_service_that_says_wait_is_asked_again(self):
        doors, service, _ = self.both(
            lambda fields: reply("WAIT", Auth_Wait=1) if len(service.requests) % 2 else reply("no", Auth_Wait=1))
        asked = self.assert_asked_alike(service, doors, self.tries(b"one", b"two"))
        self.assertEqual([(fields["auth-pass"], fields["auth-login-attempt"]) for fields in asked],
                         [("one", "1"), ("one", "1"), ("two", "2"), ("two", "2")])

    def test_what_the_server_is_told(self):
        """Auth-User and Auth-Pass are meant as they are, percent signs and all."""
        doors, _, server = self.both(lambda fields: reply(
            "OK", Auth_Server="127.0.0.1", Auth_Port=self.server_port, Auth_User="other one", Auth_Pass="an other%20one"))
        server.users = {"other one": "an other%20one"}
        for address in doors.values():
            with Pop3(address) as session:
                session.login("jane", "hers")
                session.stat()
                session.quit()
        self.assertEqual(server.logins, ["other one"] * 2)

    def test_an_empty_field_is_sent(self):
        service = self.service(lambda fields: reply("no"))
        gate = self.asking(service, auth_http_header="X-Empty:")
        self.assert_code(self.refusal(gate, "jane"), "AUTH")
        self.assertEqual(service.requests[0][1]["x-empty"], "")

    def test_wait_but_for_how_long(self):
        service = self.service(lambda fields: reply("WAIT"))
        gate = self.asking(service)
        self.assert_code(self.refusal(gate, "never"), "SYS/TEMP")
        gate.wait_log("WAIT without Auth-Wait")
        waits = [30, 1]  # a second, and then more than is left
        service = self.service(lambda fields: reply("WAIT", Auth_Wait=waits.pop()))
        gate = self.asking(service)
        self.assert_code(self.refusal(gate, "too long"), "SYS/TEMP")
        gate.wait_log("or for too long")
        self.assertEqual(waits, [])


class Password(HttpCase):
    """Auth-Pass: what the server is told instead of the client's password."""

    def choosing(self, word="on old alone", **route):
        old = test_routing.OLD
        service = self.service(lambda fields: reply("OK", Auth_Server="127.0.0.1", Auth_Port=old.imap_port,
                                                    Auth_User="lasting", Auth_Pass=self.word))
        self.word = word
        return service, self.gateway(
            {"label": "new", "port": test_routing.NEW.imap_port, "host": "127.0.0.1"}, workers=0, max_failed_logins_per_user=2,
            blocks=[("upstream old", {"host": "127.0.0.1", "port": old.imap_port}),
                    ("route web", {"auth_http": service.url, "upstream": "new, old", **route})])

    def test_it_opens_the_mailbox_and_is_neither_kept_nor_logged(self):
        test_routing.OLD.fill("lasting", [OLD_MAIL])
        service, gate = self.choosing()
        for password in ("one", "two"):
            self.assertEqual(self.mail_of(gate, "jane", password), OLD_MAIL)
            self.assertEqual(self.mail_of(gate, "jane", password), OLD_MAIL)
        self.assertEqual(len(service.requests), 4)
        self.assertNotIn("on old alone", gate.log())

    def test_where_it_is_switched_off_the_client_has_to_know_the_password(self):
        service, gate = self.choosing(auth_http_pass="no")
        self.assert_code(self.refusal(gate, "jane", "hers"), "AUTH")
        gate.login("jane", "on old alone").quit()
        self.assertEqual(len(service.requests), 2)

    def test_a_wrong_one_is_not_the_clients_fault(self):
        service, gate = self.choosing("wrong")
        for _ in range(4):  # more than a user may fail
            self.assert_code(self.refusal(gate, "jane", "hers"), "SYS/TEMP")
        self.assertEqual(len(service.requests), 4)
        gate.wait_log("the server rejects the Auth-Pass of auth_http")
        self.word = "on old alone"
        gate.login("jane", "hers").quit()

    def test_tokens_and_masters_speak_for_themselves(self):
        server = self.scripted(capability=("IMAP4rev1", "SASL-IR", "AUTH=PLAIN", "AUTH=XOAUTH2", "UIDPLUS"))
        service = self.service(lambda fields: reply("OK", Auth_Pass="not this one"))
        gate = self.gateway({"label": "new", "port": server.port, "auth_mechanisms": "plain, xoauth2",
                             "master_separator": "*"}, workers=0, plaintext_networks="127.0.0.0/8",
                            blocks=[("route web", {"auth_http": service.url, "upstream": "new"})])
        with gate.connect() as session:
            session.ok(b"AUTH XOAUTH2 dXNlcj1qYW5lAWF1dGg9QmVhcmVyIHRva2VuAQE=")
            session.quit()
        gate.login_when_free("jane*boss", "secret").quit()
        self.assertEqual([shown[-1] for shown in server.shown], [b"token", b"secret"])
        self.assertEqual(len(service.requests), 2)


class Budgets(HttpCase):
    """Whose failure it is: each server and each service may reject one login in ten seconds here."""

    def limited(self, service):
        old, once = test_routing.OLD, {"host": "127.0.0.1", "max_failed_logins": 6}
        return self.gateway({"label": "new", "port": test_routing.NEW.imap_port, **once}, workers=0, blocks=[
            ("upstream old", {"port": old.imap_port, **once}),
            ("route web", {"users": "w*", "auth_http": service.url, "upstream": "new, old"}),
            ("route rest", {"upstream": "new"}), ("route byname", {"users": "o*", "upstream": "old"})])

    def test_what_the_service_rejects_costs_no_server(self):
        service = self.service(lambda fields: reply("OK" if fields["auth-pass"] == "secret" else "no"))
        gate = self.limited(service)
        self.assert_code(self.refusal(gate, "w1", "wrong"), "AUTH")
        gate.login("r1").quit()
        gate.login("o1").quit()
        self.assert_code(self.refusal(gate, "w2"), "SYS/TEMP")
        gate.wait_log("max_failed_logins is reached")
        self.assertEqual(len(service.requests), 1)

    def test_what_a_chosen_server_rejects_costs_that_one(self):
        service = self.service(lambda fields: reply("OK", Auth_Server="127.0.0.1", Auth_Port=test_routing.OLD.imap_port))
        gate = self.limited(service)
        self.assert_code(self.refusal(gate, "w3", "wrong"), "AUTH")
        gate.login("r2").quit()
        self.assert_code(self.refusal(gate, "o2"), "SYS/TEMP")
        self.assert_code(self.refusal(gate, "w4"), "SYS/TEMP")
        self.assertEqual(len(service.requests), 2)  # which may still be asked


class LockedStore(RoutingCase):
    """Somebody else has the state store, as a backup or an administrator's shell may."""

    def lock(self, gate, mode="EXCLUSIVE"):
        gate.wait_log("listening")  # it has looked whether it can use the store
        path = os.path.join(gate.state_directory, "state.db")
        db = self.enterContext(contextlib.closing(sqlite3.connect(path, isolation_level=None)))
        if mode == "EXCLUSIVE":
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute(f"BEGIN {mode}")
        return db

    def fastest(self, login, users):
        """The machine may be busy, but not three times in a row for seconds."""
        spent = []
        for user in users:
            began = time.monotonic()
            login(user)
            spent.append(time.monotonic() - began)
        return min(spent)

    def forgetful(self, new, old, **settings):
        """Without the ledger, which would wait for the store longer."""
        return self.gateway({"label": "new", "port": new.port, "uidl_ledger": "no"}, workers=0, blocks=[
            ("upstream old", {"port": old.port, "uidl_ledger": "no"}), ("route all", {"upstream": "new, old"})], **settings)

    def test_without_the_preference_logins_go_on_soon(self):
        gate = self.forgetful(self.scripted(), self.scripted())
        self.lock(gate)
        self.assertLess(self.fastest(lambda user: gate.login(user).quit(), ["l1", "l2", "l3"]), 4)
        gate.wait_log("the upstream of the last login cannot be read")

    def test_a_preference_that_cannot_be_stored_holds_nobody_up(self):
        new, old = self.scripted(), self.scripted()
        new.users = {}
        gate = self.forgetful(new, old)
        gate.login("l0").quit()
        self.lock(gate, "IMMEDIATE")
        self.assertLess(self.fastest(lambda user: gate.login(user).quit(), ["l4", "l5", "l6"]), 4)
        gate.wait_log("the upstream of this login cannot be stored")

    def with_states(self, **settings):
        old = scripted_pop3.Server()
        self.addCleanup(self._stop_scripted, old)
        rejecting = self.scripted(users={})
        return self.gateway({"label": "new", "port": self.scripted().port, "old": "oldpop"}, workers=0, blocks=[
            ("upstream oldpop", {"protocol": "pop3", "port": old.port}), ("upstream plain", {"port": rejecting.port}),
            ("route plain", {"users": "p*", "upstream": "plain"}), ("route rest", {"upstream": "new"})], **settings)

    def test_without_the_state_nobody_guesses(self):
        gate = self.with_states()
        db = self.lock(gate)
        self.assertLess(self.fastest(lambda user: self.assert_code(self.refusal(gate, user), "SYS/TEMP"),
                                     ["l7", "l8", "l9"]), 4)
        db.execute("ROLLBACK")
        db.close()
        gate.login("l7").quit()

    def test_whom_the_policy_turns_away_the_store_is_not_asked_about(self):
        gate = self.with_states(max_failed_logins=6)
        self.lock(gate)
        self.assert_code(self.refusal(gate, "p1"), "AUTH")
        self.assert_code(self.refusal(gate, "l10"), "SYS/TEMP")
        gate.wait_log("max_failed_logins is reached")
        self.assertNotIn("state.db", gate.log().split("login refused", 1)[1])
