"""A POP3 driver on a raw socket: exact octets in both directions, and nothing forgiven."""
import base64
import re
import socket
import ssl
import struct

TIMEOUT = 60


class Pop3Error(AssertionError):
    """The server answered -ERR where the test needs +OK, or not in the form of RFC 1939."""


def tls_context(ca=None):
    context = ssl.create_default_context(cafile=ca)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Pop3:
    """One connection. With TLS (a context) it begins with the handshake; the greeting is read at once."""

    def __init__(self, address, tls=None, timeout=TIMEOUT, greeting=True, server_hostname="localhost",
                 source=None):
        bound = {"source_address": (source, 0)} if source else {}
        self.sock = socket.create_connection(address, timeout=timeout, **bound)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_hostname)
        self.greeting = self.line() if greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # octets

    def send(self, octets):
        self.sock.sendall(octets)

    def _more(self):
        data = self.sock.recv(1 << 18)
        self._buffer += data
        return len(data)

    def _take(self, count):
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def line(self):
        """One line without its CRLF; b'' with nothing behind it means that the server closed."""
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                line = self._take(end + 1)
                if not line.endswith(b"\r\n"):
                    raise Pop3Error(f"line does not end in CRLF: {line[-80:]!r}")
                return line[:-2]
            if not self._more():
                if self._buffer:
                    raise Pop3Error(f"closed inside a line: {bytes(self._buffer[:200])!r}")
                return b""

    def raw_multi(self):
        """The octets of a multi-line reply up to and with its final dot line."""
        seen = 0
        while True:
            if self._buffer.startswith(b".\r\n"):
                return self._take(3)
            end = self._buffer.find(b"\r\n.\r\n", max(0, seen - 4))
            if end >= 0:
                return self._take(end + 5)
            seen = len(self._buffer)
            if not self._more():
                raise Pop3Error(f"closed inside a multi-line reply: ...{bytes(self._buffer[-200:])!r}")

    def rest(self, until=None):
        """Everything until the server closes, or has just sent UNTIL; a reset counts as a close."""
        try:
            while not (until and self._buffer.endswith(until)) and self._more():
                pass
        except (ConnectionResetError, ssl.SSLError):
            pass
        return self._take(len(self._buffer))

    def at_eof(self):
        return self.rest() == b""

    # commands

    def command(self, line):
        """Sends LINE and CRLF, returns the status line."""
        self.send(_octets(line) + b"\r\n")
        return self.status()

    def status(self):
        line = self.line()
        if not re.match(rb"(\+OK|-ERR)( |$)", line) and not line.startswith(b"+ "):
            raise Pop3Error(f"neither +OK nor -ERR: {line!r}")
        if len(line) > 510:
            raise Pop3Error(f"a status line of {len(line)} octets")
        return line

    def ok(self, line):
        reply = self.command(line)
        if not reply.startswith(b"+OK"):
            raise Pop3Error(f"{_octets(line)[:60]!r}: {reply!r}")
        return reply

    def err(self, line):
        reply = self.command(line)
        if not reply.startswith(b"-ERR"):
            raise Pop3Error(f"{_octets(line)[:60]!r} should fail: {reply!r}")
        return reply

    def multi(self, line):
        """The octets of a successful multi-line reply, un-stuffed, without the final dot line."""
        self.ok(line)
        return self.multi_body()

    def multi_body(self):
        return unstuff(self.raw_multi())

    def lines(self, line):
        return self.multi(line).split(b"\r\n")[:-1]

    def login(self, user, password="secret"):
        self.ok(b"USER " + _octets(user))
        return self.ok(b"PASS " + _octets(password))

    def auth_plain(self, user, password="secret"):
        blob = base64.b64encode(b"\0" + _octets(user) + b"\0" + _octets(password))
        return self.ok(b"AUTH PLAIN " + blob)

    def stat(self):
        match = re.fullmatch(rb"\+OK (\d+) (\d+)( .*)?", self.ok("STAT"))
        if not match:
            raise Pop3Error("STAT answers in another form than '+OK n octets'")
        return int(match[1]), int(match[2])

    def uidl(self):
        """Message number -> UIDL."""
        return {int(number): uid for number, uid in (line.split(b" ") for line in self.lines("UIDL"))}

    def list(self):
        return {int(number): int(size) for number, size in (line.split(b" ") for line in self.lines("LIST"))}

    def capa(self):
        return self.lines("CAPA")

    def retr(self, number):
        return self.multi(f"RETR {number}")

    def top(self, number, lines):
        return self.multi(f"TOP {number} {lines}")

    def stls(self, context=None, server_hostname="localhost"):
        self.ok("STLS")
        if self._buffer:
            raise Pop3Error("octets behind the answer to STLS")
        self.sock = (context or tls_context()).wrap_socket(self.sock, server_hostname=server_hostname)

    def quit(self):
        """QUIT, its answer, and the end of the connection."""
        reply = self.command("QUIT")
        if self.rest():
            raise Pop3Error("octets behind the answer to QUIT")
        self.close()
        return reply

    # ends

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


def _octets(text):
    return text if isinstance(text, bytes) else str(text).encode()


def unstuff(raw):
    """RAW as raw_multi gives it -> its content. Refuses what RFC 1939 does not allow on the wire."""
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raise Pop3Error("a bare LF in a multi-line reply")
    content = raw[:-3]
    if content.startswith(b"."):
        if not content.startswith(b".."):
            raise Pop3Error("an unstuffed dot at the beginning of a multi-line reply")
        content = content[1:]
    if content.count(b"\r\n.") != content.count(b"\r\n.."):
        raise Pop3Error("an unstuffed dot in a multi-line reply")
    return content.replace(b"\r\n..", b"\r\n.")
