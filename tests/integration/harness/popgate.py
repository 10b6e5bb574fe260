"""The gateway under test: its configuration, its process, its end."""
import contextlib
import os
import re
import signal
import subprocess
import time

from . import certificates, ports, workspace
from .pop3 import Pop3, tls_context
from .process import Process

SANITIZER = re.compile(r"ERROR: AddressSanitizer|runtime error:|LeakSanitizer|ERROR: ThreadSanitizer")

# Kept short so that a failing test does not hold the suite up; tests set what they look at. Those that look at a process
# (what it uses, how it dies) want one that is all there is: workers = 0.
SETTINGS = {"workers": 2, "log_level": "debug", "drain_timeout": "5s", "auth_failure_delay": "0s",
            "max_sessions_per_address": 500, "max_sessions_per_user": 50,
            "max_sessions_before_login": 100000, "max_sessions_before_login_per_address": 100000,
            "max_connections_per_minute_per_address": 1000000,
            "max_failed_logins": 100000, "max_failed_logins_per_user": 10000}
UPSTREAM = {"host": "localhost", "tls": "none", "connect_timeout": "5s", "tls_timeout": "5s",
            "command_timeout": "30s", "max_failed_logins": 100000}


def binary():
    path = os.environ.get("POPGATE_BIN")
    if not path:
        here = os.path.dirname(os.path.abspath(__file__))
        path = os.path.join(here, "..", "..", "..", "build", "asan", "gateway", "popgate")
    if not os.access(path, os.X_OK):
        raise AssertionError(f"no popgate at {path}: build the asan preset or set POPGATE_BIN")
    return os.path.abspath(path)


def environment():
    # a small quarantine, so that resident memory says something about popgate
    return dict(os.environ,
                ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=8",
                UBSAN_OPTIONS="print_stacktrace=1")


def valgrind_findings(pid):
    """What valgrind wrote about the process PID, where the gateways run under it (popgate-under-valgrind). Taken away,
    so that a later process of that number is not blamed."""
    folder = os.environ.get("POPGATE_VALGRIND_REPORTS")
    path = folder and os.path.join(folder, f"{pid}.log")
    if not path or not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="backslashreplace") as report:
        text = report.read()
    os.unlink(path)
    return text


def run(*arguments, input=None, pass_fds=(), timeout=60):
    """One short command of popgate; returns the finished process with its texts."""
    argv = [binary(), *arguments]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment(), pass_fds=pass_fds) as child:
        try:
            out, err = child.communicate(input, timeout)
        except BaseException:
            child.kill()
            raise
    report = valgrind_findings(child.pid)
    if report or SANITIZER.search(err):
        raise AssertionError(f"popgate {' '.join(arguments)}: {err}{report}")
    return subprocess.CompletedProcess(argv, child.returncode, out, err)


def config_text(settings, listeners, upstream, blocks=()):
    """SETTINGS and UPSTREAM map names to values (None leaves the setting out; "label" is that of the block); LISTENERS
    are (kind, settings); BLOCKS are ("upstream old" or "route all", settings)."""
    def lines(values, indent=""):
        return "".join(f"{indent}{name} = {_value(value)}\n" for name, value in values.items() if value is not None)
    text = lines(settings)
    for kind, values in listeners:
        text += f"listener {kind} {{\n{lines(values, '    ')}}}\n"
    label = upstream.get("label", "")
    for head, values in [(f"upstream {label}", {**upstream, "label": None}), *blocks]:
        text += f"{head} {{\n{lines(values, '    ')}}}\n"
    return text


def _value(value):
    text = str(value)
    return f'"{text}"' if re.search(r"[\s#={}]", text) and "," not in text else text


class Popgate:
    """Two listeners on free ports: pop3 with STLS, and pop3s. UPSTREAM needs at least the port; so do other upstreams
    among BLOCKS, which are as in config_text."""

    def __init__(self, upstream, certificate=None, plain_certificate=True, blocks=(), **settings):
        self.dir = workspace.folder("popgate")
        self.config = os.path.join(self.dir, "popgate.conf")
        self.certificate = certificate or certificates.good()
        self.plain_certificate = plain_certificate
        self.settings = {"state_directory": os.path.join(self.dir, "state"), **SETTINGS, **settings}
        self.upstream = {**UPSTREAM, **upstream}
        self.blocks = [(head, {**UPSTREAM, **values} if head.startswith("upstream") else values)
                       for head, values in blocks]
        if "POPGATE_VALGRIND_REPORTS" in os.environ:
            self.upstream["tls_timeout"] = "15s"  # a handshake takes valgrind a second by itself
            self.settings["workers"] = 0  # who executes /proc/self/exe under valgrind executes valgrind
        os.mkdir(os.path.join(self.dir, "state"), 0o700)
        self.pop3 = (ports.HOST, ports.free_port())
        self.pop3s = (ports.HOST, ports.free_port())
        self.more_listeners = []
        self.write_config()
        self.process = None
        self.start()

    pass_fds = ()

    def launcher(self):
        """What is to execute popgate in its own place."""
        return []

    @property
    def state_directory(self):
        return self.settings["state_directory"]

    def start(self, extra_environment=None):
        self.process = Process([*self.launcher(), binary(), "serve", "--config", self.config],
                               env={**environment(), **(extra_environment or {})}, pass_fds=self.pass_fds)
        for address in (self.pop3, self.pop3s):
            self.process.wait_connect(address).close()

    def write_config(self):
        tls = {"certificate": self.certificate.cert, "key": self.certificate.key}
        listeners = [
            ("pop3", {"address": "%s:%d" % self.pop3, **(tls if self.plain_certificate else {})}),
            ("pop3s", {"address": "%s:%d" % self.pop3s, **tls})]
        self.write(config_text(self.settings, listeners + list(self.more_listeners), self.upstream, self.blocks))

    def write(self, text):
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(text)

    def connect(self, **options):
        return Pop3(self.pop3, **options)

    def connect_tls(self, **options):
        return Pop3(self.pop3s, tls=tls_context(self.certificate.ca), **options)

    def login(self, user, password="secret"):
        session = self.connect()
        session.login(user, password)
        return session

    def login_when_free(self, user, password="secret", timeout=20):
        """Logs in, trying again while the maildrop of a session that has just ended is still locked."""
        deadline = time.monotonic() + timeout
        while True:
            session = self.connect()
            session.ok(f"USER {user}")
            reply = session.command(f"PASS {password}")
            if reply.startswith(b"+OK"):
                return session
            session.quit()
            if b"IN-USE" not in reply or time.monotonic() > deadline:
                raise AssertionError(f"login of {user}: {reply!r}")

    def workers(self):
        """The worker processes, by the log, oldest first; without a supervisor, the one that there is."""
        if self.settings["workers"] == 0:
            return [self.process.pid]
        ended = self._workers_that("ended")
        return [pid for pid in self._workers_that("started") if pid not in ended]

    def _workers_that(self, did):
        return [int(pid) for pid in re.findall(rf"worker {did}\b.*?\bpid\"?[=:](\d+)", self.log())]

    def wait_workers(self, count):
        """Waits until there are COUNT workers and all serve, whatever became of others; returns their processes."""
        self.wait_log(lambda _: len(self.workers()) == count and set(self.workers()) <= set(self._workers_that("serves")))
        return self.workers()

    def log(self):
        return self.process.output()

    def wait_log(self, wanted, timeout=20, start=0):
        return self.process.wait_output(wanted, timeout, start)

    def reload(self, outcome="configuration reloaded"):
        """Writes the configuration anew, sends SIGHUP and waits until the log tells the OUTCOME."""
        self.write_config()
        self.send_reload(outcome)

    def send_reload(self, outcome):
        start = len(self.log())
        self.process.signal(signal.SIGHUP)
        self.wait_log(outcome, start=start)

    def kill(self):
        """SIGKILL to all of it: the crash that no destructor sees. A supervisor is stopped first, so that it notices
        nothing."""
        if self.settings["workers"] != 0:
            self.process.signal(signal.SIGSTOP)
            for pid in self.workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    def assert_alive(self):
        if not self.process.alive():
            raise AssertionError(f"popgate ended with {self.process.returncode}:\n{self.log()[-6000:]}")

    def stop(self, expected=0):
        """SIGTERM; the exit status must be right and no sanitizer may have spoken."""
        status = self.process.stop()
        self.check_sanitizers()
        if status != expected:
            raise AssertionError(f"popgate ended with {status}:\n{self.log()[-6000:]}")

    def check_sanitizers(self):
        fault = SANITIZER.search(self.log())
        if fault:
            raise AssertionError("sanitizer report:\n" + self.log()[max(0, fault.start() - 500):][:8000])
        report = valgrind_findings(self.process.pid)
        if report:
            raise AssertionError("valgrind report:\n" + report[:8000])
