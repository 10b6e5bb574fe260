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
        with server.imap(user) as mailbox:  # some servers count MODSEQ from the first question on
            mailbox.connection.status("INBOX", "(HIGHESTMODSEQ)")
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

    @staticmethod
    def warm(new=None):
        """What is asked where there is a kept listing; NEW is the first new UID."""
        return [("UID SEARCH", b"DELETED")] + ([("UID FETCH", b"%d:* (UID RFC822.SIZE FLAGS)" % new)] if new else [])

    def test_unchanged(self):
        server, gate = self.mailbox()
        before = os.stat(self.file(gate))
        self.assertEqual(self.view(gate, "user"), self.first)
        self.assertEqual(self.asked(server), self.warm())
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
        self.assertEqual(self.asked(server), self.warm(next_uid))
        self.assertEqual(self.view(gate, "user")[0], uidls)
        self.assertEqual(self.asked(server), self.warm())

    def test_shrunk(self):
        server, gate = self.mailbox()
        del server.messages[3]
        uidls, _, _ = self.view(gate, "user")
        self.assertEqual([line.split()[1] for line in uidls],
                         [line.split()[1] for line in self.first[0][:3] + self.first[0][4:]])
        self.assertEqual(self.asked(server), self.warm() + [("UID SEARCH", b"ALL")])

    def assert_listed_anew(self, server, gate, expected):
        self.assertEqual(self.view(gate, "user"), expected)
        self.assertIn(("UID FETCH", b"1:* (UID RFC822.SIZE FLAGS)"), self.asked(server))

    def test_another_uidvalidity(self):
        server, gate = self.mailbox()
        server.uidvalidity += 1
        uidls = self.view(gate, "user")[0]
        self.assertEqual(uidls[:90], self.first[0][:90])  # known again by order and size, but for the last
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

    # what has vanished (RFC 7162)

    def qresync(self):
        """As mailbox, with QRESYNC; the second session has made it keep MODSEQ."""
        server = self.scripted([scripted_imap.Message(10 * n, message(n)) for n in range(1, MANY + 1)],
                               capability=scripted_imap.CAPABILITY + ("ENABLE", "QRESYNC"))
        server.on("SELECT", lambda connection, command: connection.send(b"* OK [HIGHESTMODSEQ 7] x\r\n"))
        gate = self.gateway({"port": server.port})
        self.first = self.view(gate, "user")
        self.assertEqual(self.view(gate, "user"), self.first)
        server.forget()
        return server, gate

    VANISHED = ("UID FETCH", b"1:1100 (UID) (CHANGEDSINCE 7 VANISHED)")

    def vanish(self, server, answer):
        server.on("fetch listing", lambda connection, command: b"VANISHED" in command.arguments and connection.act(
            answer, command))

    def test_vanished(self):
        server, gate = self.qresync()
        del server.messages[3]
        self.vanish(server, b"* VANISHED (EARLIER) 1:9,40\r\n* 2 FETCH (UID 20 MODSEQ (8))\r\n{tag} OK x\r\n")
        uidls, _, _ = self.view(gate, "user")
        self.assertEqual([line.split()[1] for line in uidls],
                         [line.split()[1] for line in self.first[0][:3] + self.first[0][4:]])
        self.assertEqual([name for name in server.names() if name in ("ENABLE", "SELECT")], ["ENABLE", "SELECT"])
        self.assertEqual(self.asked(server), self.warm() + [self.VANISHED])
        self.assertEqual(self.view(gate, "user")[0], uidls)
        self.assertEqual(self.asked(server), self.warm())

    def test_vanished_wrongly(self):
        for answer, then in ((b"* VANISHED (EARLIER) 50:60\r\n{tag} OK x\r\n",
                              ("UID FETCH", b"1:* (UID RFC822.SIZE FLAGS)")),
                             (b"{tag} OK x\r\n", ("UID FETCH", b"1:* (UID RFC822.SIZE FLAGS)")),
                             (b"{tag} NO x\r\n", ("UID SEARCH", b"ALL")),
                             (b"{tag} BAD x\r\n", ("UID SEARCH", b"ALL")),
                             (b"* VANISHED (EARLIER) " + b",".join(b"%d" % n for n in range(1, 2000, 2)) +
                              b"\r\n{tag} OK x\r\n", ("UID SEARCH", b"ALL"))):
            with self.subTest(answer[:40]):
                server, gate = self.qresync()
                del server.messages[3]
                self.vanish(server, answer)
                uidls = self.view(gate, "user")[0]
                self.assertEqual(len(uidls), MANY - 1)
                self.assertEqual(self.asked(server), self.warm() + [self.VANISHED, then])

    # what a session finds out

    def test_own_deletions_are_known(self):
        server, gate = self.mailbox()
        session = gate.login_when_free("user")
        for number in (1, 4, 5, MANY):
            session.ok("DELE %d" % number)
        self.assertTrue(session.quit().startswith(b"+OK"))
        server.messages.append(scripted_imap.Message(10 * MANY + 1, message(1)))
        server.forget()
        self.assertEqual(len(self.view(gate, "user")[0]), MANY - 3)
        self.assertEqual(self.asked(server), self.warm(10 * MANY + 1))

    def test_mismatch_drops_it(self):
        server, gate = self.mailbox()
        changed = server.messages[5]
        changed.body, changed.size = b"Subject: other\r\n\r\n", 18
        session = gate.login_when_free("user")
        session.retr(6)
        session.quit()
        uidls, sizes, _ = self.view(gate, "user")
        self.assertEqual(uidls, self.first[0])
        self.assertEqual(sizes, [*self.first[1][:5], b"6 18", *self.first[1][6:]])
        self.assertIn(("UID FETCH", b"1:* (UID RFC822.SIZE FLAGS)"), self.asked(server))

    def test_message_that_is_gone_drops_it(self):
        server, gate = self.mailbox()
        session = gate.login_when_free("user")
        gone = server.messages.pop(5)
        session.err("RETR 6")
        server.messages.insert(5, gone)
        session.quit()
        self.assert_listed_anew(server, gate, self.first)

    def test_estimates_do_not_drop_it(self):
        """A server whose sizes are never right costs one listing more, not one each time."""
        server = self.scripted([message(n) for n in range(MANY)])
        for each in server.messages:
            each.size += 7
        gate = self.gateway({"port": server.port})
        for _ in range(3):
            session = gate.login_when_free("user")
            session.retr(6)
            session.quit()
        server.forget()
        self.view(gate, "user")
        self.assertEqual(self.asked(server), self.warm())

    def test_small_mailboxes_have_none(self):
        server = self.scripted([message(n) for n in range(99)])
        gate = self.gateway({"port": server.port})
        self.view(gate, "user")
        self.assertIsNone(self.file(gate))


TRICKY = (b"Subject: bare\n\nlines\nof\nLF\n", b"no end", b"CR at the end\r", b"\n", b"a\r\n\r\nplain\r\n",
          b".dots\r\n..\n.\r\n", b"\r\r\n\n", b"x" * 70000 + b"\n" + b"y" * 70000)


class Rule4(Case):
    """Sizes as the server tells them, as learned, and as counted."""

    def mailbox(self, mode, messages=TRICKY):
        server = self.scripted(list(messages))
        for each in server.messages:
            each.size += 100
        return server, self.gateway({"port": server.port, "size_mode": mode})

    def session(self, gate, user="user"):
        """What LIST said, and how many octets each message had."""
        session = gate.login_when_free(user)
        listed = session.list()
        received = {number: len(session.retr(number)) for number in listed}
        self.assertEqual(session.list(), listed, "sizes have changed within a session")
        self.assertEqual(session.stat(), (len(listed), sum(listed.values())))
        session.quit()
        return listed, received

    def test_rule_4_fast(self):
        server, gate = self.mailbox("fast")
        for _ in range(2):
            self.assertEqual(list(self.session(gate)[0].values()), [m.size for m in server.messages])

    def test_rule_4_learn(self):
        server, gate = self.mailbox("learn")
        listed, received = self.session(gate)
        self.assertEqual(list(listed.values()), [m.size for m in server.messages])
        server.messages.append(scripted_imap.Message(len(TRICKY) + 1, b"new\n"))
        listed, again = self.session(gate)
        self.assertEqual({**listed, **received}, listed)
        self.assertEqual(listed[len(TRICKY) + 1], 4)
        self.assertEqual(*self.session(gate))
        self.assertEqual(again[len(TRICKY) + 1], 5)

    def test_rule_4_exact(self):
        server, gate = self.mailbox("exact")
        self.assertEqual(*self.session(gate))
        server.messages.append(scripted_imap.Message(len(TRICKY) + 1, b"new\n"))
        server.forget()
        session = gate.login_when_free("user")
        self.assertEqual(session.list()[len(TRICKY) + 1], 5)
        session.quit()
        with server.lock:
            fetched = [c.arguments for c in server.commands if c.step == "fetch body"]
        self.assertEqual(fetched, [b"%d (UID BODY.PEEK[])" % (len(TRICKY) + 1)])

    def test_rule_4_exact_without_the_message(self):
        """Quoted, NIL, or NO: what cannot be had keeps the server's size."""
        server, gate = self.mailbox("exact", [b"a", b"b"])
        for answer, size in ((b'* 1 FETCH (UID 1 BODY[] "abc")\r\n{tag} OK x\r\n', 5),
                             (b"* 1 FETCH (UID 1 BODY[] NIL)\r\n{tag} OK x\r\n", 101), (b"{tag} NO x\r\n", 101)):
            server.messages[:] = [scripted_imap.Message(1, b"a")]
            server.messages[0].size = 101
            server.uidvalidity += 1
            server.on("fetch body", answer)
            session = gate.login_when_free("user")
            self.assertEqual(session.list(), {1: size})
            session.quit()

    def test_rule_4_from_learn_to_fast(self):
        server, gate = self.mailbox("learn")
        self.session(gate)
        self.assertEqual(*self.session(gate))
        gate.upstream["size_mode"] = "fast"
        gate.write_config()
        gate.reload()
        self.assertEqual(list(self.session(gate)[0].values()), [m.size for m in server.messages])

    def real(self, server, mode):
        user = server.user()
        server.fill(user, [message(n) for n in range(40)])
        gate = self.gateway({"port": server.imap_port, "size_mode": mode})
        if mode == "learn":
            self.session(gate, user)
        with server.imap(user) as mailbox:
            mailbox.expunge(mailbox.uids()[3:9])
        self.assertEqual(*self.session(gate, user))

    def test_rule_4_dovecot(self):
        for mode in ("learn", "exact"):
            self.real(servers.dovecot(), mode)

    def test_rule_4_cyrus(self):
        for mode in ("learn", "exact"):
            self.real(servers.cyrus(), mode)
