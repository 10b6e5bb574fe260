"""What delete = expunge, trash, mark and keep do: what the POP3 client is told, what it sees next time, and what other
IMAP clients find."""
from harness import corpus, scripted_imap, servers
from harness.cases import Case

MESSAGES = [corpus.message(f"number {number}", b"text\r\n" * number) for number in range(1, 6)]


class Policies(Case):
    """Messages 1 and 2 are deleted; somebody else has flagged 4."""

    servers = ("dovecot", "dovecot_without_uidplus", "cyrus")

    def each(self, names=servers, **settings):
        """(server, gateway, user) for all servers, one after the other."""
        for name in names:
            with self.subTest(server=name):
                server = getattr(servers, name)()
                gate = self.gateway({"port": server.imap_port, **settings})
                user = server.user()
                server.fill(user, MESSAGES)
                yield server, gate, user
                gate.assert_alive()

    def delete(self, gate, user, *numbers):
        session = gate.login_when_free(user)
        for number in numbers:
            session.ok(f"DELE {number}")
        return session.quit()

    def sizes(self, gate, user):
        session = gate.login_when_free(user)
        sizes = [int(line.split()[1]) for line in session.multi("LIST").decode().splitlines()]
        session.quit()
        return sizes

    def flags(self, server, user):
        with server.imap(user) as mailbox:
            return mailbox.flags()

    def bodies(self, server, user, name):
        with server.imap(user) as mailbox:
            mailbox.select(name)
            return sorted(mailbox.bodies().values())

    # trash

    def trash(self, names, others):
        for server, gate, user in self.each(names, delete="trash", trash_mailbox=self.trash_name(names)):
            with server.imap(user) as mailbox:
                mailbox.create(self.trash_name(names))
                if others:
                    mailbox.flag_deleted([4])
            self.assertTrue(self.delete(gate, user, 1, 2).startswith(b"+OK"))
            theirs = {4: {"\\Deleted"}} if others else {4: set()}
            self.assertEqual(self.flags(server, user), {3: set(), 5: set(), **theirs})
            self.assertEqual(self.bodies(server, user, self.trash_name(names)), sorted(MESSAGES[:2]))

    @staticmethod
    def trash_name(names):
        return "INBOX.Trash" if names == ("cyrus",) else "Trash"

    def test_trash_moves_where_the_server_can(self):
        self.trash(("dovecot",), others=True)
        self.trash(("cyrus",), others=True)

    def test_trash_copies_where_the_server_cannot_move(self):
        self.trash(("dovecot_without_uidplus",), others=False)

    def test_trash_that_is_missing_removes_nothing(self):
        for server, gate, user in self.each(("dovecot", "dovecot_without_uidplus"), delete="trash",
                                            trash_mailbox="Nowhere"):
            self.assertTrue(self.delete(gate, user, 1, 2).startswith(b"-ERR [SYS/TEMP] 2 of 2 "))
            self.assertEqual(self.flags(server, user), {uid: set() for uid in range(1, 6)})
            gate.wait_log("deletion failed")

    # mark

    def mark(self, flag, **settings):
        for server, gate, user in self.each(delete="mark", **settings):
            with server.imap(user) as mailbox:
                mailbox.store([5], "+FLAGS", "\\Flagged")
            self.assertTrue(self.delete(gate, user, 1, 2).startswith(b"+OK"))
            self.assertEqual(self.flags(server, user), {1: {flag}, 2: {flag}, 3: set(), 4: set(), 5: {"\\Flagged"}})
            self.assertEqual(self.sizes(gate, user), [len(message) for message in MESSAGES[2:]])
            self.assertTrue(self.delete(gate, user, 1).startswith(b"+OK"))
            self.assertEqual(self.flags(server, user), {1: {flag}, 2: {flag}, 3: {flag}, 4: set(), 5: {"\\Flagged"}})
            with server.imap(user) as mailbox:  # the owner of the mailbox wants it back
                mailbox.store([2], "-FLAGS", flag)
            self.assertEqual(self.sizes(gate, user), [len(MESSAGES[number]) for number in (1, 3, 4)])

    def test_mark_flags_and_hides(self):
        self.mark("\\Deleted")

    def test_mark_by_keyword_hides_only_that(self):
        self.mark("PopDeleted", mark_keyword="PopDeleted")

    def test_mark_by_keyword_leaves_other_peoples_deletions_alone(self):
        for server, gate, user in self.each(delete="mark", mark_keyword="PopDeleted", deleted="show"):
            with server.imap(user) as mailbox:
                mailbox.flag_deleted([4])
            self.assertTrue(self.delete(gate, user, 1, 4).startswith(b"+OK"))
            self.assertEqual(self.flags(server, user), {1: {"PopDeleted"}, 2: set(), 3: set(),
                                                        4: {"\\Deleted", "PopDeleted"}, 5: set()})

    def test_mark_that_the_server_does_not_keep_is_no_success(self):
        server = self.scripted(MESSAGES)
        gate = self.gateway({"port": server.port, "delete": "mark", "mark_keyword": "PopDeleted"})
        server.on("UID STORE", b"{tag} OK as you say\r\n")
        self.assertTrue(self.delete(gate, "someone", 1, 2).startswith(b"-ERR [SYS/TEMP] 2 of 2 "))
        self.assertNotIn("EXPUNGE", server.names())
        self.assertNotIn("UID EXPUNGE", server.names())

    # keep

    def test_keep_hides_until_the_session_ends(self):
        for server, gate, user in self.each(delete="keep"):
            with server.imap(user) as mailbox:
                mailbox.flag_deleted([4])
            session = gate.login(user)
            session.ok("DELE 1")
            session.err("RETR 1")
            self.assertEqual(session.stat()[0], 3)
            self.assertTrue(session.quit().startswith(b"+OK"))
            self.assertEqual(self.flags(server, user), {1: set(), 2: set(), 3: set(), 4: {"\\Deleted"}, 5: set()})
            self.assertEqual(len(self.sizes(gate, user)), 4)

    def test_keep_is_for_read_only_mailboxes_too(self):
        server = self.scripted(MESSAGES)
        server.read_only = True
        gate = self.gateway({"port": server.port, "delete": "keep"})
        before = server.flags()
        self.assertTrue(self.delete(gate, "someone", 1, 2).startswith(b"+OK"))
        self.assertEqual(server.flags(), before)
        self.assertNotIn("UID STORE", server.names())

    # what a client may be told

    def test_policies_that_change_the_mailbox_need_the_right_to(self):
        for settings in ({"delete": "expunge"}, {"delete": "trash", "trash_mailbox": "Trash"}, {"delete": "mark"},
                         {"delete": "mark", "mark_keyword": "PopDeleted"}):
            with self.subTest(**settings):
                server = self.scripted(MESSAGES)
                server.read_only = True
                session = self.gateway({"port": server.port, **settings}).login("someone")
                self.assert_code(session.err("DELE 1"), "SYS/PERM")
                session.quit()

    def test_every_command_is_by_uid_and_none_is_expunge_under_mark(self):
        server = self.scripted(MESSAGES)
        server.on("UID STORE", scripted_imap.once(scripted_imap.close))
        gate = self.gateway({"port": server.port, "delete": "mark"})
        self.assertTrue(self.delete(gate, "someone", 1, 2).startswith(b"+OK"))
        self.assertEqual({uid for uid, flags in server.flags().items() if "\\Deleted" in flags}, {1, 2})
        names = server.names()
        self.assertEqual(names.count("SELECT"), 2, "the connection was cut once")
        self.assertFalse({"EXPUNGE", "UID EXPUNGE", "UID MOVE", "STORE", "CLOSE"} & set(names))
