"""A web service that speaks nginx's auth_http protocol: raw, so that a test says each octet of its answers."""
import contextlib
import socket
import ssl
import threading

from . import ports


class Service:
    """ANSWER is a function of a request's fields (names in lower case) that returns the octets of the reply, or None for
    silence until the end; the connection is closed behind it unless KEEP. CERTIFICATE: with TLS."""

    def __init__(self, answer=None, keep=False, certificate=None):
        self.answer = answer or (lambda fields: reply("OK"))
        self.keep = keep
        self.requests = []
        self.connections = 0
        self._open = []
        self._listener = socket.create_server((ports.HOST, 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{ports.HOST}:{self.port}/auth?x=1"
        self.tls = None
        if certificate:
            self.url = f"https://localhost:{self.port}/auth"
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate.cert, certificate.key)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            stream = sock.makefile("rb")
            while True:
                line = stream.readline()
                if not line:
                    break
                fields = {}
                for field in iter(stream.readline, b"\r\n"):
                    name, _, value = field.rstrip(b"\r\n").partition(b":")
                    fields[name.decode().lower()] = value.decode("utf-8", "surrogateescape").removeprefix(" ")
                self.requests.append((line.decode().rstrip(), fields))
                octets = self.answer(fields)
                if octets is None:
                    return
                sock.sendall(octets)
                if not self.keep:
                    break
            if self.tls:
                sock = sock.unwrap()
        except OSError:
            pass
        sock.close()

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # who waits in accept does not notice a close
        self._listener.close()
        for sock in self._open:
            sock.close()


def reply(status, version="HTTP/1.0 200 OK", body=b"", **fields):
    """As nginx's documentation writes it; Auth_Server=... and so on are fields."""
    lines = [version, f"Auth-Status: {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "".join(line + "\r\n" for line in lines).encode() + b"\r\n" + body
