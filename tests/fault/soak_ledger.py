"""What must be true of one user's mail while sessions come and go at random.

The ledger knows every message from its delivery on, by a size that no other message of the user has. Sessions tell it
what they listed, marked, sent and were answered; a direct IMAP connection tells it what is there. It judges by the
invariants I1 to I6 of docs/behaviour.md; I7 is a matter of the sessions, which know every message's octets."""
import collections
import random
import re
import time

# Every so-manieth message of a user is never marked by a session; another client plays with its flags.
PROTECTED = 10
PROTECTED_MOST = 6

LINES = [b"The quick brown fox jumps over the lazy dog, again and again, until the line is full.",
         b".", b"..", b". a dot and a blank", b"", b"From the beginning", b"\xc3\xa4\xc3\xb6\xc3\xbc and other letters",
         b".." + b"x" * 300]


def size_of(number):
    if number % 40 == 7:
        return 200_000 + number
    return (20_000 if number % 7 == 3 else 2_000) + number


def message(user, number):
    """The octets of the NUMBERth message of USER; always the same, always size_of(NUMBER) long."""
    text = [b"From: soak@example.org", b"Subject: %d" % number, b"X-Soak: %s %d" % (user.encode(), number), b""]
    text += random.Random(f"{user} {number}").choices(LINES, k=4)
    octets = b"\r\n".join(text) + b"\r\n"
    missing = size_of(number) - len(octets)
    filler = b"\r\n".join([LINES[0]] * (missing // (len(LINES[0]) + 2) + 1))
    filler = bytearray(filler[:missing - 2])
    if filler.endswith(b"\r"):
        filler[-1:] = b"x"
    return octets + bytes(filler) + b"\r\n"


def is_protected(number):
    return number % PROTECTED == 0 and number <= PROTECTED * PROTECTED_MOST


class Ledger:
    def __init__(self, user, complain):
        self.user = user
        self._complain = complain
        self.delivered = {}       # number -> when
        self.by_size = {}
        self.may_be_gone = set()  # marked in a session whose QUIT was sent; or removed by another client
        self.must_be_gone = set()
        self.gone_since = {}      # number -> when that became certain: a listing may have been on its way
        self.uidls = {}           # number -> UIDL
        self.flags = {}           # number -> flags that another client has set
        self.flagging = set()     # numbers whose flags another client is setting
        self.active = 0           # sessions
        self.begun = 0            # sessions, in all
        self.reserved = False     # for another client: no session shall begin
        self._history = collections.deque(maxlen=40)  # what to tell when something is wrong
        self.epoch = -1           # how often the gateway had been killed when somebody last tried to log in

    def note(self, text):
        self._history.append((time.time(), text))

    def complain(self, invariant, text):
        history = "".join(f"\n    {time.strftime('%H:%M:%S', time.gmtime(when))}.{int(when % 1 * 1000):03d} {what}"
                          for when, what in self._history)
        self._history.clear()
        self._complain(invariant, f"{self.user}: {text}{history}")

    def expected(self):
        """About so many messages are there."""
        return len(self.delivered) - len(self.may_be_gone)

    def next_number(self):
        return len(self.delivered) + 1

    def deliver(self, number, now):
        self.delivered[number] = now
        self.by_size[size_of(number)] = number

    # sessions

    def listed(self, uidls, sizes, began):
        """A session that BEGAN its login then has listed this. Returns POP3 number -> number of the message."""
        known = {}
        if sorted(uidls) != list(range(1, len(uidls) + 1)) or sorted(sizes) != sorted(uidls):
            self.complain("I5", f"LIST and UIDL differ: {sorted(sizes)} {sorted(uidls)}")
            return known
        if len(set(uidls.values())) != len(uidls):
            self.complain("I5", f"a UIDL stands twice: {uidls}")
        for place, size in sizes.items():
            number = self.by_size.get(size)
            if number is None or number in known.values():
                self.complain("I5", f"message {place} of {size} octets is none, or stands twice")
                continue
            known[place] = number
            if self.uidls.setdefault(number, uidls[place]) != uidls[place]:
                self.complain("I5", f"message {number} was {self.uidls[number]}, now {uidls[place]}")
        seen = set(known.values())
        for number in seen & self.must_be_gone:
            if self.gone_since[number] < began:
                self.complain("I2", f"message {number} is back after +OK to QUIT")
        hidden = {number for number, flags in self.flags.items() if "\\Deleted" in flags}
        for number in seen & hidden - self.flagging:
            if self.flags[number]["\\Deleted"] < began:
                self.complain("I4", f"message {number}, flagged by another client, is shown")
        for number, when in self.delivered.items():
            if number not in seen | hidden | self.flagging | self.may_be_gone and when < began - 3:
                self.complain("I1", f"message {number} is not listed, and no session removed it")
        return known

    def quit_sent(self, marked):
        self.note(f"QUIT is sent, marked are {sorted(marked)}")
        self.may_be_gone |= marked

    def quit_answered_ok(self, marked):
        self.are_gone(marked)

    def are_gone(self, numbers):
        self.must_be_gone |= numbers
        self.gone_since.update(dict.fromkeys(numbers, time.monotonic()))

    # the direct look

    def before_look(self):
        """What check needs to know of the time before the look."""
        return set(self.delivered), set(self.must_be_gone)

    def check(self, found, uidvalidity, before, settled):
        """FOUND: number -> (UID, flags), as IMAP shows it; BEFORE: of before_look. SETTLED: nothing is under way, so
        that all flags must be right."""
        delivered, must_be_gone = before
        for number in delivered - set(found) - self.may_be_gone:
            self.complain("I4" if is_protected(number) else "I1", f"message {number} is gone")
        for number in must_be_gone & set(found):
            self.complain("I2", f"message {number} is there after +OK to QUIT")
        for number, (uid, flags) in found.items():
            uidl = self.uidls.get(number)
            if uidl is not None and uidl != f"{uid:08x}{uidvalidity:08x}":
                self.complain("I5", f"message {number} with UID {uid} was shown as {uidl}")
            if settled or number not in self.may_be_gone and not is_protected(number):
                wanted = set(self.flags.get(number, ()))
                if flags != wanted:
                    self.complain("I3", f"message {number} has flags {sorted(flags)} instead of {sorted(wanted)}")


def looked_up(mailbox, ledger):
    """What MAILBOX (harness.imap) shows: number -> (UID, flags). Blocks."""
    mailbox._did(mailbox.connection.noop())
    found = {}
    if not mailbox.uids():
        return found
    for line in mailbox._did(mailbox.connection.uid("FETCH", "1:*", "(UID RFC822.SIZE FLAGS)")):
        size = re.search(rb"RFC822\.SIZE (\d+)", line or b"")
        if not size:
            continue  # news that came with an earlier answer
        number = ledger.by_size.get(int(size[1]))
        if number is None:
            ledger.complain("I5", f"a message of {int(size[1])} octets, which nobody has delivered")
            continue
        flags = set(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split()) - {"\\Recent"}
        found[number] = int(re.search(rb"UID (\d+)", line)[1]), flags
    return found
