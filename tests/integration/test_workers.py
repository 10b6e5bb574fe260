"""The supervisor and its workers: who dies, who lives on, and what is counted across processes."""
import contextlib
import datetime
import os
import re
import resource
import signal
import socket
import ssl
import tempfile
import threading

from harness import corpus, popgate, ports, scripted_imap, servers, sockets
from harness.cases import Case
from harness.pop3 import tls_context
from harness.vitals import wait_until

ONE = corpus.message("one", corpus.FILL * 10)
TWO = corpus.message("two", b"text\r\n")
MANY = 12  # connections that surely reach both of two workers, for one is at most a few ahead of the other
EX_USAGE = 64


def is_there(pid):
    """Whether a process PID is there and has not ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False


class Workers(Case):
    def setUp(self):
        # no supervisor under valgrind, see harness/popgate.py; unit tests of its parts run there
        self.server = servers.dovecot()

    def gate_to(self, upstream=None, **settings):
        gate = self.gateway(upstream or {"port": self.server.imap_port}, **settings)
        if gate.settings["workers"] > 0:
            gate.wait_workers(gate.settings["workers"])
        return gate

    def user(self, *messages):
        user = self.server.user()
        for message in messages or (ONE, TWO):
            self.server.drop(user, message)
        return user

    def spread(self, gate, count=MANY):
        """Greeted connections, by the worker that has them: each has one. On a busy machine that may take more of them."""
        for _ in range(20):
            by_worker = self.connections(gate, count)
            if all(by_worker.values()):
                return by_worker
            start = len(gate.log())
            for session in sum(by_worker.values(), []):
                session.close()
            gate.wait_log(lambda log: log.count("session ended") >= count, start=start)  # their places are free
        self.fail({pid: len(have) for pid, have in by_worker.items()})

    def connections(self, gate, count):
        sessions = [gate.connect() for _ in range(count)]
        for session in sessions:
            self.addCleanup(session.close)
        inodes = sockets.server_sockets(gate.pop3)
        by_worker = {}
        for pid in gate.workers():
            held = sockets.sockets_of(pid)
            by_worker[pid] = [each for each in sessions if inodes.get(each.sock.getsockname()[1]) in held]
        self.assertEqual(sum(len(have) for have in by_worker.values()), count)
        return by_worker

    @staticmethod
    def holders(gate, address, socks):
        """The workers that have the other ends of SOCKS, which are connected to ADDRESS."""
        inodes = sockets.server_sockets(address)
        held = {pid: sockets.sockets_of(pid) for pid in gate.workers()}
        return {pid for pid in held for sock in socks if inodes.get(sock.getsockname()[1]) in held[pid]}

    def assert_works(self, gate, user):
        with gate.login_when_free(user) as session:
            self.assertEqual(session.retr(1), ONE)


class Sharing(Workers):
    by_the_clock = True  # who is quick gets more

    def test_load_spreads(self):
        gate = self.gate_to(workers=4)
        counts = sorted(len(have) for have in self.spread(gate, 100).values())
        self.assertGreaterEqual(counts[0], 10, counts)

    def test_rule_20_a_maildrop_is_locked_across_workers(self):
        gate = self.gate_to()
        user = self.user()
        for order in (1, -1):
            one, other = (have[0] for have in list(self.spread(gate).values())[::order])
            one.login(user)
            other.ok(f"USER {user}")
            self.assert_code(other.command("PASS secret"), "IN-USE")
            one.ok("NOOP")
            self.assertTrue(one.quit().startswith(b"+OK"))
            other.login(user)  # free at once
            other.quit()

    def test_sessions_of_an_address_are_limited_across_workers(self):
        gate = self.gate_to(max_sessions_per_address=MANY)
        by_worker = self.spread(gate)
        refused = gate.connect()
        self.assertTrue(refused.greeting.startswith(b"-ERR [SYS/TEMP]"), refused.greeting)
        for have in by_worker.values():
            have.pop().quit()
        # the place of one who quits is free as soon as its worker has heard it
        self.greeted(gate)
        self.greeted(gate)

    def greeted_tls(self, gate, context, session=None):
        """A socket with TLS on which the greeting was read, and with TLS 1.3 a ticket."""
        raw = socket.create_connection(gate.pop3s, timeout=60)
        sock = context.wrap_socket(raw, server_hostname="localhost", session=session)
        self.addCleanup(sock.close)
        self.assertTrue(sock.recv(4096).startswith(b"+OK"))
        return sock

    def test_a_tls_session_is_resumed_at_another_worker(self):
        gate = self.gate_to(workers=2)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = tls_context(gate.certificate.ca)
            context.minimum_version = context.maximum_version = version
            first = self.greeted_tls(gate, context)
            self.assertFalse(first.session_reused)
            others = [self.greeted_tls(gate, context, first.session) for _ in range(MANY)]
            self.assertEqual([other.session_reused for other in others], [True] * MANY, version)
            self.assertEqual(self.holders(gate, gate.pop3s, others), set(gate.workers()))
        before = gate.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        gate.wait_log(lambda _: not set(before) & set(gate.workers()))
        gate.wait_workers(2)
        self.assertTrue(self.greeted_tls(gate, context, first.session).session_reused, "by their successors")

    def greeted(self, gate):
        def attempt():
            session = gate.connect()
            if session.greeting.startswith(b"+OK"):
                self.addCleanup(session.close)
                return True
            session.close()
            return False
        wait_until(attempt, "a greeting")

    def test_sessions_of_a_user_are_limited_across_workers(self):
        server = self.scripted([ONE])
        gate = self.gate_to({"port": server.port}, max_sessions_per_user=1)
        one, other = (have[0] for have in self.spread(gate).values())
        one.login("someone")
        other.ok("USER Someone")
        self.assertTrue(other.command("PASS secret").startswith(b"-ERR"))
        gate.wait_log("the user has max_sessions_per_user sessions already")
        one.quit()
        other.login("Someone")

    def test_ids_are_unique_and_lines_are_whole(self):
        server = self.scripted([ONE])
        gate = self.gate_to({"port": server.port})

        def run():
            for _ in range(25):
                with gate.connect() as session:
                    session.command("x" * 200)
                    session.quit()
        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gate.stop()
        lines = [line for line in gate.log().splitlines() if not line.startswith("==")]
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) ")
        ids = [re.search(r"session=(\w+)", line) for line in lines if "session ended" in line]
        ids = [found[1] for found in ids if found]
        self.assertGreaterEqual(len(ids), 200)
        self.assertEqual(len(ids), len(set(ids)))


class Deaths(Workers):
    @staticmethod
    def times(event, log):
        return [datetime.datetime.fromisoformat(line.split()[0]) for line in log.splitlines() if event in line]

    def test_a_killed_worker_loses_its_own_sessions_only(self):
        gate = self.gate_to(max_sessions_per_user=1, max_sessions_per_address=2 * MANY + 2)
        dying, living = gate.workers()
        by_worker = self.spread(gate)
        users = self.user(), self.user()
        lost, kept = by_worker[dying][0], by_worker[living][0]
        lost.login(users[0])
        kept.login(users[1])
        # all places of the address but two, which a login needs later
        by_worker[dying] += [gate.connect() for _ in range(MANY)]
        kept.ok("DELE 1")
        os.kill(dying, signal.SIGKILL)
        self.assertEqual(lost.rest(), b"")
        self.assertEqual(kept.retr(2), TWO)
        gate.wait_log(lambda log: re.search(rf"worker ended .*pid={dying}\b.*signal=Killed", log))
        gate.wait_log(lambda log: re.search(rf"sessions lost pid={dying} sessions=[1-9]", log))
        gate.wait_workers(2)
        ended, started = self.times("worker ended", gate.log())[0], self.times("worker started", gate.log())[2]
        self.assertLess((started - ended).total_seconds(), 1)
        self.assertNotIn(dying, gate.workers())
        # its user's only place, and places of its address, are free again
        self.assert_works(gate, users[0])
        for _ in range(MANY):
            session = gate.connect()
            self.addCleanup(session.close)
            self.assertTrue(session.greeting.startswith(b"+OK"), session.greeting)
        self.assertTrue(kept.quit().startswith(b"+OK"))
        with gate.login(users[1]) as session:
            self.assertEqual(session.stat()[0], 1)

    def test_workers_that_are_killed_one_after_another(self):
        gate = self.gate_to()
        user = self.user()
        for _ in range(6):
            before = gate.workers()
            os.kill(before[0], signal.SIGKILL)
            gate.wait_log(lambda log: "worker ended" in log and before[0] not in gate.workers())
            self.assert_works(gate, user)
            gate.wait_workers(2)

    def test_a_new_worker_serves_what_the_others_do(self):
        """Not what the file says by now."""
        gate = self.gate_to(workers=1)
        gate.write("this is no configuration\n")
        old, = gate.workers()
        os.kill(old, signal.SIGKILL)
        self.assert_works(gate, self.user())
        self.assertNotIn(old, gate.wait_workers(1))

    def test_a_terminated_worker_drains_and_is_replaced(self):
        server = self.scripted([ONE])
        gate = self.gate_to({"port": server.port}, workers=1)
        session = gate.login("someone")
        old, = gate.workers()
        os.kill(old, signal.SIGTERM)
        self.assert_code(session.status(), "SYS/TEMP")
        self.assert_works(gate, "someone")
        self.assertNotIn(old, gate.wait_workers(1))

    def test_the_supervisor_takes_all_with_it(self):
        gate = self.gate_to()
        workers = gate.workers()
        sessions = [have[0] for have in self.spread(gate).values()]
        gate.process.signal(signal.SIGKILL)
        for session in sessions:
            self.assert_code(session.status(), "SYS/TEMP")
        gate.process.wait()  # until nobody has its output any more
        wait_until(lambda: not any(is_there(pid) for pid in workers), "the end of all workers")
        gate.check_sanitizers()
        gate.start()
        self.assert_works(gate, self.user())

    def test_who_dies_at_once_is_not_started_in_a_loop(self):
        gate = self.gate_to(workers=1)
        gate.stop()
        gate.start({"POPGATE_FAILPOINTS": "worker.start=kill"})
        gate.wait_log(lambda log: log.count("worker ended") >= 5)
        gate.stop()
        begun = gate.log().rindex("info starting")
        times = self.times("worker started", gate.log()[begun:])
        self.assertGreaterEqual(len(times), 5)
        # once a second after the second; a line may be written late
        self.assertGreater((times[-1] - times[1]).total_seconds(), len(times) - 3)

    def test_workers_are_not_started_by_hand(self):
        done = popgate.run("worker")
        self.assertEqual(done.returncode, EX_USAGE)
        self.assertIn("popgate serve", done.stderr)
        self.assertNotIn("  worker ", popgate.run("--help").stdout)


class Changes(Workers):
    def test_workers_come_and_go_by_reload(self):
        gate = self.gate_to()
        first, second = gate.workers()
        by_worker = self.spread(gate)
        gate.settings["workers"] = 4
        gate.reload()
        self.assertEqual(gate.workers()[:2], [first, second])
        more = self.spread(gate, 4 * MANY)
        for session in by_worker[first] + by_worker[second]:
            session.ok("CAPA")
            session.multi_body()
        gate.settings["workers"] = 1
        gate.reload()
        # the others go on with those that they have
        for session in sum((have for pid, have in more.items() if pid != first), by_worker[second]):
            session.ok("CAPA")
            session.multi_body()
            session.quit()
        gate.wait_workers(1)
        self.assertEqual(gate.workers(), [first])
        for session in by_worker[first]:
            session.ok("CAPA")
            session.multi_body()
        self.assert_works(gate, self.user())

    def test_supervisor_or_not_is_no_matter_of_reload(self):
        for before, after in ((0, 2), (2, 0)):
            gate = self.gate_to(workers=before)
            gate.settings["workers"] = after
            gate.reload("configuration not reloaded, the old one stays")
            gate.settings["workers"] = before
            self.assertIn("without a restart", gate.log())
            self.assert_works(gate, self.user())
            gate.stop()

    def test_a_worker_that_cannot_follow_is_replaced(self):
        gate = self.gate_to()
        stuck, other = gate.workers()
        by_worker = self.spread(gate)
        # hardly any are left to receive more
        resource.prlimit(stuck, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{stuck}/fd")) + 2, 4096))
        port = ports.free_port()
        gate.more_listeners.append(("pop3", {"address": f"127.0.0.1:{port}"}))
        gate.reload()
        self.assertIn("worker keeps the old configuration, and is replaced", gate.log())
        for session in by_worker[stuck]:  # it goes on with those that it has
            session.ok("CAPA")
            session.multi_body()
            session.quit()
        for session in by_worker[other]:
            session.ok("CAPA")
            session.multi_body()
        gate.wait_workers(2)
        self.assertNotIn(stuck, gate.workers())
        with popgate.Pop3(("127.0.0.1", port)) as session:
            session.login(self.user())

    def test_a_reload_finds_a_worker_on_its_way_out(self):
        server = self.scripted([ONE])
        gate = self.gate_to({"port": server.port}, workers=1, drain_timeout="10m")
        old, = gate.workers()
        session = gate.login("someone")
        server.on("fetch body", scripted_imap.once(scripted_imap.stall))
        session.send(b"RETR 1\r\n")
        server.wait_for(lambda s: [c for c in s.commands if c.step == "fetch body"])
        waiting = gate.connect()
        os.kill(old, signal.SIGTERM)
        self.assert_code(waiting.status(), "SYS/TEMP")  # it drains, and cannot end
        gate.reload()
        self.assert_works(gate, "another")
        server.drop_connections()  # so that the RETR goes on, by a new one
        self.assertTrue(session.status().startswith(b"+OK"))
        self.assertEqual(session.multi_body(), ONE)
        gate.wait_workers(1)
        self.assertNotIn(old, gate.workers())

    def test_reloads_while_workers_die(self):
        gate = self.gate_to()
        user = self.user()
        for count in (3, 1, 2, 4, 2):
            with contextlib.suppress(ProcessLookupError):
                os.kill(gate.workers()[0], signal.SIGKILL)
            gate.settings["workers"] = count
            gate.reload()
            self.assert_works(gate, user)
            gate.wait_workers(count)


class Ends(Workers):
    def held(self, gate, server):
        """A session whose RETR gets no answer from the server."""
        session = gate.login("someone")
        server.on("fetch body", scripted_imap.stall)
        session.send(b"RETR 1\r\n")
        server.wait_for(lambda s: [c for c in s.commands if c.step == "fetch body"])
        return session

    def test_a_second_signal_cuts(self):
        server = self.scripted([ONE])
        gate = self.gate_to({"port": server.port}, drain_timeout="10m")
        session = self.held(gate, server)
        gate.process.signal(signal.SIGTERM)
        gate.wait_log("stopping")
        gate.process.signal(signal.SIGTERM)
        self.assertEqual(gate.process.wait(), 0)
        self.assertFalse(session.rest().endswith(b"\r\n.\r\n"))
        self.assertIn('reason="second signal"', gate.log())
        gate.check_sanitizers()

    def test_a_worker_that_hangs_is_killed_in_the_end(self):
        gate = self.gate_to(workers=1, drain_timeout="0s")
        hanging, = gate.workers()
        os.kill(hanging, signal.SIGSTOP)
        gate.process.signal(signal.SIGTERM)
        self.assertEqual(gate.process.wait(60), 0)
        self.assertIn("worker did not end, killed", gate.log())
        self.assertFalse(is_there(hanging))


class Systemd(Workers):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="popgate-notify-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
        self.socket.settimeout(30)

    def start(self, usec=None, **settings):
        gate = self.gateway({"port": self.server.imap_port}, **settings)
        gate.stop()
        gate.start({"NOTIFY_SOCKET": self.path, **({"WATCHDOG_USEC": str(usec)} if usec else {})})
        return gate

    def next(self):
        return self.socket.recv(1000).decode()

    def waiting(self):
        """What has been sent and not yet looked at."""
        found = []
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.socket.recv(1000).decode())
        self.socket.settimeout(30)
        return found

    def test_start_reload_and_stop_are_told_once(self):
        for workers in (2, 0):
            gate = self.start(workers=workers)
            self.assertEqual(self.next(), "READY=1")
            if workers:
                gate.wait_log("workers are ready")
            gate.reload()
            self.assertRegex(self.next(), r"\ARELOADING=1\nMONOTONIC_USEC=\d+\Z")
            self.assertEqual(self.next(), "READY=1")
            gate.write("this is no configuration\n")
            gate.send_reload("configuration not reloaded")
            self.assertTrue(self.next().startswith("RELOADING=1\n"))
            self.assertEqual(self.next(), "READY=1")
            gate.stop()
            self.assertEqual(self.next(), "STOPPING=1")
            self.assertEqual(self.waiting(), [])

    def test_the_watchdog_is_fed_while_all_workers_answer(self):
        for workers in (2, 0):
            gate = self.start(usec=200000, workers=workers)
            wait_until(lambda: self.next() == "WATCHDOG=1", "the watchdog's food")
            if workers:
                hanging = gate.workers()[0]
                os.kill(hanging, signal.SIGSTOP)
                gate.wait_log("worker does not answer")
                self.waiting()
                gate.wait_log(lambda log: log.count("worker does not answer") >= 3)
                self.assertEqual(self.waiting(), [])
                os.kill(hanging, signal.SIGCONT)
            wait_until(lambda: self.next() == "WATCHDOG=1", "the watchdog's food")
            gate.stop()
            self.waiting()
