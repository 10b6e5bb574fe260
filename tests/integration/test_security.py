"""The threats of docs/security.md that have no home among the rules of behaviour, by their numbers there."""
import base64
import json
import os
import re
import socket
import subprocess
import sys
import unittest.mock

from harness import certificates, corpus, popgate, scripted_imap, sockets, workspace
from harness.cases import Case
from harness.popgate import binary
from harness.vitals import Vitals
from test_sandbox import debug_binary

HERE = os.path.dirname(os.path.abspath(__file__))
INPUTS = os.path.join(HERE, "..", "security", "bad-input.txt")
MAKE_INPUTS = os.path.join(HERE, "..", "security", "make-bad-input")
MARK = b"XYZZY"
ONE, TWO, THREE = (corpus.message(f"number {n}", corpus.FILL * n) for n in (1, 20, 3))
CANARY = "canary-9e4Wz7qLr2"
PASSWORD = "before-" * 6 + CANARY + "-behind"  # what malloc writes into freed memory hides the beginning


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def octets_of(text):
    """What a row of the inputs stands for: pieces in hexadecimal, each with how often it comes."""
    octets = b""
    for piece in filter(None, text.split("+")):
        digits, _, count = piece.partition("*")
        octets += bytes.fromhex(digits) * int(count or 1)
    return octets


def rows():
    with open(INPUTS, encoding="ascii") as file:
        for line in file:
            state, text, name = line.rstrip("\n").split(" ", 2)
            yield state, octets_of(text), name


class BadInput(Case):
    """T7."""

    def test_file_is_what_the_script_makes(self):
        made = subprocess.run([sys.executable, MAKE_INPUTS], capture_output=True, text=True, check=True).stdout
        with open(INPUTS, encoding="ascii") as file:
            self.assertEqual(made, file.read())
        self.assertGreaterEqual(made.count("\n"), 500)

    def connect(self, state, number):
        session = self.gate.connect()
        if state == "inside":
            session.login(f"user{number}")
        elif state != "begin":
            self.assertEqual(session.command(f"AUTH {dict(auth='PLAIN', login='LOGIN')[state]}")[:2], b"+ ")
        return session

    def answers(self, session, octets):
        """All that comes for OCTETS, which are the last that the client says."""
        try:
            session.send(octets)
            session.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was cut off before it had said it all
        return session.rest()

    def test_t7_all_inputs_of_the_file(self):
        """Each is answered -ERR or with the end of the connection, in words of our own; a neighbour does not notice."""
        server = self.scripted([ONE, TWO, THREE])
        self.gate = self.gateway({"port": server.port}, workers=0, auth_failure_delay="0s")
        vitals = Vitals(self.gate.process.pid, binary())
        neighbour = self.gate.login("neighbour")
        said, shown = set(), len(server.shown)
        vitals.forget_peak()
        before = vitals.resident_kb()
        for number, (state, octets, name) in enumerate(rows()):
            with self.subTest(name), self.connect(state, number) as session:
                if state == "inside":
                    shown += 1
                answer = self.answers(session, octets)
                self.assertNotIn(b"+OK", answer)
                self.assertNotIn(MARK, answer)
                self.assertRegex(answer, rb"\A(-ERR [ -~]+\r\n|\+ [ -~]*\r\n)*\Z")
                said.update(answer.split(b"\r\n"))
            if number % 20 == 0:
                neighbour.ok("NOOP")
                self.gate.assert_alive()
        self.assertEqual(neighbour.retr(2), TWO)
        self.assertEqual(len(server.shown), shown, "credentials that nobody should have taken for such")
        self.assertEqual(server.uids(), [1, 2, 3])
        self.assertLess(len(said), 40, said)
        self.assertLess(vitals.peak_kb() - before, vitals.growth_kb)


class Front(Case):
    def start(self, messages=(ONE, TWO, THREE), **settings):
        self.server = self.scripted(messages)
        self.gate = self.gateway({"port": self.server.port}, **settings)
        return self.gate

    def test_t8_numbers(self):
        """-ERR to every form of a number that is not one of 1 to 3 in digits, and the session goes on."""
        gate = self.start(max_bad_commands_after_login=1000)
        numbers = ["0", "-1", "+1", "4", str(2 ** 31), str(2 ** 32 - 1), str(2 ** 32), str(2 ** 32 + 1), str(2 ** 64),
                   str(2 ** 64 + 1), "1e400", "1x", "0x1", "1.", ".1", "1,", "\u0661", "9" * 200]
        lines = [form.format(number) for number in numbers
                 for form in ("RETR {}", "DELE {}", "LIST {}", "UIDL {}", "TOP {} 0")]
        lines += [f"TOP 1 {number}" for number in ("-1", "+1", "1e400", "1x", "0x1", "1.", "\u0661")]
        session = gate.login("someone")
        for line in lines:
            with self.subTest(line):
                self.assertTrue(session.command(line.encode()).startswith(b"-ERR "))
        for lines in (str(2 ** 31), str(2 ** 32), str(2 ** 64 - 1)):  # more than there are is all
            self.assertEqual(session.multi(f"TOP 2 {lines}"), TWO)
        self.assertEqual(session.stat()[0], 3)
        self.assertTrue(session.quit().startswith(b"+OK"))
        self.assertEqual(self.server.uids(), [1, 2, 3])

    def test_t11_a_browser_runs_no_command(self):
        """Whatever is in the body of an HTTP request: the connection ends before it, in clear and within TLS."""
        gate = self.start(max_bad_commands_before_login=100)
        body = b"USER someone\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n"
        for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"post"):
            request = method + b" / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            for tls in (False, True):
                with self.subTest(method=method, tls=tls), gate.connect_tls() if tls else gate.connect() as session:
                    try:
                        session.send(request)
                    except OSError:
                        pass
                    self.assertNotIn(b"+OK", session.rest())
        self.assertEqual((self.server.logins, self.server.uids()), ([], [1, 2, 3]))
        gate.login("someone").quit()  # what the body says would have worked

    def test_t15_names_choose_no_server(self):
        """A name may look like the address of a server: none but the one configured is ever spoken to."""
        decoy = self.scripted([ONE])
        gate = self.start()
        for host in ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0",
                     "169.254.169.254", "imap.example.org"):
            for name in (f"jane@{host}:{decoy.port}", f"jane%{host}:{decoy.port}", f"imap://jane@{host}:{decoy.port}/",
                         f"{host}:{decoy.port}", f"jane@{host}", f"jane#{host}:{decoy.port}"):
                with self.subTest(name), gate.connect() as session:
                    session.auth_plain(name)
                    self.assertEqual(self.server.logins[-1][0], name)
        self.assertEqual(decoy.accepted, 0)

    def test_t16_nobody_but_the_owner_takes_the_lock(self):
        """Names without passwords, and wrong passwords, keep the owner out for no moment."""
        gate = self.start()
        gate.login("owner").quit()
        for number in range(100):
            session = gate.connect()
            self.addCleanup(session.close)
            session.ok("USER owner")
            if number % 20 == 0:
                self.assert_code(session.command("PASS wrong"), "AUTH")
        for _ in range(3):
            session = gate.login("owner")
            self.assertEqual(session.retr(1), ONE)
            session.quit()
        self.assertNotIn("IN-USE", gate.log())

    def listening(self, pid):
        """Addresses on which the process PID listens, or waits for datagrams; of local sockets, their names."""
        mine = set()
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                mine.add(os.readlink(f"/proc/{pid}/fd/{number}"))
            except FileNotFoundError:
                pass  # closed meanwhile
        found = set()
        for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07"), ("raw", "07")):
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
                for fields in (line.split() for line in list(lines)[1:]):
                    if fields[3] == state and f"socket:[{fields[9]}]" in mine:
                        found.add((table, int(fields[1].rpartition(":")[2], 16)))
        with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="replace") as lines:
            for fields in (line.split() for line in list(lines)[1:]):
                if f"socket:[{fields[6]}]" in mine and (int(fields[3], 16) & 0x10000 or len(fields) > 7):
                    found.add(("unix", " ".join(fields[7:])))
        return found

    def test_t28_nothing_listens_but_what_is_configured(self):
        for workers in (0, 2):
            with self.subTest(workers=workers):
                gate = self.start(workers=workers)
                gate.login("someone").quit()
                pids = {gate.process.pid, *gate.workers()}
                self.assertEqual(len(pids), workers + 1)
                wanted = {("tcp", gate.pop3[1]), ("tcp", gate.pop3s[1])}
                for pid in pids:
                    self.assertEqual(self.listening(pid), wanted)


class LogLines(Case):
    """T10. Whatever octet comes from a client or a server, an event is one line, of printable characters."""

    PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) [ -~]+")

    def provoke(self, log_format):
        """A session for each octet, in its user name, its commands and the server's answers; returns the lines."""
        server = self.scripted([ONE])
        gate = self.gateway({"port": server.port}, log_format=log_format, max_bad_commands_before_login=100, workers=0)
        gate.wait_log(lambda text: text.count("session ended") + text.count("TLS handshake failed") == 2)
        start = len(gate.log())
        for octet in range(256):
            one = bytes([octet])
            server.on("AUTHENTICATE", b"* OK [ALERT] a" + one + b"b\r\n{tag} NO [AUTHENTICATIONFAILED] a" + one +
                      b"b\" level=error event=\"session ended\r\n")
            with gate.connect() as session:
                session.err("AUTH PLAIN " + b64(b"\0a" + one + b"b\" level=error\0password"))
                session.err("AUTH PLAIN " + b64(b"\0jane\0pass" + one + b"word"))
                session.send(b"A" + one + b"B level=error\r\n")
                if octet != 0:
                    session.status()
        gate.wait_log(lambda text: text.count("session ended") >= 256, start=start)
        gate.stop()
        return [line for line in gate.log()[start:].splitlines() if not line.startswith("==")]

    def test_t10_plain(self):
        lines = self.provoke("plain")
        for line in lines:
            self.assertRegex(line, rf"\A{self.PLAIN.pattern}\Z")
            self.assertLess(len(line), 4096)
        self.assertEqual(sum(re.match(r"\S+ info session ended ", line) is not None for line in lines), 256)
        self.assertFalse([line for line in lines if re.match(r"\S+ error ", line)])

    def test_t10_json(self):
        events = [json.loads(line) for line in self.provoke("json")]
        self.assertEqual(sum(event["event"] == "session ended" for event in events), 256)
        self.assertNotIn("error", {event["level"] for event in events})


class Secrets(Case):
    """T20. Of a build without sanitizers, which keep what was freed."""

    def setUp(self):
        patch = unittest.mock.patch.dict(os.environ, POPGATE_BIN=debug_binary())
        patch.start()
        os.environ.pop("POPGATE_VALGRIND_REPORTS", None)  # it keeps what was freed, too
        self.addCleanup(patch.stop)

    @staticmethod
    def forms():
        """The canary, and what of its base64 does not depend on what stands before and behind it."""
        return [CANARY.encode()] + [
            base64.b64encode(b"x" * shift + CANARY.encode())[(shift * 8 + 5) // 6:(shift + len(CANARY)) * 8 // 6]
            for shift in range(3)]

    def copies(self, pid):
        """(how often the canary is in the memory of PID as it is, how often in base64)."""
        counts = [0] * 4
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                place, permissions = line.split()[:2]
                if not permissions.startswith("rw"):
                    continue
                begin, end = (int(number, 16) for number in place.split("-"))
                try:
                    memory.seek(begin)
                    octets = memory.read(end - begin)
                except OSError:
                    continue  # a guard page, or what the kernel keeps to itself
                for number, form in enumerate(self.forms()):
                    counts[number] += octets.count(form)
        return counts[0], sum(counts[1:])

    def logins(self):
        """Name -> how a session shows the canary."""
        def user_pass(session, user="someone"):
            session.login(user, PASSWORD)

        def plain(session, user="someone"):
            session.auth_plain(user, PASSWORD)

        def plain_later(session, user="someone"):
            session.command("AUTH PLAIN")
            session.ok(b64(f"\0{user}\0{PASSWORD}"))

        def login(session, user="someone"):
            session.command("AUTH LOGIN")
            session.command(b64(user))
            session.ok(b64(PASSWORD))

        def xoauth2(session, user="someone"):
            session.ok("AUTH XOAUTH2 " + b64(f"user={user}\1auth=Bearer {PASSWORD}\1\1"))

        def oauthbearer(session, user="someone"):
            session.ok("AUTH OAUTHBEARER " + b64(f"n,a={user},\1auth=Bearer {PASSWORD}\1\1"))
        return {each.__name__: each for each in (user_pass, plain, plain_later, login, xoauth2, oauthbearer)}

    def start(self, tls, workers=0, **upstream):
        self.server = self.scripted([ONE, TWO], tls=tls, users={"someone": PASSWORD},
                                    capability=(*scripted_imap.CAPABILITY, "AUTH=XOAUTH2", "AUTH=OAUTHBEARER"))
        self.server.token = PASSWORD.encode()
        self.gate = self.gateway(
            {"port": self.server.port, "tls": tls, "ca_file": certificates.authority().cert,
             "auth_mechanisms": "plain, login, xoauth2, oauthbearer", **upstream}, workers=workers)
        self.pid = self.gate.process.pid
        return self.gate

    def connect(self, tls):
        return self.gate.connect() if tls == "none" else self.gate.connect_tls()

    def each(self, tls, visit):
        """VISIT(session) after a login in each way. The session has ended, for the gateway too, when this goes on."""
        for number, (name, log_in) in enumerate(self.logins().items(), 1):
            with self.subTest(name, tls=tls), self.connect(tls) as session:
                log_in(session)
                visit(session)
                self.assertTrue(session.quit().startswith(b"+OK"))
                self.gate.wait_log(lambda text: text.count("logged_in=yes") == number)
                self.assertEqual(self.copies(self.pid), (0, 0))

    def test_t20_no_copy_behind_the_login(self):
        def visit(session):
            self.assertEqual(self.copies(self.pid), (0, 0))
            self.assertEqual(session.retr(2), TWO)
        for tls in ("none", "implicit", "starttls"):
            self.start(tls, reconnect="no")
            self.each(tls, visit)

    def test_t20_no_copy_in_any_process(self):
        """Nor in the supervisor, nor in one worker or the other."""
        self.start("implicit", workers=2, reconnect="no")
        self.server.users, self.server.password = None, PASSWORD
        workers = self.gate.wait_workers(2)
        sessions = []
        for log_in in 3 * list(self.logins().values()):
            sessions.append(self.connect("implicit"))
            self.addCleanup(sessions[-1].close)
            log_in(sessions[-1], f"someone{len(sessions)}")
        inodes = sockets.server_sockets(self.gate.pop3s)
        held = {inodes[session.sock.getsockname()[1]] for session in sessions}
        for pid in workers:
            self.assertTrue(held & sockets.sockets_of(pid), "a worker without sessions")
        for pid in (self.pid, *workers):
            self.assertEqual(self.copies(pid), (0, 0))
        for session in sessions:
            self.assertEqual(session.retr(2), TWO)
            session.quit()
        self.gate.wait_log(lambda text: text.count("logged_in=yes") == len(sessions))
        for pid in (self.pid, *workers):
            self.assertEqual(self.copies(pid), (0, 0))

    def test_t20_only_workers_have_the_password_of_a_master(self):
        folder = workspace.folder("master")
        path = os.path.join(folder, "password")
        with open(path, "w", encoding="ascii") as out:
            out.write(PASSWORD + "\n")
        os.chmod(path, 0o600)
        gate = self.start("none", workers=2, master_user="boss", master_password_file=path)
        workers = gate.wait_workers(2)
        for _ in range(2):
            self.assertEqual(self.copies(self.pid), (0, 0))
            for pid in workers:
                self.assertGreater(self.copies(pid)[0], 0)
            gate.reload()

    def test_t20_one_copy_while_it_is_kept(self):
        def visit(session):
            self.assertEqual(self.copies(self.pid), (1, 0))
            self.assertEqual(session.retr(2), TWO)
            self.server.drop_connections()
            self.assertEqual(session.retr(1), ONE)
            self.assertEqual(self.copies(self.pid), (1, 0))
        for tls in ("none", "implicit"):
            self.start(tls)
            self.each(tls, visit)

    def test_t20_no_copy_of_what_was_refused(self):
        """Wrong passwords, wrong names, a command that is no command, half a line, a server that goes away."""
        for tls in ("none", "implicit"):
            gate = self.start(tls)
            self.server.users["someone"] = "another"
            self.server.token = b"another"
            session = self.connect(tls)
            for line in ("USER someone", f"PASS {PASSWORD}", f"AUTH PLAIN {b64(chr(0) + 'someone' + chr(0) + PASSWORD)}",
                         f"AUTH PLAIN {b64(chr(0) + chr(1) + chr(0) + PASSWORD)}", f"PASSWORD {PASSWORD}"):
                with self.subTest(line.replace(PASSWORD, "..."), tls=tls):
                    session.command(line)
                    self.assertEqual(self.copies(self.pid), (0, 0))
            self.server.on("AUTHENTICATE", scripted_imap.close)
            session.command(f"AUTH PLAIN {b64(chr(0) + 'someone' + chr(0) + PASSWORD)}")
            self.assertEqual(self.copies(self.pid), (0, 0))
            session.close()
            session = self.connect(tls)
            session.ok("USER someone")
            session.send(f"PASS {PASSWORD}".encode())
            session.reset()
            gate.wait_log(lambda text: text.count("session ended") >= 3)
            self.assertEqual(self.copies(self.pid), (0, 0))

    def test_t20_no_trace_elsewhere(self):
        """Not in the log at its loudest, not in a file, not in what ps shows; and no file of libetpan's (L-8)."""
        self.start("none", reuse="60s")
        self.each("none", lambda session: session.ok("DELE 1") and session.ok("RSET"))
        log = self.gate.log()
        self.assertIn("debug", log)
        for form in self.forms():
            self.assertNotIn(form.decode(), log)
        for name in ("cmdline", "environ"):
            with open(f"/proc/{self.pid}/{name}", "rb") as file:
                self.assertNotIn(CANARY.encode(), file.read())
        files = [os.path.join(folder, name) for folder, _, names in os.walk(self.gate.dir) for name in names]
        self.assertTrue(files)
        for path in files:
            with open(path, "rb") as file:
                octets = file.read()
            for form in self.forms():
                self.assertNotIn(form, octets, path)
        for folder in (os.readlink(f"/proc/{self.pid}/cwd"), self.gate.dir):
            self.assertNotIn("libetpan-stream-debug.log", os.listdir(folder))


class StateDirectory(Case):
    """T21."""

    def test_t21_links_lead_nowhere(self):
        """Each file of the state directory in turn is a link to somewhere else, which is neither read nor written."""
        server = self.scripted([scripted_imap.Message(number, ONE) for number in range(1, 111)])  # with a kept listing
        gate = self.gateway({"port": server.port}, workers=0)
        outside = os.path.join(gate.dir, "outside")
        with open(outside, "wb") as out:
            out.write(b"not ours\n")
        session = gate.login("someone")
        session.ok("DELE 110")
        session.quit()
        gate.stop()
        found = [os.path.join(folder, name) for folder, _, names in os.walk(gate.state_directory) for name in names]
        kinds = {os.path.relpath(path, gate.state_directory).split("/")[0] for path in found}
        self.assertLessEqual({"journal.db", "locks", "index"}, kinds)
        for path in found:
            with self.subTest(os.path.relpath(path, gate.state_directory)):
                os.rename(path, path + ".away")
                os.symlink(outside, path)
                gate.start()
                with gate.connect() as session:
                    session.ok("USER someone")
                    session.command("PASS secret")
                    session.command("DELE 1")
                    session.command("QUIT")
                gate.stop()
                with open(outside, "rb") as file:
                    self.assertEqual(file.read(), b"not ours\n")
                os.unlink(path)
                os.rename(path + ".away", path)

    def test_t21_a_folder_that_others_can_write_to(self):
        for spoil in (lambda path: os.chmod(path, 0o777), lambda path: os.chown(path, 65534, 65534)):
            for name in ("", "locks"):
                gate = self.gateway({"port": 1}, workers=0)
                gate.stop()
                spoil(os.path.join(gate.state_directory, name))
                refused = popgate.run("serve", "--config", gate.config)
                self.assertNotEqual(refused.returncode, 0)
                self.assertRegex(refused.stderr, "can be written by everybody|belongs to another user")
