"""Who popgate is, and where its listening sockets come from: another process, or root, which it then is no more."""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest.mock

from harness import certificates, corpus, popgate, ports, servers, workspace
from harness.cases import Case
from harness.pop3 import Pop3
from harness.sockets import sockets_of

from test_sandbox import debug_binary

EX_CANTCREAT, EX_CONFIG = 73, 78
ONE = corpus.message("one", corpus.FILL * 10)
USER = workspace.MAIL_USER

# What systemd does: sockets from descriptor 3 on, and an environment that names the process itself.
LAUNCHER = """
import fcntl, os, sys
pid, given = sys.argv[1], [int(fd) for fd in sys.argv[2].split(",")]
for number, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD, 500) for fd in given], 3):
    os.dup2(fd, number)
os.closerange(3 + len(given), 600)
os.environ.update(LISTEN_FDS=str(len(given)), LISTEN_PID=pid or str(os.getpid()), LISTEN_FDNAMES="a:b")
os.execv(sys.argv[3], sys.argv[3:])
"""


def listen_on(address, family=socket.AF_INET):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(100)
    return listener


def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return re.search(rf"^{name}:\s*(.*)$", status.read(), re.M)[1].split()


def environment_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as environment:
        return environment.read().split(b"\0")


def descriptors_of(pid, inode):
    """How many descriptors the process PID, which waits, has of a socket."""
    folder = f"/proc/{pid}/fd"
    return sum(os.path.realpath(os.path.join(folder, fd)).endswith(f"socket:[{inode}]") for fd in os.listdir(folder))


class Privileges(Case):
    def setUp(self):
        self.server = servers.dovecot()
        if "POPGATE_VALGRIND_REPORTS" in os.environ:
            self.take_debug_binary()  # by itself: there is no supervisor under valgrind

    def take_debug_binary(self):
        patch = unittest.mock.patch.dict(os.environ, POPGATE_BIN=debug_binary())
        patch.start()
        os.environ.pop("POPGATE_VALGRIND_REPORTS", None)
        self.addCleanup(patch.stop)

    def user(self):
        user = self.server.user()
        self.server.drop(user, ONE)
        return user

    def assert_works(self, gate, address=None):
        with Pop3(address or gate.pop3) as session:
            session.login(self.user(), "secret")
            self.assertEqual(session.retr(1), ONE)
            session.ok("DELE 1")
            self.assertTrue(session.quit().startswith(b"+OK"))


class Launched(popgate.Popgate):
    """A gateway that finds a socket for its first listener at descriptor 3, and MORE (sockets, or files) above. LISTEN_PID
    is PID, or right."""

    def __init__(self, upstream, more, pid, **settings):
        self.handed, self.more, self.pid = [], more, pid
        super().__init__(upstream, **settings)

    @property
    def pass_fds(self):
        return [each.fileno() for each in self.handed]

    def launcher(self):
        return [sys.executable, "-c", LAUNCHER, self.pid, ",".join(map(str, self.pass_fds))]

    def start(self, extra_environment=None):
        if not self.handed:
            self.handed = [listen_on(self.pop3), *self.more]
        super().start(extra_environment)


class Inherited(Privileges):
    def launched(self, *more, pid="", **settings):
        gate = Launched({"port": self.server.imap_port}, more, pid, **settings)
        self.addCleanup(gate.handed[0].close)
        self.addCleanup(self._stop, gate)
        return gate

    def test_a_session_on_an_inherited_socket(self):
        for workers in (0, 2):
            gate = self.launched(workers=workers)
            self.assert_works(gate)
            self.assert_works(gate)
            self.assertRegex(gate.log(), rf"listening .*address=127.0.0.1:{gate.pop3[1]}\b.*socket=inherited")
            # the other listener has none, and is bound as ever
            self.assertRegex(gate.log(), rf"listening .*address=127.0.0.1:{gate.pop3s[1]}\b")
            with gate.connect_tls() as session:
                session.quit()
            gate.stop()

    def test_workers_hear_nothing_of_it(self):
        spare = listen_on((ports.HOST, ports.free_port()))
        self.addCleanup(spare.close)
        gate = self.launched(spare, workers=2)
        number = str(os.fstat(spare.fileno()).st_ino)
        for pid in (gate.process.pid, *gate.wait_workers(2)):
            self.assertNotIn(number, sockets_of(pid))
        for pid in gate.workers():
            self.assertFalse([each for each in environment_of(pid) if each.startswith(b"LISTEN_")])

    def test_sockets_that_no_listener_has(self):
        spare = listen_on((ports.HOST, ports.free_port()))
        bound = socket.socket()
        null = open(os.devnull, "rb")
        for each in (spare, bound, null):
            self.addCleanup(each.close)
        gate = self.launched(spare, bound, null, workers=2)
        self.assertRegex(gate.log(), "warning inherited socket is at no address of a listener, closed "
                         rf".*address=127.0.0.1 port={spare.getsockname()[1]}\b")
        for fd in (5, 6):
            self.assertIn(f"warning inherited descriptor is no listening TCP socket, closed descriptor={fd}", gate.log())
        self.assert_works(gate)

    def test_sockets_for_another_process(self):
        """They stay what they are, and the address cannot be bound a second time."""
        with self.assertRaisesRegex(AssertionError, "Address already in use"):
            self.launched(pid="1", workers=2)

    def test_a_socket_of_both_families(self):
        """What systemd makes of ListenStream=995: IPv4 clients are IPv4 clients."""
        port = ports.free_port()
        both = listen_on(("::", port), socket.AF_INET6)
        self.addCleanup(both.close)
        gate = self.launched(both, workers=2)
        gate.more_listeners.append(("pop3", {"address": f"[::]:{port}"}))
        gate.stop()
        gate.write_config()
        gate.start()
        self.assert_works(gate, (ports.HOST, port))
        self.assert_works(gate, ("::1", port))
        # and workers have it from the supervisor alone, not from whoever started that
        inode = os.fstat(both.fileno()).st_ino
        self.assertEqual([descriptors_of(pid, inode) for pid in gate.wait_workers(2)], [1, 1])
        for client in ("127.0.0.1", "::1"):
            gate.wait_log(lambda log: re.search(rf"session ended .*client={re.escape(client)} .*reason=quit", log))

    def test_reload_keeps_them(self):
        for workers in (0, 2):
            gate = self.launched(workers=workers)
            inode = str(os.fstat(gate.handed[0].fileno()).st_ino)
            gate.settings["log_level"] = "info"
            gate.reload()
            self.assertIn(inode, sockets_of(gate.process.pid))
            self.assert_works(gate)

    def test_a_crash_loses_nobody_who_waits(self):
        gate = self.launched(workers=1)
        worker, = gate.wait_workers(1)
        os.kill(worker, signal.SIGSTOP)
        waiting = socket.create_connection(gate.pop3, timeout=30)
        self.addCleanup(waiting.close)
        os.kill(worker, signal.SIGKILL)
        self.assertTrue(waiting.recv(100).startswith(b"+OK"))
        # and all of it
        worker, = gate.wait_workers(1)
        gate.process.signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGSTOP)
        waiting = socket.create_connection(gate.pop3, timeout=30)
        self.addCleanup(waiting.close)
        gate.kill()
        gate.start()
        self.assertTrue(waiting.recv(100).startswith(b"+OK"))


class Dropped(Privileges):
    """As root. The gateway is that of the debug build: one with sanitizers can always be looked into."""

    def setUp(self):
        super().setUp()
        self.take_debug_binary()
        self.identity = pwd.getpwnam(USER)
        self.certificate = self.certificate_of(USER)

    @staticmethod
    def certificate_of(user):
        """A certificate whose key is this user's alone, in a folder that the user may enter."""
        issued = certificates.Authority("of-" + user).issue()
        os.chown(issued.key, pwd.getpwnam(user).pw_uid, -1)
        return issued

    def dropped(self, owner=USER, **settings):
        state = os.path.join(workspace.folder("state"), "state")
        os.mkdir(state, 0o700)
        os.chown(state, pwd.getpwnam(owner).pw_uid, -1)
        return self.gateway({"port": self.server.imap_port}, certificate=self.certificate, state_directory=state,
                            **{"user": USER, **settings})

    def assert_unprivileged(self, pid):
        uid, gid = str(self.identity.pw_uid), str(self.identity.pw_gid)
        self.assertEqual(status_of(pid, "Uid"), [uid] * 4)
        self.assertEqual(status_of(pid, "Gid"), [gid] * 4)
        self.assertEqual({int(each) for each in status_of(pid, "Groups")},
                         set(os.getgrouplist(USER, self.identity.pw_gid)))
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status_of(pid, kind)[0], 16), 0, kind)
        self.assertEqual(status_of(pid, "NoNewPrivs"), ["1"])
        self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0, "it can be looked into")

    def test_all_of_it_is_the_users(self):
        for workers in (0, 2):
            gate = self.dropped(workers=workers, sandbox="no")
            if workers:
                gate.wait_workers(workers)
            gate.wait_log("not root any more user=" + USER)
            for pid in {gate.process.pid, *gate.workers()}:
                self.assert_unprivileged(pid)
            self.assertNotIn("running as root", gate.log())
            self.assert_works(gate)
            for path, _, files in os.walk(gate.state_directory):
                for name in ("", *files):
                    self.assertEqual(os.stat(os.path.join(path, name)).st_uid, self.identity.pw_uid)
            gate.stop()

    def test_in_a_sandbox(self):
        gate = self.dropped(workers=2)
        gate.wait_workers(2)
        self.assert_works(gate)
        self.assertNotIn("stay open to workers: the", gate.log())

    def test_without_the_setting_root_is_told(self):
        gate = self.dropped("root", user=None, workers=2)
        self.assertIn("warning running as root, which popgate never needs", gate.log())
        self.assertEqual(status_of(gate.process.pid, "Uid"), ["0"] * 4)

    def test_ports_of_root(self):
        """Bound before, kept by a reload, and not to be had any more afterwards."""
        port = self.privileged_port()
        gate = self.dropped(workers=2)
        gate.stop()
        gate.more_listeners.append(("pop3", {"address": f"127.0.0.1:{port}"}))
        gate.write_config()
        gate.start()
        gate.reload()
        self.assert_works(gate, (ports.HOST, port))
        gate.more_listeners.append(("pop3", {"address": f"127.0.0.1:{self.privileged_port()}"}))
        gate.reload("configuration not reloaded, the old one stays")
        self.assertRegex(gate.log(), r"Permission denied; such a port takes a socket unit")
        self.assert_works(gate, (ports.HOST, port))

    def privileged_port(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as start:
            if int(start.read()) < 1024:
                self.skipTest("all ports are everybody's here")
        for port in range(1023, 600, -1):
            with socket.socket() as probe:
                try:
                    probe.bind((ports.HOST, port))
                except OSError:
                    continue
                if port not in self.__dict__.setdefault("given", set()):
                    self.given.add(port)
                    return port
        raise AssertionError("no free port below 1024")

    def refused(self, gate, status, words):
        """It does not start with its configuration, ends with STATUS, and says WORDS."""
        gate.write_config()
        done = popgate.run("serve", "--config", gate.config)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, words)

    def test_a_state_directory_of_somebody_else(self):
        gate = self.dropped()
        gate.stop()
        os.chown(gate.state_directory, 0, 0)
        said = rf"cannot start .*must be a folder of the user {USER}; .*install -d -m 700 -o {USER}"
        self.refused(gate, EX_CANTCREAT, said)
        gate.settings["state_directory"] += "-that-is-missing"
        self.refused(gate, EX_CANTCREAT, said)
        self.assertFalse(os.path.exists(gate.state_directory))

    def test_commands_say_how_the_state_directory_is_made(self):
        gate = self.dropped()
        gate.stop()
        shutil.rmtree(gate.state_directory)
        done = popgate.run("state", "--config", gate.config)
        self.assertEqual(done.returncode, 75, done.stderr)
        said = re.search(r"cannot make .*: (install -d .*)\n", done.stderr)
        self.assertTrue(said, done.stderr)
        subprocess.run(said[1].split(), check=True)
        done = popgate.run("state", "--config", gate.config)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_key_of_somebody_else(self):
        """Found out at once, not by one worker after the other."""
        gate = self.dropped()
        gate.stop()
        gate.certificate = self.certificate_of("root")
        for workers in (0, 2):
            gate.settings["workers"] = workers
            self.refused(gate, EX_CONFIG, r"not root any more(.|\n)*Permission denied(.|\n)*cannot start")
        # nor only when it is too late; who serves is sure where the configuration says it
        for user, status in ((USER, EX_CONFIG), (None, 0)):
            gate.settings["user"] = user
            gate.write_config()
            done = popgate.run("check-config", "--config", gate.config)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertRegex(done.stderr, rf"for the user {USER}.*:\n.*key.*Permission denied")
        gate.certificate = self.certificate_of(USER)
        gate.write_config()
        done = popgate.run("check-config", "--config", gate.config)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_users_that_cannot_be(self):
        gate = self.dropped()
        gate.stop()
        for user, said in (("nobody-there", 'there is no user "nobody-there"'), ("root", '"root" is root')):
            gate.settings["user"] = user
            self.refused(gate, EX_CONFIG, rf":\d+: .*user: {said}")

    def test_the_user_stays(self):
        for workers in (0, 2):
            gate = self.dropped(workers=workers)
            gate.settings["user"] = None
            gate.reload("configuration not reloaded, the old one stays")
            self.assertIn("user cannot change without a restart", gate.log())
            self.assert_works(gate)

    def test_commands_leave_no_files_of_root(self):
        """Root calls them before popgate, whose user the unit of systemd names and the configuration does not, has made its
        own: what they make is for that user."""
        csv = os.path.join(workspace.folder("roots"), "uidls.csv")
        with open(csv, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write("user,uidl\njane,a1\n")
        for words in (["state"], ["guard"], ["uidl", "import", "--file", csv]):
            gate = self.dropped()
            gate.stop()
            gate.settings["user"] = None
            gate.write_config()
            shutil.rmtree(gate.state_directory)
            os.mkdir(gate.state_directory, 0o700)
            os.chown(gate.state_directory, self.identity.pw_uid, -1)
            gate.launcher = lambda: ["setpriv", "--reuid", USER, "--clear-groups"]
            done = popgate.run(*words, "--config", gate.config)
            # the import has no password for jane, but could read the file
            self.assertEqual(done.returncode, 75 if words[0] == "uidl" else 0, done.stderr)
            owner = os.stat(os.path.join(gate.state_directory, "state.db")).st_uid
            self.assertEqual(owner, self.identity.pw_uid, words)
            gate.start()
            self.assert_works(gate)

    def test_the_setting_is_nothing_to_others(self):
        """Who is not root has nothing to drop: the unit of systemd has a User of its own."""
        gate = self.dropped()
        gate.stop()
        gate.settings["user"] = "daemon"
        gate.write_config()
        gate.launcher = lambda: ["setpriv", "--reuid", USER, "--clear-groups"]
        gate.start()
        self.assertEqual(status_of(gate.process.pid, "Uid"), [str(self.identity.pw_uid)] * 4)
        self.assertNotIn("root", gate.log())
        self.assert_works(gate)
