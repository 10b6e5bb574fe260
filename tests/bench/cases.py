"""What is measured: mailboxes, cases, the figures of each, and what popgate is to reach in them."""
from collections import namedtuple

# kind, users, messages of each. Names of users are the key, with a number where there are several.
MAILBOXES = {
    "small": ("small", 1, 10000),
    "huge": ("huge", 1, 100000),
    "big": ("big", 1, 21),
    "many": ("small", 2000, 5),
    "four": ("small", 4, 2500),
    "slow": ("small", 1, 1000),
}

# Users who get a fresh copy of another's mailbox before each run, because the run empties it.
COPIES = {"doomed": "small", "doomedslow": "slow"}

PEERS = ["imapc-index", "imapc-memory", "imapc-nopass"]
SYSTEMS = ["limit", "native", *PEERS, "popgate"]

# mode: what the load generator does; front, up: TLS to the gateway (none, tls, stls) and to the upstream (none, tls);
# rtt: milliseconds to the upstream; kept: whether the gateway keeps its state from run to run; systems: who runs.
Case = namedtuple("Case", "name title mode user front up rtt kept args systems figures users upstream needs")

# A figure is a number of a run; better is "more" or "less".
Figure = namedtuple("Figure", "name get better")

# What popgate is to reach: at least or at most FACTOR times what OF has (limit, native, peer), or FACTOR itself; SLACK is
# added. SLACK is for round trips, of which a tenth is noise.
Goal = namedtuple("Goal", "sense factor of slack")


def at_least(factor, of=None):
    return Goal("least", factor, of, 0)


def at_most(factor, of=None, slack=0):
    return Goal("most", factor, of, slack)


def at_most_where_the_peer_takes(bound, peer):
    """A CPU time, set on a machine where the peer took PEER: seconds of another machine are other seconds."""
    return at_most(round(bound / peer, 3), "peer")


def user_of(user):
    return COPIES.get(user, user)


def value(*path, scale=1):
    def get(run):
        for name in path:
            if not isinstance(run, dict) or run.get(name) is None:
                return None
            run = run[name]
        return run * scale
    return get


def per(of, by, scale):
    def get(run):
        return run[of] / run[by] * scale if run.get(of) is not None and run.get(by) else None
    return get


def removal(run):
    if not run.get("dele") or not run.get("quit"):
        return None
    return run["dele"]["p50"] + run["quit"]["p50"]


PEAK = Figure("peak memory MB", value("peak_mb"), "less")
LOGIN = [
    Figure("sessions/s", value("sessions_per_s"), "more"),
    Figure("p50 ms", value("total", "p50", scale=1e3), "less"),
    Figure("p99 ms", value("total", "p99", scale=1e3), "less"),
    Figure("CPU ms/session", per("cpu", "sessions", 1e3), "less"),
    Figure("upstream CPU ms/session", per("upstream_cpu", "sessions", 1e3), "less"),
    PEAK,
]
DRAIN = [
    Figure("messages/s", value("msgs_per_s"), "more"),
    Figure("whole session s", value("wall"), "less"),
    Figure("CPU s/10,000", per("cpu", "messages", 1e4), "less"),
    Figure("upstream CPU s/10,000", per("upstream_cpu", "messages", 1e4), "less"),
    PEAK,
]
BIG = [
    Figure("MB/s", value("mb_per_s"), "more"),
    Figure("RETR to +OK ms", value("first_line", "p50", scale=1e3), "less"),
    Figure("CPU s/GB", per("cpu", "bytes", 1e9), "less"),
    Figure("upstream CPU s/GB", per("upstream_cpu", "bytes", 1e9), "less"),
    PEAK,
]
SLOW = [
    Figure("messages/s", value("msgs_per_s"), "more"),
    Figure("whole session s", value("wall"), "less"),
]
OPEN = [
    Figure("cold: PASS to STAT s", value("cold", "stat", "p50"), "less"),
    Figure("cold: PASS to UIDL s", value("cold", "uidl", "p50"), "less"),
    Figure("cold: CPU s", value("cold", "cpu"), "less"),
    Figure("warm: PASS to STAT s", value("warm", "stat", "p50"), "less"),
    Figure("warm: PASS to UIDL s", value("warm", "uidl", "p50"), "less"),
    Figure("warm: CPU s", value("warm", "cpu"), "less"),
    PEAK,
]
HOLD = [
    Figure("kB/session", value("session_kb"), "less"),
    Figure("logins/s", value("fill_per_s"), "more"),
    Figure("NOOP p99 ms", value("noop", "p99", scale=1e3), "less"),
    Figure("processes", value("processes"), "less"),
]
HOLD_10K = [
    Figure("sessions held", value("ready"), "more"),
    Figure("memory MB", value("rest_mb"), "less"),
    Figure("logins/s", value("fill_per_s"), "more"),
    Figure("NOOP p50 ms, others at work", value("noop", "p50", scale=1e3), "less"),
    Figure("NOOP p99 ms, others at work", value("noop", "p99", scale=1e3), "less"),
    Figure("messages/s of the others", value("others", "msgs_per_s"), "more"),
]
DELETE = [
    Figure("DELE and QUIT s", removal, "less"),
    Figure("messages left", value("left"), "less"),
    Figure("CPU s", value("cpu"), "less"),
]

CASES = {}


def case(name, title, mode, user, figures, front="none", up="none", rtt=0, kept=False, args="", systems=None,
         users=None, upstream="dovecot", needs=None):
    if systems is None:
        # imapc-nopass differs from imapc-index in the login alone; the native server has no slow path to anything.
        systems = [s for s in SYSTEMS if not (s == "imapc-nopass" and mode != "login" or s == "native" and rtt)]
    CASES[name] = Case(name, title, mode, user, front, up, rtt, kept, args.split(), systems, figures, users, upstream,
                       needs)


BOTH = {"front": "tls", "up": "tls"}
case("login", "login, 16 at once", "login", "many", LOGIN, kept=True, args="--count 2000 --conc 16")
case("login-tls", "login, TLS on both legs", "login", "many", LOGIN, **BOTH, kept=True, args="--count 1000 --conc 16")
case("login-c1", "login, one at a time", "login", "many", LOGIN, kept=True, args="--count 300 --conc 1")
case("login-stls", "login, STLS", "login", "many", LOGIN, front="stls", up="tls", kept=True,
     args="--count 1000 --conc 16")
case("login-rtt50", "login at 50 ms", "login", "many", LOGIN, rtt=50, kept=True, args="--count 200 --conc 10")
case("login-rtt50-reuse", "login at 50 ms, reuse", "login", "many", LOGIN, rtt=50, kept=True,
     args="--count 2000 --conc 10", systems=["popgate"], users=100, needs={"reuse": "30s"})
case("drain", "10,000 x 4 kB", "drain", "small", DRAIN)
case("drain-tls", "10,000 x 4 kB, TLS on both legs", "drain", "small", DRAIN, **BOTH)
case("drain-p16", "10,000 x 4 kB, 16 RETR in flight", "drain", "small", DRAIN, args="--pipeline 16")
case("drain-x4", "4 x 2,500 x 4 kB", "drain", "four", DRAIN, args="--count 4 --conc 4")
case("rtt20", "1,000 x 4 kB at 20 ms", "drain", "slow", SLOW, rtt=20)
case("rtt50", "1,000 x 4 kB at 50 ms", "drain", "slow", SLOW, rtt=50)
case("rtt50-p16", "1,000 x 4 kB at 50 ms, 16 in flight", "drain", "slow", SLOW, rtt=50, args="--pipeline 16")
case("big", "20 x 25 MB, 100 MB", "drain", "big", BIG)
case("big-tls", "20 x 25 MB, 100 MB, TLS on both legs", "drain", "big", BIG, **BOTH)
case("open-huge", "open 100,000 messages", "open", "huge", OPEN)
case("hold", "1,000 idle sessions", "hold", "many", HOLD, args="--count 1000 --conc 16")
case("hold-tls", "1,000 idle sessions, TLS on both legs", "hold", "many", HOLD, **BOTH, args="--count 1000 --conc 16")
case("hold10k", "10,000 idle sessions, TLS on both legs", "hold", "many", HOLD_10K, **BOTH,
     args="--count 10000 --conc 32", systems=["popgate"], users=20000, upstream="idle")
case("delete", "DELE of 10,000, QUIT", "drain", "doomed", DELETE, args="--retr 0 --delete")
case("delete-rtt50", "DELE of 1,000 at 50 ms, QUIT", "drain", "doomedslow", DELETE, rtt=50, args="--retr 0 --delete")

GOALS = {
    ("login", "sessions/s"): at_least(0.8, "limit"),
    ("login", "CPU ms/session"): at_most_where_the_peer_takes(0.3, 1.7),
    ("login-tls", "sessions/s"): at_least(2, "peer"),
    ("login-tls", "CPU ms/session"): at_most(0.5, "peer"),
    ("login-rtt50", "p50 ms"): at_most(1, "limit", slack=5),
    ("login-rtt50-reuse", "p50 ms"): at_most(50, slack=5),
    ("drain", "messages/s"): at_least(1, "native"),
    ("drain", "CPU s/10,000"): at_most_where_the_peer_takes(0.3, 0.75),
    ("drain-tls", "messages/s"): at_least(1, "native"),
    ("drain-tls", "CPU s/10,000"): at_most_where_the_peer_takes(1.0, 2.7),
    ("rtt50", "messages/s"): at_least(100, "peer"),
    ("big", "MB/s"): at_least(0.85, "limit"),
    ("big", "CPU s/GB"): at_most_where_the_peer_takes(0.6, 3.4),
    ("big", "peak memory MB"): at_most(12),
    ("big-tls", "MB/s"): at_least(0.8, "limit"),
    ("big-tls", "CPU s/GB"): at_most_where_the_peer_takes(2.5, 5.9),
    ("open-huge", "cold: PASS to STAT s"): at_most(1.1, "limit"),
    ("open-huge", "warm: PASS to STAT s"): at_most(0.5, "peer"),
    ("hold", "kB/session"): at_most(32),
    ("hold-tls", "kB/session"): at_most(80),
    ("hold10k", "sessions held"): at_least(10000),
    ("hold10k", "memory MB"): at_most(1024),
    ("hold10k", "NOOP p99 ms, others at work"): at_most(20),
    ("delete", "DELE and QUIT s"): at_most(1, "limit"),
    ("delete", "messages left"): at_most(0),
}

WITH_GOALS = [name for name in CASES if any(name == of for of, _ in GOALS)]
QUICK = ["login", "login-tls", "drain", "drain-tls", "hold", "delete"]
