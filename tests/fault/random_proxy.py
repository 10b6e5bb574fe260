"""A proxy on the way to an IMAP server that breaks some of its connections, at random places and in random ways."""
import asyncio
import collections
import random
import socket
import struct

KINDS = ("reset", "close", "stall", "pause", "dribble")

# A fault that waits for one of these words comes close to the commands of a deletion or of a message.
WORDS = (b"STORE", b"EXPUNGE", b"SEARCH", b"FETCH", b"SELECT", b"LOGOUT")

UP, DOWN = "to the server", "to the gateway"


class RandomProxy:
    """Listens on a free port of 127.0.0.1. RATE: which part of the connections gets a fault; may change any time."""

    def __init__(self, port, rate=0.0):
        self.server_port = port
        self.rate = rate
        self.port = None
        self.faults = collections.Counter()
        self.connections = set()
        self.accepted = 0
        self.hook = None  # called with the octets of every piece on its way to the server
        self._listener = None

    async def start(self):
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self):
        self._listener.close()
        for connection in list(self.connections):
            connection.end()
        await self._listener.wait_closed()

    async def _serve(self, reader, writer):
        self.accepted += 1
        connection = _Connection(self, writer)
        self.connections.add(connection)
        try:
            server_reader, connection.server = await asyncio.open_connection("127.0.0.1", self.server_port)
            await asyncio.gather(connection.relay(reader, connection.server, UP),
                                 connection.relay(server_reader, writer, DOWN))
        except (OSError, _Over):
            pass
        finally:
            connection.end()
            self.connections.discard(connection)


class _Over(Exception):
    """The connection is to end here."""


class _Connection:
    def __init__(self, proxy, gateway):
        self.proxy, self.gateway, self.server = proxy, gateway, None
        self.kind = self.word = None
        self.left = {UP: None, DOWN: None}  # octets until the fault
        self.stalled = False
        if random.random() < proxy.rate:
            self.kind = random.choice(KINDS)
            if random.random() < 0.6:
                self.word = random.choice(WORDS)
            else:
                self.left[random.choice((UP, DOWN))] = int(10 ** random.uniform(0, 4.5))

    async def relay(self, reader, writer, direction):
        while data := await reader.read(65536):
            if direction == UP:
                if self.proxy.hook is not None:
                    self.proxy.hook(data)
                self._look_for_word(data)
            if self.stalled:
                continue
            left = self.left[direction]
            if left is not None and left <= len(data):
                self.left[direction] = None
                writer.write(data[:left])
                await self._fault(writer, data[left:])
                continue
            if left is not None:
                self.left[direction] = left - len(data)
            writer.write(data)
            await writer.drain()
        if direction == UP:
            raise _Over  # the gateway is gone
        self._finish(writer)

    def _look_for_word(self, data):
        at = data.find(self.word) if self.word else -1
        if at < 0:
            return
        self.word = None
        if random.random() < 0.5:
            self.left[UP] = random.randint(max(0, at - 10), len(data))
        else:
            self.left[DOWN] = random.randint(0, 120)

    async def _fault(self, writer, rest):
        self.proxy.faults[self.kind] += 1
        if self.kind == "reset":
            self.end()
            raise _Over
        if self.kind == "close":
            await writer.drain()
            self._finish(self.gateway)
            self._finish(self.server)
            raise _Over
        if self.kind == "stall":
            self.stalled = True  # until the gateway has had enough
            return
        if self.kind == "pause":
            await asyncio.sleep(random.uniform(0.1, 3))
        else:
            for octet in rest[:200]:
                writer.write(bytes((octet,)))
                await asyncio.sleep(0.001)
            rest = rest[200:]
        writer.write(rest)
        await writer.drain()

    @staticmethod
    def _finish(writer):
        if not writer.is_closing():
            writer.close()

    def end(self):
        """Resets what is still open on either side."""
        for writer in (self.gateway, self.server):
            if writer is not None and not writer.is_closing():
                reset(writer)


def reset(writer):
    """Ends the connection by RST."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
