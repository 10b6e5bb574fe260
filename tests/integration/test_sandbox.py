"""Workers that have locked themselves in: everything works in there, and what does not is for other workers. A build with
sanitizers has no sandbox, so these take POPGATE_DEBUG_BIN, or the gateway of the debug preset."""
import os
import re
import shutil
import unittest.mock

from harness import auth_http, certificates, corpus, popgate, ports, servers, workspace
from harness.cases import Case
from harness.pop3 import Pop3, tls_context

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ONE, TWO, THREE = (corpus.message(f"number {n}", corpus.FILL * n) for n in (1, 20, 3))
KEPT = 100  # messages from which on a listing is kept


def debug_binary():
    return os.path.abspath(os.environ.get("POPGATE_DEBUG_BIN") or
                           os.path.join(ROOT, "build", "debug", "gateway", "popgate"))


def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(rf"^{name}:\s+(\d+)", status.read(), re.M)[1])


def has_libcurl(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return "/libcurl" in maps.read()


class Sandbox(Case):
    def setUp(self):
        self.server = servers.dovecot()
        patch = unittest.mock.patch.dict(os.environ, POPGATE_BIN=debug_binary())
        patch.start()
        os.environ.pop("POPGATE_VALGRIND_REPORTS", None)  # it has no part in this
        self.addCleanup(patch.stop)

    def sandboxed(self, upstream=None, **settings):
        gate = self.gateway({"port": self.server.imap_port, **(upstream or {})}, workers=2, **settings)
        gate.wait_workers(2)
        return gate

    def user(self, *messages):
        user = self.server.user()
        self.server.fill(user, list(messages) or [ONE, TWO, THREE])
        return user

    def assert_works(self, gate, user):
        """A session with everything in it: look-up of the host, lock, journal, kept listing, deletion."""
        with gate.login_when_free(user) as session:
            self.assertEqual(session.retr(2), TWO)
            session.ok("DELE 1")
            self.assertTrue(session.quit().startswith(b"+OK"))

    def test_it_is_there(self):
        gate = self.sandboxed()
        for pid in gate.workers():
            self.assertEqual(status_of(pid, "Seccomp"), 2)
            self.assertEqual(status_of(pid, "NoNewPrivs"), 1)
        self.assertNotIn("sandbox", gate.log())
        self.assertNotIn("stay open", gate.log())

    def test_tables_and_services_work_in_there(self):
        certificate = certificates.good()
        service = auth_http.Service(certificate=certificate)
        self.addCleanup(service.stop)
        table = os.path.join(workspace.folder("table"), "users")
        user, other = self.user(), self.user()
        with open(table, "w", encoding="utf-8") as out:
            out.write(f"{user} new\n")
        self.assertEqual(popgate.run("table", "build", table).returncode, 0)
        gate = self.sandboxed({"label": "new"}, blocks=[
            ("route table", {"table": table}),
            ("route web", {"auth_http": service.url, "auth_http_ca_file": certificate.ca, "upstream": "new"})])
        self.assert_works(gate, user)
        self.assertEqual(service.requests, [])
        self.assert_works(gate, other)
        self.assertEqual(len(service.requests), 1)

    def test_libcurl_comes_with_the_first_service(self):
        """Who asks no service has no libcurl in memory; and where it is not loaded yet, it cannot be from within."""
        gate = self.sandboxed({"label": "new"})
        before = gate.workers()
        for pid in (gate.process.pid, *before):
            self.assertFalse(has_libcurl(pid))
        service = auth_http.Service()
        self.addCleanup(service.stop)
        gate.blocks = [("route web", {"auth_http": service.url, "upstream": "new"})]
        gate.reload()
        gate.wait_log(lambda _: not set(before) & set(gate.workers()))
        for pid in gate.wait_workers(2):
            self.assertTrue(has_libcurl(pid))
        self.assert_works(gate, self.user())
        self.assertEqual(len(service.requests), 1)

    def test_everything_works_in_there(self):
        gate = self.sandboxed()
        user = self.user(ONE, TWO, *[THREE] * KEPT)
        self.assert_works(gate, user)
        self.assertTrue(os.listdir(os.path.join(gate.state_directory, "index")))
        with gate.login_when_free(user) as session:
            self.assertEqual(session.stat()[0], KEPT + 1)

    def test_tls_on_both_legs(self):
        good = certificates.good()
        gate = self.sandboxed({"port": self.server.imaps_port, "tls": "implicit", "ca_file": good.ca})
        user = self.user()
        with gate.connect_tls() as session:
            session.login(user, "secret")
            self.assertEqual(session.retr(2), TWO)

    def test_reload_within(self):
        """What needs no other files and ports needs no other workers; certificates are read anew all the same."""
        gate = self.sandboxed()
        before = gate.workers()
        gate.settings["log_level"] = "info"
        gate.reload()
        self.assertEqual(gate.workers(), before)
        self.assert_works(gate, self.user())

    def test_reload_beyond(self):
        """Another port is for other workers. The sessions of the old ones go on."""
        other = servers.dovecot_without_uidplus()
        gate = self.sandboxed()
        user = self.user()
        before = set(gate.workers())
        session = gate.login(user)
        gate.upstream["port"] = other.imap_port
        gate.reload()
        self.assertEqual(len(set(gate.workers()) - before), 2)
        elsewhere = other.user()
        other.fill(elsewhere, [ONE, TWO, THREE])
        self.assert_works(gate, elsewhere)
        self.assertEqual(session.retr(3), THREE)
        session.ok("DELE 3")
        self.assertTrue(session.quit().startswith(b"+OK"))
        gate.wait_workers(2)
        self.assertFalse(before & set(gate.workers()))
        with self.server.imap(user) as mailbox:
            self.assertEqual(len(mailbox.uids()), 2)

    def test_reload_with_certificates_from_elsewhere(self):
        """A second pair in a folder of its own is for other workers; those can read it anew."""
        gate = self.sandboxed()
        before = set(gate.workers())
        folder = workspace.folder("second-pair")
        second = certificates.authority().issue(names="DNS:second.test")
        pair = [shutil.copy(path, os.path.join(folder, name))
                for path, name in ((second.cert, "second.pem"), (second.key, "second.key"))]
        address = (ports.HOST, ports.free_port())
        gate.more_listeners = [("pop3s", {"address": "%s:%d" % address,
                                          "certificate": f"{gate.certificate.cert}, {pair[0]}",
                                          "key": f"{gate.certificate.key}, {pair[1]}"})]
        gate.reload()
        gate.wait_log(lambda _: len(set(gate.workers()) - before) == 2)
        workers = gate.wait_workers(2)
        for level in ("debug", "info"):
            gate.settings["log_level"] = level
            gate.reload()
            self.assertEqual(gate.workers(), workers)
            with Pop3(address, tls=tls_context(second.ca), server_hostname="second.test") as session:
                self.assertTrue(session.greeting.startswith(b"+OK"))
        self.assert_works(gate, self.user())

    def test_it_can_be_switched_off_and_that_is_said(self):
        gate = self.sandboxed(sandbox="no")
        gate.wait_log("worker runs without a sandbox")
        for pid in gate.workers():
            self.assertEqual(status_of(pid, "Seccomp"), 0)

    def test_no_core_files(self):
        gate = self.sandboxed()
        for pid in (gate.process.pid, *gate.workers()):
            with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
                self.assertRegex(limits.read(), r"Max core file size\s+0\s+0\s")
