"""Two servers and the commands that move users from one to the other."""
import json
import os
import poplib
import subprocess

from . import popgate, workspace
from .dovecot import Dovecot
from .popgate import SETTINGS, UPSTREAM

OLD_FORMAT = "%v.%u"  # what the old server makes UIDLs of; popgate's own default is another


def message(number, subject=None):
    return (b"Received: from a.example by b.example; Mon, 1 Jan 2001 00:00:%02d +0000\r\n"
            b"From: Jane <jane@example.org>\r\nSubject: %s\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\n"
            b"Message-ID: <%d@example.org>\r\n\r\n%s\r\n"
            % (number % 60, subject or b"number %d" % number, number, b"x" * (number * 37 % 900)))


def old_server():
    return Dovecot(extra=f"pop3_uidl_format = {OLD_FORMAT}\n")


def copy(old, new, user, skip=(), first=()):
    """Copies by IMAP what USER has on OLD to NEW, but for the messages at the places SKIP; behind the messages FIRST, so that
    UIDs become others."""
    with old.imap(user) as source:
        bodies = [octets for place, (_, octets) in enumerate(sorted(source.bodies().items())) if place not in skip]
    new.fill(user, list(first) + bodies)


def old_uidls(old, user):
    """What the old server itself calls the messages, in their order."""
    session = poplib.POP3("127.0.0.1", old.pop3_port, timeout=60)
    session.user(user)
    session.pass_("secret")
    lines = session.uidl()[1]
    session.quit()
    return [line.split(b" ", 1)[1].decode() for line in lines]


class Commands:
    """A configuration with both servers, and the commands that use it."""

    def __init__(self, old_port, new_port, old=None, new=None, **settings):
        self.dir = workspace.folder("migration")
        self.state = os.path.join(self.dir, "state")
        self.config = os.path.join(self.dir, "popgate.conf")
        settings = {"state_directory": self.state, **SETTINGS, **settings}
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        lines += "listener pop3 {\n\taddress = 127.0.0.1:1\n}\n"
        blocks = [("new", {**UPSTREAM, "port": new_port, **(new or {})}),
                  ("old", {"protocol": "pop3", "host": "localhost", "tls": "none", "port": old_port,
                           "connect_timeout": "5s", "command_timeout": "30s", **(old or {})})]
        for label, values in blocks:
            inner = "".join(f"\t{name} = {popgate._value(value)}\n" for name, value in values.items())
            lines += f"upstream {label} {{\n{inner}}}\n"
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(lines)

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
    """A gateway in front of the new server that learns from the old one."""

    def __init__(self, old_port, new_port, new=None, more="", **settings):
        self.old_port, self.more = old_port, more
        super().__init__({"label": "new", "port": new_port, "learn": "old", **(new or {})}, **settings)

    def write(self, text):
        super().write(text + "upstream old {\n    protocol = pop3\n    host = localhost\n    tls = none\n"
                             f"    connect_timeout = 5s\n    port = {self.old_port}\n}}\n{self.more}")

    def uidls(self, user):
        """What a client is told, by message number."""
        session = self.login_when_free(user)
        seen = [line.split(b" ", 1)[1].decode() for line in session.lines("UIDL")]
        session.quit()
        return seen
