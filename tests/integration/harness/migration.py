"""What it takes to move mailboxes: the address that clients keep, what a server's own POP3 says, copies of the mail, and the
commands and gateways that stand between two servers."""
import contextlib
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import threading

from . import popgate, ports, unpacked, workspace
from .cases import Case
from .clients import KeepingClient
from .dovecot import Dovecot
from .pop3 import Pop3

OLD_FORMAT = "%v.%u"  # what old_server() makes UIDLs of; popgate's own default is another


def old_server():
    return Dovecot(extra=f"pop3_uidl_format = {OLD_FORMAT}\n")


class OldAndNew(Case):
    """Tests between an old POP3 server and a new IMAP server."""

    @classmethod
    def setUpClass(cls):
        cls.old, cls.new = old_server(), Dovecot()

    @classmethod
    def tearDownClass(cls):
        cls.old.stop()
        cls.new.stop()


def uidls_in(session):
    """The UIDLs that SESSION is shown, each with the subject of its message, sorted. Servers differ in the order: Courier
    sorts by file names as texts, where microseconds have no leading zeros."""
    return sorted((uidl.decode(), subjects([session.top(number, 0)])[0]) for number, uidl in session.uidl().items())


def by_number(session):
    """The UIDLs alone, in the order of the messages."""
    return [uidl.decode() for _, uidl in sorted(session.uidl().items())]


def uidls_of(server, user, port=None, read=uidls_in):
    """What READ makes of what the server's own POP3 (at PORT, where it has several) says."""
    with Pop3((ports.HOST, port or server.pop3_port)) as session:
        session.login(user, server.password)
        seen = read(session)
        session.quit()
    return seen


def old_uidls(server, user):
    return uidls_of(server, user, read=by_number)


class Door:
    """The address that clients have of their server, behind which the server can be another one tomorrow."""

    def __init__(self, port):
        self.leads_to = port  # of new connections
        self._listener = socket.create_server((ports.HOST, ports.free_port()), backlog=100)
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # until stop()
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection((ports.HOST, self.leads_to))
                except ConnectionRefusedError:
                    client.close()
                    continue
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def refill(source, user, target, skip=(), first=()):
    """TARGET gets what USER has on SOURCE, but for the messages at the places SKIP, behind the messages FIRST, so that UIDs
    become others."""
    with source.imap(user) as old:
        bodies = [octets for place, (_, octets) in enumerate(sorted(old.bodies().items())) if place not in skip]
    target.fill(user, list(first) + bodies)


def copy_by_append(source, user, target, new_user=None):
    """As imapsync does: each message in the order of the UIDs, with its flags and date, octet by octet."""
    with source.imap(user) as old, target.imap(new_user or user) as new:
        for octets, flags, date in old.messages():
            new.append_with(octets, flags, date)


MBSYNC = """
IMAPStore old
Host {host}
Port {old_port}
User {user}
Pass {old_password}
SSLType None
AuthMechs LOGIN

IMAPStore new
Host {host}
Port {new_port}
User {new_user}
Pass {new_password}
SSLType None
AuthMechs LOGIN

Channel move
Far :old:INBOX
Near :new:INBOX
Sync Pull
SyncState {folder}/
CopyArrivalDate yes
"""


def copy_by_mbsync(source, user, target, new_user=None):
    """mbsync adds a header of its own, X-TUID, to every message, so the sizes on both sides differ."""
    if not shutil.which("mbsync"):
        raise AssertionError("mbsync is not installed (isync)")
    folder = workspace.folder("mbsync")
    config = os.path.join(folder, "config")
    with open(config, "w", encoding="utf-8") as out:
        out.write(MBSYNC.format(
            host=ports.HOST, folder=folder, old_port=source.imap_port, user=user, old_password=source.password,
            new_port=target.imap_port, new_user=new_user or user, new_password=target.password))
    unpacked.run(["mbsync", "-q", "-c", config, "move"])
    shutil.rmtree(folder)


def letter(number, lines=None):
    """A message as mail programs write them. Every fifth has no Message-ID, every seventh a folded header; their sizes
    repeat, unless LINES says how long the body is."""
    lines = number * 3 % 11 if lines is None else lines
    identity = b"" if number % 5 == 0 else b"Message-ID: <%d.letter@example.org>\r\n" % number
    folded = b"X-Path: one\r\n\ttwo\r\n three\r\n" if number % 7 == 0 else b""
    return (b"Received: from there (there [192.0.2.1])\r\n\tby here with ESMTP id %08x;\r\n"
            b"\tMon, 6 May 2024 10:%02d:%02d +0200\r\n"
            b"From: Sender <sender@example.org>\r\nTo: user@example.org\r\nDate: Mon, 6 May 2024 10:%02d:%02d +0200\r\n"
            b"%s%sSubject: letter %d\r\n\r\n%s.\r\nEnd.\r\n"
            % (number, number // 60 % 60, number % 60, number // 60 % 60, number % 60, identity, folded, number,
               b"The same in every letter.\r\n" * lines))


def message(number, subject=None):
    """A shorter one that can always be told from others: each has a Message-ID, and sizes differ for long."""
    return (b"Received: from a.example by b.example; Mon, 1 Jan 2001 00:00:%02d +0000\r\n"
            b"From: Jane <jane@example.org>\r\nSubject: %s\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\n"
            b"Message-ID: <%d@example.org>\r\n\r\n%s\r\n"
            % (number % 60, subject or b"number %d" % number, number, b"x" * (number * 37 % 900)))


def letters(count):
    return [letter(number) for number in range(1, count + 1)]


def subjects(messages):
    """What the SUBJECT lines of MESSAGES say."""
    return [re.search(rb"^Subject: ([^\r\n]*)", message, re.M)[1].decode() for message in messages]


_names = itertools.count(1)


class Move:
    """A mailbox of OLD, whose POP3 is at PORT, with MAIL, and one client of each kind that leaves it there."""

    def __init__(self, old, mail, port=None):
        self.old, self.user = old, f"mover{next(_names)}"
        old.add_user(self.user)
        old.fill(self.user, mail)
        self.uidls = uidls_of(old, self.user, port)
        self.door = Door(port or old.pop3_port)
        self.clients = {name: KeepingClient(name) for name in KeepingClient.NAMES}

    def fetch(self):
        """Client -> the subjects of what was new to it now, behind the door, sorted."""
        return {name: sorted(subjects(client.fetch(self.door.address, self.user))) for name, client in self.clients.items()}

    def copy(self, new, by=copy_by_append):
        new.add_user(self.user)
        by(self.old, self.user, new)


class Bridge(popgate.Popgate):
    """A gateway before NEW, an IMAP server, and OLD, whose POP3 (at OLD_PORT) knows the same users. UPSTREAM: more about
    NEW."""

    def __init__(self, old, new, upstream=None, old_port=None, **settings):
        super().__init__(
            {"label": "new", "port": new.imap_port, "old": "oldpop", **(upstream or {})},
            blocks=[("upstream oldpop", {"protocol": "pop3", "port": old_port or old.pop3_port})], **settings)

    def command(self, *words, **options):
        """A command of popgate's that takes the configuration; the finished process."""
        return popgate.run(*words, "--config", self.config, **options)


class Commands:
    """A configuration with both servers, and the commands that use it."""

    def __init__(self, old_port, new_port, old=None, new=None, **settings):
        self.dir = workspace.folder("migration")
        self.state = os.path.join(self.dir, "state")
        self.config = os.path.join(self.dir, "popgate.conf")
        upstream = {**popgate.UPSTREAM, "label": "new", "port": new_port, **(new or {})}
        source = {**popgate.UPSTREAM, "protocol": "pop3", "port": old_port, **(old or {})}
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(popgate.config_text(
                {"state_directory": self.state, **popgate.SETTINGS, **settings}, [("pop3", {"address": "127.0.0.1:1"})],
                upstream, [("upstream old", source)]))

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def users(self, users):
        """A list for --users, all with the usual password but where USERS (a dict) says another."""
        words = users if isinstance(users, dict) else {user: "secret" for user in users}
        return self.file("users", "".join(f"{user} {word}\n" for user, word in words.items()))

    def uidl(self, command, *arguments, timeout=300, **options):
        return popgate.run("uidl", command, "--config", self.config, *arguments, timeout=timeout, **options)

    def imported(self, *arguments, **options):
        """Runs an import; returns the process and its report by user."""
        path = os.path.join(self.dir, "report.json")
        done = self.uidl("import", "--report", path, *arguments, **options)
        with open(path, encoding="utf-8") as report:
            text = json.load(report)
        return done, {row["user"]: row for row in text["users"]}, text["total"]

    def start_import(self, *arguments):
        return subprocess.Popen([popgate.binary(), "uidl", "import", "--config", self.config, *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                env=popgate.environment())


class LearningGate(popgate.Popgate):
    """A gateway in front of the new server that learns from the old one, at OLD_PORT."""

    def __init__(self, old_port, new_port, new=None, old=None, blocks=(), **settings):
        old = {"protocol": "pop3", "port": old_port, **(old or {})}
        super().__init__({"label": "new", "port": new_port, "learn": "old", **(new or {})},
                         blocks=[("upstream old", old), *blocks], **settings)

    def move_old(self, port):
        """From now on the old server is at PORT."""
        self.blocks[0][1]["port"] = port
        self.reload()

    def uidls(self, user):
        """What a client is told, by message number."""
        session = self.login_when_free(user)
        seen = by_number(session)
        session.quit()
        return seen
