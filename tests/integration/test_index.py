"""The kept listing of large mailboxes: whatever other clients do to the mailbox, a session with it sees what one without
it sees; damage costs nothing but time; and little is asked of the server."""
import os
import random

from harness import scripted_imap, servers
from harness.cases import Case

MANY = 110  # messages; smaller mailboxes have no index


def message(number):
    return b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * (number * 7 % 400))


class Index(Case):
    def view(self, gate, user):
        session = gate.login_when_free(user)
        seen = session.lines("UIDL"), session.lines("LIST"), session.stat()
        session.quit()
        return seen

    def file(self, gate):
        found = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(gate.state_directory, "index"))
                 for name in names]
        self.assertLessEqual(len(found), 1)
        return found[0] if found else None

    def octets(self, gate):
        with open(self.file(gate), "rb") as kept:
            return kept.read()

    # what is seen

    def change(self, server, user, chance, count):
        """One random thing that another client does."""
        with server.imap(user) as mailbox:
            uids = mailbox.uids()
            some = sorted(chance.sample(uids, min(len(uids), chance.randint(1, 4))))
            what = chance.choice(("append", "append", "expunge", "last", "flag", "unflag", "both"))
            if what in ("append", "both"):
                mailbox.append([message(count + more) for more in range(chance.randint(1, 4))])
            if what in ("expunge", "both"):
                mailbox.expunge(some)
            if what == "last":
                mailbox.expunge(uids[-1:])
            if what == "flag":
                mailbox.flag_deleted(some)
            if what == "unflag":
                mailbox.store(some, "-FLAGS", "\\Deleted")

    def walk(self, server, deleted, steps=25):
        chance = random.Random(deleted)
        user = server.user()
        server.fill(user, [message(number) for number in range(MANY + 40)])
        upstream = {"port": server.imap_port, "deleted": deleted}
        kept, plain = self.gateway(upstream), self.gateway({**upstream, "index_cache": "no"})
        for count in range(steps):
            self.assertEqual(self.view(kept, user), self.view(plain, user), f"step {count}")
            self.assertEqual(self.view(kept, user), self.view(plain, user), f"step {count}, again")
            self.change(server, user, chance, count)
        self.assertIsNotNone(self.file(kept))
        self.assertIsNone(self.file(plain))

    def test_rule_8_dovecot(self):
        self.walk(servers.dovecot(), "hide")
        self.walk(servers.dovecot_without_uidplus(), "show")

    def test_rule_8_cyrus(self):
        self.walk(servers.cyrus(), "hide")

    # what is asked, and what is kept

    def mailbox(self, count=MANY):
        """A scripted server whose UIDNEXT never falls, a gateway, and the listing kept."""
        server = self.scripted([scripted_imap.Message(10 * n, message(n)) for n in range(1, count + 1)])
        gate = self.gateway({"port": server.port})
        self.first = self.view(gate, "user")
        server.forget()
        return server, gate

    def asked(self, server):
        with server.lock:
            asked = [(c.name, c.arguments) for c in server.commands if c.name in ("UID FETCH", "UID SEARCH")]
        server.forget()
        return asked

    def test_unchanged(self):
        server, gate = self.mailbox()
        before = os.stat(self.file(gate))
        self.assertEqual(self.view(gate, "user"), self.first)
        self.assertEqual(self.asked(server), [("UID SEARCH", b"DELETED")])
        self.assertEqual(os.stat(self.file(gate)).st_ino, before.st_ino, "it was written again")
        self.assertEqual(before.st_mode & 0o777, 0o600)
        self.assertLess(before.st_size, 40 + 6 * MANY)

    def test_flags_are_asked_for(self):
        server, gate = self.mailbox()
        server.message(30).flags.add("\\Deleted")
        self.assertEqual(len(self.view(gate, "user")[0]), MANY - 1)
        server.message(30).flags.clear()
        self.assertEqual(self.view(gate, "user"), self.first)

    def test_grown(self):
        server, gate = self.mailbox()
        next_uid = 10 * MANY + 1
        server.messages.append(scripted_imap.Message(next_uid, message(1)))
        uidls, _, _ = self.view(gate, "user")
        self.assertEqual(len(uidls), MANY + 1)
        self.assertEqual(self.asked(server), [("UID SEARCH", b"DELETED"),
                                              ("UID FETCH", b"%d:* (UID RFC822.SIZE FLAGS)" % next_uid)])
        self.assertEqual(self.view(gate, "user")[0], uidls)
        self.assertEqual(self.asked(server), [("UID SEARCH", b"DELETED")])

    def test_shrunk(self):
        server, gate = self.mailbox()
        del server.messages[3]
        uidls, _, _ = self.view(gate, "user")
        self.assertEqual([line.split()[1] for line in uidls],
                         [line.split()[1] for line in self.first[0][:3] + self.first[0][4:]])
        self.assertEqual(self.asked(server), [("UID SEARCH", b"DELETED"), ("UID SEARCH", b"ALL")])

    def assert_listed_anew(self, server, gate, expected):
        self.assertEqual(self.view(gate, "user"), expected)
        self.assertIn(("UID FETCH", b"1:* (UID RFC822.SIZE FLAGS)"), self.asked(server))

    def test_another_uidvalidity(self):
        server, gate = self.mailbox()
        server.uidvalidity += 1
        uidls = self.view(gate, "user")[0]
        self.assertNotEqual(uidls, self.first[0])
        self.assertIn(("UID FETCH", b"1:* (UID RFC822.SIZE FLAGS)"), self.asked(server))

    def test_contradictions(self):
        """The server's answers do not make up what SELECT told."""
        server, gate = self.mailbox()
        server.on("UID SEARCH", b"{tag} NO not now\r\n")
        self.assert_listed_anew(server, gate, self.first)
        server.usual()
        gone = server.messages.pop(5)
        expected = self.view(gate, "user")
        server.messages.insert(5, gone)  # UIDs are never given again, says RFC 3501
        self.assert_listed_anew(server, gate, self.first)
        del server.messages[5]
        server.on("UID SEARCH", lambda connection, command: command.arguments == b"ALL" and connection.act(
            b"* SEARCH 10 20 55\r\n{tag} OK x\r\n", command))
        self.assert_listed_anew(server, gate, expected)

    def test_damage(self):
        server, gate = self.mailbox()
        good, path = self.octets(gate), self.file(gate)
        for damage in (b"", good[:39], good[:-1], good + b"\0", b"\0" * 5000, good[:50] + b"\xff" + good[51:],
                       good[:20] + b"\xff" + good[21:], b"x" * 200_000_000):
            with open(path, "wb") as out:
                out.write(damage)
            self.assert_listed_anew(server, gate, self.first)
            self.assertEqual(self.octets(gate), good)
        os.unlink(path)
        os.symlink("/etc/passwd", path)
        self.assert_listed_anew(server, gate, self.first)
        self.assertEqual(self.octets(gate), good)
        os.unlink(path)
        os.mkfifo(path)
        self.assert_listed_anew(server, gate, self.first)
        self.assertEqual(self.octets(gate), good)

    def test_index_of_somebody_else(self):
        server, gate = self.mailbox()
        good = self.octets(gate)
        mine = self.file(gate)
        other = self.gateway({"port": server.port})
        self.view(other, "someone")
        server.forget()
        with open(self.file(other), "wb") as out:
            out.write(good)
        self.assertEqual(self.view(other, "someone"), self.first)
        self.assertIn(("UID FETCH", b"1:* (UID RFC822.SIZE FLAGS)"), self.asked(server))
        self.assertNotEqual(os.path.basename(mine), os.path.basename(self.file(other)))

    def test_folder_that_cannot_be_had(self):
        server = self.scripted([message(n) for n in range(MANY)])
        gate = self.gateway({"port": server.port})
        with open(os.path.join(gate.state_directory, "index"), "wb"):
            pass
        first = self.view(gate, "user")
        self.assert_listed_anew(server, gate, first)

    def test_small_mailboxes_have_none(self):
        server = self.scripted([message(n) for n in range(99)])
        gate = self.gateway({"port": server.port})
        self.view(gate, "user")
        self.assertIsNone(self.file(gate))
