"""One run of a case on one system: puts load on it, and notes what it took."""
import json
import subprocess
import time

import vitals
from cases import COPIES, MAILBOXES, PEERS, user_of
from servers import PASSWORD

# popgate gives stacks of resting fibers back within a few seconds, Dovecot's logins end their processes: memory of
# sessions at rest is looked at when all have had the time.
REST = 8
OTHERS, OTHERS_RATE = 100, 1000     # sessions at work beside those at rest, and their messages a second, in all


class Load:
    """A load generator's process."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def pause(self):
        """Waits until it is ready, or has done its part, and returns the count that it tells."""
        return next(iter(json.loads(self.process.stdout.readline()).values()))

    def go_on(self):
        try:
            self.process.stdin.write(b"go\n")
            self.process.stdin.flush()
        except OSError:
            pass    # it has ended, and its report says why

    def report(self):
        out, _ = self.process.communicate()
        report = json.loads(out.decode().strip().splitlines()[-1])
        if self.process.returncode not in (0, 1):
            raise RuntimeError(f"the load generator ended with {self.process.returncode}")
        return report


class Measure:
    def __init__(self, servers, timeout):
        self.servers, self.timeout = servers, timeout

    def command(self, system, case, mode=None, args=None):
        servers = self.servers
        front = case.front
        if system == "limit":
            front = "tls" if case.up == "tls" else "none"
            port = servers.upstream_port(case)
        else:
            port = servers.port[("native_" if system == "native" else "") + ("pop3s" if front == "tls" else "pop3")]
        mailbox = user_of(case.user)
        return [servers.program("load"), mode or case.mode, "--proto", "imap" if system == "limit" else "pop3",
                "--port", str(port), "--tls", front, "--ca", servers.path("tls", "ca.crt"), "--user", case.user,
                "--users", str(case.users or MAILBOXES[mailbox][1]), "--pass", PASSWORD,
                "--manifest", servers.manifest(mailbox), "--timeout", str(self.timeout),
                *(case.args if args is None else args)]

    def load(self, system, case, *more):
        return Load(self.command(system, case) + list(more))

    def warm_upstream(self, cases):
        """Twice through every mailbox, so that the upstream's index is there and in memory."""
        for mailbox in sorted({user_of(case.user) for case in cases}):
            users = MAILBOXES[mailbox][1]
            plain = cases[0]._replace(user=mailbox, front="none", up="none", rtt=0, users=None, upstream="dovecot")
            for _ in range(2):
                Load(self.command("limit", plain, "login", ["--count", str(users), "--conc", "8"])).report()

    def renew(self, case):
        self.servers.copy_mailbox(case.user)
        plain = case._replace(front="none", up="none", rtt=0)
        Load(self.command("limit", plain, "open", [])).report()

    def run(self, system, case, rep):
        servers, gateway = self.servers, None
        if case.user in COPIES:
            self.renew(case)
        if system not in ("limit", "native"):
            gateway = servers.start_gateway(system, case, not case.kept or rep == 0)
        try:
            if case.kept and system != "limit":
                warm = 20 if rep > 0 or case.rtt else 200
                self.load(system, case, "--count", str(warm)).report()
            run = self.by_mode(system, case, gateway)
            if case.user in COPIES:
                run["left"] = servers.messages_left(case.user)
            return run
        finally:
            # Nothing is measured any more; the slow logout of imapc need not be waited for.
            servers.stop("gateway", 1 if system in PEERS else 10)

    def by_mode(self, system, case, gateway):
        root = gateway or self.servers.upstream.pid
        if case.upstream == "idle":
            return self.hold_many(system, case, root)
        if case.mode == "hold":
            return self.timed(system, case, gateway, lambda: self.hold(system, case, root))
        peak = vitals.Peak(root)
        if case.mode == "open":
            run = self.open_twice(system, case, gateway)
        else:
            run = self.timed(system, case, gateway, lambda: self.load(system, case).report())
        run["peak_mb"] = peak.finish()
        if system == "limit":
            del run["peak_mb"]
        return run

    def timed(self, system, case, gateway, measured):
        """Runs MEASURED and adds the CPU time that gateway and upstream took meanwhile."""
        upstream = self.servers.upstream.pid
        before = vitals.cpu(upstream), vitals.cpu(gateway) if gateway else 0
        run = measured()
        time.sleep(0.1)     # what ends a session comes after its answer
        run["upstream_cpu"] = vitals.cpu(upstream) - before[0]
        if gateway:
            run["cpu"] = vitals.cpu(gateway) - before[1]
        elif system == "native":
            run["cpu"] = run["upstream_cpu"]    # the upstream is all there is
        return run

    def open_twice(self, system, case, gateway):
        cold, warm = (self.timed(system, case, gateway, lambda: self.load(system, case).report()) for _ in range(2))
        run = {"cold": cold, "warm": warm, "errors": cold["errors"] + warm["errors"]}
        run.update({name: cold[name] + warm[name] for name in ("failed", "bad", "list_bad", "uidl_dup")})
        if cold.get("uidl_hash") != warm.get("uidl_hash"):
            run["errors"].append("UIDLs changed between two sessions")
        return run

    def hold(self, system, case, root):
        before = vitals.pss(root)[0]
        begin = time.monotonic()
        load = self.load(system, case)
        ready = load.pause()
        fill = time.monotonic() - begin
        time.sleep(REST)
        rest, processes = vitals.pss(root)
        load.go_on()
        load.pause()
        load.go_on()
        run = load.report()
        run.update(ready=ready, fill_per_s=ready / fill, rest_mb=rest / 1024, processes=processes,
                   session_kb=(rest - before) / max(1, ready))
        return run

    def hold_many(self, system, case, root):
        """As many sessions as it holds, and others that work while those say NOOP. That not all are held is a figure,
        not a wrong answer."""
        begin = time.monotonic()
        load = self.load(system, case)
        ready = load.pause()
        fill = time.monotonic() - begin
        time.sleep(REST)
        rest, processes = vitals.pss(root)
        first = case.args[case.args.index("--count") + 1]
        others = Load(self.command(system, case, "work", ["--count", str(OTHERS), "--conc", "16", "--first", first,
                                                          "--rate", str(OTHERS_RATE)]))
        at_work = others.pause()
        others.go_on()
        load.go_on()
        load.pause()
        others.go_on()
        work = others.report()
        load.go_on()
        run = load.report()
        run.update(ready=ready, refused=run["failed"], fill_per_s=ready / fill, rest_mb=rest / 1024,
                   processes=processes, others=work)
        for name in ("bad", "list_bad"):
            run[name] += run["others"][name]
        if at_work < OTHERS:    # its latency would be that of a gateway without work
            run["others"], run["noop"] = {}, {}
        run["failed"], run["notes"], run["errors"] = 0, run["errors"], []
        return run
