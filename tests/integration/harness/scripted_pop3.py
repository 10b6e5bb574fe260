"""A small, honest in-memory POP3 server, any step of which a test can replace, as in scripted_imap.

Steps are "greeting" and the commands' names; what follows "+ " is "response"."""
import base64

from . import scripted_imap

CAPABILITY = ("TOP", "UIDL", "USER", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "SASL PLAIN")


def stuffed(message):
    """MESSAGE as a multi-line answer."""
    lines = message.split(b"\r\n")
    if lines[-1] == b"":
        lines.pop()
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


class Command:
    def __init__(self, raw):
        self.raw, self.tag = raw, b""
        word, _, self.arguments = raw.rstrip(b"\r\n").partition(b" ")
        self.name = word.upper().decode("ascii", "replace")

    @property
    def step(self):
        return self.name


class Connection(scripted_imap.Connection):
    greeting = b"+OK scripted server ready\r\n"

    def __init__(self, server, sock):
        super().__init__(server, sock)
        self.marked = set()

    def read_command(self):
        return Command(self._line())

    def done(self, command, text="done", status="+OK"):
        self.send(f"{status} {text}\r\n".encode())

    def usual(self, command):
        method = getattr(self, "do_" + command.name.lower(), None)
        if method is None:
            self.done(command, "unknown command", "-ERR")
        else:
            method(command)

    def lines(self, *lines):
        self.send(b"".join(line.encode() + b"\r\n" for line in ("+OK", *lines, ".")))

    def do_capa(self, _command):
        more = ["STLS"] if self.server.tls == "starttls" and not self.secure else []
        self.lines(*self.server.capability, *more)

    def do_stls(self, command):
        if self.server.tls != "starttls" or self.secure:
            self.done(command, "no", "-ERR")
            return
        self.done(command)
        self.start_tls()

    def log_in(self, command, user, password):
        users = self.server.users
        if password != (self.server.password if users is None else users.get(user)):
            self.done(command, "[AUTH] UPSTREAM says no", "-ERR")
            return
        self.user = user
        with self.server.changed:
            self.server.logins.append(user)
            self.server.changed.notify_all()
        self.done(command)

    def do_user(self, command):
        self.user = command.arguments.decode()
        self.done(command)

    def do_pass(self, command):
        self.log_in(command, self.user, command.arguments.decode())

    def do_auth(self, command):
        self.send(b"+ \r\n")
        user, owner, secret = base64.b64decode(self._line()).decode().split("\0")
        self.server.shown.append((user, owner, secret))
        self.log_in(command, owner, secret)

    def do_stat(self, command):
        messages = self.server.messages
        self.done(command, f"{len(messages)} {sum(message.size for message in messages)}")

    def do_list(self, _command):
        self.lines(*(f"{i} {message.size}" for i, message in enumerate(self.server.messages, 1)))

    def do_uidl(self, _command):
        self.lines(*(f"{i} old-{message.uid}" for i, message in enumerate(self.server.messages, 1)))

    def message(self, command):
        return self.server.messages[int(command.arguments.split()[0]) - 1]

    def do_retr(self, command):
        self.send(b"+OK here it is\r\n" + stuffed(self.message(command).body))

    def do_top(self, command):
        header, _, body = self.message(command).body.partition(b"\r\n\r\n")
        lines = body.split(b"\r\n")[:int(command.arguments.split()[1])]
        self.send(b"+OK\r\n" + stuffed(header + b"\r\n\r\n" + b"".join(line + b"\r\n" for line in lines)))

    def do_dele(self, command):
        self.marked.add(int(command.arguments))
        self.done(command)

    def do_noop(self, command):
        self.done(command)

    def do_quit(self, command):
        with self.server.lock:
            for number in sorted(self.marked, reverse=True):
                del self.server.messages[number - 1]
        self.done(command, "bye")
        raise scripted_imap.Ended


class Server(scripted_imap.Server):
    """TLS: "none", "starttls" (STLS) or "implicit". Any user logs in with "secret" unless USERS maps names to words."""
    connection = Connection

    def __init__(self, messages=(), capability=CAPABILITY, **options):
        super().__init__(messages, capability, **options)
