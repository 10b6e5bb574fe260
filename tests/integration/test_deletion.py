"""What QUIT does to the mailbox: rules 9-20 and the deletion procedure, on real servers and under faults."""
import functools
import re

from harness import corpus, scripted_imap, servers
from harness.cases import Case, ScriptedCase
from harness.popgate import Popgate

MESSAGES = [corpus.message(f"number {number}", b"text\r\n" * number) for number in range(1, 6)]

# name -> (server, gateway)
REAL = {}


def setUpModule():
    for name, server in (("Dovecot", servers.dovecot()), ("Dovecot without UIDPLUS", servers.dovecot_without_uidplus()),
                         ("Cyrus", servers.cyrus())):
        REAL[name] = server, Popgate({"port": server.imap_port})


def tearDownModule():
    while REAL:
        REAL.popitem()[1][1].stop()


def not_removed(reply):
    """(n, m) of '-ERR [SYS/TEMP] n of m messages not removed'."""
    match = re.match(rb"-ERR \[SYS/TEMP\] .*?(\d+) of (\d+)", reply)
    if not match:
        raise AssertionError(f"does not say how many were left: {reply!r}")
    return int(match[1]), int(match[2])


def on_each_server(test):
    """Runs TEST(self, server, gate, user) on every server of REAL, with MESSAGES in a new user's mailbox."""
    @functools.wraps(test)
    def each(self):
        for name, (server, gate) in REAL.items():
            with self.subTest(server=name):
                user = server.user()
                server.fill(user, MESSAGES)
                test(self, server, gate, user)
                gate.assert_alive()
    return each


class OnRealServers(Case):
    def left(self, server, user):
        with server.imap(user) as mailbox:
            return mailbox.flags()

    @on_each_server
    def test_rule_14_quit_removes_exactly_what_was_marked(self, server, gate, user):
        with server.imap(user) as mailbox:
            mailbox.store([1, 2, 4], "+FLAGS", "\\Flagged \\Seen")
            before = mailbox.flags()
        session = gate.login(user)
        unique = session.uidl()
        session.ok("DELE 2")
        session.ok("DELE 5")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.left(server, user), {uid: before[uid] for uid in (1, 3, 4)})
        session = gate.login_when_free(user)
        self.assertEqual(session.uidl(), {1: unique[1], 2: unique[3], 3: unique[4]})
        session.quit()

    @on_each_server
    def test_rule_14_everything_can_go(self, server, gate, user):
        session = gate.login(user)
        for number in range(1, 6):
            session.retr(number)
            session.ok(f"DELE {number}")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.left(server, user), {})
        self.assertEqual(gate.login_when_free(user).stat(), (0, 0))

    @on_each_server
    def test_nothing_marked_changes_nothing(self, server, gate, user):
        with server.imap(user) as mailbox:
            mailbox.flag_deleted([3])
        session = gate.login(user)
        session.ok("DELE 1")
        session.ok("RSET")
        self.assertTrue(session.quit().startswith(b"+OK"))
        left = self.left(server, user)
        self.assertEqual({uid for uid in left if left[uid]}, {3})
        self.assertEqual(len(left), 5)

    @on_each_server
    def test_rule_15_quit_and_immediate_half_close(self, server, gate, user):
        session = gate.login(user)
        session.send(b"DELE 1\r\nDELE 3\r\nQUIT\r\n")
        session.half_close()
        self.assertEqual(session.rest().count(b"+OK"), 3)
        self.assertEqual(sorted(self.left(server, user)), [2, 4, 5])

    @on_each_server
    def test_rule_15_quit_and_immediate_close(self, server, gate, user):
        session = gate.login(user)
        session.ok("DELE 1")
        session.ok("DELE 3")
        session.send(b"QUIT\r\n")
        session.close()
        gate.login_when_free(user).quit()
        self.assertEqual(sorted(self.left(server, user)), [2, 4, 5])

    @on_each_server
    def test_rule_16_no_quit_no_deletion(self, server, gate, user):
        ends = {"RST": lambda session: session.reset(),
                "FIN": lambda session: session.close(),
                "half a QUIT": lambda session: (session.send(b"QUI"), session.half_close()),
                "QUIT without line end": lambda session: (session.send(b"QUIT"), session.half_close()),
                "CR without LF": lambda session: (session.send(b"QUIT\r"), session.half_close())}
        for name, end in ends.items():
            with self.subTest(end=name):
                with gate.login_when_free(user) as session:
                    session.ok("DELE 1")
                    session.ok("DELE 2")
                    end(session)
                with gate.login_when_free(user) as session:
                    self.assertEqual(session.stat()[0], 5)
                    session.quit()
                self.assertEqual(self.left(server, user), {uid: set() for uid in range(1, 6)})
                gate.login_when_free(user).quit()

    @on_each_server
    def test_rule_18_flagged_messages_are_hidden_and_left_alone(self, server, gate, user):
        with server.imap(user) as mailbox:
            mailbox.flag_deleted([2])
        session = gate.login(user)
        self.assertEqual(session.stat()[0], 4)
        self.assertEqual(session.retr(2), MESSAGES[2])
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.left(server, user), {1: set(), 2: {"\\Deleted"}, 3: set(), 4: set(), 5: set()})

    def test_rule_18_flagged_messages_can_be_shown(self):
        for name, (server, _) in REAL.items():
            gate = self.gateway({"port": server.imap_port, "deleted": "show"})
            with self.subTest(server=name):
                user = server.user()
                server.fill(user, MESSAGES)
                with server.imap(user) as mailbox:
                    mailbox.flag_deleted([2])
                session = gate.login(user)
                self.assertEqual(session.stat()[0], 5)
                self.assertEqual(session.retr(2), MESSAGES[1])
                session.quit()
                self.assertEqual(self.left(server, user)[2], {"\\Deleted"})

    @on_each_server
    def test_rule_09_marked_message_that_someone_else_removed_counts_as_done(self, server, gate, user):
        session = gate.login(user)
        session.ok("DELE 2")
        session.ok("DELE 4")
        with server.imap(user) as mailbox:
            mailbox.expunge([4])
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(sorted(self.left(server, user)), [1, 3, 5])

    @on_each_server
    def test_rule_08_numbers_hold_while_others_add_and_remove(self, server, gate, user):
        session = gate.login(user)
        with server.imap(user) as mailbox:
            mailbox.expunge([1])
            mailbox.append([corpus.message("new", b"new\r\n")] * 3)
        self.assertEqual(session.retr(3), MESSAGES[2])
        session.ok("DELE 3")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(sorted(self.left(server, user)), [2, 4, 5, 6, 7, 8])

    def test_two_thousand_messages_every_second_removed(self):
        for name in ("Dovecot", "Dovecot without UIDPLUS"):
            server, gate = REAL[name]
            with self.subTest(server=name):
                user = server.user()
                for number in range(2000):
                    server.drop(user, b"Subject: %d\n\ntext\n" % number)
                session = gate.login(user)
                self.assertEqual(session.stat()[0], 2000)
                unique = session.uidl()
                session.send(b"".join(b"DELE %d\r\n" % number for number in range(1, 2001, 2)))
                for _ in range(1000):
                    self.assertTrue(session.status().startswith(b"+OK"))
                self.assertTrue(session.quit().startswith(b"+OK"))
                session = gate.login_when_free(user)
                self.assertEqual(list(session.uidl().values()), [unique[n] for n in range(2, 2001, 2)])
                session.quit()


class OthersFlags(Case):
    """Another client's \\Deleted beside ours."""

    def prepare(self, server, gate, before):
        """A session with 1 and 2 marked while another client has flagged 4, BEFORE login or after the marks."""
        user = server.user()
        server.fill(user, MESSAGES)
        with server.imap(user) as mailbox:
            if before:
                mailbox.flag_deleted([4])
            session = gate.login(user)
            session.ok("DELE 1")
            session.ok("DELE 2")
            if not before:
                mailbox.flag_deleted([4])
        return user, session.quit()

    def flags(self, server, user):
        with server.imap(user) as mailbox:
            return mailbox.flags()

    def test_with_uidplus_only_ours_go(self):
        for name in ("Dovecot", "Cyrus"):
            for before in (True, False):
                with self.subTest(server=name, before=before):
                    user, reply = self.prepare(*REAL[name], before)
                    self.assertTrue(reply.startswith(b"+OK"), reply)
                    self.assertEqual(self.flags(REAL[name][0], user), {3: set(), 4: {"\\Deleted"}, 5: set()})

    def test_without_uidplus_leave_keeps_everything_and_says_so(self):
        server, gate = REAL["Dovecot without UIDPLUS"]
        for before in (True, False):
            with self.subTest(before=before):
                user, reply = self.prepare(server, gate, before)
                self.assertEqual(not_removed(reply), (2, 2))
                flags = self.flags(server, user)
                self.assertEqual(sorted(flags), [1, 2, 3, 4, 5])
                self.assertEqual((flags[3], flags[4], flags[5]), (set(), {"\\Deleted"}, set()))
                session = gate.login_when_free(user)
                self.assertEqual(session.stat()[0], 2, "ours stay flagged and hidden")
                session.quit()

    def test_without_uidplus_lift_removes_ours_and_restores_theirs(self):
        server = servers.dovecot_without_uidplus()
        gate = self.gateway({"port": server.imap_port, "without_uidplus": "lift"})
        for before in (True, False):
            with self.subTest(before=before):
                user, reply = self.prepare(server, gate, before)
                self.assertTrue(reply.startswith(b"+OK"), reply)
                self.assertEqual(self.flags(server, user), {3: set(), 4: {"\\Deleted"}, 5: set()})

    def test_without_uidplus_move_to_the_trash(self):
        server = servers.dovecot_with_move_only()
        gate = self.gateway({"port": server.imap_port, "trash_mailbox": "Trash"})
        for before in (True, False):
            with self.subTest(before=before):
                user, reply = self.prepare(server, gate, before)
                self.assertTrue(reply.startswith(b"+OK"), reply)
                self.assertEqual(self.flags(server, user), {3: set(), 4: {"\\Deleted"}, 5: set()})
                with server.imap(user) as mailbox:
                    mailbox.select("Trash")
                    self.assertEqual(sorted(mailbox.bodies().values()), sorted(MESSAGES[:2]))

    def test_flag_that_comes_between_store_and_search(self):
        server = self.scripted(MESSAGES, capability=("IMAP4rev1", "AUTH=PLAIN", "SASL-IR"))
        gate = self.gateway({"port": server.port})

        def flag_first(connection, _command):
            server.message(4).flags.add("\\Deleted")
            return False
        server.on("UID SEARCH", flag_first)
        session = gate.login("someone")
        session.ok("DELE 1")
        self.assertEqual(not_removed(session.quit()), (1, 1))
        self.assertEqual(server.uids(), [1, 2, 3, 4, 5])
        self.assertEqual(server.flags()[4], {"\\Deleted"})
        self.assertNotIn("EXPUNGE", server.names())
        self.assertNotIn("CLOSE", server.names())


class ReadOnly(Case):
    def check(self, session):
        self.assertEqual(session.retr(1), MESSAGES[0])
        for number in (1, 2):
            self.assert_code(session.err(f"DELE {number}"), "SYS/PERM")
        self.assertEqual(session.stat()[0], len(MESSAGES))
        self.assertTrue(session.quit().startswith(b"+OK"))

    def test_rule_19_mailbox_without_rights_to_delete(self):
        server, gate = REAL["Dovecot"]
        for user in ("reader", "seer"):
            with self.subTest(user=user):
                if not self.filled(server, user):
                    for message in MESSAGES:
                        server.drop(user, message)
                self.check(gate.login(user))
                with server.imap(user) as mailbox:
                    self.assertEqual(len(mailbox.uids()), 5)

    @staticmethod
    def filled(server, user):
        with server.imap(user) as mailbox:
            return mailbox.uids()

    def test_rule_19_read_only_answer_to_select(self):
        server = self.scripted(MESSAGES, read_only=True)
        self.check(self.gateway({"port": server.port}).login("someone"))
        self.assertNotIn("UID STORE", server.names())

    def test_rule_19_deleted_is_not_a_permanent_flag(self):
        server = self.scripted(MESSAGES, permanent=r"\Seen \Answered")
        self.check(self.gateway({"port": server.port}).login("someone"))
        self.assertNotIn("UID STORE", server.names())


class Scripted(ScriptedCase):
    messages = MESSAGES

    def session(self, *marked):
        session = self.gate.login_when_free("someone")
        for number in marked:
            session.ok(f"DELE {number}")
        return session

    def assert_ledger(self, marked, reply, before):
        """The invariants: removed is a subset of marked, +OK tells the truth, nobody else's flags changed."""
        flags = self.server.flags()
        removed = set(before) - set(flags)
        self.assertLessEqual(removed, set(marked))
        if reply.startswith(b"+OK"):
            self.assertEqual(removed, set(marked))
        else:
            self.assert_code(reply, "SYS/TEMP")
        for uid in set(before) - set(marked):
            self.assertEqual(flags[uid], before[uid], f"UID {uid}")
        self.assertNotIn("CLOSE", self.server.names())


class Procedure(Scripted):
    def test_rule_16_dele_and_rset_send_nothing_upstream(self):
        session = self.session(1, 2)
        session.ok("RSET")
        session.ok("DELE 3")
        session.ok("NOOP")
        self.assertFalse({"UID STORE", "STORE", "EXPUNGE", "UID EXPUNGE"} & set(self.server.names()))
        session.close()

    def test_steps_are_store_expunge_by_uid_and_a_check(self):
        self.assertTrue(self.session(1, 2, 4).quit().startswith(b"+OK"))
        names = self.server.names()
        self.assertEqual(self.server.uids(), [30, 50])
        self.assertIn("UID STORE", names)
        self.assertIn("UID EXPUNGE", names)
        self.assertNotIn("EXPUNGE", names)
        self.assertLess(names.index("UID STORE"), names.index("UID EXPUNGE"))
        self.assertTrue(set(names[names.index("UID EXPUNGE"):]) & {"UID SEARCH", "UID FETCH"}, names)
        for line in self.server.lines("UID STORE"):
            self.assertRegex(line, rb"(?i)^[\d,:]+ \+FLAGS\.SILENT \(\\Deleted\)$")

    def test_nothing_marked_sends_nothing(self):
        self.session().quit()
        self.assertFalse({"UID STORE", "UID EXPUNGE", "EXPUNGE", "CLOSE"} & set(self.server.names()))

    def test_command_lines_stay_short(self):
        messages = [b"Subject: x\r\n\r\nx\r\n"] * 4000
        self.begin(messages)
        with self.server.lock:
            for number, message in enumerate(self.server.messages):
                message.uid = 1000000000 + 7 * number
        session = self.session()
        session.send(b"".join(b"DELE %d\r\n" % number for number in range(1, 4001, 2)))
        for _ in range(2000):
            self.assertTrue(session.status().startswith(b"+OK"))
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(len(self.server.uids()), 2000)
        self.assertLess(max(len(command.raw) for command in self.server.commands), 8000)
        self.assertGreater(self.server.names().count("UID STORE"), 1)

    def test_server_that_says_ok_and_removes_nothing(self):
        self.server.on("UID EXPUNGE", b"{tag} OK done\r\n")
        before = self.server.flags()
        reply = self.session(1, 2).quit()
        self.assertEqual(not_removed(reply), (2, 2))
        self.assert_ledger({10, 20}, reply, before)

    def test_server_that_removes_only_some(self):
        def only_first(connection, command):
            with self.server.lock:
                connection.remove({10})
            connection.done(command)
            return True
        self.server.on("UID EXPUNGE", only_first)
        before = self.server.flags()
        reply = self.session(1, 2).quit()
        self.assertEqual(not_removed(reply), (1, 2))
        self.assert_ledger({10, 20}, reply, before)

    def test_refused_expunge_takes_our_flags_back(self):
        self.server.on("UID EXPUNGE", b"{tag} NO [NOPERM] not you\r\n")
        before = self.server.flags()
        reply = self.session(1, 2).quit()
        self.assertEqual(not_removed(reply), (2, 2))
        self.assert_ledger({10, 20}, reply, before)
        self.assertEqual(self.server.flags(), before)

    def test_refused_expunge_leaves_flags_of_others(self):
        gate = self.gateway({"port": self.server.port, "deleted": "show"})
        self.server.message(20).flags.add("\\Deleted")
        self.server.on("UID EXPUNGE", b"{tag} NO [NOPERM] not you\r\n")
        before = self.server.flags()
        session = gate.login_when_free("someone")
        for number in (1, 2, 3):
            session.ok(f"DELE {number}")
        self.assertEqual(not_removed(session.quit()), (3, 3))
        self.assertEqual(self.server.flags(), before)

    def test_refused_store_means_no_expunge(self):
        before = self.server.flags()
        for answer in (b"{tag} NO no\r\n", b"{tag} BAD no\r\n", b"{tag} NO [READ-ONLY] no\r\n"):
            with self.subTest(answer):
                self.begin()
                self.server.on("UID STORE", answer)
                reply = self.session(1, 2).quit()
                self.assertTrue(reply.startswith(b"-ERR [SYS/"), reply)
                self.assertEqual(self.server.flags(), before)
                self.assertNotIn("UID EXPUNGE", self.server.names())

    def test_faults_at_every_step_before_and_after_it_took_effect(self):
        faults = {"close": scripted_imap.close, "reset": scripted_imap.reset, "stall": scripted_imap.stall,
                  "NO": b"{tag} NO no\r\n", "BAD": b"{tag} BAD no\r\n",
                  "BYE": scripted_imap.send_then(b"* BYE going down\r\n"),
                  "half a line": scripted_imap.send_then(b"{tag} O")}
        for step in ("UID STORE", "UID EXPUNGE", "UID SEARCH"):
            for name, fault in faults.items():
                for effective in (False, True):
                    with self.subTest(step=step, fault=name, effective=effective):
                        self.begin()
                        before = self.server.flags()
                        self.server.on(step, scripted_imap.once(self.after_effect(fault) if effective else fault))
                        session = self.session(1, 3)
                        session.send(b"QUIT\r\n")
                        answer = session.rest()
                        self.assertRegex(answer, rb"^(\+OK|-ERR)[^\r\n]*\r\n$")
                        self.assert_ledger({10, 30}, answer, before)
                        self.server.usual()
                        self.session().quit()

    def after_effect(self, fault):
        def action(connection, command):
            silenced = connection.send
            connection.send = lambda octets: None
            try:
                connection.usual(command)
            finally:
                connection.send = silenced
            return connection.act(fault, command)
        return action

    def test_second_batch_fails(self):
        # a patient one: a connection given up in the middle would be made anew, and the third STORE succeed
        gate = self.gateway({"port": self.server.port, "command_timeout": "60s"})
        self.begin([b"Subject: x\r\n\r\nx\r\n"] * 4000)
        with self.server.lock:
            for number, message in enumerate(self.server.messages):
                message.uid = 1000000000 + 7 * number
        before = self.server.flags()
        seen = []

        def second(connection, command):
            seen.append(command)
            if len(seen) == 2:
                connection.done(command, "no", "NO")
                return True
            return False
        self.server.on("UID STORE", second)
        session = gate.login_when_free("someone")
        session.send(b"".join(b"DELE %d\r\n" % number for number in range(1, 4001, 2)))
        for _ in range(2000):
            session.status()
        reply = session.quit()
        self.assertTrue(reply.startswith(b"-ERR [SYS/TEMP]"), reply)
        self.assert_ledger({1000000000 + 14 * n for n in range(2000)}, reply, before)


class WithoutUidplus(Scripted):
    capability = ("IMAP4rev1", "LITERAL+", "SASL-IR", "AUTH=PLAIN", "MOVE")

    def test_expunge_only_when_the_search_shows_nothing_else(self):
        self.assertTrue(self.session(1, 2).quit().startswith(b"+OK"))
        names = self.server.names()
        self.assertEqual(self.server.uids(), [30, 40, 50])
        self.assertIn("EXPUNGE", names)
        self.assertIn("UID SEARCH", names[names.index("UID STORE"):names.index("EXPUNGE")])
        self.assertNotIn("UID EXPUNGE", names)
        self.assertNotIn("UID MOVE", names, "no trash mailbox is configured")

    def test_lift_refused_at_expunge_restores_theirs(self):
        gate = self.gateway({"port": self.server.port, "without_uidplus": "lift", "command_timeout": "1s"})
        self.server.message(40).flags.add("\\Deleted")
        self.server.on("EXPUNGE", scripted_imap.once(b"{tag} NO no\r\n"))
        session = gate.login_when_free("someone")
        session.ok("DELE 1")
        self.assert_code(session.quit(), "SYS/TEMP")
        self.assertIn("\\Deleted", self.server.flags()[40])
        self.assertEqual(self.server.uids(), [10, 20, 30, 40, 50])


class LiftCut(Scripted):
    """Without UIDPLUS: the connection is lost while flags of others are off."""
    capability = ("IMAP4rev1", "LITERAL+", "SASL-IR", "AUTH=PLAIN")
    upstream = {"without_uidplus": "lift"}

    def test_flags_of_others_are_restored_on_a_new_connection(self):
        self.server.message(40).flags.add("\\Deleted")
        self.server.on("EXPUNGE", scripted_imap.once(scripted_imap.close))
        session = self.session(1)
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertIn("\\Deleted", self.server.flags()[40])
        self.assertEqual(self.server.uids(), [20, 30, 40, 50])


class LostUpstream(Scripted):
    """The IMAP connection is lost between commands."""

    def lose(self):
        self.server.drop_connections()
        self.server.wait_for(lambda server: not server.connections)

    def test_rule_34_retr_and_top_do_not_notice(self):
        session = self.session(1)
        self.lose()
        self.assertEqual(session.retr(3), MESSAGES[2])
        self.lose()
        self.assertEqual(session.top(4, 0), MESSAGES[3].split(b"\r\n\r\n")[0] + b"\r\n\r\n")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.server.uids(), [20, 30, 40, 50])

    def test_rule_34_quit_does_not_notice(self):
        session = self.session(1, 2)
        self.lose()
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.server.uids(), [30, 40, 50])
        self.assertEqual(self.server.names().count("SELECT"), 2)

    def test_rule_34_message_that_went_meanwhile(self):
        session = self.session(1)
        self.lose()
        with self.server.lock:
            self.server.messages = [m for m in self.server.messages if m.uid != 30]
        self.assert_code(session.err("RETR 3"))
        self.assertEqual(session.retr(4), MESSAGES[3])
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.server.uids(), [20, 40, 50])

    def test_rule_34_one_new_connection_for_one_command(self):
        session = self.session(1)
        self.server.on("fetch body", scripted_imap.close)
        self.assert_code(session.err("RETR 3"), "SYS/TEMP")
        self.assertEqual(session.rest(), b"")
        self.assertEqual(self.server.names().count("SELECT"), 2)

    def test_rule_34_not_where_the_administrator_does_not_want_it(self):
        gate = self.gateway({"port": self.server.port, "reconnect": "no"})
        session = gate.login("someone")
        session.ok("DELE 1")
        before = self.server.flags()
        self.lose()
        self.assert_code(session.err("RETR 3"), "SYS/TEMP")
        self.assertEqual(session.rest(), b"")
        self.assertEqual(self.server.flags(), before)
        self.assertEqual(self.server.names().count("SELECT"), 1)

    def test_rule_17_a_server_that_gives_up_an_idle_connection_costs_nothing(self):
        gate = self.gateway({"port": self.server.port, "keepalive_interval": "100ms"})
        session = gate.login("someone")
        self.lose()
        gate.wait_log("connection to the mail server is lost")
        self.assertEqual(session.retr(3), MESSAGES[2])
        session.quit()

    def test_rule_10_other_uidvalidity_at_retr(self):
        session = self.session(1)
        before = self.server.flags()
        self.lose()
        self.server.uidvalidity += 1
        self.assert_code(session.err("RETR 3"), "SYS/TEMP")
        self.assertEqual(session.rest(), b"")
        self.assertEqual(self.server.flags(), before)
        self.assertNotIn("UID STORE", self.server.names())

    def test_rule_10_other_uidvalidity_at_quit(self):
        session = self.session(1, 2)
        before = self.server.flags()
        self.lose()
        self.server.uidvalidity += 1
        self.assert_code(session.quit(), "SYS/TEMP")
        self.assertEqual(self.server.flags(), before)
        self.assertNotIn("UID STORE", self.server.names())

    def test_mailbox_that_became_read_only(self):
        session = self.session(1)
        before = self.server.flags()
        self.lose()
        self.server.read_only = True
        self.addCleanup(setattr, self.server, "read_only", False)
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/"))
        self.assertEqual(self.server.flags(), before)

    def test_server_that_stays_away(self):
        server = self.scripted(MESSAGES)
        gate = self.gateway({"port": server.port})
        session = gate.login("someone")
        session.ok("DELE 1")
        server.stop()
        self.assert_code(session.quit(), "SYS/TEMP")
        self.assertEqual(server.uids(), [1, 2, 3, 4, 5])

    def test_crash_after_dele(self):
        gate = self.gateway({"port": self.server.port})
        session = gate.login("crash")
        before = self.server.flags()
        session.ok("DELE 1")
        gate.kill()
        self.assertEqual(self.server.flags(), before)
        self.assertNotIn("UID STORE", self.server.names())
        gate.start()
        session = gate.login("crash")
        self.assertEqual(session.stat()[0], 5)
        session.quit()
