"""The servers that are compared: the upstream, the peer, popgate, and a slow path between. All on 127.0.0.1."""
import grp
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

import vitals
from cases import COPIES, MAILBOXES, PEERS

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = "secret"
# name -> where the index is, and how a login is checked: by the upstream, or not at all but by imapc's own login
PEER_FORMS = {"imapc-index": ("", "imap"), "imapc-memory": (":INDEX=MEMORY", "imap"), "imapc-nopass": ("", "static")}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def open_files():
    """As many file descriptors for the servers as this machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def wait_for_greeting(port, process, greeting, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(process.args)}: ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                if s.recv(200).startswith(greeting):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{' '.join(process.args)}: nothing on port {port} after {seconds} s")


def stop(process, patience):
    """Ends a process that was started here and all that came from it, the hard way after PATIENCE seconds."""
    if process is None:
        return
    pids = vitals.family(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    for _ in range(40 if process.poll() is not None else 1):
        # Those that have ended but were not waited for have no memory.
        pids = {pid for pid in pids | vitals.family(process.pid) if vitals.pss_of(pid)} - {os.getpid()}
        if process.poll() is not None:
            pids.discard(process.pid)
        if not pids:
            break
        time.sleep(0.05)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    process.wait()


class Servers:
    """WORK is the folder of everything; PROGRAMS has what tests/bench builds."""

    def __init__(self, work, programs, popgate, port_base, mail_user):
        self.work, self.programs, self.popgate = os.path.abspath(work), programs, popgate
        names = ["imap", "imaps", "native_pop3", "native_pop3s", "pop3", "pop3s", "slow_imap", "slow_imaps",
                 "idle_imaps"]
        self.port = {name: port_base + i for i, name in enumerate(names, 1)}
        account = pwd.getpwnam(mail_user)
        self.uid, self.gid, self.user = account.pw_uid, account.pw_gid, mail_user
        self.group = grp.getgrgid(self.gid).gr_name
        self.upstream = self.gateway = self.slow = self.idle = None
        os.makedirs(self.work, exist_ok=True)
        os.chmod(self.work, 0o755)

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def program(self, name):
        return os.path.join(self.programs, "bench_" + name)

    def check_ports(self):
        for port in self.port.values():
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    raise SystemExit(f"port {port} is taken, perhaps by servers of a run that was killed") from None

    # ---- what they serve ----

    def make_certificates(self):
        folder = self.path("tls")
        if os.path.exists(os.path.join(folder, "server.crt")):
            return
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "names"), "w") as out:
            out.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for arguments in (
                ["req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "3650", "-subj", "/CN=bench"],
                ["req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"],
                ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                 "3650", "-extfile", "names", "-out", "server.crt"]):
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
        os.chmod(os.path.join(folder, "server.key"), 0o644)

    def make_mailboxes(self, wanted):
        for name in wanted:
            kind, users, messages = MAILBOXES[name]
            done = self.path("manifests", f"{name}-{users}-{messages}.done")
            if os.path.exists(done):
                continue
            say(f"making mailbox {name}")
            subprocess.run([self.program("corpus"), self.path("mail"), self.path("manifests"), kind, name, str(users),
                            str(messages)], check=True)
            for folder in os.listdir(self.path("mail")):
                if folder.startswith(name):
                    self.give(self.path("mail", folder))
            open(done, "w").close()

    def manifest(self, user):
        return self.path("manifests", user + ".manifest")

    def give(self, path):
        subprocess.run(["chown", "-R", f"{self.uid}:{self.gid}", path], check=True)

    def copy_mailbox(self, user):
        """Fills USER's mailbox anew: hard links, the same UIDs, no index yet."""
        source, maildir = self.path("mail", COPIES[user], "Maildir"), self.path("mail", user, "Maildir")
        shutil.rmtree(self.path("mail", user), ignore_errors=True)
        for folder in ("new", "tmp"):
            os.makedirs(os.path.join(maildir, folder))
        subprocess.run(["cp", "-al", os.path.join(source, "cur"), maildir], check=True)
        shutil.copy(os.path.join(source, "dovecot-uidlist"), maildir)
        self.give(self.path("mail", user))

    def messages_left(self, user):
        maildir = self.path("mail", user, "Maildir")
        return sum(len(os.listdir(os.path.join(maildir, folder))) for folder in ("cur", "new"))

    # ---- processes ----

    def spawn(self, name, command):
        os.makedirs(self.path("run"), exist_ok=True)
        with open(self.path("run", name + ".log"), "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def config(self, template, name, **values):
        run = self.path("run", name)
        os.makedirs(run, exist_ok=True)
        values.update({port.upper(): number for port, number in self.port.items()})
        values.update(RUN=run, MAIL=self.path("mail"), USER=self.user, GROUP=self.group, PASSWORD=PASSWORD,
                      CERTIFICATE=self.path("tls", "server.crt"), KEY=self.path("tls", "server.key"),
                      CA=self.path("tls", "ca.crt"))
        with open(os.path.join(HERE, "conf", template)) as file:
            text = file.read()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        # Not in RUN, where Dovecot puts a link of that name.
        with open(self.path("run", name + ".conf"), "w") as out:
            out.write(text)
        return out.name

    def start_upstream(self):
        config = self.config("upstream.conf.in", "upstream")
        self.upstream = self.spawn("upstream", ["dovecot", "-F", "-c", config])
        wait_for_greeting(self.port["imap"], self.upstream, b"* OK")

    def start_slow_path(self, rtt):
        port = self.port
        self.slow = self.spawn("slow", [self.program("delay"), str(rtt / 2), f"{port['slow_imap']}:{port['imap']}",
                                        f"{port['slow_imaps']}:{port['imaps']}"])
        wait_for_greeting(port["slow_imap"], self.slow, b"* OK")

    def start_idle_upstream(self, user):
        self.idle = subprocess.Popen(
            [self.program("idle_imap"), str(self.port["idle_imaps"]), self.path("tls", "server.crt"),
             self.path("tls", "server.key"), self.path("mail", user, "Maildir")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        if self.idle.stdout.readline() != b"ready\n":
            raise RuntimeError("the idle upstream did not start")

    def upstream_port(self, case):
        if case.upstream == "idle":
            return self.port["idle_imaps"]
        return self.port[("slow_" if case.rtt else "") + ("imaps" if case.up == "tls" else "imap")]

    def start_gateway(self, system, case, fresh):
        """Starts the peer or popgate before the upstream, with an empty state if FRESH. Returns its process id."""
        state = self.path("state", system)
        if fresh:
            shutil.rmtree(state, ignore_errors=True)
        os.makedirs(state, exist_ok=True)
        start = self.start_peer if system in PEERS else self.start_popgate
        self.gateway = start(system, case, state)
        wait_for_greeting(self.port["pop3"], self.gateway, b"+OK")
        return self.gateway.pid

    def start_peer(self, system, case, state):
        index, check = PEER_FORMS[system]
        port, tls = self.upstream_port(case), case.up == "tls"
        os.chown(state, self.uid, self.gid)
        arguments = f"host=127.0.0.1 port={port}" + (f" ssl=imaps ssl_ca_file={self.path('tls', 'ca.crt')}" * tls)
        passdb = {"imap": f"driver = imap\n  args = {arguments}\n  "
                          "default_fields = userdb_imapc_user=%u userdb_imapc_password=%w",
                  "static": "driver = static\n  args = nopassword=y userdb_imapc_user=%u userdb_imapc_password=%w"}
        config = self.config("peer.conf.in", system, STATE=state, INDEX=index, UPSTREAM_PORT=port,
                             UPSTREAM_SSL="imaps" if tls else "no", PASSDB=f"passdb {{\n  {passdb[check]}\n}}")
        return self.spawn(system, ["dovecot", "-F", "-c", config])

    def start_popgate(self, system, case, state):
        os.chmod(state, 0o700)
        more = "".join(f"\t{name} = {value}\n" for name, value in (case.needs or {}).items())
        config = self.config("popgate.conf.in", system, STATE=state, UPSTREAM_PORT=self.upstream_port(case),
                             UPSTREAM_TLS="implicit" if case.up == "tls" else "none", MORE=more)
        return self.spawn(system, [self.popgate, "serve", "--config", config])

    def stop(self, what, patience=10):
        stop(getattr(self, what), patience)
        setattr(self, what, None)

    def stop_all(self):
        for what in ("gateway", "slow", "idle", "upstream"):
            self.stop(what)
