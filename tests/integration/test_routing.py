"""Where a user goes: two real servers behind one gateway, and the ways to choose between them."""
import contextlib
import os
import re
import sqlite3

from harness import corpus, ports, servers
from harness.cases import Case
from harness.dovecot import Dovecot

NEW = OLD = None
NEW_MAIL = corpus.message("on the new server", b"new\r\n")
OLD_MAIL = corpus.message("on the old server", b"old\r\n")


def setUpModule():
    global NEW, OLD
    NEW = servers.dovecot()
    OLD = Dovecot(passwords={user: "on old alone" for user in ("lasting", "forgotten", "mover", "mover2", "both")})


def tearDownModule():
    OLD.stop()


class RoutingCase(Case):
    def routed(self, *routes, upstream=None, **settings):
        """A gateway with the upstreams new and old and ROUTES, which are (label, settings)."""
        return self.gateway({"label": "new", "port": NEW.imap_port, **(upstream or {})},
                            blocks=[("upstream old", {"port": OLD.imap_port}),
                                    *[(f"route {label}", values) for label, values in routes]], **settings)

    def at_both(self, *users):
        for user in users:
            NEW.fill(user, [NEW_MAIL])
            OLD.fill(user, [OLD_MAIL])

    def mail_of(self, gate, user, password="secret"):
        """The first message that USER sees."""
        with gate.login_when_free(user, password) as session:
            mail = session.retr(1)
            session.quit()
        return mail

    def refusal(self, gate, user, password="secret"):
        with gate.connect() as session:
            session.ok(f"USER {user}")
            return session.command(f"PASS {password}")


class Users(RoutingCase):
    """The configuration says who goes where."""

    def test_names_before_domains_before_patterns_before_all(self):
        gate = self.routed(("all", {"upstream": "new"}),
                           ("pattern", {"users": "o-*, *@*.example.net", "upstream": "old"}),
                           ("domain", {"users": "@sub.example.net, @example.org", "upstream": "new"}),
                           ("name", {"users": "joe@example.org, o-new", "upstream": "old"}))
        goes = {"jane": NEW_MAIL, "o-jane": OLD_MAIL, "jane@sub.example.net": NEW_MAIL, "jane@other.example.net": OLD_MAIL,
                "jane@example.org": NEW_MAIL, "joe@example.org": OLD_MAIL, "o-new": OLD_MAIL}
        self.at_both(*goes)
        for user, mail in goes.items():
            with self.subTest(user=user):
                self.assertEqual(self.mail_of(gate, user), mail)

    def test_without_a_route_it_looks_like_a_wrong_password(self):
        gate = self.routed(("some", {"users": "@example.org", "upstream": "new"}))
        self.assert_code(self.refusal(gate, "jane"), "AUTH")
        self.assertEqual(self.refusal(gate, "jane"), self.refusal(gate, "jane@example.org", "wrong"))
        gate.wait_log("no route fits the user")

    def test_without_routes_all_go_to_the_first_upstream(self):
        gate = self.routed()
        self.at_both("first")
        self.assertEqual(self.mail_of(gate, "first"), NEW_MAIL)

    def test_names_at_the_server(self):
        gate = self.routed(("strip", {"users": "@strip.example", "upstream": "new", "login": "%n"}),
                           ("add", {"upstream": "old", "login": "%n@example.com"}),
                           ("turn", {"users": "*@turn.example", "upstream": "new", "login": "%d/%n"}))
        NEW.fill("stripped", [NEW_MAIL])
        OLD.fill("added@example.com", [OLD_MAIL])
        self.assertEqual(self.mail_of(gate, "stripped@strip.example"), NEW_MAIL)
        self.assertEqual(self.mail_of(gate, "added"), OLD_MAIL)
        NEW.fill("turn.example/joe", [NEW_MAIL])
        self.assertEqual(self.mail_of(gate, "joe@turn.example"), NEW_MAIL)
        self.assert_code(self.refusal(gate, "wrong@strip.example", "wrong"), "AUTH")
        gate.wait_log("user=wrong@strip.example login=wrong client=127.0.0.1 upstream=new")

    def test_a_template_that_does_not_fit(self):
        gate = self.routed(("all", {"upstream": "new", "login": "%n@%d"}))
        self.assert_code(self.refusal(gate, "nodomain"), "SYS/PERM")

    def test_two_names_of_one_maildrop_exclude_each_other(self):
        gate = self.routed(("all", {"upstream": "new", "login": "%n"}))
        NEW.fill("locked", [NEW_MAIL])
        first = gate.login("locked@example.org")
        self.assert_code(self.refusal(gate, "locked@example.net"), "IN-USE")
        first.quit()

    def test_mechanisms_are_those_of_the_upstream(self):
        gate = self.routed(("all", {"upstream": "new"}), upstream={"auth_mechanisms": "xoauth2"})
        with gate.connect() as session:
            self.assertIn(b"USER", session.capa())
        self.assert_code(self.refusal(gate, "anybody"), "SYS/PERM")


class Mailboxes(RoutingCase):
    def test_the_mailbox_of_a_route(self):
        with NEW.imap("boxed") as mailbox:
            mailbox.create("Shown")
        NEW.fill("boxed", [NEW_MAIL])
        gate = self.routed(("box", {"users": "boxed", "upstream": "new", "mailbox": "Shown"}))
        with gate.login("boxed") as session:
            self.assertEqual(session.stat()[0], 0)
            session.quit()

    def test_user_and_folder(self):
        with NEW.imap("folders") as mailbox:
            mailbox.create("Lists")
            mailbox.create("Lists/deep")
            mailbox.append([OLD_MAIL], "Lists")
        NEW.fill("folders", [NEW_MAIL])
        gate = self.routed(("all", {"upstream": "new", "folder_separator": '"+"', "login": "%n"}),
                           upstream={"trash_mailbox": "Trash"})
        self.assertEqual(self.mail_of(gate, "folders+Lists@example.org"), OLD_MAIL)
        self.assertEqual(self.mail_of(gate, "folders+inbox"), NEW_MAIL)
        self.assertEqual(self.mail_of(gate, "folders"), NEW_MAIL)
        with gate.login("folders+Lists/deep") as session:
            self.assertEqual(session.stat()[0], 0)
            session.quit()
        self.assertTrue(self.refusal(gate, "folders+Nowhere").startswith(b"-ERR [SYS/"))
        self.assert_code(self.refusal(gate, "folders+Trash"), "SYS/PERM")
        first = gate.login("folders")
        second = gate.login("folders+Lists")  # another maildrop
        self.assert_code(self.refusal(gate, "folders+Inbox"), "IN-USE")
        first.quit()
        second.quit()

    def test_no_folder_unless_allowed(self):
        NEW.fill("plain+Lists", [NEW_MAIL])
        gate = self.routed(("all", {"upstream": "new"}))
        self.assertEqual(self.mail_of(gate, "plain+Lists"), NEW_MAIL)


class Order(RoutingCase):
    """Several upstreams of one route."""

    def assert_refused_by_new(self, user, times):
        refusals = re.compile(rf"auth failed.*user=<{user}>").findall
        NEW.wait_log(lambda log: len(refusals(log)) >= times)
        self.assertEqual(len(refusals(NEW.log())), times)

    def test_rejected_by_one_the_next_is_tried_and_remembered(self):
        OLD.fill("mover", [])
        gate = self.routed(("all", {"upstream": "new, old"}), workers=0)
        gate.login("mover", "on old alone").quit()
        gate.wait_log(lambda log: log.count("reason=quit") == 1)
        self.assert_refused_by_new("mover", 1)
        gate.login_when_free("mover", "on old alone").quit()
        self.assert_refused_by_new("mover", 1)

    def test_the_first_one_counts_where_both_let_in(self):
        self.at_both("twice")
        gate = self.routed(("all", {"upstream": "new, old"}))
        self.assertEqual(self.mail_of(gate, "twice"), NEW_MAIL)

    def test_the_winner_is_asked_first(self):
        gate = self.routed(("all", {"upstream": "new, old"}), workers=0)
        gate.login("mover2", "on old alone").quit()
        gate.login_when_free("mover2", "secret").quit()  # old lets that in too, and is asked first
        gate.wait_log(lambda log: log.count("reason=quit") == 2)
        self.assertNotIn("upstream=new", gate.log().split("reason=quit", 1)[1])

    def test_the_winner_outlives_workers_and_restarts(self):
        OLD.fill("lasting", [])
        OLD.fill("first", [])
        gate = self.routed(("all", {"upstream": "new, old"}))
        gate.login("lasting", "on old alone").quit()
        for _ in range(6):  # by either worker
            gate.login_when_free("lasting", "on old alone").quit()
        self.assertEqual(self.winners(gate), [("lasting", "winner:all", "old")])
        gate.stop()
        gate.start()
        gate.login_when_free("lasting", "on old alone").quit()
        self.assert_refused_by_new("lasting", 1)
        self.at_both("lasting")  # new knows it now, and its password is another
        self.assertEqual(self.mail_of(gate, "lasting"), OLD_MAIL)

    def winners(self, gate):
        with contextlib.closing(sqlite3.connect(os.path.join(gate.state_directory, "state.db"))) as store:
            return [(account, name, value.split(" ", 1)[1]) for account, name, value in store.execute(
                "SELECT account, name, value FROM account WHERE name LIKE 'winner:%'")]

    def test_the_first_one_needs_no_line_in_the_store(self):
        new, old = self.scripted(), self.scripted()
        gate = self.gateway({"label": "new", "port": new.port}, workers=0, blocks=[
            ("upstream old", {"port": old.port}), ("route all", {"upstream": "new, old"})])
        gate.login("homer").quit()
        self.assertEqual(self.winners(gate), [])
        new.users = {}
        gate.login_when_free("homer").quit()
        self.assertEqual(self.winners(gate), [("homer", "winner:all", "old")])
        new.users, old.users = None, {}
        gate.login_when_free("homer").quit()
        self.assertEqual(self.winners(gate), [])

    def test_a_store_that_cannot_be_read_costs_the_preference_alone(self):
        OLD.fill("forgotten", [])
        no_ledger = {"uidl_ledger": "no"}
        gate = self.gateway({"label": "new", "port": NEW.imap_port, **no_ledger}, blocks=[
            ("upstream old", {"port": OLD.imap_port, **no_ledger}), ("route all", {"upstream": "new, old"})])
        gate.login("forgotten", "on old alone").quit()
        self.assertEqual(len(self.winners(gate)), 1)
        gate.stop()
        with open(os.path.join(gate.state_directory, "state.db"), "r+b") as damaged:
            damaged.write(b"\xff" * 4096)
        gate.start()
        gate.login_when_free("forgotten", "on old alone").quit()
        self.assert_refused_by_new("forgotten", 2)  # the winner is forgotten
        gate.wait_log("the upstream of the last login cannot be read")

    def test_who_moves_is_found(self):
        new, old = self.scripted(), self.scripted()
        gate = self.gateway({"label": "new", "port": new.port}, workers=0, blocks=[
            ("upstream old", {"port": old.port}), ("route all", {"upstream": "new, old"})])
        new.users, old.users = {}, {"nomad": "secret"}
        gate.login("nomad").quit()
        new.users, old.users = {"nomad": "secret"}, {}
        gate.login_when_free("nomad").quit()
        old.forget()
        gate.login_when_free("nomad").quit()
        self.assertEqual(old.accepted, 2)

    def test_rejected_by_all_counts_once(self):
        gate = self.routed(("all", {"upstream": "new, old"}), max_failed_logins_per_user=3, workers=0)
        for i in range(2):
            self.assert_code(self.refusal(gate, "guessed", f"wrong {i}"), "AUTH")
        self.assertEqual(gate.log().count("too many failed logins"), 0)
        gate.login("guessed").quit()  # two failures, not four

    def test_a_server_that_is_down_is_no_reason_to_try_the_next(self):
        self.at_both("down")
        gate = self.routed(("all", {"upstream": "new, old"}), upstream={"port": ports.free_port()})
        self.assert_code(self.refusal(gate, "down"), "SYS/TEMP")

    def test_the_next_is_down(self):
        server = self.scripted()
        server.users = {}
        gate = self.gateway({"label": "new", "port": server.port}, blocks=[
            ("upstream old", {"port": ports.free_port()}), ("route all", {"upstream": "new, old"})])
        self.assert_code(self.refusal(gate, "somebody"), "SYS/TEMP")

    def test_a_password_goes_nowhere_but_where_the_route_leads(self):
        seen = self.scripted()
        gate = self.gateway({"label": "new", "port": NEW.imap_port}, blocks=[
            ("upstream other", {"port": seen.port}), ("route some", {"users": "x", "upstream": "other"}),
            ("route all", {"upstream": "new"})])
        self.assert_code(self.refusal(gate, "jane", "wrong"), "AUTH")
        self.assertEqual(seen.accepted, 0)
