"""What the fault tests stand on: gateways behind cutting proxies, each with a user and a ledger, and runs in parallel."""
import concurrent.futures
import contextlib
import glob
import os
import queue
import ssl
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
if os.path.join(ROOT, "tests", "integration") not in sys.path:
    sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

from cutting_proxy import CuttingProxy  # noqa: E402
from ledger import Ledger  # noqa: E402
import tally  # noqa: E402

from harness.pop3 import Pop3, Pop3Error, tls_context, unstuff  # noqa: E402
from harness.popgate import Popgate, binary, environment  # noqa: E402
from harness.process import Process  # noqa: E402

LONG = os.environ.get("POPGATE_TEST_LONG") == "1"
JOBS = int(os.environ.get("POPGATE_FAULT_JOBS") or 6)

# How long popgate waits for the server: usually so long that no busy machine comes near it. Where silence is the fault, so
# short that it can be waited for a few hundred times; then anything may time out, also what has not been disturbed.
PATIENT, IMPATIENT = "60s", "400ms"

_kept = None  # the folder of logs of runs that went wrong


class Rig:
    """A gateway whose upstream is a cutting proxy before SERVER; a user; a ledger. One run at a time."""

    def __init__(self, server, upstream=None, settings=None, environ=None, server_port=None):
        upstream = dict(upstream or {})
        marks_stay = upstream.pop("marks_stay", False)
        self.server = server
        self.user = server.user("fault")
        self.proxy = CuttingProxy(server_port or server.imap_port)
        lifts = upstream.get("without_uidplus") == "lift"
        self.ledger = Ledger(server.imap(self.user), self.user, lifts=lifts, marks_stay=marks_stay)
        self._upstream = {"host": "127.0.0.1", "command_timeout": PATIENT, "connect_timeout": "30s", "tls_timeout": "30s",
                          **upstream, "port": self.proxy.port}
        self._settings = settings or {}
        self.gate = Gateway(self._upstream, environ=environ, **self._settings)
        self._impatient = None

    def impatient(self, command_timeout=IMPATIENT):
        """A second gateway on the same state directory, which does not wait long for the server."""
        if self._impatient is None:
            upstream = {**self._upstream, "command_timeout": command_timeout}
            self._impatient = Gateway(upstream, **{**self._settings,
                                                   "state_directory": self.gate.settings["state_directory"]})
        return self._impatient

    def stop(self):
        try:
            self.ledger.close()
            for gate in filter(None, (self.gate, self._impatient)):
                if gate.process.alive():
                    gate.stop()
                else:
                    gate.check_sanitizers()
        finally:
            self.proxy.stop()

    def logs(self):
        return [(gate, gate.log()) for gate in filter(None, (self.gate, self._impatient))]

    def assert_alive(self):
        for gate in filter(None, (self.gate, self._impatient)):
            gate.assert_alive()

    def client(self, tls=None, gate=None):
        return Client(self, tls, gate or self.gate)

    def forget(self):
        """Ends the gateway; the next one begins with an empty journal, which says nothing about messages of earlier runs."""
        if self.gate.process.alive():
            self.gate.stop()
        for path in glob.glob(os.path.join(self.gate.settings["state_directory"], "journal.db*")):
            os.unlink(path)

    def restart(self, environ=None):
        """Another process with the same state directory."""
        if self.gate.process.alive():
            self.gate.stop()
        self.gate.environ = environ or {}
        self.gate.start()

    def context(self):
        return StrictTls(tls_context(self.gate.certificate.ca))


class StrictTls:
    """A TLS context whose sockets tell the end that close_notify announced (b"") from any other (an exception)."""

    def __init__(self, context):
        self._context = context

    def wrap_socket(self, sock, server_hostname):
        return self._context.wrap_socket(sock, server_hostname=server_hostname, suppress_ragged_eofs=False)


def insist(attempt):
    """What ATTEMPT() gives, for all that comes before the fault where the gateway is impatient: it may time out."""
    for _ in range(50):
        try:
            return attempt()
        except (OSError, Pop3Error) as error:
            last = error
    raise last


def keep(text):
    """The path of a file with TEXT that is still there after the tests."""
    global _kept
    if _kept is None:
        _kept = tempfile.mkdtemp(prefix="popgate-fault-")
    descriptor, path = tempfile.mkstemp(prefix="log-", dir=_kept, text=True)
    with open(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    return path


class Gateway(Popgate):
    """One process, with ENVIRON added to its environment."""

    def __init__(self, upstream, environ=None, **settings):
        self.environ = environ or {}
        super().__init__(upstream, **{"workers": 0, **settings})

    def start(self):
        self.process = Process([binary(), "serve", "--config", self.config], env={**environment(), **self.environ})
        for address in (self.pop3, self.pop3s):
            self.process.wait_connect(address).close()


class Client:
    """A POP3 client that tells the ledger what it sees and does."""

    def __init__(self, rig, tls, gate):
        self.rig = rig
        self.ledger = rig.ledger
        self.session = rig.ledger.session()
        address = gate.pop3s if tls == "pop3s" else gate.pop3
        self.end = None      # the error that ended the connection
        self.refusal = None  # the last -ERR to RETR or TOP
        self.pop3 = Pop3(address, tls=rig.context() if tls == "pop3s" else None)
        if tls == "stls":
            self.pop3.stls(rig.context())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pop3.close()

    def login(self):
        self.pop3.login(self.rig.user)
        self.list()

    def list(self):
        self.session.listed(self.pop3.uidl())

    def retr(self, number):
        """The content when all of it came; None when it was refused or cut."""
        return self.octets_of(number, "RETR")

    def top(self, number, lines, whole):
        """The same for TOP, of which WHOLE has to come."""
        return self.octets_of(number, "TOP", lines, whole)

    def octets_of(self, number, command, lines=0, whole=None, ask=True):
        if ask:
            self.send(f"{command} {number}" + (f" {lines}" if command == "TOP" else ""))
        try:
            self.refusal = self.pop3.status()
            if not self.refusal.startswith(b"+OK"):
                return None
            self.refusal = None
            self.session.retrieved(number, None)
            octets = unstuff(self.pop3.raw_multi())
        except (OSError, Pop3Error) as error:
            self.end = error
            return None
        if command == "TOP":
            self.session.topped(number, octets, whole)
        else:
            self.session.retrieved(number, octets)
        return octets

    def send(self, line):
        """LINE and CRLF. That nobody listens shows when the answer is read."""
        with contextlib.suppress(OSError):
            self.pop3.send(line.encode() + b"\r\n")

    def try_dele(self, number, ask=True):
        """Whether DELE was answered +OK."""
        if ask:
            self.send(f"DELE {number}")
        try:
            done = self.pop3.status().startswith(b"+OK")
        except (OSError, Pop3Error):
            return False
        if done:
            self.session.marked(number)
        return done

    def how_it_ended(self):
        """What the end of the connection was: "reset", "cut" (TLS without close_notify) or "clean". What came before is
        thrown away."""
        try:
            if isinstance(self.end, OSError):
                raise self.end  # seen already
            while self.pop3._more():
                pass
        except ConnectionError:
            return "reset"
        except ssl.SSLEOFError:
            return "cut"
        except OSError as error:
            return str(error)
        return "clean"

    def dele(self, *numbers):
        for number in numbers:
            self.pop3.ok(f"DELE {number}")
            self.session.marked(number)

    def quit(self):
        """The answer, or None."""
        self.session.quit()
        try:
            answer = self.pop3.command("QUIT")
        except (OSError, Pop3Error) as error:
            if isinstance(error, TimeoutError):
                raise AssertionError("QUIT hangs") from error
            answer = None
        self.session.answered(answer)
        self.pop3.rest()
        self.pop3.close()
        return answer


class Pool:
    """Rigs of one kind, made by MAKE, for runs in parallel."""

    def __init__(self, make, size=None):
        self.rigs = []
        self._free = queue.SimpleQueue()
        try:
            for _ in range(size or JOBS):
                rig = make()
                self.rigs.append(rig)
                self._free.put(rig)
        except BaseException:
            self.stop()
            raise

    def run(self, cases, one):
        """ONE(rig, case) for each of CASES, on whichever rig is free. Raises the violations and errors of all runs as one
        failure; its text has them."""
        def guarded(case):
            rig = self._free.get()
            before = dict(rig.logs())
            error = None
            try:
                rig.ledger.violations.clear()
                one(rig, case)
                rig.assert_alive()
            except Exception as raised:  # whatever it was, the other runs go on
                error = f"{rig.ledger.run}: {type(raised).__name__}: {raised}"
            finally:
                rig.proxy.recover()
            bad = [str(violation) for violation in rig.ledger.violations] + ([error] if error else [])
            if bad:
                text = "\n".join(log.removeprefix(before.get(gate, "")) for gate, log in rig.logs())
                bad.append("log: " + keep(text))
            self._free.put(rig)
            return bad
        with concurrent.futures.ThreadPoolExecutor(len(self.rigs)) as executor:
            outcomes = list(executor.map(guarded, cases))
        bad = [outcome for outcome in outcomes if outcome]
        tally.add(runs=len(outcomes), violations=len(bad))
        if bad:
            raise AssertionError(f"{len(bad)} of {len(outcomes)} runs went wrong:\n" +
                                 "\n".join(text for outcome in bad[:20] for text in outcome))

    def stop(self):
        errors = []
        for rig in self.rigs:
            try:
                rig.stop()
            except AssertionError as error:
                errors.append(str(error))
        self.rigs = []
        if errors:
            raise AssertionError("\n".join(errors))
