"""The connection to the mail server is lost between two commands: one new connection is made, and the session goes on
where nothing that it knows has changed (rule 34)."""
import unittest

import rig as rigs
import tally
from cutting_proxy import DEAD, FAULTS, RECOVER, RESET, STALL, TO_SERVER

from harness import octets, servers

PLAN = ("", "\\Seen", "\\Deleted", "", "\\Flagged")
CUT = 2


class Lost(unittest.TestCase):
    """Each test with a connection that was reset, that was closed, and that the server does not answer on any more."""

    server = staticmethod(servers.dovecot)

    @classmethod
    def setUpClass(cls):
        cls.pool = rigs.Pool(lambda: rigs.Rig(cls.server()), size=len(FAULTS))

    @classmethod
    def tearDownClass(cls):
        cls.pool.stop()

    def each(self, test, then=RECOVER):
        """TEST(rig, client, lose) for each kind of loss, which LOSE() brings about."""
        def one(rig, fault):
            rig.ledger.arrange(f"{self.id()}: {fault}, then {then}", PLAN)
            client = rig.client(gate=rig.impatient("3s") if fault == STALL else None)
            client.login()

            def lose():
                rig.proxy.arm(TO_SERVER, 0, fault, then)
                tally.add(faults=1)
            test(rig, client, lose)
            client.pop3.close()
            rig.ledger.judge()
            rig.proxy.recover()
            rig.ledger.reopen(rig.gate, still_ending=lambda: rig.proxy.open_connections() > 0)
            rig.ledger.judge(settled=True)
        self.pool.run(FAULTS, one)

    def test_rule_34_retr_and_top_work(self):
        def test(rig, client, lose):
            whole = client.session.shown[CUT].octets
            lose()
            self.assertEqual(client.retr(CUT), whole)
            lose()
            self.assertEqual(client.top(CUT, 1, octets.top(whole, 1)), octets.top(whole, 1))
            client.dele(CUT)
            self.assertTrue(client.quit().startswith(b"+OK"))
        self.each(test)

    def test_rule_34_quit_works(self):
        def test(rig, client, lose):
            client.dele(1, CUT)
            lose()
            self.assertTrue(client.quit().startswith(b"+OK"))
        self.each(test)

    def test_rule_34_what_needs_no_server_goes_on_meanwhile(self):
        def test(rig, client, lose):
            lose()
            self.assertEqual(client.pop3.stat()[0], 4)
            client.list()
            client.pop3.ok("NOOP")
            client.dele(1)
            client.pop3.ok("RSET")
            client.session.unmarked()
            self.assertTrue(client.quit().startswith(b"+OK"))
        self.each(test)

    def test_rule_34_a_server_that_stays_away_ends_the_session(self):
        def test(rig, client, lose):
            client.dele(1)
            lose()
            self.assertIsNone(client.retr(CUT))
            self.assertTrue(client.refusal.startswith(b"-ERR [SYS/TEMP]"), client.refusal)
            self.assertEqual(client.pop3.rest(), b"")
        self.each(test, then=DEAD)

    def test_rule_34_quit_without_a_server_removes_nothing(self):
        def test(rig, client, lose):
            client.dele(1)
            lose()
            self.assertTrue(client.quit().startswith(b"-ERR [SYS/TEMP]"))
            self.assertEqual(len(rig.ledger.look()), len(PLAN))
        self.each(test, then=DEAD)

    def test_rule_34_a_message_that_is_gone_is_refused(self):
        def test(rig, client, lose):
            ledger = rig.ledger
            message = client.session.shown[CUT]
            lose()
            ledger.others_remove(message)
            self.assertIsNone(client.retr(CUT))
            self.assertTrue(client.refusal.startswith(b"-ERR"), client.refusal)
            self.assertIsNotNone(client.retr(1))
            client.dele(1, CUT)  # rule 9
            self.assertTrue(client.quit().startswith(b"+OK"))
        self.each(test)


class LostOnCyrus(Lost):
    server = staticmethod(servers.cyrus)


class Recreated(unittest.TestCase):
    """Meanwhile the mailbox was deleted and made again: the same UIDs mean other messages."""

    @classmethod
    def setUpClass(cls):
        cls.rig = rigs.Rig(servers.dovecot(), {"mailbox": "Pop"})

    @classmethod
    def tearDownClass(cls):
        cls.rig.stop()

    def setUp(self):
        self.rig.ledger.make_mailbox("Pop")
        self.rig.ledger.arrange(self.id(), PLAN)
        self.client = self.rig.client()
        self.client.login()
        self.rig.ledger.violations.clear()

    def tearDown(self):
        self.client.pop3.close()
        self.rig.proxy.recover()
        tally.add(runs=1, faults=1, violations=len(self.rig.ledger.violations))

    def recreate(self):
        """Other messages with the same UIDs are there now, and nobody has marked those."""
        ledger = self.rig.ledger
        self.rig.proxy.arm(TO_SERVER, 0, RESET)
        before = ledger.uidvalidity, sorted(message.uid for message in ledger.messages.values())
        ledger.make_mailbox("Pop")
        ledger.arrange(self.id(), PLAN)
        after = ledger.uidvalidity, sorted(message.uid for message in ledger.messages.values())
        self.assertNotEqual(before[0], after[0])
        self.assertEqual(before[1], after[1])

    def judge(self):
        ledger = self.rig.ledger
        ledger.judge(settled=True)
        ledger.reopen(self.rig.gate, still_ending=lambda: self.rig.proxy.open_connections() > 0)
        ledger.judge(settled=True)
        self.assertEqual([str(violation) for violation in ledger.violations], [])

    def test_rule_34_quit_deletes_nothing(self):
        self.client.dele(1, CUT)
        self.recreate()
        self.assertTrue(self.client.quit().startswith(b"-ERR [SYS/TEMP]"))
        self.judge()

    def test_rule_34_retr_is_refused_and_the_session_ends(self):
        self.client.dele(1)
        self.recreate()
        self.assertIsNone(self.client.retr(CUT))
        self.assertTrue(self.client.refusal.startswith(b"-ERR [SYS/TEMP]"), self.client.refusal)
        self.assertEqual(self.client.pop3.rest(), b"")
        self.judge()

    def test_rule_34_nor_is_it_opened_by_a_second_try(self):
        self.recreate()
        self.client.send(f"RETR {CUT}\r\nRETR {CUT}\r\nDELE {CUT}\r\nQUIT")
        answers = self.client.pop3.rest().split(b"\r\n")
        self.assertTrue(answers[0].startswith(b"-ERR [SYS/TEMP]"), answers)
        self.assertEqual(answers[1:], [b""])
        self.judge()
