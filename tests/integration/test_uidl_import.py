"""Moving users from an old POP3 server: what "popgate uidl import" and "verify" make of two real servers."""
import contextlib
import csv
import json
import os
import pty
import shutil
import signal
import subprocess

from harness import migration, popgate, ports, scripted_imap, scripted_pop3, servers, workspace
from harness.dovecot import Dovecot
from harness.migration import Commands, message, old_uidls

SAFE, UNSAFE, LATER = 0, 1, 75  # exit statuses: EX_TEMPFAIL is the last


def of_one_size(messages):
    largest = max(len(octets) for octets in messages)
    return [octets[:-2] + b"y" * (largest - len(octets)) + b"\r\n" for octets in messages]


class Moving(migration.OldAndNew):
    def commands(self, **options):
        return Commands(self.old.pop3_port, self.new.imap_port, **options)

    def moved(self, messages, **options):
        """A user with MESSAGES on the old server, copied to the new one; a message that is only there comes first."""
        user = self.old.user("mover")
        self.old.fill(user, messages)
        migration.refill(self.old, user, self.new, first=[message(9000)], **options)
        return user


class Commanded(Moving):
    """The commands."""

    # import

    def test_import_gives_messages_the_uidls_of_the_old_server(self):
        commands, user = self.commands(), self.moved([message(number) for number in range(20)])
        before = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(before.returncode, UNSAFE, before.stdout)  # the control: all would be downloaded again
        self.assertIn("20 changed", before.stdout)
        done, rows, total = commands.imported("--users", commands.users([user]))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((rows[user]["old"], rows[user]["new"], rows[user]["matched"]), (20, 21, 20))
        self.assertEqual((rows[user]["ambiguous"], rows[user]["unmatched"], rows[user]["without_partner"]), (0, 0, 1))
        self.assertEqual(rows[user]["stored"]["written"], 20)
        self.assertEqual(total["imported"], 1)
        after = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(after.returncode, SAFE, after.stdout + after.stderr)
        self.assertIn("20 messages same, 0 changed, 0 missing, 1 new", after.stdout)

    def test_verify_counts_a_uidl_that_is_another_message_s_now(self):
        messages, user = [message(number) for number in range(3)], self.old.user("mover")
        self.new.fill(user, messages[1:])
        server = scripted_pop3.Server(messages)
        self.addCleanup(server.stop)
        server.on("UIDL", lambda connection, _command: connection.lines("1 1", "2 x", "3 y") or True)
        commands = Commands(server.port, self.new.imap_port, new={"uidl": "%u"})
        done = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(done.returncode, UNSAFE, done.stdout + done.stderr)
        self.assertIn("0 messages same, 2 changed, 1 missing, 0 new", done.stdout)

    def test_verify_asks_for_attributes_as_a_login_does(self):
        """The mailbox stays where it is, and only POP3 goes."""
        server, user = servers.dovecot_with_uidls("%g"), self.new.user("stays")
        server.fill(user, [message(number) for number in range(30)])
        commands = Commands(server.pop3_port, server.imap_port, new={"uidl": "x-guid"})
        done = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(done.returncode, SAFE, done.stdout + done.stderr)
        self.assertIn("30 messages same, 0 changed, 0 missing, 0 new", done.stdout)

    def test_verify_tells_the_same_message_id_apart_as_a_login_does(self):
        mail, user = [message(1), message(2), message(1)], self.new.user("new")
        self.new.fill(user, mail)
        server = scripted_pop3.Server(mail)
        self.addCleanup(server.stop)
        server.on("UIDL", lambda connection, _command: connection.lines(
            "1 1@example.org", "2 2@example.org", "3 1@example.org.3") or True)
        commands = Commands(server.port, self.new.imap_port, new={"uidl": "message-id"})
        done = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(done.returncode, SAFE, done.stdout + done.stderr)
        self.assertIn("3 messages same, 0 changed, 0 missing, 0 new", done.stdout)

    def test_an_old_server_without_top_is_asked_for_one_header_alone(self):
        def no_top(connection, command):
            asked.append(command.raw)
            connection.done(command, "unknown command", "-ERR")
            if len(asked) > 1:
                raise scripted_imap.Ended
            return True

        asked, messages, user = [], [message(number) for number in range(12)], self.old.user("mover")
        self.new.fill(user, messages + [message(9000)])
        for capability in (("UIDL", "USER"), ("UIDL", "USER", "PIPELINING")):
            with self.subTest(capability=capability):
                asked.clear()
                server = scripted_pop3.Server(messages, capability)
                self.addCleanup(server.stop)
                server.on("TOP", no_top)
                commands = Commands(server.port, self.new.imap_port)
                done, rows, _ = commands.imported("--users", commands.users([user]))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual(len(asked), 1)
                self.assertGreater(rows[user]["matched"], 0)

    def test_a_message_that_was_not_copied_is_reported(self):
        commands = self.commands()
        user = self.moved([message(number) for number in range(10)], skip={3})
        _, rows, _ = commands.imported("--users", commands.users([user]))
        self.assertEqual((rows[user]["matched"], rows[user]["unmatched"]), (9, 1))
        verified = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(verified.returncode, UNSAFE)
        self.assertIn("9 messages same, 0 changed, 1 missing", verified.stdout)
        self.assertIn(f"missing: {old_uidls(self.old, user)[3]}", verified.stdout)

    def test_identical_messages(self):
        same, other = message(1), message(2)
        commands, user = self.commands(), self.moved([same, same, other, same])
        _, rows, _ = commands.imported("--users", commands.users([user]))
        self.assertEqual((rows[user]["matched"], rows[user]["ambiguous"]), (4, 0))
        torn = self.moved([other, same, same, message(3)], skip={0, 2})
        _, rows, _ = commands.imported("--users", commands.users([torn]))
        self.assertEqual((rows[torn]["matched"], rows[torn]["ambiguous"], rows[torn]["unmatched"]), (1, 2, 1))

    def test_shifted_messages_of_one_size(self):
        same = of_one_size([message(number) for number in range(10)])
        commands, user = self.commands(), self.old.user("mover")
        self.old.fill(user, same)
        self.new.fill(user, same[:3] + same[4:] + [same[3]])
        _, rows, _ = commands.imported("--users", commands.users([user]))
        self.assertEqual((rows[user]["matched"], rows[user]["ambiguous"]), (10, 0))
        self.assertEqual((rows[user]["by"]["order"], rows[user]["by"]["headers"]), (3, 7))
        self.assertEqual(commands.uidl("verify", "--users", commands.users([user])).returncode, SAFE)

    def test_thorough_reads_all_headers(self):
        commands, user = self.commands(), self.moved([message(number) for number in range(30)])
        _, rows, _ = commands.imported("--thorough", "--users", commands.users([user]))
        self.assertEqual((rows[user]["matched"], rows[user]["headers"]), (30, 61))

    def test_wrong_passwords_are_reported_and_others_go_on(self):
        commands, good, bad = self.commands(), self.moved([message(1)]), self.moved([message(1)])
        users = commands.users({bad: "guessed", good: "secret", "nobody\N{SNOWMAN}": "secret"})
        done, rows, total = commands.imported("--users", users)
        self.assertEqual(done.returncode, LATER)
        self.assertEqual(rows[bad]["result"], "failed")
        self.assertEqual(rows[bad]["reason"], "credentials rejected")
        self.assertEqual(rows[good]["matched"], 1)
        self.assertEqual((total["imported"], total["failed"]), (2, 1))
        self.assertIn("failed, the login at the old server: credentials rejected", done.stdout)

    def test_old_server_is_down(self):
        commands = Commands(ports.free_port(), self.new.imap_port)
        done, rows, _ = commands.imported("--users", commands.users(["somebody"]))
        self.assertEqual(done.returncode, LATER)
        self.assertEqual(rows["somebody"]["step"], "the login at the old server")

    def test_killed_and_resumed(self):
        commands = self.commands()
        users = [self.moved([message(number) for number in range(5)]) for _ in range(8)]
        first = commands.start_import("--jobs", "1", "--users", commands.users(users))
        lines = []
        while sum(line.endswith("imported\n") for line in lines) < 3:
            lines.append(first.stdout.readline())
            self.assertTrue(lines[-1], lines)
        first.kill()
        first.communicate()
        done, rows, total = commands.imported("--users", commands.users(users))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(total["failed"], 0)
        self.assertGreaterEqual(total["skipped"], 3)
        self.assertEqual(total["skipped"] + total["imported"], 8)
        verified = commands.uidl("verify", "--users", commands.users(users))
        self.assertEqual(verified.returncode, SAFE, verified.stdout)
        again, _, total = commands.imported("--again", "--users", commands.users(users))
        self.assertEqual((again.returncode, total["imported"], total["written"], total["same"]), (0, 8, 0, 40))

    def test_interrupted(self):
        """Those who are begun are finished, the report is whole, and the rest is for the next time."""
        commands = self.commands()
        users = [self.moved([message(number) for number in range(5)]) for _ in range(8)]
        report = os.path.join(commands.dir, "interrupted.json")
        # the rate is so low that the second user cannot have begun
        first = commands.start_import("--rate", "1", "--report", report, "--users", commands.users(users))
        lines = [first.stdout.readline(), first.stdout.readline()]
        self.assertTrue(lines[1].endswith("imported\n"), lines)
        first.send_signal(signal.SIGINT)
        first.communicate()
        self.assertEqual(first.returncode, LATER)
        with open(report, encoding="utf-8") as text:
            total = json.load(text)["total"]
        self.assertEqual((total["imported"], total["failed"]), (1, 0))
        done, _, total = commands.imported("--users", commands.users(users))
        self.assertEqual((done.returncode, total["skipped"], total["imported"]), (0, 1, 7))

    def test_uidls_that_name_other_messages(self):
        """Both servers count from 1, so that all UIDLs are there still, whatever the copy has made of the order."""
        old = Dovecot(extra="pop3_uidl_format = %u\n")
        self.addCleanup(old.stop)
        commands = Commands(old.pop3_port, self.new.imap_port, new={"uidl": "cyrus-uid"})
        mail = [message(number) for number in range(12)]
        alike, same = of_one_size(mail), [message(1)] * 12
        swapped = of_one_size([message(number) for number in range(12)][:2]) + mail[2:]
        for mail, order, status, line in (
                (mail, mail, SAFE, "12       12        0"), (mail, mail[::-1], UNSAFE, "12        0       12"),
                (alike, alike, SAFE, "12       12        0"), (alike, alike[::-1], UNSAFE, "12        0       12"),
                (same, same, SAFE, "12       12        0"),
                (swapped, swapped[1::-1] + swapped[2:], UNSAFE, "12       10        2"),
                (alike, of_one_size([message(number) for number in range(12, 24)]), UNSAFE, "12        0        0       12       12")):
            user = self.new.user("counted")
            old.fill(user, mail)
            self.new.fill(user, order)
            done = commands.uidl("verify", "--users", commands.users([user]))
            self.assertEqual(done.returncode, status, done.stdout)
            self.assertIn(line, done.stdout)

    def test_a_master_user_does_it_for_all(self):
        masters = {"extra": "plugin {{\n  acl_user = %u\n}}\npassdb {{\n  driver = passwd-file\n"
                            "  args = scheme=PLAIN {dir}/masters\n  master = yes\n}}\n",
                   "files": {"masters": "admin:secret\n"}}
        old, new = Dovecot(**masters), Dovecot(**masters)
        for server in (old, new):
            self.addCleanup(server.stop)
        old.fill("jane", [message(1), message(2)])
        migration.refill(old, "jane", new, first=[message(3)])
        master = {"master_user": "admin", "master_password_file": self.secret()}
        commands = Commands(old.pop3_port, new.imap_port, old=master, new=master)
        done, rows, _ = commands.imported("jane")
        self.assertEqual((done.returncode, rows["jane"]["matched"]), (0, 2), done.stdout + done.stderr)
        self.assertEqual(commands.uidl("verify", "jane").returncode, SAFE)

    def test_two_servers_with_one_uidvalidity(self):
        """What is only on the new one is called there what another message was called on the old one."""
        old = Dovecot()
        self.addCleanup(old.stop)
        user = self.new.user("new")
        old.fill(user, [message(1), message(2)])
        migration.refill(old, user, self.new, first=[message(3)])
        for server in (old, self.new):
            server.set_uidvalidity(user, 1234567890)
        self.assertEqual(old_uidls(old, user), ["00000001499602d2", "00000002499602d2"])
        commands = Commands(old.pop3_port, self.new.imap_port)
        _, rows, _ = commands.imported("--users", commands.users([user]))
        self.assertEqual(rows[user]["matched"], 2)
        verified = commands.uidl("verify", "--users", commands.users([user]))
        self.assertEqual(verified.returncode, SAFE, verified.stdout)
        self.assertIn("2 messages same, 0 changed, 0 missing, 1 new", verified.stdout)

    def assert_shows_progress(self, commands, command, users):
        main, side = pty.openpty()
        self.addCleanup(os.close, main)
        try:
            done = subprocess.run([popgate.binary(), "uidl", command, "--config", commands.config, "--jobs", "1", "--rate",
                                   "120", "--users", users], stdout=subprocess.PIPE, stderr=side,
                                  env=popgate.environment(), timeout=60)
        finally:
            os.close(side)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: nobody has the other side any more
            while True:
                shown += os.read(main, 65536)
        self.assertEqual(done.returncode, 0, shown)
        self.assertRegex(shown, rb"\r\x1b\[K\[#+\.+\] \d+% \d/4, \d+/min, \d:\d\d left")

    def test_progress_on_a_terminal(self):
        commands = self.commands()
        users = [self.moved([message(1)]) for _ in range(4)]
        for command in ("import", "verify"):
            with self.subTest(command):
                self.assert_shows_progress(commands, command, commands.users(users))

    def test_damaged_state_store(self):
        commands, user = self.commands(), self.moved([message(1)])
        os.makedirs(commands.state, mode=0o700)
        with open(os.path.join(commands.state, "state.db"), "wb") as out:
            out.write(b"no database at all" * 1000)
        done = commands.uidl("import", "--users", commands.users([user]))
        self.assertEqual(done.returncode, 73, done.stdout)
        self.assertIn("state.db", done.stderr)

    def test_rate(self):
        commands = self.commands()
        users = [self.moved([message(1)]) for _ in range(3)]
        done, rows, _ = commands.imported("--rate", "60", "--users", commands.users(users))
        self.assertEqual(done.returncode, 0)
        self.assertIn("3 users imported", done.stdout)

    def test_50000_messages(self):
        commands, user = self.commands(), self.old.user("large")
        for server in (self.new, self.old):
            server.drop(user, message(0))
        octets = [message(number) for number in range(1, 50000)]
        for server in (self.old, self.new):
            folder = os.path.join(server.dir, "mail", user, "Maildir", "cur")
            for number, text in enumerate(octets):
                path = os.path.join(folder, f"{1000000000 + number}.M{number}P1.test:2,S")
                with open(path, "wb") as out:
                    out.write(text)
                os.chown(path, *server._owner)
        done, rows, _ = commands.imported("--users", commands.users([user]), timeout=900)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual((rows[user]["matched"], rows[user]["unmatched"], rows[user]["ambiguous"]), (50000, 0, 0))
        self.assertLess(rows[user]["headers"], 10000)
        print(f"      50,000 messages in {rows[user]['ms']} ms, {rows[user]['headers']} headers")

    # by a file

    def test_csv_file(self):
        commands = self.commands(new={"master_user": "admin", "master_password_file": self.secret()})
        user = self.moved([message(number) for number in range(12)])
        uidls = old_uidls(self.old, user)
        lines = ["uidl,user,message-id,position"]
        lines += [f"{uidl},{user},<{number}@example.org>,{number + 1}" for number, uidl in enumerate(uidls)]
        path = commands.file("uidls.csv", "\r\n".join(lines) + "\r\n")
        done, rows, _ = commands.imported("--file", path, "--users", commands.users([user]))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((rows[user]["matched"], rows[user]["by"]["message-id"]), (12, 12))
        self.assertEqual(commands.uidl("verify", "--users", commands.users([user])).returncode, SAFE)

    def test_csv_file_of_more_than_are_asked_for(self):
        commands = self.commands()
        users = [self.moved([message(number)]) for number in range(3)]
        lines = [f"{user},{uidl},<{number}@example.org>" for number, user in enumerate(users)
                 for uidl in old_uidls(self.old, user)]
        path = commands.file("uidls.csv", "\n".join(["user,uidl,message-id", *lines]) + "\n")
        done, rows, _ = commands.imported("--file", path, "--users", commands.users([users[1], "nobody"]))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(list(rows), [users[1]])
        self.assertIn("uidls.csv: has no line of 1 of 2 users", done.stderr)
        done, rows, _ = commands.imported("--file", path, "--users", commands.users(users))
        self.assertEqual([rows[user].get("matched") for user in users], [1, None, 1])  # one is imported already
        self.assertNotIn("has no line", done.stderr)

    def test_positions_with_gaps_are_no_positions(self):
        """Who is where, if the file leaves out some of the old maildrop's messages?"""
        commands = self.commands(new={"master_user": "admin", "master_password_file": self.secret()})
        user = self.new.user("gaps")
        self.new.fill(user, [message(number) for number in range(3)])
        for positions, matched in (((1, 3, 5), 0), ((2, 3, 4), 0), ((1, 2, 3), 3)):
            text = "".join(f"{user},uidl-{position},{position}\n" for position in positions)
            path = commands.file("uidls.csv", "user,uidl,position\n" + text)
            done, rows, _ = commands.imported("--again", "--file", path, "--users", commands.users([user]))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual((rows[user]["old"], rows[user]["matched"]), (3, matched), positions)

    def secret(self):
        path = os.path.join(workspace.folder("secret"), "password")
        with open(path, "w", encoding="utf-8") as out:
            out.write("secret\n")
        os.chmod(path, 0o600)
        return path

    def test_csv_that_is_wrong_changes_nothing(self):
        commands = self.commands()
        for text, why in (("user,size\nx,1\n", "line 1: the first line must name"),
                          (f"user,uidl\n{'j' * 256},1\n", "line 2: the user's name is too long"),
                          ("user,uidl\njane,1\njane\n", "line 3: user or uidl is missing"),
                          ("user,uidl\njane,1\njoe,1\njane,2\n", "jane: the lines of this user do not stand together")):
            done = commands.uidl("import", "--file", commands.file("bad.csv", text))
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn(why, done.stderr)
            self.assertEqual(done.stdout, "")

    # users by routes

    def routed(self, routes, **options):
        """A gateway whose first upstreams of either protocol are wrong for everybody who is on the way of ROUTES."""
        nowhere = ports.free_port()
        gate = self.gateway({"label": "wrong", "port": nowhere}, plaintext_loopback="yes", blocks=[
            ("upstream wrongold", {"protocol": "pop3", "port": nowhere}),
            ("upstream new", {"port": self.new.imap_port, "old": "old", **options}),
            ("upstream old", {"protocol": "pop3", "port": self.old.pop3_port}),
            *[(f"route {label}", values) for label, values in routes]])
        return gate

    def by_route(self, gate, command, account, *more):
        return popgate.run("uidl", command, "--config", gate.config, "--users", "-", *more, input=f"{account} secret\n")

    def assert_taken_over(self, gate, account, before):
        done = self.by_route(gate, "import", account)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        verified = self.by_route(gate, "verify", account)
        self.assertEqual(verified.returncode, SAFE, verified.stdout + verified.stderr)
        popgate.run("state", "--config", gate.config, "set", account, "new")
        with gate.login_when_free(account) as session:
            self.assertEqual([line.split(b" ", 1)[1].decode() for line in session.lines("UIDL")][1:], before)
            session.quit()

    def moved_as(self, login):
        """A user with mail on both servers, who is LOGIN (a template) on the new one; returns the account and its UIDLs."""
        account = self.old.user("mover") + "@example.org"
        self.old.fill(account, [message(number) for number in range(8)])
        with self.old.imap(account) as source:
            bodies = [octets for _, octets in sorted(source.bodies().items())]
        self.new.fill(login % account.partition("@")[0], [message(9000), *bodies])
        return account, old_uidls(self.old, account)

    def test_the_ledger_is_that_of_the_users_login(self):
        gate = self.routed([("all", {"upstream": "wrong"}),
                            ("moved", {"users": "@example.org", "upstream": "new", "login": "%n"})])
        self.assert_taken_over(gate, *self.moved_as("%s"))

    def test_the_mailbox_is_that_of_the_route(self):
        account, before = self.moved_as("%s")
        name = account.partition("@")[0]
        with self.new.imap(name) as mailbox:
            bodies = [octets for _, octets in sorted(mailbox.bodies().items())]
            mailbox.expunge(mailbox.uids())
            mailbox.create("Shown")
            mailbox.append(bodies, "Shown")
        gate = self.routed([("moved", {"users": "@example.org", "upstream": "new", "login": "%n", "mailbox": "Shown"})])
        self.assert_taken_over(gate, account, before)

    def test_options_count_more_than_routes(self):
        gate = self.routed([("all", {"upstream": "wrong", "login": "%n"})])
        account, _ = self.moved_as("%s")
        self.assertEqual(self.by_route(gate, "import", account).returncode, LATER)
        done = self.by_route(gate, "import", account, "--new", "new", "--old", "old")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("8", done.stdout)

    def test_without_a_way_nobody_is_moved(self):
        gate = self.routed([("some", {"users": "@example.org", "upstream": "new"})])
        for command in ("import", "verify"):
            done = self.by_route(gate, command, "jane")
            self.assertEqual(done.returncode, LATER, done.stdout)
            self.assertIn("no route fits the user", done.stdout)

    # the command line

    def test_command_line(self):
        commands = self.commands()
        for arguments, why in ((["import"], "users: give --users"), (["import", "--jobs", "0", "x"], "--jobs: expected"),
                               (["import", "--html", "x", "y"], "takes no --html"),
                               (["verify"], "users: give --users"), (["import", "--old", "lost", "x"], "no such upstream"),
                               (["import", "--old", "new", "x"], "does not speak POP3"),
                               (["import", "--new", "old", "x"], "does not speak IMAP")):
            done = commands.uidl(*arguments)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn(why, done.stderr)
        self.assertIn("usage: popgate uidl verify", commands.uidl("verify", "--help").stdout)
        no_master = commands.uidl("import", "jane")
        self.assertEqual(no_master.returncode, LATER)
        self.assertIn("there is no password, and old has no master_user", no_master.stdout)

    # readiness

    def test_readiness_report(self):
        commands = self.commands()
        good = self.moved([message(number) for number in range(10)])
        bad = self.moved([message(number) for number in range(10)], skip={1, 2})
        odd = '<b>&"x"'
        commands.imported("--users", commands.users([good, bad]))
        sheet, page = os.path.join(commands.dir, "ready.csv"), os.path.join(commands.dir, "ready.html")
        users = commands.file("users", f"{good} secret\n{bad} secret\n{odd}\n")
        done = commands.uidl("verify", "--readiness", "--jobs", "1", "--users", users, "--csv", sheet,
                             "--html", page)
        self.assertEqual(done.returncode, UNSAFE, done.stdout)
        self.assertIn("1 users safe, 1 not safe, 1 failed", done.stdout)
        with open(sheet, encoding="utf-8", newline="") as text:
            rows = {row["user"]: row for row in csv.DictReader(text)}
        self.assertEqual(rows[good]["verdict"], "safe")
        self.assertEqual((rows[bad]["verdict"], rows[bad]["missing"]), ("not safe", "2"))
        self.assertEqual(rows[odd]["verdict"], "failed")
        self.look_at(page, good, bad)

    def test_names_in_reports_can_be_joined_with_the_list(self):
        names = ["jürgen", 'a"b\\c', "山田@example.org"]
        commands = Commands(ports.free_port(), ports.free_port())
        users = commands.file("users", "".join(f"{name} x\n" for name in names))
        _, rows, _ = commands.imported("--users", users)
        self.assertEqual(set(rows), set(names))
        sheet = os.path.join(commands.dir, "names.csv")
        commands.uidl("verify", "--readiness", "--users", users, "--csv", sheet)
        with open(sheet, encoding="utf-8", newline="") as text:
            self.assertEqual({row["user"] for row in csv.DictReader(text)}, set(names))

    def test_a_user_who_is_there_twice_is_refused(self):
        commands = Commands(ports.free_port(), ports.free_port())
        users = commands.file("users", "jane x\n\njoe x\njane y\n")
        once = commands.file("once", "jane x\n")
        for command in ("import", "verify"):
            for arguments, why in ((("--users", users), "users: line 4: the user is in line 1 already"),
                                   (("--users", once, "jane"), "once: a user of line 1 is on the command line too"),
                                   (("joe", "joe"), "users: a user is there twice")):
                done = commands.uidl(command, *arguments)
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertIn(why, done.stderr)
                self.assertEqual(done.stdout, "")

    def look_at(self, page, good, bad):
        """The page as a browser has it."""
        self.assertTrue(shutil.which("chromium"), "chromium is not installed")
        base = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                f"--user-data-dir={os.path.join(os.path.dirname(page), 'browser')}", "--window-size=1000,900"]
        picture = os.path.join(os.path.dirname(page), "ready.png")
        environment = {**os.environ, "HOME": os.path.dirname(page)}
        dom = subprocess.run([*base, "--dump-dom", f"file://{page}"], capture_output=True, text=True, timeout=120,
                             env=environment, check=True).stdout
        self.assertIn('aria-label="1 users are safe to move, 1 are not, 1 could not be looked at"', dom)
        self.assertIn('<rect class="part-safe"', dom)
        self.assertEqual(dom.count('<rect class="column"'), 10)
        self.assertIn("&lt;b&gt;&amp;", dom)
        self.assertNotIn("<b>&", dom)
        self.assertEqual(dom.count("<tr class="), 3)
        self.assertLess(dom.index(bad), dom.index(good), "those who cannot be moved come first")
        self.assertRegex(dom, r"As of 20\d\d-\d\d-\d\d")
        subprocess.run([*base, f"--screenshot={picture}", f"file://{page}"], capture_output=True, timeout=120,
                       env=environment, check=True)
        with open(picture, "rb") as image:
            self.assertTrue(image.read(8).startswith(b"\x89PNG"))


class Login(Moving):
    """What clients see by popgate."""

    def gate(self, old_port=None, **options):
        gate = migration.LearningGate(old_port or self.old.pop3_port, self.new.imap_port, **options)
        self.addCleanup(self._stop, gate)
        return gate

    def test_first_login_learns(self):
        user = self.moved([message(number) for number in range(12)])
        before, gate = old_uidls(self.old, user), self.gate()
        first = gate.uidls(user)
        self.assertEqual(first[1:], before)
        self.assertNotIn(first[0], before)
        self.new.fill(user, [message(100)])
        second = gate.uidls(user)
        self.assertEqual(second[:13], first)
        self.assertEqual(len(set(second)), 14)
        self.assertEqual(gate.log().count("learned UIDLs of the old server"), 1)
        gate.move_old(ports.free_port())  # switched off
        self.assertEqual(gate.uidls(user), second)

    def test_the_old_server_hears_the_name_that_the_client_says(self):
        messages = [message(number) for number in range(12)]
        user = self.old.user()
        self.old.fill(f"{user}@example.org", messages)
        self.new.fill(user, messages)
        gate = self.gate(blocks=[("route all", {"upstream": "new", "login": "%n"})])
        self.assertEqual(gate.uidls(f"{user}@example.org"), old_uidls(self.old, f"{user}@example.org"))

    def test_control_without_learning_all_is_new(self):
        user = self.moved([message(number) for number in range(12)])
        gate = self.gate(new={"learn": None})
        self.assertEqual(set(gate.uidls(user)) & set(old_uidls(self.old, user)), set())

    def refused(self, gate, user):
        session = gate.connect()
        session.ok(f"USER {user}")
        self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        session.quit()

    def failing(self, step, action):
        server = scripted_pop3.Server([message(number) for number in range(12)])
        if action:
            server.on(step, action)
        self.addCleanup(server.stop)
        return server

    def test_old_server_fails_in_mid_learning(self):
        user = self.moved([message(number) for number in range(12)])
        for step, action in (("greeting", scripted_imap.close), ("UIDL", scripted_imap.send_then(b"+OK\r\n1 a\r\n2 b")),
                             ("LIST", scripted_imap.reset), ("TOP", scripted_imap.send_then(b"+OK\r\nSubject: x\r\n"))):
            with self.subTest(step=step):
                gate = self.gate(self.failing(step, action).port)
                self.refused(gate, user)
                gate.move_old(self.old.pop3_port)
                self.assertEqual(gate.uidls(user)[1:], old_uidls(self.old, user))

    def test_a_folder_has_nothing_to_learn(self):
        """POP3 servers have none: this one knows no such user, another would show his INBOX."""
        user = self.moved([message(number) for number in range(3)])
        with self.new.imap(user) as mailbox:
            mailbox.create("Lists")
            mailbox.append([message(number) for number in range(100, 130)], "Lists")
        for knows_him in (False, True):
            with self.subTest(knows_him=knows_him):
                server = scripted_pop3.Server([message(number) for number in range(30)], ("UIDL", "USER", "TOP"))
                self.addCleanup(server.stop)
                if not knows_him:
                    server.on("PASS", lambda connection, command: connection.done(command, "no such user", "-ERR") or True)
                gate = self.gate(server.port,
                                 blocks=[("route all", {"upstream": "new", "folder_separator": '"+"'})])
                self.assertEqual(len(gate.uidls(f"{user}+Lists")), 30)

    def test_an_old_server_that_lists_without_end(self):
        user = self.moved([message(number) for number in range(3)])
        endless = b"+OK\r\n" + b"".join(b"%d u%d\r\n" % (number, number) for number in range(1, 3000))
        gate = self.gate(self.failing("UIDL", scripted_imap.send_then(endless)).port, old={"max_messages": 1000})
        self.refused(gate, user)
        gate.wait_log("more messages than max_messages")

    def test_old_server_is_silent(self):
        user = self.moved([message(number) for number in range(3)])
        silent = self.failing("UIDL", scripted_imap.stall)
        gate = self.gate(silent.port, new={"learn_timeout": "1s"})
        self.refused(gate, user)
        gate.wait_log("learn_timeout is over")
        easy = self.gate(silent.port, new={"learn_timeout": "1s", "learn_failure": "go-on"})
        seen = easy.uidls(user)
        self.assertEqual(len(seen), 4)
        easy.wait_log("UIDLs of the old server could not be learned")
        easy.move_old(self.old.pop3_port)
        self.assertEqual(easy.uidls(user), seen)  # too late: what was shown stays

    def test_old_server_rejects_the_password(self):
        user = self.moved([message(1)])
        strict = self.failing("greeting", None)
        strict.users = {user: "another"}
        self.refused(self.gate(strict.port), user)  # not [AUTH]: the password is right

    def test_import_is_seen_at_the_login(self):
        user = self.moved([message(number) for number in range(12)])
        gate = self.gate(new={"learn": None})
        done = self.imported(gate, user)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(gate.uidls(user)[1:], old_uidls(self.old, user))

    def imported(self, gate, user, *more):
        return popgate.run("uidl", "import", "--config", gate.config, "--users", "-", *more, input=f"{user} secret\n")

    def without_capitals(self):
        """As Dovecot is, if nobody says otherwise: a gateway before a server that makes small letters of names, and a user."""
        new = Dovecot(extra="auth_username_format = %Lu\n")
        self.addCleanup(new.stop)
        user = self.old.user("mover")
        self.old.fill(user, [message(number) for number in range(30)])
        migration.refill(self.old, user, new, first=[message(9000)])
        gate = migration.LearningGate(self.old.pop3_port, new.imap_port, new={"learn": None})
        self.addCleanup(self._stop, gate)
        return gate, new, user

    def test_the_login_may_be_in_other_letters_than_the_import(self):
        gate, new, user = self.without_capitals()
        self.imported(gate, user)
        first = gate.uidls(user.capitalize())
        self.assertEqual(first[1:], old_uidls(self.old, user))
        new.fill(user, [message(100)])
        second = gate.uidls(user.capitalize())
        self.assertEqual(second[:-1], first)
        self.assertEqual(gate.uidls(user), second)

    def test_the_guard_knows_a_user_in_other_letters(self):
        gate, new, user = self.without_capitals()
        self.imported(gate, user)
        with new.imap(user) as mailbox:
            mailbox.expunge(mailbox.uids())
        self.refused(gate, user.upper())
        self.assertIn(f"{user} ", popgate.run("guard", "--config", gate.config).stdout)

    def test_who_was_shown_something_keeps_it_in_whatever_letters(self):
        gate, _, user = self.without_capitals()
        first = gate.uidls(user.capitalize())
        self.imported(gate, user)
        self.assertEqual(gate.uidls(user.capitalize()), first)
        self.assertEqual(gate.uidls(user)[1:], old_uidls(self.old, user))

    def test_what_was_shown_stays_after_an_import(self):
        user = self.moved([message(number) for number in range(12)])
        gate = self.gate(new={"learn": None})
        seen = gate.uidls(user)
        done = self.imported(gate, user)
        self.assertIn("12 were shown with another UIDL and keep it", done.stdout)
        self.assertEqual(gate.uidls(user), seen)

    def test_uidvalidity_that_changes_behind_an_import(self):
        user = self.moved([message(number) for number in range(25)])
        gate = self.gate(new={"learn": None})
        self.imported(gate, user)
        with self.new.imap(user) as mailbox:
            before = mailbox.uidvalidity()
        folder = os.path.join(self.new.dir, "mail", user, "Maildir")
        for name in os.listdir(folder):
            if name.startswith("dovecot"):
                os.unlink(os.path.join(folder, name))
        with self.new.imap(user) as mailbox:
            self.assertNotEqual(mailbox.uidvalidity(), before)
        self.refused(gate, user)  # rather than all anew
        self.assertIn("imported before", self.imported(gate, user).stdout)
        self.assertEqual(self.imported(gate, user, "--again").returncode, 0)
        self.assertEqual(set(old_uidls(self.old, user)) - set(gate.uidls(user)), set())

    def verify_alone(self, gate):
        """The arguments of a command that knows no old server any more."""
        with open(gate.config, encoding="utf-8") as text:
            alone = text.read().partition("upstream old {")[0].replace("learn = old\n", "")
        path = os.path.join(gate.dir, "new-alone.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(alone)
        return "uidl", "verify", "--config", path, "--users", "-"

    def test_verify_against_the_last_login(self):
        user = self.moved([message(number) for number in range(5)])
        gate = self.gate()
        seen, verify = gate.uidls(user), self.verify_alone(gate)
        done = popgate.run(*verify, input=f"{user} secret\n")
        self.assertEqual(done.returncode, SAFE, done.stdout + done.stderr)
        self.assertIn("6 messages same, 0 changed, 0 missing, 0 new", done.stdout)
        with self.new.imap(user) as mailbox:
            mailbox.expunge(mailbox.uids()[2:3])
        done = popgate.run(*verify, input=f"{user} secret\n")
        self.assertEqual(done.returncode, UNSAFE)
        self.assertIn(f"missing: {seen[2]}", done.stdout)

    def test_verify_knows_messages_again_as_a_login_does(self):
        user = self.moved([message(number) for number in range(19)])
        gate = self.gate()
        first = gate.uidls(user)
        self.new.number_anew(user)
        done = popgate.run(*self.verify_alone(gate), input=f"{user} secret\n")
        self.assertEqual(done.returncode, UNSAFE, done.stdout + done.stderr)
        self.assertIn("16 messages same", done.stdout)
        self.assertEqual(len(set(first) & set(gate.uidls(user))), 16)

    def test_guard_stops_a_login_to_a_mailbox_that_was_not_copied(self):
        user = self.moved([message(number) for number in range(30)], skip=set(range(10, 30)))
        gate = self.gate(new={"learn": None})
        self.imported(gate, user)
        self.refused(gate, user)
        gate.wait_log("login stopped")

    def test_guard_goes_by_what_the_old_server_showed_last(self):
        user = self.moved([message(number) for number in range(30)])
        gate = self.gate(new={"learn": None})
        self.imported(gate, user)
        for server, first in ((self.old, 0), (self.new, 1)):  # the copy is kept up to date
            with server.imap(user) as mailbox:
                mailbox.expunge(mailbox.uids()[first:first + 20])
        self.assertEqual(self.imported(gate, user, "--again").returncode, 0)
        self.assertEqual(gate.uidls(user)[1:], old_uidls(self.old, user))
