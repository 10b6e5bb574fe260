"""A small, honest in-memory IMAP server, any step of which a test can replace.

Steps have names: "greeting", the command's name ("LOGIN", "SELECT", "UID STORE", ...), and for fetches
"fetch listing" or "fetch body". `server.on(step, action)` replaces a step; an action is

- octets: sent as they are, with {tag} replaced by the command's tag;
- close, reset, stall (below);
- a callable(connection, command): true if it has answered, false to let the server answer as usual.

The server keeps every octet it received (after decryption) and every command line, per connection."""
import base64
import re
import socket
import ssl
import struct
import threading

from . import certificates, ports

CAPABILITY = ("IMAP4rev1", "LITERAL+", "SASL-IR", "AUTH=PLAIN", "ID", "UIDPLUS", "MOVE")


# The messages of SASL that this server understands, to the octet.
MESSAGES = {
    "PLAIN": rb"(?P<user>[^\x00]*)\x00(?P<owner>[^\x00]+)\x00(?P<secret>[^\x00]+)",
    "XOAUTH2": rb"user=(?P<user>[^\x01]+)\x01auth=Bearer (?P<secret>[^\x01]+)\x01\x01",
    "OAUTHBEARER": rb"n,a=(?P<user>(?:[^\x01,=]|=2C|=3D)+),\x01host=[^\x01]+\x01port=\d+\x01auth=Bearer (?P<secret>[^\x01]+)\x01\x01",
}


class Ended(Exception):
    """The connection is to end here."""


def close(connection, _command):
    raise Ended


def reset(connection, _command):
    connection.reset()
    raise Ended


def stall(connection, _command):
    """Says nothing more until the peer closes."""
    connection.drain()
    raise Ended


def send_then(octets, end=close):
    """Sends OCTETS ({tag} replaced), then ends by END."""
    def action(connection, command):
        connection.send_for(command, octets)
        return end(connection, command)
    return action


def once(action):
    """ACTION for the first time; the usual answer from then on."""
    left = [action]

    def first(connection, command):
        return connection.act(left.pop(), command) if left else False
    return first


class Message:
    def __init__(self, uid, body, flags=()):
        self.uid, self.body, self.flags = uid, body, set(flags)
        self.size = len(body)


class Box:
    """What a mailbox other than INBOX holds; of INBOX the server itself tells the same."""

    def __init__(self, messages=(), uidvalidity=1700000000, read_only=False):
        self.messages = [Message(uid, octets) for uid, octets in enumerate(messages, 1)]
        self.uidvalidity, self.read_only = uidvalidity, read_only

    def uids(self):
        return [message.uid for message in self.messages]


class Command:
    def __init__(self, raw):
        self.raw = raw
        self.tag, _, rest = raw.partition(b" ")
        word, _, self.arguments = rest.partition(b" ")
        self.name = word.upper().decode("ascii", "replace").strip()
        if self.name == "UID":
            word, _, self.arguments = self.arguments.partition(b" ")
            self.name = "UID " + word.upper().decode("ascii", "replace")
        self.arguments = self.arguments.rstrip(b"\r\n")

    @property
    def step(self):
        if self.name in ("FETCH", "UID FETCH"):
            return "fetch body" if b"BODY" in self.arguments.upper() else "fetch listing"
        return self.name


class Server:
    """TLS: "none", "starttls" or "implicit". Any user logs in with PASSWORD unless USERS maps names to words. BOXES maps
    names of further mailboxes to a Box; without them, whatever is selected is INBOX."""

    def __init__(self, messages=(), capability=CAPABILITY, tls="none", certificate=None, users=None,
                 uidvalidity=1700000000, read_only=False, permanent=r"\Answered \Flagged \Deleted \Seen \Draft \*",
                 mailboxes=("Trash",), context=None, boxes=None):
        self.messages = [m if isinstance(m, Message) else Message(i, m) for i, m in enumerate(messages, 1)]
        self.capability = list(capability)
        self.tls, self.users, self.password = tls, users, "secret"
        self.uidvalidity, self.read_only, self.permanent = uidvalidity, read_only, permanent
        self.mailboxes = {name: [] for name in mailboxes}
        self.boxes = boxes or {}
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.commands = []
        self.received = bytearray()
        self.logins = []
        self.shown = []  # (mechanism, user, who logs in for that user or None, secret), all octets
        self.token = b"token"
        self.refusal = b'{"status":"401","schemes":"bearer","scope":"UPSTREAM"}'
        self.dummies = []  # what clients answered to that
        self.connections = []
        self.accepted = 0
        self.faults = []
        self._actions = {}
        self._context = context
        if tls != "none" and context is None:
            certificate = certificate or certificates.good()
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate.cert, certificate.key)
        self._listener = socket.create_server((ports.HOST, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, step, action):
        self._actions[step] = action
        return self

    def usual(self, *steps):
        """Takes back the replacements of STEPS, or all of them."""
        for step in steps or list(self._actions):
            self._actions.pop(step, None)

    def action(self, step):
        return self._actions.get(step)

    def names(self):
        """The names of the commands received, in order."""
        with self.lock:
            return [command.name for command in self.commands]

    def lines(self, name):
        """The arguments of the commands called NAME."""
        with self.lock:
            return [command.arguments for command in self.commands if command.name == name]

    def forget(self):
        """Clears the record."""
        with self.lock:
            self.commands.clear()
            self.received.clear()
            self.logins.clear()
            self.shown.clear()
            self.dummies.clear()

    def wait_for(self, condition, timeout=30):
        """Waits until CONDITION(self) holds; it is looked at after every command and at every end."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self), timeout):
                raise AssertionError(f"scripted server: condition did not come; commands: {self.names()}")

    def uids(self):
        with self.lock:
            return [message.uid for message in self.messages]

    def flags(self):
        with self.lock:
            return {message.uid: set(message.flags) for message in self.messages}

    def message(self, uid):
        return next((message for message in self.messages if message.uid == uid), None)

    def saw_credentials(self, *secrets):
        """True if one of SECRETS, plain or in base64, or a login command reached the server."""
        octets = bytes(self.received)
        if re.search(rb"(?i)\b(LOGIN|AUTHENTICATE)\b", octets):
            return True
        return any(secret.encode() in octets or base64.b64encode(secret.encode()) in octets for secret in secrets)

    def drop_connections(self):
        """Resets every open connection."""
        for connection in list(self.connections):
            connection.reset()

    def stop(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept, which would keep it open
        except OSError:
            pass
        self._listener.close()
        self.drop_connections()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self.connection(self, sock)
            with self.changed:
                self.accepted += 1
                self.connections.append(connection)
                self.changed.notify_all()
            threading.Thread(target=connection.run, daemon=True).start()


class Connection:
    greeting = b"* OK scripted server ready\r\n"

    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.secure = False
        self.user = None
        self.box = server  # the mailbox that is selected
        self._buffer = bytearray()

    # octets

    def send(self, octets):
        self.sock.sendall(octets)

    def send_for(self, command, octets):
        self.send(octets.replace(b"{tag}", command.tag if command else b"*"))

    def reset(self):
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # the linger setting makes the close an RST; shutdown wakes a reader in another thread
            self.sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass
        self.sock.close()

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Ended
        self._buffer += data
        with self.server.lock:
            self.server.received += data

    def _line(self):
        while b"\n" not in self._buffer:
            self._more()
        end = self._buffer.find(b"\n") + 1
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line

    def _octets(self, count):
        while len(self._buffer) < count:
            self._more()
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        return octets

    def drain(self):
        try:
            while True:
                self._more()
        except (Ended, OSError):
            pass

    def read_command(self):
        raw = self._line()
        while True:
            literal = re.search(rb"\{(\d+)(\+?)\}\r\n$", raw)
            if not literal:
                return Command(raw)
            if not literal[2]:
                self.send(b"+ go ahead\r\n")
            raw += self._octets(int(literal[1])) + self._line()

    # the dialogue

    def run(self):
        try:
            if self.server.tls == "implicit":
                self.start_tls()
            if not self.act(self.server.action("greeting"), None):
                self.send(self.greeting)
            while True:
                command = self.read_command()
                with self.server.changed:
                    self.server.commands.append(command)
                    self.server.changed.notify_all()
                if self.act(self.server.action(command.step), command):
                    continue
                self.usual(command)
        except (Ended, OSError, ValueError):
            pass
        except Exception as error:  # shown by the test, not lost in the thread
            self.server.faults.append(error)
        finally:
            try:
                self.sock.close()
            except OSError:
                pass
            with self.server.changed:
                if self in self.server.connections:
                    self.server.connections.remove(self)
                self.server.changed.notify_all()

    def act(self, action, command):
        if action is None:
            return False
        if isinstance(action, bytes):
            self.send_for(command, action)
            return True
        return action(self, command)

    def start_tls(self):
        self.sock = self.server._context.wrap_socket(self.sock, server_side=True)
        self.secure = True

    def done(self, command, text="done", status="OK"):
        self.send(b"%s %s %s\r\n" % (command.tag, status.encode(), text.encode()))

    def usual(self, command):
        method = getattr(self, "do_" + command.name.lower().replace(" ", "_"), None)
        if method is None:
            self.done(command, "unknown command", "BAD")
        elif "FETCH" in command.name:  # may wait for a slow reader, so not under the lock
            method(command)
        else:
            with self.server.lock:
                method(command)
                self.server.changed.notify_all()

    def do_capability(self, command):
        words = [word for word in self.server.capability if word not in ("STARTTLS", "LOGINDISABLED")]
        if self.server.tls == "starttls" and not self.secure:
            words = ["IMAP4rev1", "STARTTLS", "LOGINDISABLED"]
        elif "LOGINDISABLED" in self.server.capability:
            words.append("LOGINDISABLED")
        self.send(b"* CAPABILITY %s\r\n" % " ".join(words).encode())
        self.done(command)

    def do_starttls(self, command):
        if self.server.tls != "starttls" or self.secure:
            return self.done(command, "not here", "BAD")
        self.done(command, "begin")
        if self._buffer:
            raise AssertionError("octets behind STARTTLS")
        self.start_tls()

    def log_in(self, command, user, password):
        self.server.logins.append((user, password))
        users = self.server.users
        right = users.get(user) if users is not None else self.server.password
        if password != right:
            return self.done(command, "[AUTHENTICATIONFAILED] no", "NO")
        self.user = user
        self.done(command, "logged in")

    def do_login(self, command):
        words = arguments(command.arguments)
        if len(words) != 2:
            return self.done(command, "two arguments", "BAD")
        self.server.shown.append(("LOGIN", words[0], None, words[1]))
        self.log_in(command, words[0].decode(), words[1].decode(errors="surrogateescape"))

    def do_authenticate(self, command):
        mechanism, _, initial = command.arguments.partition(b" ")
        mechanism = mechanism.upper().decode()
        if mechanism not in MESSAGES or "AUTH=" + mechanism not in self.server.capability:
            return self.done(command, "unknown mechanism", "NO")
        if not initial:
            self.send(b"+ \r\n")
            initial = self._line().strip()
        elif "SASL-IR" not in self.server.capability:
            return self.done(command, "no initial response here", "BAD")
        if initial == b"*":
            return self.done(command, "cancelled", "BAD")
        match = re.fullmatch(MESSAGES[mechanism], base64.b64decode(initial, validate=True), re.S)
        if not match:
            return self.done(command, "malformed message", "BAD")
        user, master, secret = match["user"], match.groupdict().get("owner"), match["secret"]
        if mechanism == "PLAIN":
            user, master = user or master, master if user else None
            self.server.shown.append((mechanism, user, master, secret))
            return self.log_in(command, (master or user).decode(), secret.decode(errors="surrogateescape"))
        if mechanism == "OAUTHBEARER":
            user = user.replace(b"=2C", b",").replace(b"=3D", b"=")
        self.server.shown.append((mechanism, user, None, secret))
        if self.server.token not in (None, secret):
            self.send(b"+ " + base64.b64encode(self.server.refusal) + b"\r\n")
            self.server.dummies.append(self._line())
            return self.done(command, "refused", "NO")
        self.user = user.decode()
        self.done(command, "logged in")

    def do_id(self, command):
        self.send(b'* ID ("name" "scripted")\r\n')
        self.done(command)

    def do_enable(self, command):
        self.send(b"* ENABLED\r\n")
        self.done(command)

    def do_noop(self, command):
        self.done(command)

    do_check = do_noop

    def do_namespace(self, command):
        self.send(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
        self.done(command)

    def do_list(self, command):
        for name in ("INBOX", *self.server.mailboxes, *self.server.boxes):
            self.send(b'* LIST () "/" "%s"\r\n' % name.encode())
        self.done(command)

    def do_logout(self, command):
        self.send(b"* BYE bye\r\n")
        self.done(command)
        raise Ended

    def do_select(self, command):
        server, name = self.server, arguments(command.arguments)[0].decode()
        self.box = server.boxes.get(name) if server.boxes and name.upper() != "INBOX" else server
        if self.box is None:
            return self.done(command, "[NONEXISTENT] no such mailbox", "NO")
        nextuid = max(self.box.uids(), default=0) + 1
        self.send(
            b"* %d EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
            b"* OK [PERMANENTFLAGS (%s)] flags\r\n* OK [UIDVALIDITY %d] valid\r\n* OK [UIDNEXT %d] next\r\n"
            % (len(self.box.messages), server.permanent.encode(), self.box.uidvalidity, nextuid))
        read_only = self.box.read_only or command.name == "EXAMINE"
        self.done(command, "[READ-ONLY] selected" if read_only else "[READ-WRITE] selected")

    do_examine = do_select

    def do_status(self, command):
        self.send(b"* STATUS INBOX (MESSAGES %d UIDNEXT %d UIDVALIDITY %d)\r\n" % (
            len(self.server.messages), max(self.server.uids(), default=0) + 1, self.server.uidvalidity))
        self.done(command)

    def chosen(self, text, by_uid):
        """(sequence number, message) of the messages that the set TEXT names, in mailbox order."""
        messages = list(enumerate(self.box.messages, 1))
        if not messages:
            return []
        top = messages[-1][1].uid if by_uid else messages[-1][0]
        ranges = []
        for part in text.decode().split(","):
            low, _, high = part.partition(":")
            ends = [top if end == "*" else int(end) for end in (low, high or low)]
            ranges.append((min(ends), max(ends)))
        return [(number, message) for number, message in messages
                if any(low <= (message.uid if by_uid else number) <= high for low, high in ranges)]

    def fetch(self, command, by_uid):
        text, _, items = command.arguments.partition(b" ")
        for number, message in self.chosen(text, by_uid):
            self.send(self.fetched(number, message, items.upper(), by_uid))
        self.done(command)

    def fetched(self, number, message, items, by_uid=True):
        parts = []
        if by_uid or re.search(rb"\bUID\b", items):
            parts.append(b"UID %d" % message.uid)
        if b"FLAGS" in items:
            parts.append(b"FLAGS (%s)" % " ".join(sorted(message.flags)).encode())
        if b"RFC822.SIZE" in items:
            parts.append(b"RFC822.SIZE %d" % message.size)
        if b"INTERNALDATE" in items:
            parts.append(b'INTERNALDATE "01-Jan-2024 00:00:00 +0000"')
        body = re.search(rb"BODY(\.PEEK)?\[(HEADER\.FIELDS \([A-Z -]+\)|HEADER|TEXT|)\](<(\d+)\.(\d+)>)?", items)
        if body:
            if not body[1]:
                message.flags.add("\\Seen")
            octets, origin = section(message.body, body[2]), b""
            if body[3]:
                low, count = int(body[4]), int(body[5])
                octets, origin = octets[low:low + count], b"<%d>" % low
            parts.append(b"BODY[%s]%s {%d}\r\n" % (body[2], origin, len(octets)) + octets)
        return b"* %d FETCH (%s)\r\n" % (number, b" ".join(parts))

    def do_fetch(self, command):
        self.fetch(command, by_uid=False)

    def do_uid_fetch(self, command):
        self.fetch(command, by_uid=True)

    def do_uid_store(self, command):
        text, change, flags = command.arguments.split(b" ", 2)
        change = change.upper().decode()
        named = set(flags.decode().strip("()").split())
        if self.box.read_only:
            return self.done(command, "read-only", "NO")
        for number, message in self.chosen(text, by_uid=True):
            message.flags = (message.flags | named if change[0] == "+" else
                             message.flags - named if change[0] == "-" else named)
            if not change.endswith(".SILENT"):
                self.send(b"* %d FETCH (UID %d FLAGS (%s))\r\n" % (
                    number, message.uid, " ".join(sorted(message.flags)).encode()))
        self.done(command)

    def remove(self, uids):
        for number, message in reversed(list(enumerate(self.box.messages, 1))):
            if message.uid in uids:
                self.box.messages.remove(message)
                self.send(b"* %d EXPUNGE\r\n" % number)

    def do_expunge(self, command):
        self.remove({m.uid for m in self.box.messages if "\\Deleted" in m.flags})
        self.done(command)

    def do_uid_expunge(self, command):
        if "UIDPLUS" not in self.server.capability:
            return self.done(command, "unknown command", "BAD")
        chosen = self.chosen(command.arguments, by_uid=True)
        self.remove({message.uid for _, message in chosen if "\\Deleted" in message.flags})
        self.done(command)

    def do_uid_move(self, command):
        text, _, name = command.arguments.partition(b" ")
        target = self.server.mailboxes.get(arguments(name)[0].decode())
        if "MOVE" not in self.server.capability:
            return self.done(command, "unknown command", "BAD")
        if target is None:
            return self.done(command, "[TRYCREATE] no such mailbox", "NO")
        moved = [message for _, message in self.chosen(text, by_uid=True)]
        target.extend(moved)
        self.remove({message.uid for message in moved})
        self.done(command)

    def do_uid_search(self, command):
        self.search(command, by_uid=True)

    def do_search(self, command):
        self.search(command, by_uid=False)

    def search(self, command, by_uid):
        words = command.arguments.upper().split()
        found = list(enumerate(self.box.messages, 1))
        while words:
            word = words.pop(0)
            if word == b"UID":
                wanted = self.chosen(words.pop(0), by_uid=True)
                found = [pair for pair in found if pair in wanted]
            elif word in (b"DELETED", b"UNDELETED"):
                found = [p for p in found if ("\\Deleted" in p[1].flags) == (word == b"DELETED")]
            elif word in (b"KEYWORD", b"UNKEYWORD"):
                keyword = words.pop(0).decode().lower()
                found = [p for p in found
                         if (keyword in {flag.lower() for flag in p[1].flags}) == (word == b"KEYWORD")]
            elif re.fullmatch(rb"[\d:,*]+", word):
                wanted = self.chosen(word, by_uid=False)
                found = [pair for pair in found if pair in wanted]
            elif word != b"ALL":
                return self.done(command, "unknown search key", "BAD")
        numbers = "".join(f" {message.uid if by_uid else number}" for number, message in found)
        self.send(b"* SEARCH%s\r\n" % numbers.encode())
        self.done(command)

    def do_close(self, command):
        self.remove({m.uid for m in self.box.messages if "\\Deleted" in m.flags})
        self.done(command)

    def do_unselect(self, command):
        self.done(command)


def section(body, name):
    """The octets of BODY[name]."""
    if not name:
        return body
    end = body.find(b"\r\n\r\n")
    header = body if end < 0 else body[:end + 4]
    if name.startswith(b"HEADER.FIELDS"):
        wanted = re.search(rb"\((.*)\)", name)[1].split()
        lines = [line for line in header.split(b"\r\n") if line.partition(b":")[0].upper() in wanted]
        return b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    return header if name == b"HEADER" else body[len(header):]


def arguments(octets):
    """The astrings (atoms, quoted strings, literals) that OCTETS hold."""
    words = []
    while octets:
        quoted = re.match(rb'"((?:[^"\\\r\n]|\\["\\])*)"', octets)
        literal = re.match(rb"\{(\d+)\+?\}\r\n", octets)
        if quoted:
            words.append(re.sub(rb"\\(.)", rb"\1", quoted[1]))
            octets = octets[quoted.end():]
        elif literal:
            end = literal.end() + int(literal[1])
            words.append(octets[literal.end():end])
            octets = octets[end:]
        else:
            word, space, octets = octets.partition(b" ")
            if re.search(rb'[\x00-\x20\x7f-\xff(){%*"\\]', word) or not word:
                raise AssertionError(f"not an atom: {word!r}")
            words.append(word)
            octets = space + octets
        if octets and not octets.startswith(b" "):
            raise AssertionError(f"no space before {octets!r}")
        octets = octets[1:]
    return words


Server.connection = Connection
