"""Who is served by the old server and who by the new one (popgate state), changed while popgate runs."""
import os
import re

from harness import corpus, popgate, scripted_imap, scripted_pop3, servers
from harness.cases import Case

OLD_MAIL = [corpus.message(f"old {i}", b"at the old server\r\n") for i in range(3)]
NEW_MAIL = [corpus.message("new", b"at the new server\r\n")]


class UserStates(Case):
    @classmethod
    def setUpClass(cls):
        cls.old = scripted_pop3.Server(OLD_MAIL)
        cls.gate = cls.start()

    @classmethod
    def start(cls, upstream=None, **settings):
        return popgate.Popgate(
            {"label": "new", "port": servers.dovecot().imap_port, "old": "oldpop", **(upstream or {})},
            blocks=[("upstream oldpop", {"protocol": "pop3", "port": cls.old.port, "command_timeout": "5s"})],
            plaintext_loopback="yes", **settings)

    @classmethod
    def tearDownClass(cls):
        cls.gate.stop()
        cls.old.stop()
        if cls.old.faults:
            raise AssertionError(cls.old.faults)

    def setUp(self):
        self.old.messages = [scripted_imap.Message(i, message) for i, message in enumerate(OLD_MAIL, 1)]
        lines = self.state("show").stdout.splitlines()
        subjects = [line.split("  ")[0] for line in lines if not line.startswith("nothing is set")]
        if subjects:
            self.state("unset", *subjects)
        # the domain is the test's own, so that its users are
        self.domain = servers.dovecot().user("test") + ".example.org"

    def state(self, *words, status=0, gate=None, **options):
        done = popgate.run("state", "--config", (gate or self.gate).config, *words, **options)
        self.assertEqual(done.returncode, status, done)
        return done

    def user(self, name):
        user = f"{name}@{self.domain}"
        servers.dovecot().fill(user, NEW_MAIL)
        return user

    def assert_state(self, user, state):
        """Both workers must see it, so it is asked several times."""
        for _ in range(4):
            session = self.gate.login_when_free(user)
            self.assertEqual(session.stat()[0], 3 if state == "old" else 1)
            if state == "old":
                self.assertEqual(session.uidl()[1], b"old-1")
            session.quit()

    def test_nothing_is_set(self):
        user = self.user("joe")
        self.assertIn("nothing is set", self.state().stdout)
        self.assertRegex(self.state("show", user).stdout, r"joe\S+ +old +as nothing is set")
        self.assert_state(user, "old")

    def test_who_is_asked_for(self):
        self.assertIn("show takes names of users", self.state("show", "@example.org", status=64).stderr)

    def test_no_server_is_old(self):
        gate = self.start_without_old()
        self.addCleanup(gate.stop)
        self.assertIn("no upstream of the configuration has an old server", self.state("set", "joe", "old", gate=gate).stderr)
        self.assertEqual(self.state("unset", "joe", gate=gate).stderr, "")
        self.assertEqual(self.state("set", "joe", "old").stderr, "")

    @staticmethod
    def start_without_old():
        return popgate.Popgate({"label": "new", "port": servers.dovecot().imap_port})

    def test_a_user_moves_and_comes_back(self):
        user, other = self.user("joe"), self.user("jane")
        running = self.gate.login(user)
        self.state("set", user, "new")
        self.assert_state(user, "new")
        self.assert_state(other, "old")
        self.assertEqual(running.stat()[0], 3, "a running session goes on where it is")
        running.quit()
        self.state("set", user, "old")
        self.assert_state(user, "old")
        self.state("set", user.upper(), "new")
        self.assert_state(user, "new")
        self.state("unset", user)
        self.assert_state(user, "old")

    def test_a_folder_moves_with_its_user(self):
        user = self.user("joe")
        with servers.dovecot().imap(user) as mailbox:
            mailbox.create("Lists")
            mailbox.append(OLD_MAIL[:2], "Lists")
        gate = popgate.Popgate(
            {"label": "new", "port": servers.dovecot().imap_port, "old": "oldpop"},
            blocks=[("upstream oldpop", {"protocol": "pop3", "port": self.old.port}),
                    ("route all", {"upstream": "new", "folder_separator": '"+"'})], plaintext_loopback="yes")
        self.addCleanup(gate.stop)
        folder = user.replace("@", "+Lists@")
        for subject, state, messages in ((user, "new", 2), (user, "old", 3)):
            self.state("set", subject, state, gate=gate)
            session = gate.login_when_free(folder)
            self.assertEqual(session.stat()[0], messages)
            session.quit()

    def test_the_nearest_counts(self):
        user = self.user("joe")
        for subject, state in (("default", "new"), ("100%", "old"), (f"@{self.domain}", "new"), (user, "old")):
            with self.subTest(subject=subject):
                self.state("set", subject, state)
                self.assert_state(user, state)
        for subject, state in ((user, "new"), (f"@{self.domain}", "old"), ("100%", "new"), ("default", "old")):
            with self.subTest(without=subject):
                self.state("unset", subject)
                self.assert_state(user, state)

    def test_a_share_grows(self):
        users = [f"user{i}@{self.domain}" for i in range(300)]
        before = set()
        for share, least, most in (("10%", 10, 60), ("50%", 110, 190), ("99.5%", 280, 300)):
            self.state("set", share, "new")
            shown = self.state("show", *users).stdout
            moved = {line.split()[0] for line in shown.splitlines() if re.search(r" new +by share$", line)}
            self.assertLessEqual(before, moved)
            self.assertTrue(least <= len(moved) <= most, (share, len(moved)))
            before = moved
        self.assertEqual(len(self.state().stdout.splitlines()), 1, "one share at a time")

    def test_a_list_on_standard_input(self):
        users = [self.user(name) for name in ("one", "two")]
        done = self.state("set", "-", "new", input="# moved today" + " or so" * 1000 + "\n" + "\n".join(users) + "\n\n")
        self.assertEqual(done.stdout, "2 set\n")
        for user in users:
            self.assert_state(user, "new")
        self.state("set", "-", "old", input=f"\ufeff{users[0]}\n")  # with an editor's byte order mark
        self.assert_state(users[0], "old")
        self.state("set", users[0], "new")
        done = self.state("set", "-", "old", status=64, input=f"{users[0]}\n@\n")
        self.assertIn('"@"', done.stderr)
        self.assert_state(users[0], "new")

    def test_the_table_is_shown(self):
        self.state("set", "joe@example.org", "@example.net", "12.5%", "new")
        self.state("set", "default", "old")
        self.assertRegex(self.state().stdout, r"^joe@example\.org +new +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n@example\.net +new +\S+\n"
                                              r"12\.50% +new +\S+\ndefault +old +\S+\n$")
        done = self.state("unset", "jane", "joe@example.org")
        self.assertEqual((done.stdout, done.stderr), ("1 removed\n", "popgate state: 1 were not there\n"))

    def test_wrong_command_lines(self):
        for words in (("sit",), ("set",), ("set", "joe"), ("set", "joe", "older"), ("set", "101%", "new"), ("unset",),
                      ("set", "@", "new"), ("--bad",)):
            with self.subTest(words=words):
                self.state(*words, status=64)
        self.assertIn("usage:", self.state("--help").stdout)

    def test_the_login_policy_holds_at_the_old_server(self):
        user = self.user("joe")
        with self.gate.connect() as session:
            session.ok(f"USER {user}")
            self.assert_code(session.command("PASS wrong"), "AUTH")
        self.assertIn("upstream=oldpop", re.search(r"login failed.*", self.gate.log())[0])

    def test_a_state_store_that_cannot_be_read_is_no_answer(self):
        gate = self.start({"uidl_ledger": "no"}, workers=0)  # of the store it is the state alone that is wanted
        self.addCleanup(self._stop, gate)
        user = self.user("joe")
        gate.stop()
        with open(os.path.join(gate.state_directory, "state.db"), "wb") as store:
            store.write(b"this is no database at all, but it is long enough to look like one\n" * 100)
        gate.start()
        with gate.connect() as session:
            session.ok(f"USER {user}")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")
        self.state("show", status=75, gate=gate)

    def test_configurations(self):
        for old, protocol, wanted in (("nobody", "pop3", "there is no upstream nobody"),
                                      ("oldpop", "imap", "names an upstream with protocol = pop3")):
            path = os.path.join(self.gate.dir, "other.conf")
            with open(path, "w") as out:
                out.write(popgate.config_text(
                    {"state_directory": self.gate.state_directory}, [("pop3", {"address": "127.0.0.1:1"})],
                    {"label": "new", "host": "localhost", "tls": "none", "old": old},
                    [("upstream oldpop", {"host": "localhost", "tls": "none", "protocol": protocol})]))
            done = popgate.run("check-config", "--config", path)
            self.assertEqual(done.returncode, 78)
            self.assertIn(wanted, done.stderr)
        with open(path, "w") as out:
            out.write(popgate.config_text(
                {"state_directory": self.gate.state_directory}, [("pop3", {"address": "127.0.0.1:1"})],
                {"host": "localhost", "tls": "none", "protocol": "pop3", "reuse": "1s"}))
        done = popgate.run("check-config", "--config", path)
        self.assertEqual(done.returncode, 0)
        self.assertIn("reuse: means nothing with protocol = pop3", done.stderr)
