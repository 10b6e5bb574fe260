"""A proxy on the way to a server that passes so many octets exactly, and then does what networks do.

One thread for all connections of a proxy. What a test calls takes effect before the call returns."""
import fcntl
import selectors
import socket
import struct
import termios
import threading
import time

HOST = "127.0.0.1"

TO_SERVER, TO_CLIENT = "to server", "to client"
DIRECTIONS = (TO_SERVER, TO_CLIENT)

RESET, CLOSE, STALL = "reset", "close", "stall"
FAULTS = (RESET, CLOSE, STALL)

# What becomes of connections that are made after the fault.
RECOVER, DEAD, AGAIN = "recover", "dead", "again"

PIECE = 1 << 16


class Side:
    """One of the two sockets of a connection."""

    def __init__(self, connection, sock, direction):
        self.connection = connection
        self.sock = sock
        self.direction = direction  # of what is read here
        self.other = None
        self.waiting = bytearray()  # to be written here
        self.ended = False          # nothing more will be read here
        self.finished = False       # nothing more may be written here


class Connection:
    def __init__(self):
        self.client = self.server = None
        self.over = self.stalled = self.closing = False
        self.left = {}  # direction -> octets until the fault
        self.fault = None

    def sides(self):
        return [side for side in (self.client, self.server) if side is not None]


class CuttingProxy:
    """Listens on a free port of HOST and passes everything on to PORT, until it is armed."""

    def __init__(self, port):
        self._server_port = port
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((HOST, 0), backlog=100)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._running = True
        self._connections = []
        self.accepted = 0      # connections so far
        self.refused = 0       # of these, reset at once
        self.fired = 0         # faults so far
        self._then = RECOVER
        self._down = False
        self._again = None     # (direction, octets, fault) for every new connection
        self._recorded = None  # direction -> octets
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    # what tests call

    def arm(self, direction, after_octets, fault, then=RECOVER):
        """The connection that is there now (the next one, if there is none) passes just AFTER_OCTETS more in DIRECTION;
        then comes the FAULT. Later connections work (RECOVER), are reset at once (DEAD), or get the same fault after as
        many octets (AGAIN)."""
        with self._lock:
            self._then = then
            if then == AGAIN:
                self._again = (direction, after_octets, fault)
            if self._connections:
                self._arm(self._connections[-1], direction, after_octets, fault)
            else:
                self._again = (direction, after_octets, fault)

    def recover(self):
        """No more faults: new connections work, and what is stalled is ended."""
        with self._lock:
            self._down, self._again, self._then = False, None, RECOVER
            for connection in list(self._connections):
                connection.left.clear()
                if connection.stalled or connection.closing:
                    self._reset(connection)

    def go_down(self):
        """Resets every connection, and every new one, until recover()."""
        with self._lock:
            self._down = True
            for connection in list(self._connections):
                self._reset(connection)

    def record(self):
        """Begins to keep what passes, and forgets what has passed so far."""
        with self._lock:
            self._recorded = {direction: bytearray() for direction in DIRECTIONS}

    def recorded(self, direction):
        """What has passed in DIRECTION, on whichever connection, since record()."""
        with self._lock:
            return bytes(self._recorded[direction])

    def open_connections(self):
        with self._lock:
            return len(self._connections)

    def wait(self, condition, what, timeout=60):
        """Waits until CONDITION(self) is true, looking whenever something has passed or ended."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition(self):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited in vain for {what}")
                self._changed.wait(left)

    def stop(self):
        with self._lock:
            self._running = False
            for connection in list(self._connections):
                self._reset(connection)
        self._wake.send(b"x")
        self._thread.join()
        for sock in (self._listener, self._wake, self._woken):
            sock.close()
        self._selector.close()

    # the loop

    def _loop(self):
        while self._running:
            events = self._selector.select()
            with self._lock:
                for key, mask in events:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.data is not None and not key.data.connection.over:
                        self._serve(key.data, mask)
                self._changed.notify_all()

    def _serve(self, side, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                self._flush(side)
            if mask & selectors.EVENT_READ and not side.connection.over:
                self._read(side)
        except OSError:
            self._reset(side.connection)
        if not side.connection.over:
            self._watch(side.connection)

    def _accept(self):
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        self.accepted += 1
        if self._down or not self._running:
            self.refused += 1
            reset(sock)
            return
        connection = Connection()
        try:
            server = socket.create_connection((HOST, self._server_port), timeout=10)
        except OSError:
            reset(sock)
            return
        connection.client = Side(connection, sock, TO_SERVER)
        connection.server = Side(connection, server, TO_CLIENT)
        connection.client.other, connection.server.other = connection.server, connection.client
        for side in connection.sides():
            side.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.sock.setblocking(False)
        self._connections.append(connection)
        if self._again is not None:
            again = self._again
            if self._then != AGAIN:
                self._again = None
            self._arm(connection, *again)
        if not connection.over:
            self._watch(connection)

    def _watch(self, connection):
        """Asks for the events that can be used: a side is read only while the other can take more."""
        for side in connection.sides():
            wanted = selectors.EVENT_WRITE if side.waiting else 0
            if not (side.ended or side.other.waiting or connection.stalled):
                wanted |= selectors.EVENT_READ
            try:
                known = self._selector.get_key(side.sock).events
            except KeyError:
                known = 0
            if wanted == known:
                continue
            if not wanted:
                self._selector.unregister(side.sock)
            elif known:
                self._selector.modify(side.sock, wanted, side)
            else:
                self._selector.register(side.sock, wanted, side)

    def _read(self, side):
        connection = side.connection
        try:
            data = side.sock.recv(PIECE)
        except BlockingIOError:
            return
        if not data:
            self._end_of(side)
            return
        if connection.closing:
            return
        left = connection.left.get(side.direction)
        if left is not None:
            data = data[:left]
            connection.left[side.direction] = left - len(data)
        if self._recorded is not None:
            self._recorded[side.direction] += data
        side.other.waiting += data
        self._flush(side.other)

    def _end_of(self, side):
        """SIDE sends no more."""
        side.ended = True
        self._finish(side.other)
        if all(one.ended for one in side.connection.sides()):
            self._close(side.connection)

    def _flush(self, side):
        connection = side.connection
        while side.waiting:
            try:
                sent = side.sock.send(side.waiting)
            except BlockingIOError:
                return
            del side.waiting[:sent]
        if side.other.ended:
            self._finish(side)
        if connection.left.get(side.other.direction) == 0:
            self._fault(connection)

    @staticmethod
    def _finish(side):
        if side.waiting or side.finished:
            return
        side.finished = True
        try:
            side.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    # faults

    def _arm(self, connection, direction, after_octets, fault):
        connection.left = {direction: after_octets}
        connection.fault = fault
        if after_octets == 0:
            self._fault(connection)

    def _fault(self, connection):
        connection.left.clear()
        self.fired += 1
        self._down = self._then == DEAD
        if connection.fault == RESET:
            for side in connection.sides():
                drain(side.sock)
            self._reset(connection)
        elif connection.fault == CLOSE:
            connection.closing = True
            for side in connection.sides():
                self._finish(side)
            self._watch(connection)
        else:
            connection.stalled = True
            self._watch(connection)
        self._changed.notify_all()

    def _reset(self, connection):
        self._drop(connection, reset)

    def _close(self, connection):
        self._drop(connection, socket.socket.close)

    def _drop(self, connection, end):
        if connection.over:
            return
        connection.over = True
        for side in connection.sides():
            try:
                self._selector.unregister(side.sock)
            except KeyError:
                pass
            end(side.sock)
        self._connections.remove(connection)
        self._changed.notify_all()


def reset(sock):
    """Ends the connection by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def drain(sock, patience=0.2):
    """Waits until the peer's system has all that was written, since RST would take it away."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        unsent = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        if unsent == 0:
            return
        time.sleep(0.0005)
