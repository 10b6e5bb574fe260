"""The journal of deletions: what a crash leaves is finished or taken back by the next session, and a journal that cannot
be used costs deletions only."""
import os
import sqlite3

from harness import corpus, scripted_imap
from harness.cases import Case

MESSAGES = [corpus.message(f"number {number}", b"text\r\n" * number) for number in range(1, 6)]
UIDS = [1, 2, 3, 4, 5]


class Journal(Case):
    def setUp(self):
        self.server = self.scripted(MESSAGES)

    def crash(self, points, **upstream):
        """A gateway that dies of POINTS in the QUIT of a session that marked 1 and 2, and runs again."""
        gate = self.gateway({"port": self.server.port, **upstream}, workers=0)
        gate.stop()
        gate.start({"POPGATE_FAILPOINTS": points})
        session = gate.login("someone")
        session.ok("DELE 1")
        session.ok("DELE 2")
        session.send(b"QUIT\r\n")
        self.assertEqual(session.rest(), b"", "the gateway died before it answered")
        gate.process.wait(30)
        gate.start()
        return gate

    def deleted(self):
        return {uid for uid, flags in self.server.flags().items() if "\\Deleted" in flags}

    def entries(self, gate):
        database = sqlite3.connect(f"file:{self.path(gate)}?mode=ro", uri=True)
        try:
            return database.execute("SELECT count(*) FROM entry").fetchone()[0]
        finally:
            database.close()

    def make_old(self, gate):
        database = sqlite3.connect(self.path(gate))
        with database:
            self.assertEqual(database.execute("UPDATE entry SET begun = begun - 3600").rowcount, 1)
        database.close()

    @staticmethod
    def path(gate):
        return os.path.join(gate.state_directory, "journal.db")

    def test_flagged_messages_of_an_unanswered_quit_go_at_the_next_login(self):
        gate = self.crash("store.after=kill")
        self.assertEqual(self.deleted(), {1, 2})
        self.assertEqual(self.entries(gate), 1)
        session = gate.login("someone")
        gate.wait_log("interrupted deletion was finished")
        self.assertEqual(session.stat()[0], 3)
        session.quit()
        self.assertEqual(self.server.uids(), [3, 4, 5])
        self.assertEqual(self.entries(gate), 0)

    def test_a_finished_deletion_leaves_no_entry(self):
        gate = self.gateway({"port": self.server.port})
        session = gate.login("someone")
        session.ok("DELE 1")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.entries(gate), 0)

    def test_nothing_flagged_is_nothing_to_finish(self):
        gate = self.crash("quit.after_intent=kill")
        self.make_old(gate)
        session = gate.login("someone")
        gate.wait_log("interrupted deletion was dropped: nothing is flagged")
        self.assertEqual(session.stat()[0], 5)
        session.quit()
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, set()))
        self.assertEqual(self.entries(gate), 0)

    def test_flags_that_come_late_are_taken_back(self):
        gate = self.crash("quit.after_intent=kill")
        gate.login("someone").quit()
        gate.wait_log("interrupted deletion was dropped for now")
        for uid in (1, 2):  # what the killed process had sent arrives
            self.server.message(uid).flags.add("\\Deleted")
        session = gate.login_when_free("someone")
        gate.wait_log("flags of a failed deletion were taken back")
        self.assertEqual(session.stat()[0], 5)
        session.quit()
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, set()))
        self.assertEqual(self.entries(gate), 1, "more may come")

    def test_rule_18_flags_that_come_much_later_are_somebody_elses(self):
        gate = self.crash("quit.after_intent=kill")
        gate.login("someone").quit()
        gate.wait_log("interrupted deletion was dropped for now")
        self.make_old(gate)
        self.server.message(1).flags.add("\\Deleted")
        gate.login_when_free("someone").quit()
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, {1}))
        self.assertEqual(self.entries(gate), 0)

    def test_flags_that_come_in_two_parts(self):
        gate = self.crash("store.after=kill")
        self.server.message(2).flags.clear()
        gate.login("someone").quit()
        self.assertEqual(self.server.uids(), [2, 3, 4, 5])
        self.server.message(2).flags.add("\\Deleted")
        gate.login_when_free("someone").quit()
        self.assertEqual((self.server.uids(), self.deleted()), ([2, 3, 4, 5], set()))

    def test_who_took_a_flag_off_meanwhile_keeps_the_message(self):
        gate = self.crash("store.after=kill")
        self.server.message(2).flags.clear()
        gate.login("someone").quit()
        self.assertEqual((self.server.uids(), self.deleted()), ([2, 3, 4, 5], set()))

    def test_rule_10_not_with_another_uidvalidity(self):
        gate = self.crash("store.after=kill")
        self.server.uidvalidity += 1
        gate.login("someone").quit()
        gate.wait_log("dropped: UIDVALIDITY has changed")
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, {1, 2}))
        self.assertEqual(self.entries(gate), 0)

    def test_only_the_same_maildrop_finishes(self):
        gate = self.crash("store.after=kill")
        gate.login("another").quit()
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, {1, 2}))
        self.assertEqual(self.entries(gate), 1)

    def test_a_server_that_refuses_gets_its_flags_back(self):
        gate = self.crash("store.after=kill")
        self.server.on("UID EXPUNGE", b"{tag} NO not today\r\n")
        session = gate.login("someone")
        self.assertEqual(session.stat()[0], 5)
        session.quit()
        gate.wait_log("cannot be finished; its flags are taken back")
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, set()))
        self.assertEqual(self.entries(gate), 0)

    def test_flags_that_could_not_be_taken_back_are_at_the_next_login(self):
        gate = self.gateway({"port": self.server.port})
        session = gate.login("someone")
        session.ok("DELE 1")
        self.server.on("UID EXPUNGE", scripted_imap.close)
        self.server.on("UID SEARCH", scripted_imap.close)
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/TEMP] 1 of 1 "))
        self.assertEqual(self.deleted(), {1})
        self.server.usual("UID EXPUNGE", "UID SEARCH")
        session = gate.login_when_free("someone")
        gate.wait_log("flags of a failed deletion were taken back")
        self.assertEqual(session.stat()[0], 5)
        session.quit()
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, set()))
        self.assertEqual(self.entries(gate), 0)

    def test_flags_of_others_survive_a_crash(self):
        self.server.capability = ["IMAP4rev1", "AUTH=PLAIN", "SASL-IR"]
        self.server.message(4).flags.add("\\Deleted")
        gate = self.crash("lift.after=kill", without_uidplus="lift")
        self.assertEqual(self.deleted(), {1, 2})
        gate.login("someone").quit()
        self.assertEqual((self.server.uids(), self.deleted()), ([3, 4, 5], {4}))
        self.assertEqual(self.entries(gate), 0)

    def test_a_server_that_breaks_over_it_locks_nobody_out(self):
        for fault in (scripted_imap.close, b"{tag} BAD what?\r\n"):
            with self.subTest(fault=fault):
                with self.server.lock:
                    self.server.messages = [scripted_imap.Message(uid, m) for uid, m in enumerate(MESSAGES, 1)]
                gate = self.crash("store.after=kill")
                self.server.on("UID EXPUNGE", fault)
                session = gate.login("someone")
                self.assertEqual(session.retr(1), MESSAGES[2], "1 and 2 are flagged still, and hidden")
                session.quit()
                self.server.usual("UID EXPUNGE")
                session = gate.login_when_free("someone")
                gate.wait_log("flags of a failed deletion were taken back")
                self.assertEqual(session.stat()[0], 5)
                session.quit()
                self.assertEqual((self.server.uids(), self.deleted()), (UIDS, set()))
                self.assertEqual(self.entries(gate), 0)

    def test_rule_10_flags_are_not_taken_back_from_another_mailbox(self):
        self.server.capability = ["IMAP4rev1", "AUTH=PLAIN", "SASL-IR"]
        self.server.message(4).flags.add("\\Deleted")
        gate = self.gateway({"port": self.server.port, "without_uidplus": "lift"})
        session = gate.login("someone")
        session.ok("DELE 1")

        def recreate(connection, command):
            with self.server.lock:
                self.server.uidvalidity += 1
                self.server.messages = [scripted_imap.Message(uid, m) for uid, m in enumerate(MESSAGES, 1)]
                self.server.message(1).flags.add("\\Deleted")
            return scripted_imap.close(connection, command)

        self.server.on("EXPUNGE", recreate)
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/TEMP]"))
        self.server.usual("EXPUNGE")
        gate.login_when_free("someone").quit()
        gate.wait_log("dropped: UIDVALIDITY has changed")
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, {1}))

    def test_read_only_for_a_while_forgets_nothing(self):
        gate = self.crash("store.after=kill")
        self.server.read_only = True
        gate.login("someone").quit()
        gate.wait_log("an interrupted deletion waits: the mailbox is read-only")
        self.assertEqual(self.entries(gate), 1)
        self.server.read_only = False
        gate.login_when_free("someone").quit()
        self.assertEqual((self.server.uids(), self.deleted()), ([3, 4, 5], set()))

    def test_another_policy_by_now_takes_back_instead(self):
        for settings in ({"delete": "keep"}, {"delete": "mark", "mark_keyword": "Gone"}):
            with self.subTest(**settings):
                with self.server.lock:
                    self.server.messages = [scripted_imap.Message(uid, m) for uid, m in enumerate(MESSAGES, 1)]
                gate = self.crash("store.after=kill")
                gate.upstream.update(settings)
                gate.reload()
                session = gate.login("someone")
                self.assertEqual(session.stat()[0], 5)
                session.quit()
                self.assertEqual((self.server.uids(), self.deleted()), (UIDS, set()))

    def test_names_in_another_case_are_another_user(self):
        gate = self.crash("store.after=kill")
        gate.login("SOMEONE").quit()
        self.assertEqual(self.server.uids(), UIDS)
        gate.login("someone").quit()
        self.assertEqual(self.server.uids(), [3, 4, 5])

    # a journal that cannot be used

    def damage(self, gate):
        with open(self.path(gate), "r+b") as file:
            file.write(b"no database at all" * 100)

    def test_damaged_journal_costs_deletions_only_and_heals(self):
        gate = self.gateway({"port": self.server.port})
        gate.login("someone").quit()
        gate.stop()
        self.damage(gate)  # not before: the last one to close a database may put it right
        gate.start()
        gate.wait_log("the journal cannot be used")
        session = gate.login("someone")
        self.assertEqual(session.retr(1), MESSAGES[0])
        session.ok("DELE 1")
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/TEMP] 1 of 1 "))
        gate.wait_log("move it away")
        self.assertEqual((self.server.uids(), self.deleted()), (UIDS, set()))
        self.assertNotIn("UID STORE", self.server.names())
        os.rename(self.path(gate), self.path(gate) + ".damaged")
        session = gate.login_when_free("someone")
        session.ok("DELE 1")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.server.uids(), [2, 3, 4, 5])

    def test_journal_that_cannot_be_written_means_no_deletion(self):
        gate = self.gateway({"port": self.server.port}, workers=0)
        gate.stop()
        gate.start({"POPGATE_FAILPOINTS": "journal.write=error"})
        session = gate.login("someone")
        session.ok("DELE 1")
        self.assertTrue(session.quit().startswith(b"-ERR [SYS/TEMP] 1 of 1 "))
        self.assertNotIn("UID STORE", self.server.names())
        session = gate.login_when_free("someone")
        session.ok("DELE 1")
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.server.uids(), [2, 3, 4, 5])

    def test_nothing_about_readers_is_written(self):
        gate = self.gateway({"port": self.server.port})
        session = gate.login("someone")
        session.retr(1)
        session.quit()
        self.assertEqual(self.entries(gate), 0)
