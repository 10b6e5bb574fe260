"""Several mailboxes shown as one maildrop (`mailbox = INBOX, Junk`): what clients see, which mailbox is touched, and that
one mailbox costs what it always did."""
import functools
import os

from harness import corpus, scripted_imap, servers
from harness.cases import Case
from harness.popgate import Popgate
from harness.scripted_imap import Box

THREE = "INBOX, Junk, Lists"
NAMES = THREE.split(", ")

# Mailbox -> its messages; each has a UID 1.
MAIL = {name: [corpus.message(f"{name} {number}", b"text\r\n" * number) for number in range(1, 5)] for name in NAMES}

# name -> (server, gateway)
REAL = {}


def setUpModule():
    for name, server in (("Dovecot", servers.dovecot()), ("Dovecot without UIDPLUS", servers.dovecot_without_uidplus()),
                         ("Cyrus", servers.cyrus())):
        REAL[name] = server, Popgate({"port": server.imap_port, "mailbox": THREE})


def tearDownModule():
    while REAL:
        REAL.popitem()[1][1].stop()


def fill(server, user, names=NAMES):
    with server.imap(user) as mailbox:
        for name in names:
            if name != "INBOX":
                mailbox.create(name)
            mailbox.append(MAIL[name], name)


def look(server, user, names=NAMES):
    """Mailbox -> UID -> flags."""
    found = {}
    with server.imap(user) as mailbox:
        for name in names:
            mailbox.select(name)
            found[name] = mailbox.flags()
    return found


def uids(server, user, names=NAMES):
    return {name: sorted(flags) for name, flags in look(server, user, names).items()}


def on_each_server(test):
    """Runs TEST(self, server, gate, user) on every server of REAL, with MAIL in a new user's mailboxes."""
    @functools.wraps(test)
    def each(self):
        for name, (server, gate) in REAL.items():
            with self.subTest(server=name):
                user = server.user()
                fill(server, user)
                test(self, server, gate, user)
                gate.assert_alive()
    return each


class OnRealServers(Case):
    @on_each_server
    def test_rule_8_one_mailbox_stands_behind_the_other(self, server, gate, user):
        session = gate.login(user)
        everything = [message for name in NAMES for message in MAIL[name]]
        self.assertEqual(list(session.list().values()), [len(message) for message in everything])
        self.assertEqual([session.retr(number) for number in range(1, 13)], everything)
        for number in (12, 1, 8, 5, 4, 9):  # in another order
            self.assertEqual(session.retr(number), everything[number - 1])
            self.assertEqual(session.top(number, 0) + b"", everything[number - 1].partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        self.assertTrue(session.quit().startswith(b"+OK"))

    @on_each_server
    def test_rule_7_uidls_never_meet_and_those_of_the_first_are_what_they_were(self, server, gate, user):
        alone = self.gateway({"port": server.imap_port, "uidl": "%u"})
        session = alone.login(user)
        before = session.uidl()
        session.quit()
        # What a further mailbox showed when it was alone must not come back beside the first.
        alone.upstream["mailbox"] = "Junk"
        alone.reload()
        session = alone.login_when_free(user)
        session.uidl()
        session.quit()
        alone.upstream["mailbox"] = THREE
        alone.reload()
        session = alone.login_when_free(user)
        together = session.uidl()
        session.quit()
        self.assertEqual([together[number] for number in range(1, 5)], list(before.values()))
        self.assertEqual(len(set(together.values())), 12, together)
        session = alone.login_when_free(user)
        self.assertEqual(session.uidl(), together)
        session.quit()

    @on_each_server
    def test_rule_14_quit_removes_from_each_mailbox_what_was_marked_there(self, server, gate, user):
        session = gate.login(user)
        unique = session.uidl()
        for number in (2, 5, 8, 11):
            session.ok(f"DELE {number}")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(look(server, user), {"INBOX": {1: set(), 3: set(), 4: set()}, "Junk": {2: set(), 3: set()},
                                              "Lists": {1: set(), 2: set(), 4: set()}})
        session = gate.login_when_free(user)
        self.assertEqual(list(session.uidl().values()),
                         [unique[number] for number in (1, 3, 4, 6, 7, 9, 10, 12)])
        self.assertTrue(session.quit().startswith(b"+OK"))

    @on_each_server
    def test_rule_14_only_in_the_last_mailbox(self, server, gate, user):
        session = gate.login(user)
        session.ok("DELE 9")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(uids(server, user), {"INBOX": [1, 2, 3, 4], "Junk": [1, 2, 3, 4], "Lists": [2, 3, 4]})

    @on_each_server
    def test_rule_16_no_quit_no_deletion(self, server, gate, user):
        before = look(server, user)
        session = gate.login(user)
        for number in range(1, 13):
            session.retr(number)
            session.ok(f"DELE {number}")
        session.close()
        gate.login_when_free(user).quit()
        self.assertEqual(look(server, user), before)

    @on_each_server
    def test_rule_9_and_18_others_at_work_in_each_mailbox(self, server, gate, user):
        session = gate.login(user)
        for number in (1, 2, 5, 6, 9, 10):
            session.ok(f"DELE {number}")
        plus = server is not REAL["Dovecot without UIDPLUS"][0]
        with server.imap(user) as mailbox:
            for name in NAMES:
                mailbox.select(name)
                mailbox.expunge([1])
                mailbox.append([corpus.message("new", b"new\r\n")], name)
                if plus:
                    mailbox.flag_deleted([4])
        self.assertTrue(session.quit().startswith(b"+OK"))
        flagged = {"\\Deleted"} if plus else set()
        self.assertEqual(look(server, user), {name: {3: set(), 4: flagged, 5: set()} for name in NAMES})

    @on_each_server
    def test_rule_18_the_flags_of_others_stop_only_their_mailbox(self, server, gate, user):
        with server.imap(user) as mailbox:
            mailbox.select("Junk")
            mailbox.flag_deleted([4])
        session = gate.login(user)
        self.assertEqual(session.stat()[0], 11)
        for number in (1, 5, 8):
            session.ok(f"DELE {number}")
        answer = session.quit()
        expected = {"INBOX": {2: set(), 3: set(), 4: set()}, "Lists": {2: set(), 3: set(), 4: set()}}
        if server is REAL["Dovecot without UIDPLUS"][0]:
            self.assertTrue(answer.startswith(b"-ERR [SYS/TEMP] 1 of 3 "), answer)
            expected["Junk"] = {1: {"\\Deleted"}, 2: set(), 3: set(), 4: {"\\Deleted"}}
        else:
            self.assertTrue(answer.startswith(b"+OK"), answer)
            expected["Junk"] = {2: set(), 3: set(), 4: {"\\Deleted"}}
        self.assertEqual(look(server, user), expected)

    def test_rule_20_each_mailbox_has_its_lock(self):
        server, gate = REAL["Dovecot"]
        user = server.user()
        fill(server, user)
        alone = self.gateway({"port": server.imap_port, "mailbox": "Junk"}, state_directory=gate.state_directory)
        session = gate.login(user)
        with alone.connect() as other:
            other.ok(f"USER {user}")
            self.assertTrue(other.command("PASS secret").startswith(b"-ERR [IN-USE]"))
        session.quit()
        alone.login_when_free(user).quit()

    def test_rule_19_read_only_is_a_matter_of_the_mailbox(self):
        server, gate = REAL["Dovecot"]
        user = server.user()
        fill(server, user)
        path = os.path.join(server.dir, "mail", user, "Maildir", ".Junk", "dovecot-acl")
        with open(path, "w", encoding="ascii") as acl:
            acl.write("owner lr\n")
        session = gate.login(user)
        self.assert_code(session.command("DELE 5"), "SYS/PERM")
        session.ok("DELE 4")
        session.ok("DELE 9")
        self.assertEqual(session.retr(5), MAIL["Junk"][0])
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(uids(server, user), {"INBOX": [1, 2, 3], "Junk": [1, 2, 3, 4], "Lists": [2, 3, 4]})

    @on_each_server
    def test_a_mailbox_that_is_not_there_is_left_out(self, server, gate, user):
        with server.imap(user) as mailbox:
            mailbox.delete("Junk")
        session = gate.login(user)
        gate.wait_log("a mailbox that is not there is left out")
        self.assertEqual(session.stat()[0], 8)
        self.assertEqual(session.retr(5), MAIL["Lists"][0])
        session.ok("DELE 1")
        session.ok("DELE 8")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(uids(server, user, ["INBOX", "Lists"]), {"INBOX": [2, 3, 4], "Lists": [1, 2, 3]})

    @on_each_server
    def test_the_first_mailbox_has_to_be_there(self, server, gate, user):
        other = self.gateway({"port": server.imap_port, "mailbox": "Pop, INBOX"})
        with other.connect() as session:
            session.ok(f"USER {user}")
            self.assertTrue(session.command("PASS secret").startswith(b"-ERR [SYS/"))
        other.wait_log('mailbox \\"Pop\\"')

    @on_each_server
    def test_rule_2_seen_is_set_in_the_right_mailbox(self, server, gate, user):
        other = self.gateway({"port": server.imap_port, "mailbox": THREE, "mark_seen": "retr"})
        session = other.login(user)
        for number in (1, 6, 11):
            session.retr(number)
        session.ok("DELE 11")
        self.assertTrue(session.quit().startswith(b"+OK"))
        seen = {name: {uid for uid, flags in found.items() if "\\Seen" in flags}
                for name, found in look(server, user).items()}
        self.assertEqual(seen, {"INBOX": {1}, "Junk": {2}, "Lists": set()})
        self.assertEqual(uids(server, user)["Lists"], [1, 2, 4])

    @on_each_server
    def test_kept_listings_and_sizes_are_each_mailboxs_own(self, server, gate, user):
        other = self.gateway({"port": server.imap_port, "mailbox": THREE, "size_mode": "exact"})
        for marked, left in ((5, 11), (1, 10)):
            session = other.login_when_free(user)
            self.assertEqual(list(session.list().values()),
                             [len(session.retr(number)) for number in range(1, session.stat()[0] + 1)])
            session.ok(f"DELE {marked}")
            self.assertTrue(session.quit().startswith(b"+OK"))
            session = other.login_when_free(user)
            self.assertEqual(session.stat()[0], left)
            session.quit()
        self.assertEqual(uids(server, user), {"INBOX": [2, 3, 4], "Junk": [2, 3, 4], "Lists": [1, 2, 3, 4]})
        self.assertEqual(other.log().count("does not fit the mailbox"), 0)


class Crashes(Case):
    """popgate dies between what it does in two mailboxes."""

    def crash(self, point, upstream=None):
        server = servers.dovecot()
        user = server.user()
        fill(server, user)
        gate = self.gateway({"port": server.imap_port, "mailbox": THREE, **(upstream or {})}, workers=0)
        gate.stop()
        name, _, at = point.partition("@")
        gate.start({"POPGATE_FAILPOINTS": f"{name}=kill@{at or 1}"})
        session = gate.login(user)
        unique = session.uidl()
        for number in (1, 5, 9):
            session.ok(f"DELE {number}")
        session.send(b"QUIT\r\n")
        self.assertEqual(session.rest(), b"")
        gate.process.wait(30)
        gate.start()
        return server, gate, user, unique

    def test_rule_15_what_had_begun_in_a_mailbox_is_finished_there(self):
        # point -> what is left of UID 1 after the crash, and after the next session
        for point, after, settled in (("store.after", "\\Deleted,,", ("gone", "", "")),
                                      ("turn.before", "gone,,", ("gone", "", "")),
                                      ("turn.after", "gone,,", ("gone", "", "")),
                                      ("quit.after_intent@2", "gone,,", ("gone", "", "")),
                                      ("store.after@2", "gone,\\Deleted,", ("gone", "gone", "")),
                                      ("expunge.after@2", "gone,gone,", ("gone", "gone", "")),
                                      ("store.after@3", "gone,gone,\\Deleted", ("gone", "gone", "gone"))):
            with self.subTest(point=point):
                server, gate, user, unique = self.crash(point)
                self.assertEqual(self.state_of_first(server, user), tuple(after.split(",")))
                session = gate.login(user)
                left = [unique[4 * part + number] for part, state in enumerate(settled)
                        for number in range(1 + (state == "gone"), 5)]
                self.assertEqual(list(session.uidl().values()), left)
                session.quit()
                self.assertEqual(self.state_of_first(server, user), settled)
                self.assertEqual({name: sorted(set(found) - {1}) for name, found in look(server, user).items()},
                                 {name: [2, 3, 4] for name in NAMES})

    @staticmethod
    def state_of_first(server, user):
        return tuple(" ".join(sorted(found[1])) if 1 in found else "gone" for found in look(server, user).values())

    def test_rule_10_the_journal_of_a_mailbox_that_was_made_anew(self):
        server, gate, user, _ = self.crash("store.after@2")
        with server.imap(user) as mailbox:
            mailbox.delete("Junk")
            mailbox.create("Junk")
            mailbox.append(MAIL["Junk"], "Junk")
            mailbox.select("Junk")
            mailbox.flag_deleted([1])
        gate.login(user).quit()
        gate.wait_log("dropped: UIDVALIDITY has changed")
        self.assertEqual(look(server, user)["Junk"], {1: {"\\Deleted"}, 2: set(), 3: set(), 4: set()})

    def test_the_journal_of_a_mailbox_waits_until_it_is_shown_again(self):
        server, gate, user, _ = self.crash("store.after@2")
        gate.upstream["mailbox"] = "INBOX"
        gate.reload()
        gate.login(user).quit()
        self.assertEqual(look(server, user)["Junk"][1], {"\\Deleted"})
        gate.upstream["mailbox"] = "INBOX, Junk"
        gate.reload()
        gate.login_when_free(user).quit()
        gate.wait_log("an interrupted deletion was finished")
        self.assertEqual(uids(server, user)["Junk"], [2, 3, 4])


class Scripted(Case):
    """Servers that fail between two mailboxes, and what they are asked."""

    def setUp(self):
        self.junk = Box(MAIL["Junk"], uidvalidity=5)
        self.lists = Box(MAIL["Lists"], uidvalidity=1700000000)
        self.server = self.scripted(MAIL["INBOX"], boxes={"Junk": self.junk, "Lists": self.lists})

    def gate(self, mailbox=THREE, **settings):
        return self.gateway({"port": self.server.port, "mailbox": mailbox, **settings})

    def dialogue(self, forget=True):
        """What the server was asked since it was asked last."""
        with self.server.lock:
            said = [f"{c.name} {c.arguments.decode()}" for c in self.server.commands
                    if c.name not in ("CAPABILITY", "AUTHENTICATE", "LOGOUT")]
        if forget:
            self.server.forget()
        return said

    def test_one_mailbox_is_asked_for_as_ever(self):
        gate = self.gate("INBOX")
        session = gate.login("someone")
        for number in (1, 2):
            session.retr(number)
        session.ok("DELE 2")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.dialogue(), [
            'SELECT "INBOX"', "UID FETCH 1:* (UID RFC822.SIZE FLAGS)", "UID FETCH 1 (UID BODY.PEEK[])",
            "UID FETCH 2:4 (UID BODY.PEEK[])", "UID STORE 2 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 2", "UID SEARCH UID 2"])

    def test_each_further_mailbox_costs_one_round_trip_and_turns_are_few(self):
        gate = self.gate()
        session = gate.login("someone")
        self.assertEqual(self.dialogue(), [
            'SELECT "Lists"', "UID FETCH 1:* (UID RFC822.SIZE FLAGS)", 'SELECT "Junk"', "UID FETCH 1:* (UID RFC822.SIZE FLAGS)",
            'SELECT "INBOX"', "UID FETCH 1:* (UID RFC822.SIZE FLAGS)"])
        for number in range(1, 13):
            session.retr(number)
        self.assertEqual(len([line for line in self.dialogue() if line.startswith("SELECT")]), 2)
        session.ok("DELE 1")
        session.ok("DELE 12")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual([line for line in self.dialogue() if not line.startswith("UID FETCH")], [
            "UID STORE 4 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 4", "UID SEARCH UID 4",
            'SELECT "INBOX"', "UID STORE 1 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 1", "UID SEARCH UID 1"])

    def test_rule_34_a_lost_connection_is_made_anew_for_the_mailbox_that_is_wanted(self):
        gate = self.gate()
        session = gate.login("someone")
        self.assertEqual(session.retr(5), MAIL["Junk"][0])
        for number, name in ((6, "Junk"), (9, "Lists"), (1, "INBOX")):
            self.server.drop_connections()
            self.server.wait_for(lambda server: not server.connections)
            self.dialogue()
            self.assertEqual(session.retr(number), MAIL[name][(number - 1) % 4])
            self.assertEqual([line for line in self.dialogue() if line.startswith("SELECT")], [f'SELECT "{name}"'])
        session.ok("DELE 5")
        self.server.drop_connections()
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual((self.junk.uids(), self.server.uids(), self.lists.uids()), ([2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]))

    def test_rule_34_a_connection_that_is_lost_over_the_turn(self):
        gate = self.gate()
        session = gate.login("someone")
        self.server.on("SELECT", scripted_imap.once(scripted_imap.close))
        self.assertEqual(session.retr(5), MAIL["Junk"][0])
        session.ok("DELE 9")
        self.server.on("SELECT", scripted_imap.once(scripted_imap.close))
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.lists.uids(), [2, 3, 4])

    def test_rule_10_another_uidvalidity_of_one_mailbox_ends_the_session(self):
        gate = self.gate()
        session = gate.login("someone")
        session.ok("DELE 1")
        self.junk.uidvalidity += 1
        self.assert_code(session.command("RETR 5"), "SYS/TEMP")
        self.assertEqual(session.rest(), b"")
        self.assertEqual((self.server.uids(), self.junk.uids()), ([1, 2, 3, 4], [1, 2, 3, 4]))

    def test_rule_10_at_quit_nothing_is_touched_where_uidvalidity_is_another(self):
        gate = self.gate()
        session = gate.login("someone")
        for number in (1, 5, 6, 9):
            session.ok(f"DELE {number}")
        self.junk.uidvalidity += 1
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/TEMP] 2 of 4 "))
        self.assertEqual((self.server.uids(), self.junk.uids(), self.lists.uids()),
                         ([2, 3, 4], [1, 2, 3, 4], [2, 3, 4]))
        self.assertEqual([message.flags for message in self.junk.messages], [set()] * 4)

    def test_a_mailbox_that_goes_meanwhile_costs_its_messages_only(self):
        gate = self.gate()
        session = gate.login("someone")
        for number in (1, 5, 9):
            session.ok(f"DELE {number}")
        del self.server.boxes["Junk"]
        self.assertTrue(session.command("RETR 6").startswith(b"-ERR"))
        self.assertEqual(session.retr(2), MAIL["INBOX"][1])
        self.assertEqual(session.retr(10), MAIL["Lists"][1])
        self.assertTrue(session.command("RETR 7").startswith(b"-ERR"))
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/TEMP] 1 of 3 "))
        self.assertEqual((self.server.uids(), self.lists.uids()), ([2, 3, 4], [2, 3, 4]))

    def test_rule_19_a_mailbox_that_becomes_read_only(self):
        gate = self.gate()
        session = gate.login("someone")
        for number in (1, 5, 9):
            session.ok(f"DELE {number}")
        self.junk.read_only = True
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/TEMP] 1 of 3 "))
        self.assertEqual((self.server.uids(), self.junk.uids(), self.lists.uids()),
                         ([2, 3, 4], [1, 2, 3, 4], [2, 3, 4]))

    def test_the_server_cannot_be_had_for_one_mailbox(self):
        def refuse_junk(connection, command):
            if b"Junk" not in command.arguments:
                return False
            connection.done(command, "[UNAVAILABLE] later", "NO")
            return True

        gate = self.gate()
        self.server.on("SELECT", refuse_junk)
        with gate.connect() as session:
            session.ok("USER someone")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        self.server.usual()
        session = gate.login_when_free("someone")
        self.assertEqual(session.stat()[0], 12)
        session.quit()

    def test_a_server_that_does_not_say_why_is_asked_for_the_mailbox(self):
        def refuse_junk(connection, command):
            if b"Junk" not in command.arguments:
                return False
            connection.send_for(command, b"{tag} NO I do not want to\r\n")
            return True

        gate = self.gate()
        self.server.on("SELECT", refuse_junk)
        with gate.connect() as session:  # LIST knows Junk
            session.ok("USER someone")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        self.server.on("LIST", b"{tag} OK nothing\r\n")
        session = gate.login_when_free("someone")
        self.assertEqual(session.stat()[0], 8)
        self.assertEqual(session.retr(8), MAIL["Lists"][3])
        session.quit()
        self.assertIn(b'"" "Junk"', self.server.lines("LIST"))

    def test_more_messages_than_allowed_in_all(self):
        gate = self.gate(max_messages=11)
        with gate.connect() as session:
            session.ok("USER someone")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        gate.wait_log("max_messages in all")

    def test_a_kept_connection_shows_all_mailboxes_again(self):
        self.server.capability.append("UNSELECT")
        gate = self.gateway({"port": self.server.port, "mailbox": THREE, "reuse": "60s"}, workers=1)
        for _ in range(3):
            session = gate.login_when_free("someone")
            self.assertEqual(session.retr(12), MAIL["Lists"][3])
            session.quit()
        self.assertEqual(self.server.accepted, 1)
