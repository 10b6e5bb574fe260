"""What the administrator meets: configuration, commands, signals, limits and the log; rule 37."""
import base64
import json
import os
import re
import signal
import socket
import ssl
import threading

from harness import certificates, corpus, popgate, ports, scripted_imap, servers, workspace
from harness.cases import Case
from harness.pop3 import Pop3, tls_context
from harness.vitals import wait_until

EX_USAGE, EX_NOINPUT, EX_UNAVAILABLE, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 64, 66, 69, 75, 77, 78

ONE = corpus.message("one", corpus.FILL * 10)
TWO = corpus.message("two", b"text\r\n")


class Configuration(Case):
    GOOD = """\
# comment
state_directory = {dir}/state
log_level = info   # another
idle_timeout = 10m

listener pop3 {{
    address = 127.0.0.1:1110, [::1]:1110
    certificate = {cert}
    key = {key}
}}
upstream {{
    host = "localhost"
    port = 1143
    tls = none
}}
"""

    def file(self, text):
        good = certificates.good()
        self.dir = workspace.folder("config")
        path = os.path.join(self.dir, "popgate.conf")
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else
                      text.format(dir=self.dir, cert=good.cert, key=good.key).encode())
        return path

    def check(self, text, status):
        path = self.file(text)
        done = popgate.run("check-config", "--config", path)
        self.assertEqual(done.returncode, status, done.stderr)
        return path, done.stdout + done.stderr

    def faulty(self, old, new, *wanted):
        """The good file with OLD replaced by NEW: what is said must name the line and hold all of WANTED."""
        self.assertIn(old, self.GOOD)
        text = self.GOOD.replace(old, new)
        line = text[:text.index(new)].count("\n") + 1
        path, said = self.check(text, EX_CONFIG)
        self.assertRegex(said, re.escape(path) + rf":{line}: ", said)
        for words in wanted:
            self.assertIn(words, said)

    def test_good_file(self):
        self.check(self.GOOD, 0)

    def test_unknown_setting_with_line_and_suggestion(self):
        self.faulty("idle_timeout = 10m", "idle_timout = 10m", "idle_timout", "idle_timeout")
        self.faulty("host = ", "hots = ", "hots", "host")
        self.faulty("certificate = ", "certifcate = ", "certifcate", "certificate")

    def test_wrong_values(self):
        for value in ("idle_timeout = 10 parsecs", "idle_timeout = ten", "idle_timeout = -1s", "idle_timeout = 10",
                      "idle_timeout = 99999999999999999999s", "idle_timeout =", "idle_timeout = 1m, 2m"):
            with self.subTest(value):
                self.faulty("idle_timeout = 10m", value, "idle_timeout")
        for value in ("many", "-1", "0", "1.5", "0x10", "99999999999999999999"):
            with self.subTest(value):
                self.faulty("idle_timeout = 10m", f"max_sessions = {value}", "max_sessions")

    def test_wrong_choice_names_the_choices(self):
        self.faulty("log_level = info", "log_level = verbose", "error", "warning", "info", "debug")
        self.faulty("tls = none", "tls = no", "implicit", "starttls", "none")

    def test_setting_in_the_wrong_place(self):
        self.faulty("idle_timeout = 10m", "host = localhost", "host")
        self.faulty("port = 1143", "idle_timeout = 5m", "idle_timeout")

    def test_faults_of_form(self):
        for text in ("idle_timeout 10m", "idle_timeout = \"10m", "= 10m", "{{", "}}", "what {{", "listener imap {{"):
            with self.subTest(text):
                self.faulty("idle_timeout = 10m", text)

    def test_bad_addresses(self):
        for address in ("127.0.0.1", "127.0.0.1:65536", "::1:110", "[::1]", "300.0.0.1:110", "x:y"):
            with self.subTest(address):
                self.faulty("address = 127.0.0.1:1110, [::1]:1110", f"address = {address}", "address")

    def test_bad_networks(self):
        for network in ("10.0.0.0/33", "10.0.0", "::/129", "everyone"):
            with self.subTest(network):
                self.faulty("idle_timeout = 10m", f"plaintext_networks = {network}", "plaintext_networks")

    def test_bad_uidl_templates(self):
        for template in ("%q", "%", "same", "%08"):
            with self.subTest(template):
                self.faulty("tls = none", f"uidl = {template}", "uidl")

    def test_certificate_and_key(self):
        self.check(self.GOOD.replace("{key}", "/nonexistent/key.pem"), EX_CONFIG)
        self.faulty("certificate = {cert}", "certificate = /nonexistent/cert.pem", "/nonexistent/cert.pem")
        self.check(self.GOOD.replace("    key = {key}\n", ""), EX_CONFIG)
        other = certificates.second()
        self.check(self.GOOD.replace("{key}", other.key), EX_CONFIG)

    def test_several_faults_at_once(self):
        text = (self.GOOD.replace("log_level = info", "log_level = verbose").replace("host = ", "hots = ")
                .replace("port = 1143", "port = 70000"))
        path, said = self.check(text, EX_CONFIG)
        for line, words in ((3, "log_level"), (12, "hots"), (13, "port")):
            self.assertRegex(said, rf"{re.escape(path)}:{line}: .*{words}")

    def test_missing_blocks(self):
        self.check("log_level = info\n", EX_CONFIG)
        self.check("", EX_CONFIG)
        self.check(self.GOOD.split("upstream")[0], EX_CONFIG)
        self.check("upstream" + self.GOOD.split("upstream")[1], EX_CONFIG)
        self.check(self.GOOD.rstrip()[:-2], EX_CONFIG)

    def test_files_that_are_no_configuration(self):
        for octets in (b"\0" * 100, b"\xff\xfe\n", b"x" * 1000000, b"listener pop3 {" * 1000, bytes(range(256)) * 10):
            self.check(octets, EX_CONFIG)

    def test_missing_file(self):
        for command in ("check-config", "serve"):
            done = popgate.run(command, "--config", "/nonexistent/popgate.conf")
            self.assertIn(done.returncode, (EX_CONFIG, EX_NOINPUT))
            self.assertIn("/nonexistent/popgate.conf", done.stderr)

    def test_serve_with_a_faulty_file(self):
        done = popgate.run("serve", "--config", self.file(self.GOOD.replace("idle_timeout", "idle_timout")))
        self.assertEqual(done.returncode, EX_CONFIG)
        self.assertIn("idle_timeout", done.stderr)

    def test_serve_on_a_port_that_is_taken(self):
        server = self.scripted()
        done = popgate.run("serve", "--config", self.file(
            self.GOOD.replace("127.0.0.1:1110, [::1]:1110", f"127.0.0.1:{server.port}")))
        self.assertIn(done.returncode, (EX_UNAVAILABLE, 71))
        self.assertIn(str(server.port), done.stderr)


class Commands(Case):
    def test_version(self):
        done = popgate.run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^popgate \d+\.\d+")

    def test_help(self):
        done = popgate.run("--help")
        self.assertEqual(done.returncode, 0)
        for command in ("serve", "check-config", "probe"):
            self.assertIn(command, done.stdout)
            own = popgate.run(command, "--help")
            self.assertEqual(own.returncode, 0)
            self.assertIn("--config", own.stdout)

    def test_usage_errors(self):
        for arguments in ((), ("srve",), ("serve", "--what"), ("serve", "extra"), ("probe",), ("--what",),
                          ("probe", "--password-fd", "x", "user"), ("check-config", "--config")):
            with self.subTest(arguments):
                done = popgate.run(*arguments)
                self.assertEqual(done.returncode, EX_USAGE, done.stderr)
                self.assertTrue(done.stderr)
        self.assertIn("serve", popgate.run("srve").stderr)


class Probe(Case):
    def probe(self, upstream, user, password, *more, blocks=()):
        folder = workspace.folder("probe")
        path = os.path.join(folder, "popgate.conf")
        with open(path, "w") as out:
            out.write(popgate.config_text(
                {"state_directory": folder, "log_level": "debug"},
                [("pop3", {"address": f"127.0.0.1:{ports.free_port()}"})], {**popgate.UPSTREAM, **upstream}, blocks))
        reading, writing = os.pipe()
        os.write(writing, password.encode() + b"\n")
        os.close(writing)
        try:
            done = popgate.run("probe", "--config", path, "--password-fd", str(reading), *more, user, pass_fds=(reading,))
        finally:
            os.close(reading)
        self.assertNotIn(password, done.stdout + done.stderr)
        return done

    def test_good_login(self):
        server = servers.dovecot()
        user = server.user()
        server.fill(user, [ONE, TWO])
        done = self.probe({"port": server.imap_port}, user, "secret")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\b2\b")

    def test_several_mailboxes(self):
        server = servers.dovecot()
        user = server.user()
        with server.imap(user) as mailbox:
            mailbox.create("Junk")
        done = self.probe({"port": server.imap_port, "mailbox": "INBOX, Junk, Lists"}, user, "secret")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"mailbox +INBOX\n")
        self.assertRegex(done.stdout, r"and behind it +Junk\n")
        self.assertRegex(done.stdout, r"not there, left out +Lists\n")

    def test_a_trash_that_is_not_there(self):
        server = servers.dovecot()
        user = server.user()
        for settings, status in (({"delete": "trash", "trash_mailbox": "Trash"}, 0),
                                 ({"delete": "trash", "trash_mailbox": "Rubbish"}, EX_UNAVAILABLE),
                                 ({"trash_mailbox": "Rubbish"}, 0)):  # not used: there is UIDPLUS
            with self.subTest(**settings):
                done = self.probe({"port": server.imap_port, **settings}, user, "secret")
                self.assertEqual(done.returncode, status, done.stdout + done.stderr)
                self.assertEqual("no mailbox Rubbish" in done.stderr, status != 0)
                self.assertRegex(done.stdout, "deletion +UID (MOVE|EXPUNGE)")

    def test_why_nothing_can_be_deleted(self):
        server = self.scripted([ONE], permanent=r"\Seen \Deleted")
        for settings, read_only, why in (({}, True, "the mailbox is read-only"), ({}, False, None),
                                         ({"delete": "mark", "mark_keyword": "Gone"}, False, "keeps no keywords")):
            with self.subTest(why=why):
                server.read_only = read_only
                done = self.probe({"port": server.port, **settings}, "someone", "secret")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, f"deletion +refused: .*{why}" if why else "deletion +[A-Z ]*EXPUNGE")

    def test_a_mailbox_that_is_not_there(self):
        server = servers.dovecot()
        done = self.probe({"port": server.imap_port, "mailbox": "Nowhere"}, server.user(), "secret")
        self.assertEqual(done.returncode, EX_TEMPFAIL)  # Dovecot does not say that it is for good
        self.assertIn('Check "mailbox"', done.stderr)

    # several upstreams

    def bridge(self, account, *more, password="secret", routes=(), **new):
        """Of a gateway whose first upstream is none for anybody on the way of ROUTES, and that has an old server."""
        server = servers.dovecot()
        blocks = [("upstream new", {**popgate.UPSTREAM, "port": server.imap_port, "old": "oldpop", **new}),
                  ("upstream oldpop", {**popgate.UPSTREAM, "protocol": "pop3", "port": server.pop3_port}),
                  *[(f"route {label}", values) for label, values in routes]]
        return self.probe({"label": "wrong", "port": ports.free_port()}, account, password, *more, blocks=blocks)

    def filled(self):
        user = servers.dovecot().user()
        servers.dovecot().fill(user, [ONE, TWO])
        return user

    def test_it_goes_by_the_users_route(self):
        user = self.filled()
        with servers.dovecot().imap(user) as mailbox:
            mailbox.create("Shown")
        done = self.bridge(f"{user}@example.org", routes=[
            ("moved", {"users": "@example.org", "upstream": "new", "login": "%n", "mailbox": "INBOX, Shown"}),
            ("rest", {"upstream": "wrong"})])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for line in (r"route +moved\n", r"upstream +new\n", rf"as +{user}\n", r"and behind it +Shown\n", r"old server +oldpop\n",
                     r"content +2 messages"):
            self.assertRegex(done.stdout, line)

    def test_who_is_rejected_is_tried_at_the_next_of_the_route(self):
        server = self.scripted([ONE], users={"nobody": "word"})
        done = self.bridge(self.filled(), routes=[("all", {"upstream": "new, oldpop"})], port=server.port)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("cannot log in at new: credentials rejected", done.stderr)
        self.assertRegex(done.stdout, r"upstream +oldpop\n")

    def test_the_upstream_that_is_named(self):
        user = self.filled()
        done = self.bridge(user, "--upstream", "new")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"upstream +new\n")
        done = self.bridge(user, "--upstream", "lost")
        self.assertEqual(done.returncode, 64, done.stdout)
        self.assertIn("there is no upstream lost", done.stderr)

    def test_an_old_server(self):
        user = self.filled()
        done = self.bridge(user, "--upstream", "oldpop")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for line in (r"capabilities +.*\bUIDL\b", rf"login +{user}\n", r"content +2 messages", r"first UIDL +[0-9a-f]{16}\n"):
            self.assertRegex(done.stdout, line)
        done = self.bridge(user, "--upstream", "oldpop", password="wrong-password")
        self.assertEqual(done.returncode, EX_NOPERM, done.stderr)
        self.assertIn("cannot log in at oldpop: credentials rejected", done.stderr)

    def test_who_has_no_route(self):
        done = self.bridge("jane", routes=[("some", {"users": "@example.org", "upstream": "new"})])
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn("no route fits the user", done.stderr)

    def test_good_login_over_tls(self):
        server = servers.dovecot()
        for port, tls in ((server.imap_port, "starttls"), (server.imaps_port, "implicit")):
            done = self.probe({"port": port, "tls": tls, "ca_file": certificates.authority().cert},
                              server.user(), "secret")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("TLS", done.stdout)

    def test_wrong_password(self):
        done = self.probe({"port": servers.dovecot().imap_port}, "someone", "wrong-password")
        self.assertEqual(done.returncode, EX_NOPERM, done.stderr)

    def test_server_that_is_not_there(self):
        done = self.probe({"port": ports.free_port()}, "someone", "hidden-word")
        self.assertIn(done.returncode, (EX_UNAVAILABLE, EX_TEMPFAIL), done.stderr)
        self.assertTrue(done.stdout + done.stderr)

    def test_bad_certificate(self):
        server = self.scripted([ONE], tls="implicit", certificate=certificates.bad()["expired"])
        done = self.probe({"port": server.port, "tls": "implicit", "ca_file": certificates.authority().cert},
                          "someone", "hidden-word")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("expired", done.stdout + done.stderr)
        self.assertFalse(server.saw_credentials("hidden-word"))

    def test_nothing_is_changed(self):
        server = self.scripted([ONE, TWO])
        self.assertEqual(self.probe({"port": server.port}, "someone", "secret").returncode, 0)
        self.assertFalse({"UID STORE", "EXPUNGE", "UID EXPUNGE", "CLOSE"} & set(server.names()))


class Stop(Case):
    def test_rule_37_idle_sessions_are_told_and_nothing_is_deleted(self):
        server = self.scripted([ONE, TWO])
        gate = self.gateway({"port": server.port})
        before_login = gate.connect()
        session = gate.login("someone")
        session.ok("DELE 1")
        gate.process.signal(signal.SIGTERM)
        for each in (session, before_login):
            self.assert_code(each.status(), "SYS/TEMP")
            self.assertEqual(each.rest(), b"")
        self.assertEqual(gate.process.wait(), 0)
        gate.check_sanitizers()
        self.assertEqual(server.flags(), {1: set(), 2: set()})

    def held(self, server, step):
        """Holds the answer to STEP back until the returned event is set."""
        release = threading.Event()

        def action(connection, command):
            release.wait(30)
            return False
        server.on(step, scripted_imap.once(action))
        self.addCleanup(release.set)
        return release

    def test_rule_37_running_retr_is_finished(self):
        server = self.scripted([ONE, TWO])
        gate = self.gateway({"port": server.port}, drain_timeout="30s")
        session = gate.login("someone")
        release = self.held(server, "fetch body")
        session.send(b"RETR 1\r\n")
        server.wait_for(lambda s: [c for c in s.commands if c.step == "fetch body"])
        gate.process.signal(signal.SIGTERM)
        gate.wait_log("stopping")
        release.set()
        self.assertTrue(session.status().startswith(b"+OK"))
        self.assertEqual(session.multi_body(), ONE)
        self.assert_code(session.status(), "SYS/TEMP")
        self.assertEqual(gate.process.wait(), 0)

    def test_rule_37_running_quit_is_finished(self):
        server = self.scripted([ONE, TWO])
        gate = self.gateway({"port": server.port}, drain_timeout="30s")
        session = gate.login("someone")
        session.ok("DELE 1")
        release = self.held(server, "UID STORE")
        session.send(b"QUIT\r\n")
        server.wait_for(lambda s: "UID STORE" in s.names())
        gate.process.signal(signal.SIGTERM)
        gate.wait_log("stopping")
        release.set()
        self.assertTrue(session.status().startswith(b"+OK"))
        self.assertEqual(server.uids(), [2])
        self.assertEqual(gate.process.wait(), 0)

    def test_rule_37_drain_time_is_bounded(self):
        server = self.scripted([ONE])
        gate = self.gateway({"port": server.port}, drain_timeout="500ms")
        session = gate.login("someone")
        server.on("fetch body", scripted_imap.stall)
        session.send(b"RETR 1\r\n")
        server.wait_for(lambda s: [c for c in s.commands if c.step == "fetch body"])
        gate.process.signal(signal.SIGTERM)
        gate.process.wait()
        gate.check_sanitizers()
        self.assertFalse(session.rest().endswith(b"\r\n.\r\n"))

    @staticmethod
    def is_refused(address):
        try:
            socket.create_connection(address, 10).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_rule_37_no_new_sessions_while_draining(self):
        server = self.scripted([ONE])
        gate = self.gateway({"port": server.port})
        session = gate.login("someone")
        release = self.held(server, "fetch body")
        session.send(b"RETR 1\r\n")
        server.wait_for(lambda s: [c for c in s.commands if c.step == "fetch body"])
        gate.process.signal(signal.SIGTERM)
        gate.wait_log("stopping")
        wait_until(lambda: self.is_refused(gate.pop3), "refused connections")
        release.set()
        gate.process.wait()

    def test_crash_leaves_nothing_in_the_way(self):
        server = self.scripted([ONE])
        gate = self.gateway({"port": server.port})
        session = gate.login("someone")
        gate.kill()
        session.rest()
        gate.start()
        session = gate.login("someone")
        self.assertEqual(session.retr(1), ONE)
        session.quit()


class Reload(Case):
    def setUp(self):
        self.server = self.scripted([ONE, TWO])
        self.gate = self.gateway({"port": self.server.port})

    def presented(self):
        """The certificate that the TLS port shows, as PEM."""
        with self.gate.connect_tls() as session:
            return ssl.DER_cert_to_PEM_cert(session.sock.getpeercert(True))

    @staticmethod
    def pem(certificate):
        with open(certificate.cert) as file:
            return file.read()

    def test_new_certificate(self):
        self.assertEqual(self.presented(), self.pem(certificates.good()))
        session = self.gate.login("someone")
        self.gate.certificate = certificates.second()
        self.gate.reload()
        self.assertEqual(self.presented(), self.pem(certificates.second()))
        stls = self.gate.connect()
        stls.stls(tls_context(certificates.authority().cert))
        self.assertEqual(ssl.DER_cert_to_PEM_cert(stls.sock.getpeercert(True)), self.pem(certificates.second()))
        self.assertEqual(session.retr(2), TWO)
        session.quit()

    def test_pair_that_does_not_match_is_refused(self):
        good, other = certificates.good(), certificates.second()
        self.gate.certificate = certificates.Certificate(other.cert, good.key, good.ca)
        self.gate.reload("not reloaded")
        self.assertEqual(self.presented(), self.pem(good))

    def test_faulty_configuration_is_refused(self):
        session = self.gate.login("someone")
        for text in ("", "nonsense", "listener pop3 {\n", "\0"):
            self.gate.write(text)
            self.gate.send_reload("not reloaded")
        os.unlink(self.gate.config)
        self.gate.send_reload("not reloaded")
        self.assertEqual(session.retr(1), ONE)
        session.quit()
        session = self.gate.login_when_free("someone")
        self.assertEqual(session.stat()[0], 2)
        session.quit()

    def test_new_upstream_is_for_new_sessions(self):
        other = self.scripted([TWO])
        session = self.gate.login("someone")
        self.gate.upstream["port"] = other.port
        self.gate.reload()
        self.assertEqual(session.retr(1), ONE)
        session.quit()
        session = self.gate.login_when_free("someone")
        self.assertEqual(session.stat()[0], 1)
        self.assertEqual(session.retr(1), TWO)
        session.quit()

    def test_listeners_come_and_go(self):
        port = ports.free_port("::1")
        self.gate.more_listeners = [("pop3", {"address": f"[::1]:{port}"})]
        self.gate.reload()
        with Pop3(("::1", port)) as session:
            session.login("six")
            self.assertEqual(session.retr(1), ONE)
            session.quit()
        self.gate.more_listeners = []
        self.gate.reload()
        with self.assertRaises(OSError):
            Pop3(("::1", port))
        self.gate.login("someone").quit()

    def test_state_directory_cannot_change(self):
        self.gate.settings["state_directory"] = workspace.folder("other-state")
        self.gate.reload("not reloaded")
        self.gate.login("someone").quit()

    def test_many_reloads_under_sessions(self):
        session = self.gate.login("someone")
        for _ in range(10):
            self.gate.reload()
            self.assertEqual(session.retr(1), ONE)
        session.quit()


class Limits(Case):
    def eventually(self, attempt):
        """Ends of connections are seen a moment later: tries until ATTEMPT() is true."""
        for _ in range(2000):
            if attempt():
                return
        self.fail("did not come to pass")

    def refused(self, gate):
        """Whether a new connection is turned away now; if not it is closed again."""
        session = Pop3(gate.pop3, greeting=False)
        line = session.line()
        if line.startswith(b"+OK"):
            session.quit()
            return False
        if line:
            self.assert_code(line, "SYS/TEMP")
        self.assertEqual(session.rest(), b"")
        session.close()
        return True

    def test_sessions_per_address(self):
        server = self.scripted([ONE])
        gate = self.gateway({"port": server.port}, max_sessions_per_address=3)
        self.eventually(lambda: not self.refused(gate))
        sessions = []

        def add():
            session = Pop3(gate.pop3, greeting=False)
            if session.line().startswith(b"+OK"):
                sessions.append(session)
            return len(sessions) == 3
        self.eventually(add)
        self.assertTrue(self.refused(gate))
        sessions.pop().quit()
        self.eventually(lambda: not self.refused(gate))
        for session in sessions:
            session.ok("CAPA")
            session.close()

    def test_sessions_in_all_spare_those_that_have_logged_in(self):
        server = self.scripted([ONE])
        # who has not logged in makes room for others at the same worker
        gate = self.gateway({"port": server.port}, max_sessions=2, workers=1)
        first, second = gate.login_when_free("first"), gate.login_when_free("second")
        self.eventually(lambda: self.refused(gate))
        self.assertEqual(first.retr(1), ONE)
        self.assertEqual(second.retr(1), ONE)
        first.quit()
        second.quit()
        self.eventually(lambda: not self.refused(gate))

    def test_rejected_logins_end_a_connection(self):
        gate = self.gateway({"port": self.scripted([ONE]).port}, max_auth_failures=2)
        session = gate.connect()
        for _ in range(2):
            session.ok("USER someone")
            self.assert_code(session.err("PASS wrong"), "AUTH")
        self.assertEqual(session.rest(), b"")


class Log(Case):
    CANARY = "canary-7f3Kq9"

    def test_passwords_never_reach_the_log(self):
        for capability in (scripted_imap.CAPABILITY, ("IMAP4rev1",)):
            server = self.scripted([ONE], users={"someone": self.CANARY}, capability=capability)
            gate = self.gateway({"port": server.port}, log_level="debug", max_auth_failures=100)
            blob = base64.b64encode(f"\0someone\0{self.CANARY}".encode()).decode()
            wrong = base64.b64encode(f"\0someone\0{self.CANARY}x".encode()).decode()
            word = base64.b64encode(self.CANARY.encode()).decode()
            session = gate.connect()
            session.err(f"PASS {self.CANARY}")
            session.ok("USER someone")
            session.err(f"PASS {self.CANARY}x")
            session.err(f"AUTH PLAIN {wrong}")
            session.err(f"AUTH PLAIN {blob}!!")
            session.close()
            session = gate.connect()
            session.command("AUTH LOGIN")
            session.command(base64.b64encode(b"someone"))
            session.ok(word)
            session.quit()
            session = gate.login_when_free("someone", self.CANARY)
            session.retr(1)
            server.drop_connections()
            session.command("RETR 1")
            session.close()
            session = gate.connect()
            session.send(f"USER someone\r\nPASS {self.CANARY}".encode())
            session.reset()
            gate.login_when_free("someone", self.CANARY).quit()
            for pid in (gate.process.pid, *gate.workers()):
                with open(f"/proc/{pid}/cmdline") as file:
                    self.assertNotIn(self.CANARY, file.read())
            gate.stop()
            log = gate.log()
            self.assertIn("someone", log)
            for secret in (self.CANARY, blob, wrong, word):
                self.assertNotIn(secret, log)

    def some_sessions(self, gate):
        session = gate.login("someone")
        session.retr(1)
        session.ok("DELE 2")
        session.quit()
        session = gate.connect()
        session.command("AUTH PLAIN " + base64.b64encode("\0é\"\\= evil\x1b[2J\0x".encode()).decode())
        session.command("USER new\x0bline \x1b]0;title\x07\" level=error")
        session.command("PASS wrong")
        session.close()
        gate.login_when_free("last").quit()
        gate.stop()

    def test_json_lines(self):
        server = self.scripted([ONE, TWO])
        gate = self.gateway({"port": server.port}, log_format="json", log_level="debug")
        self.some_sessions(gate)
        lines = [json.loads(line) for line in gate.log().splitlines() if not line.startswith("==")]
        self.assertTrue(all({"time", "level", "event"} <= set(line) for line in lines))
        summary = [line for line in lines if line["event"] == "session ended" and line.get("user") == "someone"]
        self.assertEqual(len(summary), 1)
        wanted = {"logged_in": "yes", "messages": 1, "deleted": 1, "marked": 1, "octets": len(ONE)}
        self.assertEqual({name: summary[0].get(name) for name in wanted}, wanted)
        self.assertTrue(any(line["event"] == "listening" for line in lines))

    def test_plain_lines(self):
        server = self.scripted([ONE, TWO])
        gate = self.gateway({"port": server.port}, log_level="debug")
        self.some_sessions(gate)
        log = gate.log()
        self.assertNotRegex(log, "[\x00-\x08\x0b-\x1f\x7f]")
        for line in log.splitlines():
            if line.startswith("=="):
                continue  # AddressSanitizer introduces itself
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) ")
        summary = [line for line in log.splitlines() if "session ended" in line and "user=someone" in line]
        self.assertEqual(len(summary), 1, log)
        self.assertRegex(summary[0], r"messages=1\b.*\bdeleted=1\b")

    def test_level(self):
        server = self.scripted([ONE, TWO])
        gate = self.gateway({"port": server.port}, log_level="error")
        self.some_sessions(gate)
        self.assertNotRegex(gate.log(), r"Z (warning|info|debug) ")
