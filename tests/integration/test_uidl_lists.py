"""Moving users whose mail is spread over several mailboxes, shown as one maildrop (`mailbox = INBOX, Junk`): what
"popgate uidl import", "verify" and the learner make of it."""
import threading

from harness import migration, popgate, scripted_imap, scripted_pop3
from harness.cases import Case
from harness.dovecot import Dovecot
from harness.migration import Commands, message

SAFE, UNSAFE = 0, 1
LIST = {"mailbox": "INBOX, Junk"}


class Lists(migration.OldAndNew):
    def moved(self, messages, junk, inbox=None, new=True):
        """A user with MESSAGES on the old server. On the new one those at the places JUNK are in Junk, and those at INBOX
        (the others) in INBOX; behind a message that is only there, in either, where NEW."""
        user = self.old.user("mover")
        self.old.fill(user, messages)
        with self.old.imap(user) as source:
            bodies = [octets for _, octets in sorted(source.bodies().items())]
        inbox = [place for place in range(len(messages)) if place not in junk] if inbox is None else inbox
        first = [[message(9000)], [message(9001)]] if new else [[], []]
        with self.new.imap(user) as mailbox:
            mailbox.append(first[0] + [bodies[place] for place in inbox])
            mailbox.create("Junk")
            mailbox.append(first[1] + [bodies[place] for place in junk], "Junk")
        return user

    def commands(self):
        return Commands(self.old.pop3_port, self.new.imap_port, new=LIST)

    def gate(self, **new):
        gate = migration.LearningGate(self.old.pop3_port, self.new.imap_port, new={**LIST, **new})
        self.addCleanup(self._stop, gate)
        return gate

    def imported(self, gate, user):
        done = popgate.run("uidl", "import", "--config", gate.config, "--users", "-", input=f"{user} secret\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def expected(self, user, junk, count=20):
        """The UIDLs of the old server as popgate shows them: INBOX, then Junk; None for what is only on the new one."""
        old = migration.old_uidls(self.old, user)
        return [None, *(old[place] for place in range(count) if place not in junk), None, *(old[place] for place in junk)]

    def assert_uidls(self, seen, expected):
        self.assertEqual(len(set(seen)), len(expected))
        self.assertEqual([uidl if known else None for uidl, known in zip(seen, expected)], expected)
        self.assertFalse({uidl for uidl, known in zip(seen, expected) if not known} & set(expected))

    # the commands

    def test_import_and_verify(self):
        junk = [2, 5, 7]
        commands, user = self.commands(), self.moved([message(number) for number in range(8)], junk)
        before = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(before.returncode, UNSAFE, before.stdout)
        self.assertIn("8 changed", before.stdout)
        self.assertIn("UID 2 of INBOX changed: ", before.stdout)
        self.assertIn("UID 2 of Junk changed: ", before.stdout)
        done, rows, _ = commands.imported("--users", commands.users([user]))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((rows[user]["new"], rows[user]["matched"], rows[user]["without_partner"]), (10, 8, 2))
        self.assertEqual(rows[user]["stored"]["written"], 8)
        after = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(after.returncode, SAFE, after.stdout + after.stderr)
        self.assertIn("8 messages same, 0 changed, 0 missing, 2 new", after.stdout)

    def test_import_is_seen_at_the_login_in_the_right_mailbox(self):
        junk = [0, 1, 19]
        user, gate = self.moved([message(number) for number in range(20)], junk), self.gate(learn=None)
        self.imported(gate, user)
        seen = gate.uidls(user)
        self.assert_uidls(seen, self.expected(user, junk))
        self.assertEqual(gate.uidls(user), seen)

    def test_all_is_in_the_second(self):
        user, gate = self.moved([message(number) for number in range(5)], range(5)), self.gate(learn=None)
        self.imported(gate, user)
        self.assert_uidls(gate.uidls(user), self.expected(user, range(5), 5))

    def test_duplicates_over_mailboxes(self):
        same = message(1)
        commands = self.commands()
        as_many = self.moved([message(5), same, message(6), same], [1], new=False)
        more = self.moved([message(5), message(6), same], [2], [1, 2, 0], new=False)
        _, rows, _ = commands.imported("--users", commands.users([as_many, more]))
        self.assertEqual((rows[as_many]["matched"], rows[as_many]["ambiguous"]), (4, 0))
        self.assertEqual((rows[more]["matched"], rows[more]["ambiguous"]), (2, 1))

    def test_a_mailbox_that_is_not_there(self):
        commands, user = self.commands(), self.old.user("mover")
        self.old.fill(user, [message(number) for number in range(5)])
        migration.refill(self.old, user, self.new, first=[message(9000)])
        _, rows, _ = commands.imported("--users", commands.users([user]))
        self.assertEqual(rows[user]["matched"], 5)
        self.assertEqual(commands.uidl("verify", "--users", commands.users([user])).returncode, SAFE)

    def test_the_guard_sees_all_mailboxes(self):
        junk = list(range(10, 30))
        user, gate = self.moved([message(number) for number in range(30)], junk), self.gate(learn=None)
        self.imported(gate, user)
        self.assert_uidls(gate.uidls(user), self.expected(user, junk, 30))
        lost = self.moved([message(number) for number in range(30)], [], range(10))
        self.imported(gate, lost)
        session = gate.connect()
        session.ok(f"USER {lost}")
        self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        gate.wait_log("login stopped")

    def test_rule_42_a_forged_mark_makes_no_duplicate(self):
        gate, user = self.gate(learn=None, uidl="message-id"), self.new.user()
        with self.new.imap(user) as mailbox:
            mailbox.create("Junk")
            mailbox.append([message(1)], "Junk")
            [real] = gate.uidls(user)
            self.assertRegex(real, r"^1@example\.org\.[0-9a-f]{12}$")
            forged = message(2).replace(b"<2@example.org>", b"<%s>" % real.encode())
            mailbox.append([forged])
            self.assertEqual(gate.uidls(user), [real + ".1", real])
            mailbox.append([forged], "Junk")
            seen = gate.uidls(user)
        self.assertEqual((seen[:2], len(set(seen))), ([real + ".1", real], 3))
        self.assertEqual(gate.uidls(user), seen)

    # the learner

    def test_first_login_learns(self):
        junk = [3, 4, 11]
        user, gate = self.moved([message(number) for number in range(20)], junk), self.gate()
        seen = gate.uidls(user)
        self.assert_uidls(seen, self.expected(user, junk))
        with self.new.imap(user) as mailbox:
            mailbox.append([message(100)], "Junk")
        again = gate.uidls(user)
        self.assertEqual(again[:-1], seen)
        self.assertEqual(gate.log().count("learned UIDLs of the old server"), 1)

    def test_first_login_learns_though_a_mailbox_is_not_there(self):
        user, gate = self.old.user("mover"), self.gate()
        self.old.fill(user, [message(number) for number in range(5)])
        migration.refill(self.old, user, self.new, first=[message(9000)])
        self.assertEqual(gate.uidls(user)[1:], migration.old_uidls(self.old, user))


class Beside(Case):
    """The old server is asked while the new one is listed."""

    def servers(self, **options):
        messages = [message(number) for number in range(12)]
        old, new = scripted_pop3.Server(messages), scripted_imap.Server(messages)
        gate = migration.LearningGate(old.port, new.port, new=options, drain_timeout="0s")
        for stop in (old.stop, new.stop):
            self.addCleanup(stop)
        self.addCleanup(self._stop, gate)
        return old, new, gate

    def assert_learned(self, gate):
        self.assertEqual(gate.uidls("user"), [f"old-{number}" for number in range(1, 13)])

    def test_neither_server_waits_for_the_other(self):
        asked = {"old": threading.Event(), "new": threading.Event()}

        def meet(mine, other):
            def action(_connection, _command):
                asked[mine].set()
                return not asked[other].wait(30)
            return action

        old, new, gate = self.servers()
        old.on("UIDL", meet("old", "new"))
        new.on("fetch listing", meet("new", "old"))
        self.assert_learned(gate)

    def cut(self, old_step, new_step):
        """The session is ended from outside while a server does not answer: nothing is left of it, as the sanitizers
        see at the gateway's end, and another session learns."""
        old, new, gate = self.servers()
        if old_step:
            old.on(old_step, scripted_imap.stall)
        if new_step:
            new.on(new_step, scripted_imap.stall)
        with gate.connect() as session:
            session.ok("USER user")
            session.send(b"PASS secret\r\n")
            for server, step in ((old, old_step), (new, new_step)):
                if step:
                    server.wait_for(lambda server, step=step: any(command.step == step for command in server.commands))
            gate.stop()
        for server in (old, new):
            server.wait_for(lambda server: not server.connections)
            server.usual()
        gate.start()
        self.assert_learned(gate)

    def test_cut_while_both_list(self):
        self.cut("UIDL", "fetch listing")

    def test_cut_while_the_old_server_is_silent(self):
        for step in ("AUTH", "UIDL", "LIST", "TOP"):
            with self.subTest(step=step):
                self.cut(step, None)

    def test_cut_while_the_new_server_is_silent(self):
        for step in ("fetch listing", "fetch body"):
            with self.subTest(step=step):
                self.cut(None, step)
