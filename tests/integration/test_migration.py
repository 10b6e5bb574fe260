"""Mailboxes that move from one server to another, while clients leave their mail there and ask for what is new: real servers
on both sides, real clients, one address. Nothing old may be downloaded again."""
import json

from harness import migration, ports, servers
from harness.cases import Case
from harness.cyrus import UIDL_FORMATS
from harness.migration import Bridge, Move, letter, letters, subjects, uidls_in, uidls_of

COUNT = 30
ALL = sorted(subjects(letters(COUNT)))
CLIENTS = migration.KeepingClient.NAMES


def every(news):
    """What all clients must have got."""
    return {name: news for name in CLIENTS}


class Migration(Case):
    def move(self, old, mail=None, port=None):
        """A mailbox at OLD (its POP3 at PORT); each client has had all of it."""
        mail = letters(COUNT) if mail is None else mail
        moved = Move(old, mail, port)
        self.addCleanup(moved.door.stop)
        self.assertEqual(moved.fetch(), every(sorted(subjects(mail))))
        self.assertEqual(moved.fetch(), every([]))
        return moved

    def bridge(self, old, new, upstream=None, **options):
        gate = Bridge(old, new, upstream, **options)
        self.addCleanup(self._stop, gate)
        return gate

    def uidls(self, gate, user):
        session = gate.login_when_free(user)
        seen = uidls_in(session)
        session.quit()
        return seen

    def import_uidls(self, gate, moves, *options, status=0):
        """The report of an import of MOVES, by user."""
        path = gate.dir + "/report.json"
        done = gate.command("uidl", "import", "--users", "-", "--report", path, *options, timeout=300,
                            input="".join(f"{moved.user} {moved.old.password}\n" for moved in moves))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        with open(path, encoding="utf-8") as report:
            return {row["user"]: row for row in json.load(report)["users"]}

    def state(self, gate, *words):
        done = gate.command("state", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assert_moved(self, gate, moved, new):
        """Through GATE nothing old is downloaded, and what comes then is, once; after a restart too."""
        moved.door.leads_to = gate.pop3[1]
        self.assertEqual(moved.fetch(), every([]))
        self.assertEqual(self.uidls(gate, moved.user), moved.uidls)
        new.fill(moved.user, [letter(1000)])
        self.assertEqual(moved.fetch(), every(["letter 1000"]))
        after = self.uidls(gate, moved.user)
        self.assertEqual([row for row in after if row[1] != "letter 1000"], moved.uidls)
        gate.stop()
        gate.start()
        self.assertEqual(moved.fetch(), every([]))
        self.assertEqual(self.uidls(gate, moved.user), after)

    # without and with the ledger

    def control(self, old, new):
        moved = self.move(old)
        moved.copy(new)
        gate = self.gateway({"port": new.imap_port})
        moved.door.leads_to = gate.pop3[1]
        self.assertEqual(moved.fetch(), every(ALL), "the clients that this is about notice nothing")

    def imported(self, old, new, by=migration.copy_by_append, mail=None):
        moved = self.move(old, mail)
        moved.copy(new, by)
        gate = self.bridge(old, new)
        self.state(gate, "set", "default", "new")
        report = self.import_uidls(gate, [moved])[moved.user]
        self.assertEqual((report["matched"], report["unmatched"], report["ambiguous"]), (len(moved.uidls), 0, 0))
        self.assert_moved(gate, moved, new)

    def learned(self, old, new, by=migration.copy_by_append):
        moved = self.move(old)
        moved.copy(new, by)
        gate = self.bridge(old, new, {"learn": "oldpop"})
        self.state(gate, "set", "default", "new")
        self.assert_moved(gate, moved, new)

    def test_courier_to_dovecot_without_the_ledger(self):
        self.control(servers.courier(), servers.dovecot())

    def test_courier_to_dovecot_imported(self):
        self.imported(servers.courier(), servers.dovecot())

    def test_courier_to_dovecot_learned(self):
        self.learned(servers.courier(), servers.dovecot())

    def test_dovecot_to_cyrus_without_the_ledger(self):
        self.control(servers.dovecot(), servers.cyrus())

    def test_dovecot_to_cyrus_imported(self):
        self.imported(servers.dovecot(), servers.cyrus())

    def test_dovecot_to_cyrus_learned(self):
        self.learned(servers.dovecot(), servers.cyrus())

    def test_uw_to_cyrus_without_the_ledger(self):
        self.control(servers.dovecot_with_uidls("%08Xv%08Xu"), servers.cyrus())

    def test_uw_to_cyrus_imported(self):
        self.imported(servers.dovecot_with_uidls("%08Xv%08Xu"), servers.cyrus())

    def test_copied_by_a_program_that_adds_a_header(self):
        self.imported(servers.courier(), servers.dovecot(), migration.copy_by_mbsync)
        self.learned(servers.dovecot(), servers.cyrus(), migration.copy_by_mbsync)

    def test_identical_messages(self):
        mail = [letter(1), letter(2), letter(2), letter(3), letter(2), letter(5), letter(5)]
        self.imported(servers.courier(), servers.dovecot(), mail=mail)

    # faults

    def moved(self, mail=None):
        """A mailbox that has moved from Courier to Dovecot behind a gateway; its clients have noticed nothing."""
        old, new = servers.courier(), servers.dovecot()
        moved = self.move(old, mail)
        moved.copy(new)
        gate = self.bridge(old, new)
        self.state(gate, "set", "default", "new")
        self.import_uidls(gate, [moved])
        moved.door.leads_to = gate.pop3[1]
        self.assertEqual(moved.fetch(), every([]))
        return gate, moved, new

    def refused(self, gate, user):
        with gate.connect() as session:
            session.ok(f"USER {user}")
            return session.command("PASS secret")

    def number_anew(self, new, user):
        with new.imap(user) as mailbox:
            before = mailbox.uidvalidity()
        new.number_anew(user)
        with new.imap(user) as mailbox:
            self.assertNotEqual(mailbox.uidvalidity(), before)

    def test_new_uidvalidity(self):
        gate, moved, new = self.moved([letter(number, lines=5 * number) for number in range(1, COUNT + 1)])
        self.number_anew(new, moved.user)
        last = [f"letter {number}" for number in range(COUNT - 3, COUNT + 1)]  # which may be others, by sizes alone
        self.assertEqual(moved.fetch(), every(last))
        self.assertEqual(set(moved.uidls) - set(self.uidls(gate, moved.user)),
                         {uidl for uidl in moved.uidls if uidl[1] in last})

    def test_new_uidvalidity_where_sizes_do_not_tell(self):
        """Nothing is guessed and nothing is downloaded; another import has the headers to go by."""
        gate, moved, new = self.moved([letter(number, lines=0) for number in range(1, COUNT + 1)])
        self.number_anew(new, moved.user)
        self.assert_code(self.refused(gate, moved.user), "SYS/TEMP")
        report = self.import_uidls(gate, [moved], "--again")[moved.user]
        self.assertEqual(report["matched"], COUNT)
        self.assertEqual(moved.fetch(), every([]))
        self.assertEqual(self.uidls(gate, moved.user), moved.uidls)

    def test_another_mailbox_in_its_place(self):
        """Before clients load what they know under other names, or lose it, somebody is asked."""
        gate, moved, new = self.moved()
        with new.imap(moved.user) as mailbox:
            mailbox.expunge(mailbox.uids())
            mailbox.append([letter(number) for number in range(2000, 2030)])
        new.number_anew(moved.user)
        self.assert_code(self.refused(gate, moved.user), "SYS/TEMP")
        self.assertIn(moved.user, gate.command("guard", "list").stdout)
        approved = gate.command("guard", "approve", moved.user)
        self.assertEqual(approved.returncode, 0, approved.stderr)
        self.assertEqual({name: len(news) for name, news in moved.fetch().items()}, every(30))

    def test_old_server_down_while_learning(self):
        old, new = servers.courier(), servers.dovecot()
        moved = self.move(old)
        moved.copy(new)
        down = migration.Door(ports.free_port())
        self.addCleanup(down.stop)
        gate = self.bridge(old, new, {"learn": "oldpop"}, old_port=down.address[1])
        self.state(gate, "set", "default", "new")
        self.assert_code(self.refused(gate, moved.user), "SYS/TEMP")
        down.leads_to = old.pop3_port
        self.assert_moved(gate, moved, new)

    # templates: nothing to import where the mailbox stays and only POP3 goes

    def stays(self, server, uidl, port=None):
        moved = self.move(server, port=port)
        gate = self.gateway({"port": server.imap_port, "uidl": uidl})
        self.assert_moved(gate, moved, server)

    def test_presets_of_dovecot(self):
        for uidl, form in (("dovecot", "%08Xu%08Xv"), ("dovecot-0.99", "%v.%u"), ("uw", "%08Xv%08Xu"), ("x-guid", "%g")):
            with self.subTest(uidl):
                self.stays(servers.dovecot_with_uidls(form), uidl)

    def test_presets_of_cyrus(self):
        cyrus = servers.cyrus()
        for form, uidl in UIDL_FORMATS.items():
            with self.subTest(uidl):
                self.stays(cyrus, uidl, cyrus.pop3_ports[form])

    # states

    def test_states(self):
        """Passed through, switched to the new server, and back."""
        old, new = servers.courier(), servers.dovecot()
        moved, other = self.move(old), self.move(old)
        gate = self.bridge(old, new)
        for each in (moved, other):
            each.door.leads_to = gate.pop3[1]
            self.assertEqual(each.fetch(), every([]))
            self.assertEqual(self.uidls(gate, each.user), each.uidls)
        old.fill(moved.user, [letter(500)])
        self.assertEqual(moved.fetch(), every(["letter 500"]), "passed through")
        moved.uidls = uidls_of(old, moved.user)
        for each in (moved, other):
            each.copy(new)
        self.import_uidls(gate, [moved, other])
        self.state(gate, "set", moved.user, "new")
        new.fill(moved.user, [letter(501)])
        self.assertEqual(moved.fetch(), every(["letter 501"]))
        self.assertEqual([row for row in self.uidls(gate, moved.user) if row[1] != "letter 501"], moved.uidls)
        self.assertEqual(self.uidls(gate, other.user), other.uidls)
        new.fill(other.user, [letter(502)])
        self.assertEqual(other.fetch(), every([]), "not moved yet")
        self.state(gate, "unset", moved.user)
        self.assertEqual(moved.fetch(), every([]), "back at the old server")
        self.state(gate, "set", "100%", "new")
        for news in moved.fetch().values():  # what the old server does not list, some clients forget
            self.assertIn(news, ([], ["letter 501"]))
        self.assertEqual(other.fetch(), every(["letter 502"]))
