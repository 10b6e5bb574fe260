"""A ledger of one user's maildrop: what was delivered, shown, received, marked, said and answered, and what became of the
mail. It looks at the server by an IMAP connection of its own and judges by the invariants I1 to I7 of docs/behaviour.md.

It was written apart from the gateway and shares nothing with it. A test tells it what a POP3 client saw and did; what the
server has to say it asks itself. A run is: arrange(), sessions with faults, judge(), reopen()."""
import hashlib
import re
import time

from harness.pop3 import Pop3, Pop3Error

DELETED = "\\Deleted"

INVARIANTS = {
    "I1": "only what was marked in a session whose QUIT arrived whole was removed",
    "I2": "after +OK to QUIT all marked messages are gone",
    "I3": "no other message got a flag or lost one",
    "I4": "messages that others flagged \\Deleted are untouched",
    "I5": "what is left has the UIDLs it had, and no two the same",
    "I6": "the maildrop can be opened again at once",
    "I7": "no message was shown as complete whose end did not come",
}


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


class Violation:
    """MAY_BE_LATE: it can come of a STORE that the server carried out only after its connection had been lost, while others
    were at work already. That is chance; a fault of the gateway shows again when the run is repeated."""

    def __init__(self, run, invariant, details, may_be_late=False):
        self.run, self.invariant, self.details = run, invariant, details
        self.may_be_late = may_be_late

    def __str__(self):
        return f"{self.invariant} violated ({INVARIANTS.get(self.invariant, 'see below')})\n  run: {self.run}\n  {self.details}"


class Message:
    """What the ledger knows of a message. Its identity is the Message-ID, which the ledger gave it."""

    def __init__(self, name, octets, uid, flags):
        self.name = name
        self.octets = octets          # what a POP3 client has to get
        self.digest = digest(octets)
        self.uid = uid
        self.flags = set(flags)       # set by others than the gateway
        self.uidl = None              # as first shown

    def __repr__(self):
        return f"{self.name} (UID {self.uid}, flags {sorted(self.flags)})"


class Session:
    """What a POP3 client knows of one session."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.shown = {}       # number -> Message
        self.received = set() # numbers of which RETR brought everything
        self.cut = set()      # numbers of which an answer began to come, and did not come to its end
        self.marks = set()    # numbers
        self.quit_sent = False
        self.answer = None    # to QUIT

    def listed(self, uidls):
        """UIDL showed UIDLS, number -> UIDL."""
        ledger = self.ledger
        visible = ledger.visible()
        if sorted(uidls) != list(range(1, len(visible) + 1)):
            ledger.complain("I5", f"numbers {sorted(uidls)} are shown for {visible}")
            return
        if len(set(uidls.values())) != len(uidls):
            ledger.complain("I5", f"a UIDL stands twice: {uidls}")
        for number, message in enumerate(visible, 1):
            self.shown[number] = message
            if message.uidl is None:
                message.uidl = uidls[number]
            elif message.uidl != uidls[number]:
                ledger.complain("I5", f"{message} was {message.uidl} and is {uidls[number]}")

    def retrieved(self, number, octets):
        """RETR brought OCTETS and the final dot; None: it, or TOP, was answered +OK, and what follows is not here yet."""
        if octets is None:
            self.cut.add(number)
            return
        self.cut.discard(number)
        self.received.add(number)
        if number in self.shown and digest(octets) != self.shown[number].digest:
            self.ledger.complain("I7", f"{self.shown[number]} came as complete with other octets, {len(octets)} of them: "
                                       f"...{octets[-60:]!r}")

    def topped(self, number, octets, whole):
        """TOP brought OCTETS and the final dot, where WHOLE is right."""
        self.cut.discard(number)
        if octets != whole:
            self.ledger.complain("I7", f"TOP of {self.shown.get(number)} came as complete with {len(octets)} octets of "
                                       f"{len(whole)}: ...{octets[-60:]!r}")

    def marked(self, number):
        """DELE was answered +OK."""
        self.marks.add(number)
        if number in self.cut:
            self.ledger.complain("I7", f"{self.shown[number]} was cut and can be deleted all the same")

    def unmarked(self):
        """RSET was answered +OK."""
        self.marks.clear()

    def quit(self):
        """The whole line is about to be sent."""
        self.quit_sent = True

    def answered(self, answer):
        """The line that came after QUIT; None: nothing, or not a whole line."""
        self.answer = answer

    def marked_messages(self):
        return {self.shown[number].name for number in self.marks}

    def said_gone(self):
        return self.answer is not None and self.answer.startswith(b"+OK")


class Ledger:
    """MAILBOX: a harness.imap.Mailbox of USER's, straight to the server. LIFTS: the gateway may take \\Deleted off other
    messages for a while (without_uidplus = lift) and give it back in the next session at the latest. MARKS_STAY: what it
    marked may stay flagged for good (without_uidplus = leave)."""

    _count = 0

    def __init__(self, mailbox, user, lifts=False, marks_stay=False, password="secret", name="INBOX"):
        self.mailbox, self.user, self.password = mailbox, user, password
        self.lifts, self.marks_stay = lifts, marks_stay
        self.run = None
        self.name = name
        self.trash = None      # a Mailbox where what is removed has to be found
        self.uidvalidity = self.look_at_uidvalidity()
        self.messages = {}     # name -> Message, all that should be or have been there in this run
        self.sessions = []
        self.violations = []

    def close(self):
        self.mailbox.close()

    # what happens in the mailbox by other hands

    def arrange(self, run, plan, body=None):
        """Begins the run named RUN. The mailbox gets a message for each member of PLAN, which is its flags; messages
        that are there already are used again. BODY: what new ones have below their header."""
        self.run = run
        self.sessions, known = [], self.messages
        there = sorted(self.look().items(), key=lambda item: item[1][0])
        if len(there) > len(plan):
            self.mailbox.store([uid for _, (uid, _) in there], "FLAGS", "")
            self.mailbox.expunge([uid for _, (uid, _) in there[len(plan):]])
            there = sorted(self.look().items(), key=lambda item: item[1][0])
        self.messages = {}
        for (name, (uid, flags)), wanted in zip(there, plan):
            message = known[name]
            self.messages[name] = message
            message.flags = set(wanted.split())
            if flags != message.flags:
                self.mailbox.store([uid], "FLAGS", wanted)
        for flags in plan[len(there):]:
            self.deliver(flags, body)
        found = self.look()
        for name, message in self.messages.items():
            uid, flags = found[name]
            if message.uid not in (None, uid) or flags != message.flags:
                raise AssertionError(f"{message} is on the server as UID {uid} with {sorted(flags)}")
            message.uid = uid

    def deliver(self, flags="", body=None):
        """A new message, at the end."""
        Ledger._count += 1
        name = f"<{Ledger._count}.{self.user}@example.org>"
        head = f"Message-ID: {name}\r\nFrom: fault@example.org\r\nSubject: {Ledger._count}\r\n\r\n".encode()
        octets = head + (b"text of the message\r\n.. dots\r\n.\r\nend\r\n" if body is None else body)
        self.mailbox.connection.literal = octets
        self.mailbox._did(self.mailbox.connection._simple_command("APPEND", self.name, f"({flags})"))
        message = self.messages[name] = Message(name, octets, None, flags.split())
        return message

    def others_flag(self, message, flags):
        """Another client sets FLAGS on MESSAGE."""
        self.mailbox.store([message.uid], "+FLAGS", flags)
        message.flags |= set(flags.split())

    def others_remove(self, message):
        """Another client removes MESSAGE: it has never been there."""
        self.mailbox.flag_deleted([message.uid])
        self.mailbox._did(self.mailbox.connection.uid("EXPUNGE", str(message.uid)))  # needs UIDPLUS
        del self.messages[message.name]

    def make_mailbox(self, name):
        """The maildrop is the mailbox NAME from now on, which is made anew. Messages and sessions are forgotten."""
        self.mailbox.select("INBOX")
        self.mailbox.connection.delete(name)  # may not have been there
        self.mailbox.create(name)
        self.mailbox.select(name)
        self.name = name
        self.messages, self.sessions = {}, []
        self.uidvalidity = self.look_at_uidvalidity()

    # what POP3 clients see and do

    def visible(self):
        """The messages that a session which begins now has to show, in their order."""
        found = self.look()
        return [self.messages[name] for name, (_, flags) in sorted(found.items(), key=lambda item: item[1][0])
                if DELETED not in flags and name in self.messages]

    def session(self):
        session = Session(self)
        self.sessions.append(session)
        return session

    # what became of it

    def look(self, mailbox=None):
        """Name -> (UID, flags) of what is there now, or in another MAILBOX."""
        mailbox = mailbox or self.mailbox
        mailbox._did(mailbox.connection.noop())
        if not mailbox.uids():
            return {}
        data = mailbox._did(mailbox.connection.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))
        found = {}
        for i, part in enumerate(data):
            if not isinstance(part, tuple):
                continue
            text = part[0] + (data[i + 1] if isinstance(data[i + 1], bytes) else b"")
            name = re.search(rb"(?i)Message-ID:\s*(<\S+>)", part[1])[1].decode()
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", text)[1].decode().split()) - {"\\Recent"}
            found[name] = int(re.search(rb"UID (\d+)", text)[1]), flags
        return found

    def look_at_uidvalidity(self):
        data = self.mailbox._did(self.mailbox.connection.status(self.name, "(UIDVALIDITY)"))
        return int(re.search(rb"UIDVALIDITY (\d+)", data[0])[1])

    def complain(self, invariant, details, may_be_late=False):
        self.violations.append(Violation(self.run, invariant, f"{self.user}: {details}", may_be_late))

    def allowed(self):
        """What may be gone: marked in a session whose QUIT was sent whole, answered or not."""
        return set().union(*(session.marked_messages() for session in self.sessions if session.quit_sent))

    def judge(self, settled=False, before=None):
        """Compares what is there with what may be, and returns what is there. SETTLED: a later session has looked after
        what was interrupted; it must not have removed what the client had been told was not: BEFORE is what was there
        then."""
        found = self.look()
        if before is not None:
            self._judge_answers(set(before) - set(found))
        allowed = self.allowed()
        said_gone = set().union(*(session.marked_messages() for session in self.sessions if session.said_gone()))
        for name, message in self.messages.items():
            if name not in found:
                if name not in allowed:
                    self.complain("I4" if DELETED in message.flags else "I1", f"{message} is gone")
                elif self.trash is not None and name not in self.look(self.trash):
                    self.complain("I1", f"{message} is neither here nor in the trash mailbox")
                continue
            uid, flags = found[name]
            if uid != message.uid:
                self.complain("I5", f"{message} has UID {uid} now")
            if name in said_gone:
                self.complain("I2", f"{message} is there after +OK to QUIT, with {sorted(flags)}")
            self._judge_flags(message, flags, name in allowed, settled)
        for name in set(found) - set(self.messages):
            self.complain("I5", f"{name} came from nowhere")
        if self.look_at_uidvalidity() != self.uidvalidity:
            self.complain("I5", "UIDVALIDITY has changed")
        return found

    def _judge_answers(self, gone):
        """GONE: the names of what a later session has removed."""
        unanswered = set().union(*(session.marked_messages() for session in self.sessions
                                   if session.quit_sent and session.answer is None))
        for name in gone - unanswered:
            self.complain("rule 14", f"{self.messages[name]} was removed by a session after the one that was answered")

    def _judge_flags(self, message, flags, ours, settled):
        gained, lost = flags - message.flags, message.flags - flags
        if ours and not (settled and not self.marks_stay):
            gained -= {DELETED}
        if self.lifts and not settled:
            lost -= {DELETED}
        if lost & {DELETED}:
            self.complain("I4", f"{message} is not flagged any more: {sorted(flags)}", may_be_late=self.lifts)
        elif lost:
            self.complain("I3", f"{message} has lost {sorted(lost)}")
        if gained and ours:
            self.complain("journal", f"{message} is still flagged after the next session: {sorted(gained)}",
                          may_be_late=True)
        elif gained:
            self.complain("I3", f"{message} has got {sorted(gained)}")

    def reopen(self, gate, still_ending=lambda: False, patience=20):
        """Opens the maildrop again by the gateway GATE, compares what it shows with the mailbox, and leaves. A refusal by
        [IN-USE] is right only while STILL_ENDING() says that an earlier session is being ended."""
        deadline = time.monotonic() + patience
        while True:
            ending = still_ending()
            reply = self._try_to_open(gate)
            if reply is None or not (ending and b"[IN-USE]" in reply and time.monotonic() < deadline):
                break
        if reply is not None:
            self.complain("I6", f"login was answered {reply!r}")

    def _try_to_open(self, gate):
        """None: it is open and all is well, or a violation has been noted. Otherwise the answer to PASS."""
        try:
            with Pop3(gate.pop3) as client:
                client.ok(f"USER {self.user}")
                reply = client.command(f"PASS {self.password}")
                if not reply.startswith(b"+OK"):
                    return reply
                self.session().listed(client.uidl())
                answer = client.quit()
                if not answer.startswith(b"+OK"):
                    self.complain("I6", f"a session without marks ended with {answer!r}")
                return None
        except (OSError, Pop3Error) as error:
            return f"{type(error).__name__}: {error}".encode()


class Ledgers(Ledger):
    """The maildrop is several mailboxes, one behind the other: LEDGERS, one for each, in the order in which they are
    shown. The gateway's sessions are about all of them."""

    def __init__(self, ledgers):
        first = ledgers[0]
        self.user, self.password = first.user, first.password
        self.ledgers = ledgers
        self.run, self.trash = None, None
        self.sessions, self.violations = [], []
        self.messages = {}

    def arrange(self, run, plan, body=None):
        """Each mailbox gets its share of PLAN, the first of them no more than the others."""
        self.run, self.sessions, self.messages = run, [], {}
        share = len(plan) // len(self.ledgers)
        for i, ledger in enumerate(self.ledgers):
            last = i == len(self.ledgers) - 1
            ledger.arrange(run, plan[i * share:] if last else plan[i * share:(i + 1) * share], body)
            ledger.sessions, ledger.violations = self.sessions, self.violations
            self.messages.update(ledger.messages)

    def others_flag(self, message, flags):
        next(ledger for ledger in self.ledgers if message.name in ledger.messages).others_flag(message, flags)

    def visible(self):
        return [message for ledger in self.ledgers for message in ledger.visible()]

    def look(self, mailbox=None):
        return {name: what for ledger in self.ledgers for name, what in ledger.look().items()}

    def judge(self, settled=False, before=None):
        for ledger in self.ledgers:
            there = before and {name: what for name, what in before.items() if name in ledger.messages}
            ledger.judge(settled, there)
        return self.look()

    def close(self):
        for ledger in self.ledgers:
            ledger.mailbox.close()
