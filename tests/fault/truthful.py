"""Sessions in which anything may fail, and what must hold of them: nobody is told what is not so."""
import contextlib
import re

from inject import Cut, Patient, wait_until

from harness import corpus, migration, octets

SMALL = corpus.message("small", b"one\r\n.two\r\n..three\r\n")
LARGE = corpus.message("large", b"".join(b"line %d of a long text, and . here\r\n" % i for i in range(6000)))
MESSAGES = [SMALL, LARGE, corpus.message("third", b"3\r\n"), corpus.message("fourth", b"4\r\n")]

AGAIN = 4   # times that a growth of memory is looked at again before it is called a leak


class Mailbox:
    """What a mailbox of MESSAGES should look like, and does. The connection stays open."""

    def __init__(self, server, extra=0):
        self.server = server
        self.user = server.user()
        server.fill(self.user, MESSAGES)
        self.imap = server.imap(self.user)
        self.extra = extra
        self.bodies = None
        self.learn()

    def learn(self):
        self.uids = self.imap.uids()
        self.flags = self.imap.flags()

    def refill(self):
        """Puts new messages in the place of removed ones: at the end."""
        missing = len(MESSAGES) - len(self.imap.uids())
        if missing:
            self.imap.append(MESSAGES[-1:] * missing)
        self.learn()

    def is_untouched(self):
        return self.imap.flags() == self.flags

    def check_untouched(self):
        if self.imap.flags() != self.flags:
            raise AssertionError(f"the mailbox was {self.flags} and is {self.imap.flags()}")


def complete(what, want, got):
    """GOT, a complete answer, is WANT (None: there was none)."""
    difference = "" if got is None else octets.describe_difference(want, got)
    if difference:
        raise AssertionError(f"{what} is shown as complete, but {difference}")


class Session:
    """One session with a gateway, and what must hold of it at any moment. True: it came to its end as wanted."""

    def __init__(self, gate, mailbox, tls=False):
        self.gate, self.mailbox, self.tls = gate, mailbox, tls
        self.marked, self.quit = [], None
        self.answer = None

    def connect(self):
        if self.tls:
            return Patient(self.gate.pop3s, ca=self.gate.certificate.ca)
        return Patient(self.gate.pop3)

    def login(self, client):
        """"answer" is what the client was told last."""
        if not client.ok(f"USER {self.mailbox.user}"):
            return False
        self.answer = client.ask("PASS secret")
        return self.answer.startswith(b"+OK")

    def run(self):
        self.mailbox.learn()
        self.answer = None
        try:
            with self.connect() as client:
                done = self.login(client) and self.talk(client)
        except Cut:
            done = False
        return done

    def settle(self):
        """After the gateway is through with the session."""
        self.mailbox.check_untouched()

    def recover(self):
        """When nothing fails any more: puts right what the session left, if it may leave anything."""


class Listing(Session):
    """Login, STAT, LIST, UIDL."""

    def talk(self, client):
        sizes = [len(octets.expected(m)) for m in MESSAGES]
        stat = client.ask("STAT")
        if stat.startswith(b"+OK") and stat.split()[1:3] != [b"%d" % len(sizes), b"%d" % sum(sizes)]:
            raise AssertionError(f"STAT: {stat!r}")
        listing = client.multi("LIST")
        complete("LIST", b"".join(b"%d %d\r\n" % pair for pair in enumerate(sizes, 1)), listing)
        unique = client.multi("UIDL")
        if unique is not None and len({line.split()[1] for line in unique.splitlines()}) != len(sizes):
            raise AssertionError(f"UIDL: {unique!r}")
        return stat.startswith(b"+OK") and None not in (listing, unique) and client.ok("QUIT")


class Reading(Session):
    """RETR of a small and a large message, TOP of the large one."""

    def talk(self, client):
        small, large = client.multi("RETR 1"), client.multi("RETR 2")
        complete("RETR 1", octets.expected(SMALL), small)
        complete("RETR 2", octets.expected(LARGE), large)
        tops = []
        for lines in (0, 300):
            tops.append(client.multi(f"TOP 2 {lines}"))
            complete(f"TOP 2 {lines}", octets.top(octets.expected(LARGE), lines), tops[-1])
        return None not in (small, large, *tops) and client.ok("QUIT")


class Learning(Session):
    """The first login of a user whose old server is the same one, by POP3; and what it calls the messages. Another mailbox stands
    behind."""

    def __init__(self, gate, mailbox, tls=False):
        super().__init__(gate, mailbox, tls)
        mailbox.imap.create("Junk")
        mailbox.imap.append([corpus.message("junk", b"5\r\n")], "Junk")
        mailbox.imap.select()
        self.old = migration.old_uidls(mailbox.server, mailbox.user)

    def talk(self, client):
        unique = client.multi("UIDL")
        if unique is not None:
            seen = [line.split()[1].decode() for line in unique.splitlines()]
            if seen[:-1] != self.old or len(set(seen)) != len(self.old) + 1:
                raise AssertionError(f"UIDL: {seen}, and the old server has {self.old}")
        return unique is not None and client.ok("QUIT")

    def recover(self):
        self.gate.forget_users()


class Deleting(Session):
    """DELE of two messages, QUIT."""

    def talk(self, client):
        self.marked = []
        self.quit = None
        for number in (3, 4):
            if client.ok(f"DELE {number}"):
                self.marked.append(self.mailbox.uids[number - 1])
        self.quit = b""
        self.quit = client.ask("QUIT")
        return len(self.marked) == 2 and self.quit.startswith(b"+OK")

    def run(self):
        self.marked, self.quit = [], None
        return super().run()

    def settle(self):
        before, after = self.mailbox.flags, self.mailbox.imap.flags()
        gone = set(before) - set(after)
        if not gone <= set(self.marked if self.quit is not None else ()):
            raise AssertionError(f"{gone} are gone, {self.marked} were marked, QUIT: {self.quit!r}")
        if self.quit and self.quit.startswith(b"+OK") and gone != set(self.marked):
            raise AssertionError(f"{self.quit!r}, but of {self.marked} only {gone} are gone")
        match = re.match(rb"-ERR \[SYS/TEMP\] (\d+) of (\d+) messages not removed", self.quit or b"")
        if match and (int(match[2]) != len(self.marked) or int(match[1]) < len(self.marked) - len(gone)):
            raise AssertionError(f"{self.quit!r}, but of {self.marked} {gone} are gone")
        for uid in after:
            if uid not in self.marked and after[uid] != before[uid]:
                raise AssertionError(f"flags of {uid} were {before[uid]} and are {after[uid]}")

    def recover(self):
        """The next login finishes a deletion or takes its flags back, all of it (the journal)."""
        with self.connect() as client:
            if not (self.login(client) and client.ok("QUIT")):
                raise AssertionError("no login after a failed deletion")
        before, after = self.mailbox.flags, self.mailbox.imap.flags()
        gone = set(before) - set(after)
        if not gone <= set(self.marked) or any(after[uid] != before[uid] for uid in after):
            raise AssertionError(f"{before} became {after}, {self.marked} were marked, QUIT: {self.quit!r}")


class Everything(Deleting):
    """Reading, then deletion."""

    def talk(self, client):
        small, large = client.multi("RETR 1"), client.multi("RETR 2")
        complete("RETR 1", octets.expected(SMALL), small)
        complete("RETR 2", octets.expected(LARGE), large)
        return super().talk(client) and None not in (small, large)


class Rounds:
    """A gateway through session after session of one kind, some of which have failures."""

    def __init__(self, gate, session):
        self.gate, self.session, self.control = gate, session, gate.control
        self.descriptors = gate.descriptors()
        self.base = 0  # blocks that are allocated between sessions

    def rest(self):
        """Until the gateway has closed what it opened for the session."""
        def over():
            self.gate.assert_alive()
            return self.gate.descriptors() <= self.descriptors
        wait_until(over, lambda: f"the end of a session: {self.gate.descriptors()} descriptors instead of "
                                 f"{self.descriptors}\n{self.gate.log()[-3000:]}")

    def clean(self):
        """A session in which nothing fails comes to its end; returns how many allocations it had."""
        self.control.clear()
        self.prepare()
        self.control.arm()
        if not self.session.run():
            raise AssertionError(f"a session without failures failed; the log ends:\n{self.gate.log()[-3000:]}")
        self.rest()
        count = self.control["allocations"]
        self.control.clear()
        self.session.settle()
        return count

    def live(self):
        """Blocks that are allocated, as soon as there are no more than before."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.control["live"] <= self.base, "", timeout=1)
        return self.control["live"]

    def leaks(self, fail):
        """Whether memory grows each time that FAIL() runs a session with failures; what grows once is a cache."""
        for _ in range(AGAIN):
            before = self.base = self.live()
            fail()
            self.clean()
            if self.live() <= before:
                return False
        return True

    def prepare(self):
        """A full mailbox, and nothing that an earlier session left."""
        self.session.recover()
        self.rest()
        self.gate.forget_deletions()
        self.session.mailbox.refill()

    def failing(self):
        """A session while the control is armed. Returns whether it came to its end as if nothing had failed."""
        done = self.session.run()
        self.rest()
        self.control["armed"] = 0
        self.session.settle()
        return done
