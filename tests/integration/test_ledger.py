"""The memory of UIDLs: what a client was told once it is told for ever, whatever the settings, the server and the files
under popgate do; and the guard against a second download."""
import os
import re
import sqlite3

from harness import popgate as harness_popgate
from harness import ports, scripted_imap, servers
from harness.cases import Case
from harness.pop3 import Pop3

MAIL = [b"Message-ID: <%d@example.org>\r\nSubject: %d\r\n\r\nbody %d\r\n" % (i, i, i) for i in range(1, 6)]


def uidls(gate, user, password="secret"):
    """What a client sees: UIDLs in the order of the messages."""
    session = gate.login_when_free(user, password)
    seen = [line.split(b" ", 1)[1].decode() for line in session.lines("UIDL")]
    session.quit()
    return seen


class Ledger(Case):
    def database(self, gate):
        return os.path.join(gate.state_directory, "state.db")

    def query(self, gate, text, *values):
        with sqlite3.connect(self.database(gate)) as db:
            return db.execute(text, values).fetchall()

    def set_uidl(self, gate, template):
        gate.upstream["uidl"] = template
        gate.reload()

    def restart(self, gate):
        gate.stop()
        gate.start()

    def many(self, count):
        return [b"Message-ID: <%d@x>\r\nSubject: %d\r\n\r\n%s\r\n" % (i, i, b"y" * (i * 13 % 200)) for i in range(count)]


class Stable(Ledger):
    """Rule 39."""

    def check(self, server):
        user = server.user()
        server.fill(user, MAIL)
        gate = self.gateway({"port": server.imap_port, "uidl": "%v.%u"})
        first = uidls(gate, user)
        self.assertEqual(len(set(first)), len(MAIL))
        self.set_uidl(gate, "dovecot")
        self.assertEqual(uidls(gate, user), first)
        server.fill(user, MAIL[:2])
        second = uidls(gate, user)
        self.assertEqual(second[:5], first)
        self.assertTrue(all(re.fullmatch(r"[0-9a-f]{16}", uidl) for uidl in second[5:]), second)
        self.set_uidl(gate, "message-id")
        server.fill(user, MAIL[2:3])
        third = uidls(gate, user)
        self.assertEqual(third[:7], second)
        self.assertEqual(third[7], "3@example.org")
        self.restart(gate)
        self.assertEqual(uidls(gate, user), third)
        self.set_uidl(gate, "%u")
        self.assertEqual(uidls(gate, user), third)
        with server.imap(user) as mailbox:  # in the middle
            mailbox.expunge(mailbox.uids()[2:6])
        self.assertEqual(uidls(gate, user), third[:2] + third[6:])

    def test_rule_39_a_template_that_changes_leaves_what_was_shown_dovecot(self):
        self.check(servers.dovecot())

    def test_rule_39_a_template_that_changes_leaves_what_was_shown_cyrus(self):
        self.check(servers.cyrus())

    def test_what_nobody_saw_gets_the_new_template(self):
        server = servers.dovecot()
        user = server.user()
        gate = self.gateway({"port": server.imap_port, "uidl": "%v.%u"})
        self.assertEqual(uidls(gate, user), [])  # logged in, but nothing was shown
        server.fill(user, MAIL)
        self.set_uidl(gate, "hmailserver")
        self.assertEqual(uidls(gate, user), ["1", "2", "3", "4", "5"])

    def test_nothing_new_is_no_write(self):
        server = servers.dovecot()
        user = server.user()
        server.fill(user, MAIL)
        gate = self.gateway({"port": server.imap_port}, workers=0)  # each worker opens the file once
        uidls(gate, user)
        path = self.database(gate) + "-wal"
        before = os.stat(path).st_mtime_ns, self.query(gate, "SELECT * FROM maildrop")
        for _ in range(5):
            uidls(gate, user)
        self.assertEqual((os.stat(path).st_mtime_ns, self.query(gate, "SELECT * FROM maildrop")), before)
        self.assertEqual(self.query(gate, "SELECT count(*) FROM epoch"), [(1,)])
        self.assertEqual(self.query(gate, "SELECT count(*) FROM uidl"), [(0,)])

    def test_without_a_ledger_the_template_rules_all(self):
        server = servers.dovecot()
        user = server.user()
        server.fill(user, MAIL)
        gate = self.gateway({"port": server.imap_port, "uidl": "a%u", "uidl_ledger": "no"})
        self.assertEqual(uidls(gate, user), ["a1", "a2", "a3", "a4", "a5"])
        self.set_uidl(gate, "b%u")
        self.assertEqual(uidls(gate, user), ["b1", "b2", "b3", "b4", "b5"])

    def test_users_and_mailboxes_are_told_apart(self):
        server = self.scripted([scripted_imap.Message(i, body) for i, body in enumerate(MAIL, 1)])  # of one UIDVALIDITY
        gate = self.gateway({"port": server.port, "uidl": "a%u"})
        uidls(gate, "one")
        self.set_uidl(gate, "b%u")
        self.assertEqual(uidls(gate, "one"), [f"a{i}" for i in range(1, 6)])
        self.assertEqual(uidls(gate, "two"), [f"b{i}" for i in range(1, 6)])
        gate.upstream["mailbox"] = "Junk"
        self.set_uidl(gate, "c%u")
        self.assertEqual(uidls(gate, "one"), [f"c{i}" for i in range(1, 6)])

    def test_several_mailboxes(self):
        server = servers.dovecot()
        user = server.user()
        with server.imap(user) as mailbox:
            mailbox.append(MAIL[:2])
            mailbox.append(MAIL[:2], "Trash")
        gate = self.gateway({"port": server.imap_port, "uidl": "message-id", "mailbox": "INBOX, Trash"})
        first = uidls(gate, user)
        self.assertEqual(first[:2], ["1@example.org", "2@example.org"])
        self.assertEqual(len(set(first)), 4, first)
        self.set_uidl(gate, "%u")
        self.restart(gate)
        self.assertEqual(uidls(gate, user), first)


class Presets(Ledger):
    """What the server's own POP3 says popgate says."""

    def test_dovecot(self):
        server = servers.dovecot()
        user = server.user()
        server.fill(user, MAIL)
        with Pop3((ports.HOST, server.pop3_port)) as own:
            own.login(user)
            said = [line.split(b" ", 1)[1].decode() for line in own.lines("UIDL")]
            own.quit()
        for preset in ("dovecot", "cyrus-dovecot"):
            self.assertEqual(uidls(self.gateway({"port": server.imap_port, "uidl": preset}), user), said)

    def test_dovecot_x_guid(self):
        server = servers.dovecot()
        user = server.user()
        server.fill(user, MAIL)
        gate = self.gateway({"port": server.imap_port, "uidl": "x-guid"})
        seen = uidls(gate, user)
        files = set()
        for folder in ("new", "cur"):
            path = os.path.join(server.dir, "mail", user, "Maildir", folder)
            files |= {re.sub(r":2,.*", "", name).split(",S=")[0] for name in os.listdir(path)}
        self.assertEqual({uidl.split(",S=")[0] for uidl in seen}, files)
        self.assertEqual(uidls(gate, user), seen)

    def test_cyrus_all_four(self):
        server = servers.cyrus()
        user = server.user()
        server.fill(user, MAIL)
        for preset, said in server.pop3_uidls(user).items():
            with self.subTest(preset):
                self.assertEqual(len(said), len(MAIL))
                self.assertEqual(uidls(self.gateway({"port": server.imap_port, "uidl": preset}), user), said)

    def test_an_unknown_name(self):
        gate = self.gateway({"port": servers.dovecot().imap_port})
        gate.upstream["uidl"] = "dovecto"
        gate.write_config()
        done = harness_popgate.run("check-config", "--config", gate.config)
        self.assertEqual(done.returncode, 78)
        self.assertIn('did you mean "dovecot"', done.stderr)

    def test_an_attribute_needs_the_ledger(self):
        gate = self.gateway({"port": servers.dovecot().imap_port})
        gate.upstream.update(uidl="emailid", uidl_ledger="no")
        gate.write_config()
        done = harness_popgate.run("check-config", "--config", gate.config)
        self.assertEqual(done.returncode, 78)
        self.assertIn("needs uidl_ledger = yes", done.stderr)


def telling(values, item, answer):
    """An action of the scripted server: the attribute ITEM, by UID, in the form ANSWER."""
    def act(connection, command):
        if item not in command.arguments.upper():
            return False
        for number, message in connection.chosen(command.arguments.partition(b" ")[0], True):
            if message.uid in values:
                connection.send(b"* %d FETCH (UID %d %s)\r\n" % (number, message.uid, answer % values[message.uid]))
        connection.done(command)
        return True
    return act


class Attributes(Ledger):
    """UIDLs of what a server tells of a message: rule 41."""

    def server(self, capability=()):
        return self.scripted([scripted_imap.Message(10 * i, body) for i, body in enumerate(MAIL[:3], 1)],
                             capability=[*scripted_imap.CAPABILITY, *capability])

    def asked(self, server, item):
        return sum(item in line.upper() for line in server.lines("UID FETCH"))

    def test_gmail(self):
        server = self.server(["X-GM-EXT-1"])
        values = {10: b"1278455344230334865", 20: b"1", 30: b"18446744073709551615"}
        server.on("fetch listing", telling(values, b"X-GM-MSGID", b"X-GM-MSGID %s"))
        gate = self.gateway({"port": server.port, "uidl": "gmail"})
        said = ["GmailId11bdf9f1a4bbf591", "GmailId1", "GmailIdffffffffffffffff"]
        said[0] = "GmailId%x" % 1278455344230334865
        self.assertEqual(uidls(gate, "user"), said)
        self.restart(gate)
        self.assertEqual(uidls(gate, "user"), said)
        self.assertEqual(self.asked(server, b"X-GM-MSGID"), 1)  # never twice

    def test_emailid(self):
        server = self.server(["OBJECTID"])
        values = {10: b"M1", 20: b"x" * 100, 30: b"M-3_"}
        server.on("fetch listing", telling(values, b"EMAILID", b"EMAILID (%s)"))
        gate = self.gateway({"port": server.port, "uidl": "emailid"})
        seen = uidls(gate, "user")
        self.assertEqual([seen[0], seen[2]], ["M1", "M-3_"])
        self.assertRegex(seen[1], "^[0-9a-f]{40}$")  # too long for a UIDL
        self.assertEqual(uidls(gate, "user"), seen)
        self.assertEqual(self.asked(server, b"EMAILID"), 1)

    def test_a_server_without_it_is_not_asked(self):
        server = self.server()
        gate = self.gateway({"port": server.port, "uidl": "emailid"})
        session = gate.connect()
        session.ok("USER user")
        self.assert_code(session.command("PASS secret"), "SYS/PERM")
        self.assertEqual(self.asked(server, b"EMAILID"), 0)

    def test_a_message_without_it_gets_a_stable_one(self):
        server = self.server(["OBJECTID"])
        server.on("fetch listing", telling({10: b"M1", 30: b"M3"}, b"EMAILID", b"EMAILID (%s)"))
        gate = self.gateway({"port": server.port, "uidl": "emailid"})
        seen = uidls(gate, "user")
        self.assertEqual([seen[0], seen[2]], ["M1", "M3"])
        self.assertRegex(seen[1], "^[0-9a-f]{40}$")
        self.assertEqual(uidls(gate, "user"), seen)
        self.assertEqual(self.asked(server, b"EMAILID"), 1)

    def test_rule_42_duplicates_differ_and_stay(self):
        server = servers.dovecot()
        user = server.user()
        server.fill(user, [MAIL[0], MAIL[1], MAIL[0]])
        gate = self.gateway({"port": server.imap_port, "uidl": "message-id"})
        seen = uidls(gate, user)
        self.assertEqual(seen, ["1@example.org", "2@example.org", "1@example.org.3"])
        server.fill(user, [MAIL[0], b"Subject: no id\r\n\r\nx\r\n"])
        more = uidls(gate, user)
        self.assertEqual(more[:4], seen + ["1@example.org.4"])
        self.assertRegex(more[4], "^[0-9a-f]{40}$")
        with server.imap(user) as mailbox:  # the first of them goes
            mailbox.expunge(mailbox.uids()[:1])
        self.assertEqual(uidls(gate, user), more[1:])


class Uidvalidity(Ledger):
    """After a change of UIDVALIDITY messages are known again, or counted as missing."""

    def setUp(self):
        self.server = scripted_imap.Server([scripted_imap.Message(i, body) for i, body in enumerate(self.sizes(40), 1)])
        self.addCleanup(self.server.stop)
        self.gate = self.gateway({"port": self.server.port})

    def sizes(self, count, first=0):
        """Messages no two of which are equally large."""
        return [b"Subject: x\r\n\r\n" + b"z" * (i * 37 % 1009 + 1) + b"\r\n" for i in range(first, first + count)]

    def change(self, bodies):
        with self.server.lock:
            self.server.uidvalidity += 1
            self.server.messages = [scripted_imap.Message(1000 + i, body) for i, body in enumerate(bodies)]

    def test_the_same_messages_keep_their_uidls(self):
        """But for the last four: nobody can say that those came in no other's place."""
        first = uidls(self.gate, "user")
        self.change(self.sizes(40))
        second = uidls(self.gate, "user")
        self.assertEqual(second[:36], first[:36])
        self.assertFalse(set(second[36:]) & set(first))
        self.restart(self.gate)
        self.assertEqual(uidls(self.gate, "user"), second)
        self.change(self.sizes(42))  # and two new ones
        again = uidls(self.gate, "user")
        self.assertEqual(again[:36], first[:36])
        self.assertFalse(set(again[36:]) & set(first + second))
        self.assertEqual(len(set(again)), 42)

    def test_a_message_as_large_as_the_one_that_was_there_is_another(self):
        """Reports that come each night are of one size."""
        for count in (1, 7):
            self.change(self.sizes(count))
            first = uidls(self.gate, "user")
            self.change([body.replace(b"x", b"y") for body in self.sizes(count)])
            self.assertFalse(set(uidls(self.gate, "user")) & set(first))

    def test_the_last_one_came_in_place_of_another(self):
        """The mailbox was restored as it was before its last message, and the next one is as large."""
        first = uidls(self.gate, "user")
        self.change(self.sizes(39) + [self.sizes(40)[-1].replace(b"x", b"y")])
        second = uidls(self.gate, "user")
        self.assertEqual(second[:36], first[:36])
        self.assertNotIn(second[-1], first)

    def import_file(self, lines):
        path = os.path.join(os.path.dirname(self.gate.config), "uidls.csv")
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        done = harness_popgate.run("uidl", "import", "--config", self.gate.config, "--file", path, "--users", "-", input="user secret\n")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_was_shown_counts_more_than_what_is_imported_after_the_change(self):
        bodies = self.many(41)
        with self.server.lock:
            self.server.messages = [scripted_imap.Message(i, body) for i, body in enumerate(bodies[:40], 1)]
        first = uidls(self.gate, "user")
        self.change(bodies)
        self.import_file(["user,uidl,message-id", "user,other,<0@x>", "user,imported,<40@x>"])
        second = uidls(self.gate, "user")
        self.assertEqual(second[:36], first[:36])
        self.assertEqual(second[40], "imported")
        self.assertNotIn("other", second)
        self.restart(self.gate)
        self.assertEqual(uidls(self.gate, "user"), second)

    def test_an_import_may_know_what_cannot_be_told_by_size(self):
        bodies = [b"Message-ID: <%d@x>\r\n\r\nsame size\r\n" % (i % 10) for i in range(10)]
        with self.server.lock:
            self.server.messages = [scripted_imap.Message(i, body) for i, body in enumerate(bodies, 1)]
        first = uidls(self.gate, "user")
        self.change(bodies[1:])
        self.import_file(["user,uidl,message-id", *(f"user,{first[i]},<{i}@x>" for i in range(1, 10))])
        self.assertEqual(uidls(self.gate, "user"), first[1:])

    def test_rule_42_a_new_message_is_never_called_what_another_was(self):
        with self.server.lock:
            self.server.messages = [scripted_imap.Message(100 + i, body) for i, body in enumerate(self.sizes(40), 1)]
        self.gate.upstream["uidl"] = "%u"
        self.gate.reload()
        first = uidls(self.gate, "user")
        self.assertEqual(first, [str(uid) for uid in range(101, 141)])
        with self.server.lock:  # five have gone, and others have come that have their numbers
            self.server.uidvalidity += 1
            self.server.messages = [
                scripted_imap.Message(uid, body)
                for uid, body in zip([*range(1, 36), *range(136, 141)], self.sizes(35) + self.sizes(5, 500))
            ]
        second = uidls(self.gate, "user")
        self.assertEqual(second[:31], first[:31])
        self.assertFalse(set(second[31:]) & set(first))
        self.restart(self.gate)
        self.assertEqual(uidls(self.gate, "user"), second)

    def test_what_looks_alike_is_not_guessed(self):
        bodies = [b"Subject: %d\r\n\r\nsame size\r\n" % (i % 10) for i in range(10)]
        with self.server.lock:
            self.server.messages = [scripted_imap.Message(i, body) for i, body in enumerate(bodies, 1)]
        first = uidls(self.gate, "user")
        self.change(bodies[1:])  # one has gone, and nobody can say which
        second = uidls(self.gate, "user")
        self.assertFalse(set(first) & set(second))

    def test_by_attribute_they_come_out_the_same(self):
        with self.server.lock:
            self.server.messages = [scripted_imap.Message(i, body) for i, body in enumerate(self.many(30), 1)]
        self.gate.upstream["uidl"] = "message-id"
        self.gate.reload()
        first = uidls(self.gate, "user")
        self.assertEqual(first[3], "3@x")
        self.change(self.many(30)[5:] + self.many(5))
        self.assertEqual(uidls(self.gate, "user"), first[5:] + first[:5])


class Identity(Ledger):
    """The same where order and size tell nothing: messages are all of one size, and come in another order."""

    COUNT = 25  # enough for the guard

    def letter(self, number):
        return b"Message-ID: <%03d@example.org>\r\nSubject: %03d\r\n\r\nsame size\r\n" % (number, number)

    def by_letter(self, gate, user):
        """Which UIDL is whose."""
        session = gate.login_when_free(user)
        names = {}
        for number, line in enumerate(session.lines("UIDL"), 1):
            subject = next(text for text in session.lines(f"TOP {number} 0") if text.startswith(b"Subject: "))
            names[subject.decode()] = line.split(b" ", 1)[1].decode()
        session.quit()
        return names

    def dropped(self, server):
        """A maildrop of messages that Dovecot would number the other way round."""
        user = server.user()
        for number in range(self.COUNT):
            server.drop(user, self.letter(number).replace(b"\r\n", b"\n"), at=1700000000 - number)
            with server.imap(user) as mailbox:
                self.assertEqual(len(mailbox.uids()), number + 1)
        return user

    def number_anew(self, server, user, gone=3):
        with server.imap(user) as mailbox:
            before = mailbox.uidvalidity()
            mailbox.expunge(mailbox.uids()[:gone])
        server.number_anew(user)
        with server.imap(user) as mailbox:
            self.assertNotEqual(mailbox.uidvalidity(), before)
            subjects = [re.search(rb"Subject: (\d+)", body)[1] for body in mailbox.bodies().values()]
        self.assertEqual(subjects, sorted(subjects, reverse=True))

    def refused(self, gate, user):
        with gate.connect() as session:
            session.ok(f"USER {user}")
            return session.command("PASS secret")

    def test_x_guid_dovecot(self):
        server = servers.dovecot()
        user = self.dropped(server)
        gate = self.gateway({"port": server.imap_port, "remember_identity": "x-guid"})
        first = self.by_letter(gate, user)
        self.number_anew(server, user)
        again = self.by_letter(gate, user)
        self.assertEqual(len(again), self.COUNT - 3)
        self.assertEqual(again, {letter: first[letter] for letter in again})
        self.assertIn("by_identity=22", gate.log())
        self.restart(gate)
        self.number_anew(server, user, 2)  # and once more
        self.assertEqual(self.by_letter(gate, user), {letter: first[letter] for letter in list(again)[2:]})

    def test_without_it_the_guard_stops_the_login(self):
        server = servers.dovecot()
        user = self.dropped(server)
        gate = self.gateway({"port": server.imap_port, "remember_identity": "no"})
        uidls(gate, user)
        self.number_anew(server, user)
        self.assert_code(self.refused(gate, user), "SYS/TEMP")

    def test_fingerprint_where_all_was_copied_back_dovecot(self):
        """A new X-GUID for each, too."""
        server = servers.dovecot()
        user = self.dropped(server)
        gate = self.gateway({"port": server.imap_port, "remember_identity": "fingerprint"})
        first = self.by_letter(gate, user)
        with server.imap(user) as mailbox:
            mailbox.expunge(mailbox.uids())
        server.number_anew(user)
        server.fill(user, [self.letter(number) for number in [99, *range(20, 0, -2), *range(1, 24, 2)]])
        again = self.by_letter(gate, user)
        self.assertNotIn(again.pop("Subject: 099"), first.values())
        self.assertEqual(again, {letter: first[letter] for letter in again})

    def test_fingerprint_where_the_mailbox_was_made_anew_cyrus(self):
        server, name = servers.cyrus(), "Shown"
        user = server.user()
        with server.imap(user) as mailbox:
            mailbox.create(name)
            mailbox.append([self.letter(number) for number in range(self.COUNT)], name)
            before = mailbox.uidvalidity(name)
        gate = self.gateway({"port": server.imap_port, "remember_identity": "fingerprint", "mailbox": name})
        first = self.by_letter(gate, user)
        with server.imap(user) as mailbox:
            while mailbox.uidvalidity(name) == before:  # which is a time, in seconds
                mailbox.delete(name)
                mailbox.create(name)
            mailbox.append([self.letter(number) for number in [99, *range(20, 0, -2), *range(1, 24, 2)]], name)
        again = self.by_letter(gate, user)
        self.assertNotIn(again.pop("Subject: 099"), first.values())
        self.assertEqual(again, {letter: first[letter] for letter in again})
        self.assertIn("by_identity=22", gate.log())

    def scripted_boxes(self, names):
        with self.server.lock:
            self.server.messages = [scripted_imap.Message(uid, self.letter(int(name[1:]))) for uid, name in names.items()]

    def emailid(self, workers="auto", **settings):
        """A server that tells EMAILIDs, and a gateway."""
        self.names = {uid: b"M%d" % uid for uid in range(1, self.COUNT + 1)}
        self.server = self.scripted(capability=[*scripted_imap.CAPABILITY, "OBJECTID"])
        self.server.on("fetch listing", telling(self.names, b"EMAILID", b"EMAILID (%s)"))
        self.scripted_boxes(self.names)
        return self.gateway({"port": self.server.port, **settings}, workers=workers)

    def asked(self):
        return [line.split()[0] for line in self.server.lines("UID FETCH") if b"EMAILID" in line.upper()]

    def test_emailid_by_itself_where_the_server_has_it(self):
        gate = self.emailid()
        first = self.by_letter(gate, "user")
        names = {500 + i: name for i, name in enumerate([*self.names.values()][:4:-1])}
        self.names.clear()
        self.names.update(names)
        with self.server.lock:
            self.server.uidvalidity += 1
        self.scripted_boxes(names)
        again = self.by_letter(gate, "user")
        self.assertEqual(len(again), self.COUNT - 5)
        self.assertEqual(again, {letter: first[letter] for letter in again})

    def test_nothing_new_is_no_question_and_no_write(self):
        gate = self.emailid(workers=0)  # each worker opens the file once
        uidls(gate, "user")
        self.assertEqual(self.asked(), [b"1:25"])
        path = self.database(gate) + "-wal"
        before = os.stat(path).st_mtime_ns
        for _ in range(3):
            uidls(gate, "user")
        self.assertEqual((self.asked(), os.stat(path).st_mtime_ns), ([b"1:25"], before))
        self.restart(gate)
        uidls(gate, "user")
        self.assertEqual(self.asked(), [b"1:25"])
        self.names[40] = b"M40"
        self.scripted_boxes(self.names)
        uidls(gate, "user")
        self.assertEqual(self.asked(), [b"1:25", b"40"])
        self.assertEqual(self.query(gate, "SELECT count(*) FROM name"), [(26,)])

    def test_a_server_that_does_not_tell_is_no_reason_to_fail(self):
        gate = self.emailid()
        self.server.on("fetch listing", lambda connection, command: b"EMAILID" in command.arguments.upper()
                       and (connection.done(command, "not now", "NO") or True))
        self.assertEqual(len(uidls(gate, "user")), self.COUNT)
        self.assertIn("what names messages is not known", gate.log())

    def test_it_can_be_switched_off(self):
        gate = self.emailid(remember_identity="no")
        uidls(gate, "user")
        self.assertEqual(self.asked(), [])


class Guard(Ledger):
    """Rule 43."""

    def setUp(self):
        self.server = scripted_imap.Server([scripted_imap.Message(i, body) for i, body in enumerate(self.many(30), 1)])
        self.addCleanup(self.server.stop)
        self.gate = self.gateway({"port": self.server.port, "uidl": "%v.%u"})

    def remake(self, count=30):
        """The mailbox is made anew, of other messages."""
        with self.server.lock:
            self.server.uidvalidity += 1
            size = 1000 * (self.server.uidvalidity - 1700000000)  # other messages each time, or they would be known again
            self.server.messages = [scripted_imap.Message(i, b"Subject: new\r\n\r\n" + b"z" * (size + 7 * i) + b"\r\n")
                                    for i in range(1, count + 1)]

    def refused(self):
        session = self.gate.connect()
        session.ok("USER user")
        reply = session.command("PASS secret")
        session.quit()
        return reply

    def guard(self, *arguments):
        done = harness_popgate.run("guard", "--config", self.gate.config, *arguments)
        return done.returncode, done.stdout, done.stderr

    def test_rule_43_a_mailbox_made_anew_stops_the_login_until_somebody_approves(self):
        uidls(self.gate, "user")
        self.remake()
        for _ in range(2):
            self.assert_code(self.refused(), "SYS/TEMP")
        self.gate.wait_log("login stopped")
        code, out, _ = self.guard("list")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"user .*30 .*30 .*2")
        self.assertEqual(out.splitlines()[-1], "logins stopped so far: 2")
        self.assertEqual(self.guard("approve", "nobody")[0], 1)
        self.assertEqual(self.guard("list", "nobody"), (1, "", "popgate guard: nobody is stopped by that name\n"))
        self.assert_code(self.refused(), "SYS/TEMP")
        self.assertEqual(self.guard("approve", "user")[0], 0)
        self.assertEqual(len(uidls(self.gate, "user")), 30)
        self.assertEqual(self.guard("list")[1].splitlines(), ["nobody is stopped", "logins stopped so far: 3"])
        uidls(self.gate, "user")  # and it stays so
        self.remake()
        self.assert_code(self.refused(), "SYS/TEMP")

    def difference(self, user):
        """What "guard show" says of the messages: lines."""
        code, out, _ = self.guard("show", user)
        self.assertEqual(code, 0)
        return out.split("\n\n", 1)[1].splitlines()

    def test_rule_43_the_difference_is_shown(self):
        self.gate.upstream["uidl"] = "message-id"
        self.gate.reload()
        uidls(self.gate, "user")
        with self.server.lock:  # 20 have gone, and 125 have come
            self.server.uidvalidity += 1
            bodies = self.many(10) + self.many(155)[30:]
            self.server.messages = [scripted_imap.Message(1000 + i, body) for i, body in enumerate(bodies)]
        self.assert_code(self.refused(), "SYS/TEMP")
        line = next(line for line in self.gate.wait_log("stopped_so_far").splitlines() if "login stopped" in line)
        for field in ("seen=30", "missing=20", "new=125", "stopped_so_far=1"):
            self.assertIn(field, line)
        out = self.guard("show", "user")[1]
        self.assertRegex(out, r"missing +20 of 30 ")
        self.assertRegex(out, r"new +125 ")
        self.assertEqual(self.difference("user"), [f"- {i}@x" for i in range(10, 30)] +
                         [f"+ {i}@x" for i in range(30, 130)] + ["+ ... and 25 more"])

    def test_a_store_of_version_1_is_upgraded_in_place(self):
        first = uidls(self.gate, "user")
        self.remake()
        self.assert_code(self.refused(), "SYS/TEMP")
        self.gate.stop()
        with sqlite3.connect(self.database(self.gate)) as db:  # back to what it was
            db.executescript("ALTER TABLE guard DROP COLUMN fresh; ALTER TABLE guard DROP COLUMN missing_uidls; "
                             "ALTER TABLE guard DROP COLUMN fresh_uidls; DROP TABLE counter; DROP TABLE name; DROP TABLE named; "
                             "PRAGMA user_version = 1")
        db.close()
        self.gate.start()
        self.assertRegex(self.difference("user")[0], "not noted by the version")
        self.assert_code(self.refused(), "SYS/TEMP")
        self.assertEqual(self.difference("user")[:30], [f"- {uidl}" for uidl in first])
        self.assertIn("logins stopped so far: 2", self.guard("list")[1])

    def test_approve_a_domain_and_all(self):
        for user in ("a@x", "b@x", "c@y"):
            uidls(self.gate, user)
        self.remake()
        for user in ("a@x", "b@x", "c@y"):
            session = self.gate.connect()
            session.ok(f"USER {user}")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")
            session.quit()
        self.assertEqual(self.guard("approve", "@x")[0], 0)
        uidls(self.gate, "a@x")
        uidls(self.gate, "b@x")
        self.assertIn("c@y", self.guard("list")[1])
        self.assertEqual(self.guard("approve", "--all")[0], 0)
        uidls(self.gate, "c@y")

    def test_deletions_are_no_reason(self):
        uidls(self.gate, "user")
        with self.server.lock:
            self.server.messages = self.server.messages[28:]  # somebody else's
        self.assertEqual(len(uidls(self.gate, "user")), 2)

    def test_what_its_owner_removed_is_not_missing(self):
        session = self.gate.login_when_free("user")
        for number in range(1, 29):
            session.ok(f"DELE {number}")
        session.quit()
        self.remake()
        self.assertEqual(len(uidls(self.gate, "user")), 30)  # 2 of 2 are missing, fewer than guard_minimum

    def test_few_messages_are_no_reason(self):
        with self.server.lock:
            self.server.messages = self.server.messages[:19]
        uidls(self.gate, "user")
        self.remake()
        self.assertEqual(len(uidls(self.gate, "user")), 30)

    def test_limit_and_minimum_are_settings(self):
        self.gate.upstream.update(guard_limit=100)
        self.gate.reload()
        uidls(self.gate, "user")
        self.remake()
        self.assertEqual(len(uidls(self.gate, "user")), 30)
        self.gate.upstream.update(guard_limit=0, guard_minimum=1)
        self.gate.reload()
        self.remake()
        self.assert_code(self.refused(), "SYS/TEMP")


class Faults(Ledger):
    """Rule 44: a state store that cannot be used never makes a UIDL change."""

    def setUp(self):
        self.server = servers.dovecot()
        self.user = self.server.user()
        self.server.fill(self.user, MAIL)
        self.gate = self.gateway({"port": self.server.imap_port, "uidl": "a%u"}, workers=0)
        self.seen = uidls(self.gate, self.user)

    def refused(self):
        session = self.gate.connect()
        session.ok(f"USER {self.user}")
        reply = session.command("PASS secret")
        session.quit()
        return reply

    def test_rule_44_a_damaged_store_refuses_logins_and_comes_back(self):
        self.gate.stop()
        path = self.database(self.gate)
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(path, "rb") as kept:
            whole = kept.read()
        with open(path, "r+b") as damaged:
            damaged.write(b"\xff" * 4096)
        self.gate.upstream["uidl"] = "b%u"
        self.gate.write_config()
        self.gate.start()
        self.gate.wait_log("the state store cannot be used")
        self.assert_code(self.refused(), "SYS/TEMP")
        with open(path, "r+b") as mended:
            mended.write(whole)
        self.assertEqual(uidls(self.gate, self.user), self.seen)

    def test_a_store_that_cannot_be_written_is_no_reason_where_nothing_depends_on_it(self):
        self.server.fill(self.user, MAIL[:1])
        with sqlite3.connect(self.database(self.gate), isolation_level=None) as db:
            db.execute("BEGIN IMMEDIATE")  # a writer that does not end
            self.assertEqual(uidls(self.gate, self.user), [*self.seen, "a6"])
            self.gate.wait_log("not up to date")
            self.set_uidl(self.gate, "b%u")
            self.assert_code(self.refused(), "SYS/TEMP")  # that must be remembered
            db.execute("ROLLBACK")
        self.assertEqual(uidls(self.gate, self.user)[:5], self.seen)

    def test_crashes_between(self):
        for place in ("maildrop.after_list", "ledger.write"):
            user = self.server.user()
            self.server.fill(user, MAIL)
            self.gate.stop()
            self.gate.start({"POPGATE_FAILPOINTS": f"{place}=kill"})
            session = self.gate.connect()
            session.send(b"USER %s\r\nPASS secret\r\n" % user.encode())
            self.gate.process.wait()
            session.close()
            self.gate.start()
            self.assertEqual(uidls(self.gate, user), ["a1", "a2", "a3", "a4", "a5"])

    def test_rule_44_what_a_client_was_told_outlives_a_crash(self):
        user = self.server.user()
        self.server.fill(user, MAIL)
        session = self.gate.login(user)
        told = [uidl.decode() for uidl in session.uidl().values()]
        self.gate.kill()
        session.close()
        self.gate.upstream["uidl"] = "b%u"
        self.gate.write_config()
        self.gate.start()
        self.assertEqual((told, uidls(self.gate, user)), (["a1", "a2", "a3", "a4", "a5"],) * 2)

    def test_a_failing_write_shows_nothing(self):
        user = self.server.user()
        self.server.fill(user, MAIL)
        self.gate.stop()
        self.gate.start({"POPGATE_FAILPOINTS": "ledger.write=error"})
        session = self.gate.connect()
        session.ok(f"USER {user}")
        self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        session.quit()
        self.assertEqual(uidls(self.gate, user), ["a1", "a2", "a3", "a4", "a5"])
