"""One POP3 session with random commands and a random end. What comes back is held against the ledger."""
import asyncio
import random
import re
import socket
import time

from random_proxy import reset
from soak_ledger import is_protected, message

# Longer than the gateway may take for any answer, whatever the server does.
HUNG = 150


class Gone(Exception):
    """The connection has ended."""


class Wrong(Exception):
    """An answer that must not be: (invariant, text)."""


class Channel:
    """Octets to and from the gateway. SLOW: reads little at a time, through a small window."""

    def __init__(self, slow=False):
        self.slow = slow
        self._buffer = bytearray()

    async def connect(self, address, tls=None):
        sock = socket.socket()
        sock.setblocking(False)
        if self.slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
            self._reader, self.writer = await asyncio.open_connection(
                sock=sock, limit=4096 if self.slow else 65536, ssl=tls, server_hostname="localhost" if tls else None)
        except OSError as error:
            sock.close()
            raise Gone from error

    async def more(self):
        try:
            if self.slow:
                await asyncio.sleep(0.02)
            data = await asyncio.wait_for(self._reader.read(2048 if self.slow else 65536), HUNG)
        except asyncio.TimeoutError:
            raise Wrong("hung", f"no answer within {HUNG} s") from None
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self._buffer += data

    def _take(self, count):
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def line(self):
        while (end := self._buffer.find(b"\n")) < 0:
            await self.more()
        return self._take(end + 1)

    async def multi(self):
        """What a multi-line answer holds, without dot-stuffing."""
        seen = 0
        while not self._buffer.startswith(b".\r\n"):
            end = self._buffer.find(b"\r\n.\r\n", max(0, seen - 4))
            if end >= 0:
                octets = self._take(end + 5)[:-3]
                octets = octets[1:] if octets.startswith(b".") else octets
                return octets.replace(b"\r\n..", b"\r\n.")
            seen = len(self._buffer)
            await self.more()
        self._take(3)
        return b""

    async def send(self, octets):
        try:
            self.writer.write(octets)
            await self.writer.drain()
        except OSError as error:
            raise Gone from error

    async def answer(self):
        line = await self.line()
        if not re.match(rb"(\+OK|-ERR)( .*)?\r\n$", line):
            raise Wrong("form", f"neither +OK nor -ERR: {line[:80]!r}")
        return line.rstrip()

    async def rest(self):
        try:
            while True:
                await self.more()
        except Gone:
            return self._take(len(self._buffer))

    def close(self):
        self.writer.close()

    def reset(self):
        reset(self.writer)


class Session:
    """KIT: counters, complain, pause. GATE: where to connect. LEDGER: of the user."""

    def __init__(self, kit, gate, ledger):
        self.kit, self.gate, self.ledger = kit, gate, ledger
        self.channel = Channel(slow=random.random() < 0.05)
        self.numbers = {}   # POP3 number -> number of the message
        self.marked = set() # POP3 numbers

    async def run(self):
        """Returns how it ended."""
        end = await self._run()
        self.ledger.note(f"session ended: {end}")
        return end

    async def _run(self):
        try:
            await self._connect()
            began = await self._log_in()
            await self._list(began)
            for _ in range(random.randint(2, 12)):
                await self.kit.pause()
                await self._command()
            await self.kit.pause()
            return await self._end()
        except Gone:
            return "lost"
        except _Refused as refused:
            return str(refused)
        except Wrong as wrong:
            self.ledger.complain(*wrong.args)
            return "wrong"
        finally:
            if hasattr(self.channel, "writer") and not self.channel.writer.is_closing():
                self.channel.close()

    async def _connect(self):
        tls = self.kit.tls if random.random() < 0.08 else None
        await self.channel.connect(self.gate.pop3s if tls else self.gate.pop3, tls)
        greeting = await self.channel.answer()
        if not greeting.startswith(b"+OK"):
            raise _Refused("not greeted")
        self.kit.counts["connections"] += 1

    async def _ask(self, line):
        """Sends LINE and returns its status line; which of them are errors is for the caller to say."""
        self.kit.counts["commands"] += 1
        await self.channel.send(line + b"\r\n")
        return await self.channel.answer()

    def _judge(self, line, reply, allowed=()):
        """An -ERR is right only where the server behind was to blame, or where it is ALLOWED."""
        if reply.startswith(b"+OK"):
            return True
        if reply.startswith(b"-ERR [SYS/TEMP]"):
            self.kit.counts["temporary errors"] += 1
        elif not any(word in reply for word in allowed):
            raise Wrong("answer", f"{line!r}: {reply!r}")
        return False

    async def _log_in(self):
        user = self.ledger.user.encode()
        if random.random() < 0.1:
            self._judge(b"CAPA", await self._ask(b"CAPA")) and await self.channel.multi()
        if random.random() < 0.02:
            self.channel.reset()
            raise _Refused("vanished before login")
        began = time.monotonic()
        if random.random() < 0.02:
            await self._ask(b"USER " + user)
            if (await self._ask(b"PASS wrong")).startswith(b"+OK"):
                raise Wrong("login", "a wrong password was accepted")
        if random.random() < 0.3:
            free = self._first_after_crash()
            await self.channel.send(b"USER %s\r\nPASS secret\r\n" % user)
            self.kit.counts["commands"] += 2
            await self.channel.answer()
            reply = await self.channel.answer()
        else:
            await self._ask(b"USER " + user)
            free = self._first_after_crash()
            reply = await self._ask(b"PASS secret")
        if reply.startswith(b"-ERR [IN-USE]") and free == (self.gate.epoch, self.ledger.begun):
            raise Wrong("I6", "the maildrop is locked after a crash")
        if not self._judge(b"PASS", reply, (b"[IN-USE]",)):
            raise _Refused("in use" if b"IN-USE" in reply else "login failed")
        self.kit.counts["logins"] += 1
        self.ledger.note("session logged in")
        return began

    def _first_after_crash(self):
        """Something to compare with, if nobody else can have the maildrop's lock unless a dead gateway has."""
        free = self.ledger.epoch < self.gate.epoch and self.ledger.active == 1
        self.ledger.epoch = self.gate.epoch
        return (self.gate.epoch, self.ledger.begun) if free else None

    async def _pairs(self):
        return {int(place): value for place, value in
                (line.split(b" ") for line in (await self.channel.multi()).split(b"\r\n")[:-1])}

    async def _list(self, began):
        self.kit.counts["commands"] += 2
        await self.channel.send(b"UIDL\r\nLIST\r\n")
        if not (await self.channel.answer()).startswith(b"+OK"):
            raise Wrong("answer", "UIDL failed")
        uidls = {place: text.decode() for place, text in (await self._pairs()).items()}
        if not (await self.channel.answer()).startswith(b"+OK"):
            raise Wrong("answer", "LIST failed")
        sizes = {place: int(text) for place, text in (await self._pairs()).items()}
        self.numbers = self.ledger.listed(uidls, sizes, began)
        self.ledger.note(f"listed are {sorted(self.numbers.values())}")

    def _some_place(self):
        """A message that is not marked; 0 without any."""
        return random.choice([place for place in self.numbers if place not in self.marked] or [0])

    async def _command(self):
        choice = random.choices(("STAT", "LIST", "UIDL", "NOOP", "CAPA", "RSET", "RETR", "TOP", "DELE", "FOO"),
                                (4, 2, 2, 3, 1, 1, 30, 8, 30, 1))[0]
        await getattr(self, "_do_" + choice.lower(), self._do_plain)(choice.encode())

    async def _do_plain(self, word):
        if self._judge(word, await self._ask(word)) and word in (b"LIST", b"UIDL", b"CAPA"):
            await self.channel.multi()

    async def _do_foo(self, word):
        if not (await self._ask(word)).startswith(b"-ERR"):
            raise Wrong("answer", "an unknown command was accepted")

    async def _do_rset(self, word):
        if self._judge(word, await self._ask(word)):
            self.marked.clear()

    async def _do_dele(self, word):
        place = self._some_place()
        if place == 0 or place not in self.numbers or is_protected(self.numbers[place]):
            return
        if self._judge(word, await self._ask(b"DELE %d" % place)):
            self.marked.add(place)

    async def _do_retr(self, word):
        place = self._some_place()
        if place == 0 or not self._judge(word, await self._ask(b"RETR %d" % place), self._not_there(place)):
            return
        octets = await self.channel.multi()
        if octets != message(self.ledger.user, self.numbers[place]):
            raise Wrong("I7", f"RETR of message {self.numbers[place]} ended with a dot after {len(octets)} octets, "
                              "but these are not the message's")
        self.kit.counts["messages retrieved"] += 1

    async def _do_top(self, word):
        place, lines = self._some_place(), random.choice((0, 1, 5, 1000000))
        if place == 0:
            return
        if not self._judge(word, await self._ask(b"TOP %d %d" % (place, lines)), self._not_there(place)):
            return
        head, _, body = message(self.ledger.user, self.numbers[place]).partition(b"\r\n\r\n")
        wanted = head + b"\r\n\r\n" + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:-1][:lines])
        if await self.channel.multi() != wanted:
            raise Wrong("I7", f"TOP {lines} of message {self.numbers[place]} is not its beginning")

    def _not_there(self, place):
        """Another client may have removed the message meanwhile."""
        return (b"-ERR",) if self.numbers[place] in self.ledger.may_be_gone else ()

    # ends

    async def _end(self):
        end = random.choices((self._quit, self._quit_and_close, self._quit_and_reset, self._close, self._reset,
                              self._half_line, self._reset_in_retr), (60, 8, 4, 8, 6, 6, 8))[0]
        return await end()

    def _marked_messages(self):
        return {self.numbers[place] for place in self.marked}

    async def _quit(self):
        marked = self._marked_messages()
        self.ledger.quit_sent(marked)
        if random.random() < 0.1:
            for octet in b"QUI":
                await self.channel.send(bytes((octet,)))
                await asyncio.sleep(0)
            reply = await self._ask(b"T")
        else:
            reply = await self._ask(b"QUIT")
        self.ledger.note(f"QUIT is answered {reply.decode()}")
        if reply.startswith(b"+OK"):
            self.ledger.quit_answered_ok(marked)
            self.kit.counts["messages removed"] += len(marked)
        else:
            told = re.match(rb"-ERR \[SYS/TEMP\].*?(\d+) of (\d+)", reply)
            if not told or not 0 < int(told[1]) <= int(told[2]) == len(marked):
                raise Wrong("answer", f"QUIT with {len(marked)} marked: {reply!r}")
        if await self.channel.rest():
            raise Wrong("form", "octets behind the answer to QUIT")
        return "quit" if reply.startswith(b"+OK") else "quit failed"

    async def _quit_and_close(self):
        self.ledger.quit_sent(self._marked_messages())
        await self.channel.send(b"QUIT\r\n")
        self.channel.close()
        return "quit and closed"

    async def _quit_and_reset(self):
        self.ledger.quit_sent(self._marked_messages())
        await self.channel.send(b"QUIT\r\n")
        await asyncio.sleep(random.uniform(0, 0.05))
        self.channel.reset()
        return "quit and reset"

    async def _close(self):
        self.channel.close()
        return "closed"

    async def _reset(self):
        self.channel.reset()
        return "reset"

    async def _half_line(self):
        await self.channel.send(random.choice((b"Q", b"QUI", b"QUIT", b"QUIT\r", b"DELE", b"DELE 1\r\nQUIT")))
        await self.kit.pause()
        if random.random() < 0.5:
            self.channel.close()
        else:
            self.channel.reset()
        return "half a line"

    async def _reset_in_retr(self):
        places = [place for place in self.numbers if place not in self.marked]
        if places:
            biggest = max(places, key=lambda place: self.numbers[place] % 40 == 7)
            await self.channel.send(b"RETR %d\r\n" % biggest)
            await self.channel.answer()
            await asyncio.sleep(random.uniform(0, 0.02))
        self.channel.reset()
        return "reset in a RETR"


class _Refused(Exception):
    """No session came about, for a reason that may be."""
