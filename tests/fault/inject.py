"""A gateway in which calls fail when a test says so: tests/fault/inject, preloaded into a build without sanitizers."""
import collections
import contextlib
import mmap
import os
import re
import sqlite3
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from harness import workspace  # noqa: E402
from harness.pop3 import Pop3, Pop3Error, tls_context, unstuff  # noqa: E402
from harness.popgate import Popgate, environment  # noqa: E402
from harness.process import Process  # noqa: E402

LONG = os.environ.get("POPGATE_TEST_LONG") == "1"

# The layout of inject/control.h, in words of 64 bits.
MAGIC = 0x706f7031
FRAMES, RECORD_FRAMES, RECORDS, PATH_ROOM = 24, 13, 1 << 14, 256
WORDS = ("magic", "armed", "threads", "allocations", "fail_from", "fail_times", "failed", "live", "live_octets",
         "trace", "records_lost", "frame_count")
CALLS = ("accept", "socket", "connect", "open", "read", "write", "sync", "truncate", "send", "recv", "epoll_ctl",
         "random")
RULE = ("seen", "from", "times", "failed", "error", "kinds")
RULES_AT = len(WORDS) + FRAMES
PATH_AT = 8 * (RULES_AT + len(CALLS) * len(RULE))
RECORDS_AT = PATH_AT + PATH_ROOM
RECORD = struct.Struct(f"<{3 + RECORD_FRAMES}Q")
SIZE = RECORDS_AT + RECORDS * RECORD.size

ALL_THREADS, MAIN_THREAD, OTHER_THREADS = range(3)
CLIENT, UPSTREAM, PLACE, FILE = 1, 2, 4, 8
FOREVER = 1 << 62


def debug_binary():
    path = os.environ.get("POPGATE_DEBUG_BIN") or os.path.join(ROOT, "build", "debug", "gateway", "popgate")
    if not os.access(path, os.X_OK):
        raise AssertionError(f"no popgate at {path}: build the debug preset or set POPGATE_DEBUG_BIN")
    return os.path.abspath(path)


def library():
    """The preloaded library of the same build."""
    path = os.environ.get("POPGATE_INJECT")
    if not path:
        build = os.path.dirname(os.path.dirname(debug_binary()))
        path = os.path.join(build, "tests", "fault", "inject", "libpopgate_inject.so")
    if not os.path.exists(path):
        raise AssertionError(f"no {path}: build the target popgate_inject or set POPGATE_INJECT")
    return os.path.abspath(path)


class Control:
    """The file that the library and we have in common."""

    def __init__(self):
        self.path = os.path.join(workspace.folder("inject"), "control")
        with open(self.path, "wb+") as file:
            file.truncate(SIZE)
            self.memory = mmap.mmap(file.fileno(), SIZE)
        self._put(0, MAGIC)

    def _put(self, word, value):
        struct.pack_into("<Q", self.memory, 8 * word, value)

    def _get(self, word):
        return struct.unpack_from("<q", self.memory, 8 * word)[0]

    def __getitem__(self, name):
        return self._get(WORDS.index(name))

    def __setitem__(self, name, value):
        self._put(WORDS.index(name), value)

    def _rule(self, call, field):
        return RULES_AT + CALLS.index(call) * len(RULE) + RULE.index(field)

    def rule(self, call, field):
        return self._get(self._rule(call, field))

    def clear(self):
        """Nothing fails any more, and counting begins anew."""
        self["armed"] = 0
        for name in ("threads", "allocations", "fail_from", "fail_times", "failed", "frame_count"):
            self[name] = 0
        for call in CALLS:
            for field in RULE:
                self._put(self._rule(call, field), 0)

    def place(self, text):
        """Files whose name contains TEXT are of the kind PLACE, from their opening on."""
        struct.pack_into(f"{PATH_ROOM}s", self.memory, PATH_AT, text.encode())

    def allocation(self, number, times=1, threads=ALL_THREADS):
        """From now on allocation NUMBER (the first is 1) fails, and those behind it, TIMES in all."""
        self.clear()
        self["threads"], self["fail_from"], self["fail_times"] = threads, number, times
        self["armed"] = 1

    def call(self, call, error, number=1, times=FOREVER, kinds=0):
        """CALL is to fail with ERROR from its NUMBER-th time on, TIMES times, on descriptors of KINDS; see arm."""
        values = {"from": number, "times": times, "error": error, "kinds": kinds}
        for field, value in values.items():
            self._put(self._rule(call, field), value)

    def arm(self):
        self["armed"] = 1

    def failed(self, call=None):
        return self["failed"] if call is None else self.rule(call, "failed")

    def frames(self):
        """The callers of the first allocation that failed."""
        return [self._get(len(WORDS) + i) for i in range(self["frame_count"])]

    def trace(self, on):
        """Whether it is noted who allocates. Beginning forgets what was noted."""
        if on:
            self.memory[RECORDS_AT:SIZE] = bytes(SIZE - RECORDS_AT)
        self["trace"] = int(on)

    def records(self):
        """(octets, number, frames) of each allocation that was noted and is still there, oldest first."""
        found = []
        for i in range(RECORDS):
            address, octets, number, *frames = RECORD.unpack_from(self.memory, RECORDS_AT + i * RECORD.size)
            if address > 1:
                found.append((octets, number, [frame for frame in frames if frame]))
        return sorted(found, key=lambda record: record[1])


class Addresses:
    """Names of functions by address, of a process that lives."""

    def __init__(self, pid):
        self._maps = []
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            for line in maps:
                match = re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(/\S+)", line)
                if match:
                    start, end, offset = (int(match[i], 16) for i in (1, 2, 3))
                    self._maps.append((start, end, offset, match[4]))

    def describe(self, frames):
        """One line per frame: function, file and line where that is known, object."""
        asked = collections.defaultdict(list)
        for frame in frames:
            for start, end, offset, path in self._maps:
                if start <= frame < end:
                    asked[path].append((frame, frame - 1 - start + offset))
        known = {}
        for path, places in asked.items():
            argv = ["addr2line", "-Cfsp", "-e", path, *(hex(place) for _, place in places)]
            with contextlib.suppress(OSError):
                out = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()
                for (frame, place), text in zip(places, out):
                    text = text if not text.startswith("??") else nearest_symbol(path, place)
                    known[frame] = f"{text} [{os.path.basename(path)}]"
        return [known.get(frame, hex(frame)) for frame in frames]


_symbols = {}


def nearest_symbol(path, place):
    """The exported function of PATH, an object without debug information, that PLACE is probably in."""
    if path not in _symbols:
        with contextlib.suppress(OSError):
            out = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=False)
            table = [line.split() for line in out.stdout.splitlines()]
            _symbols[path] = sorted((int(row[0], 16), row[2].split("@")[0]) for row in table if len(row) == 3)
    before = [entry for entry in _symbols.get(path, ()) if entry[0] <= place]
    return f"near {before[-1][1]}+{place - before[-1][0]:#x}" if before else hex(place)


class Gateway(Popgate):
    """The gateway, one process, with the library. All calls succeed until the control says otherwise."""

    def __init__(self, upstream, place="journal.db", prepare=None, **settings):
        """PREPARE(control) is called before the gateway starts."""
        self.control = Control()
        self.control.place(place)
        if prepare:
            prepare(self.control)
        super().__init__({"host": "127.0.0.1", **upstream}, workers=0, **settings)

    def forget_users(self):
        """Empties the state store."""
        path = os.path.join(self.state_directory, "state.db")
        if os.path.exists(path):
            with contextlib.closing(sqlite3.connect(path, timeout=30)) as store, store:
                for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    store.execute(f"DELETE FROM {name}")

    def forget_deletions(self):
        """Empties the journal. Entries of failed deletions stay for a while, and each makes the next login longer."""
        path = os.path.join(self.state_directory, "journal.db")
        if os.path.exists(path):
            with contextlib.closing(sqlite3.connect(path, timeout=30)) as journal, journal:
                journal.execute("DELETE FROM entry")

    def start(self):
        env = dict(environment(), LD_PRELOAD=library(), POPGATE_INJECT_CONTROL=self.control.path)
        self.process = Process([debug_binary(), "serve", "--config", self.config], env=env)
        for address in (self.pop3, self.pop3s):
            self.process.wait_connect(address).close()
        # sockets can be connected to before all else is open
        self.wait_log(lambda text: "session ended" in text and "TLS handshake failed" in text)

    def descriptors(self):
        """How many are open but those of databases, which are opened at need and stay open."""
        count = 0
        folder = f"/proc/{self.process.pid}/fd"
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                count += re.search(r"/(journal|state)\.db", os.readlink(os.path.join(folder, name))) is None
        return count

    def addresses(self):
        return Addresses(self.process.pid)


def wait_until(condition, what, timeout=30):
    """Returns the first true value of CONDITION()."""
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


class Cut(Exception):
    """The connection to the gateway ended."""


class Patient:
    """A POP3 client that expects anything but a lie: answers are +OK, -ERR or the end of the connection. What the
    gateway says must still be POP3; Pop3Error is raised where it is not."""

    def __init__(self, address, ca=None):
        self.pop3 = None
        try:
            self.pop3 = Pop3(address, tls=tls_context(ca) if ca else None)
        except (OSError, Pop3Error) as error:
            self._judge(error)
            raise Cut("no greeting") from error
        if not self.pop3.greeting.startswith(b"+OK"):
            self.close()
            raise Cut("refused")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _judge(error):
        """An end of the connection is no fault; something that is not POP3 is."""
        if isinstance(error, Pop3Error) and "closed inside" not in str(error) and "b''" not in str(error):
            raise error
        if isinstance(error, TimeoutError):
            raise AssertionError("the gateway hangs") from error

    def _guarded(self, action, *arguments):
        try:
            return action(*arguments)
        except (OSError, Pop3Error) as error:
            self._judge(error)
            raise Cut(str(error)) from error

    def ask(self, line):
        """The status line of the answer. Raises Cut."""
        return self._guarded(self.pop3.command, line)

    def ok(self, line):
        return self.ask(line).startswith(b"+OK")

    def multi(self, line):
        """The content of a complete answer, None after -ERR. Raises Cut where it is not complete."""
        if not self.ok(line):
            return None
        return unstuff(self._guarded(self.pop3.raw_multi))

    def close(self):
        if self.pop3 is not None:
            self.pop3.close()

