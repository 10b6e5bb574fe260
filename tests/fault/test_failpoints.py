"""popgate is killed, stopped, held up or made to fail at each of its fail points (base/failpoint.h), on servers of every
kind. A ledger judges what became of the mail, then and after the next session."""
import collections
import contextlib
import functools
import os
import re
import signal
import subprocess
import threading
import time
import unittest

import rig as rigs
import tally
from cutting_proxy import CLOSE, TO_SERVER
from ledger import Ledger, Ledgers
from test_quit_cut import DELETED_BY_US
from test_quit_cut import PLAN as QUIT_PLAN

from harness import servers
from harness.pop3 import Pop3Error
from harness.popgate import binary

PLAN = (*QUIT_PLAN, "", "\\Draft", "")

# The delay is longer than popgate waits for the server, the stop is not.
KILL, STOP, ERROR, DELAY = "kill", "stop", "error", "delay:600"
ACTIONS = (KILL, STOP, ERROR, DELAY)

# What is done until the point is reached: a session; one whose connection is lost before RETR and before QUIT; one that
# was killed in its QUIT, and then another; one that was told that its QUIT failed and left flags behind, and then another.
SESSION, RECONNECT, REPLAY, UNDO = "session", "reconnect", "replay", "undo"

# EXTRA: other points that have to fail so that this one is reached.
Point = collections.namedtuple("Point", "name at scenario extra", defaults=(1, SESSION, ""))

LOGIN = [Point(name) for name in ("maildrop.after_login", "lock.take", "maildrop.after_lock", "maildrop.after_select",
                                  "maildrop.after_list", "ledger.write")]
RETR = [Point("retr.begin"), Point("retr.chunk"), Point("retr.end")]
START = [Point("journal.open"), Point("ledger.open")]
QUIT = [Point("quit.before_intent"), Point("journal.write"), Point("quit.after_intent"), Point("verify.before"),
        Point("verify.after"), Point("quit.before_done"), Point("journal.write", 2), Point("quit.after_done")]
STORE = [Point("store.before"), Point("store.after")]
EXPUNGE = [Point("expunge.before"), Point("expunge.after")]
SECOND = [Point(f"reconnect.{name}", at, RECONNECT)
          for name in ("before", "after_login", "after_select") for at in (1, 2)]
REPLAYED = [Point(name, 1, REPLAY) for name in ("replay.before", "store.before", "store.after", "verify.before",
                                                "verify.after", "journal.write", "replay.after")]
UNDONE = [Point(name, 1, UNDO) for name in ("replay.before", "unflag.before", "journal.write", "replay.after")]

# Killed there, popgate leaves an entry in the journal. That the connection is lost shows when STORE is to be sent.
ENTERED = re.compile(r"quit\.after_intent@.*|store\..*|search\..*|lift\..*|expunge\..*|copy\..*|move\..*|unflag\..*|"
                     r"verify\..*|quit\.before_done@.*|journal\.write@[24]|reconnect\..*@2")
SETTLED = re.compile("an interrupted deletion was (finished|dropped|given up)|an interrupted deletion cannot be finished|"
                     "flags of a failed deletion were taken back")


class Points:
    """For a server and its settings: a test for each point and action."""

    server = staticmethod(servers.dovecot)
    upstream = {}
    others = True
    trash = None
    marks_again = True  # whether sessions after an interrupted one delete messages, too
    points = []

    @classmethod
    def setUpClass(cls):
        cls.pool = rigs.Pool(cls.rig, min(rigs.JOBS, 4))

    @classmethod
    def tearDownClass(cls):
        cls.pool.stop()

    @classmethod
    def rig(cls):
        rig = rigs.Rig(cls.server(), cls.upstream)
        if cls.trash:
            rig.ledger.trash = cls.server().imap(rig.user)
            rig.ledger.trash.create("Bin")
            rig.ledger.trash.select("Bin")
        return rig

    def actions(self, point):
        self.pool.run(ACTIONS, functools.partial(self.try_one, point))

    def try_one(self, point, rig, action):
        """With so little patience anything may time out before the point is reached."""
        for _ in range(10 if action == DELAY else 1):
            try:
                return self.one(point, rig, action)
            except NotReached as error:
                last = error
        raise last

    def one(self, point, rig, action):
        ledger = rig.ledger
        plan = PLAN if self.others else [flags.replace("\\Deleted", "").strip() for flags in PLAN]
        ledger.arrange(f"{type(self).__name__}: {action} at {point.name}@{point.at}, {point.scenario}", plan)
        rig.forget()
        if point.scenario in (REPLAY, UNDO):
            self.interrupted(rig, point.scenario)
        reached = Reached(rig, point, action)
        talk = Talk(rig, self.others)
        try:
            talk.run(lose=point.scenario == RECONNECT, mark=point.scenario in (SESSION, RECONNECT) or self.marks_again)
        finally:
            reached.end()
        tally.add(faults=1)
        before = ledger.judge()
        if action == KILL:
            if reached.status != -signal.SIGKILL:
                ledger.complain("fail points", f"popgate ended with {reached.status}")
            rig.restart()
        else:
            self.judge_answers(ledger, point, action, talk)
        rig.gate.assert_alive()
        if action == DELAY:
            rig.restart()
        start = len(rig.gate.log())
        ledger.reopen(rig.gate)
        ledger.judge(settled=True, before=before)
        if action == KILL:
            self.judge_replay(ledger, point, rig.gate.log()[start:])
        else:
            rig.restart()

    def interrupted(self, rig, scenario):
        """A session that leaves something to do to the next one."""
        if scenario == REPLAY:
            reached = Reached(rig, Point("store.after"), KILL)
        else:
            reached = Reached(rig, Point(self.failing, 1, SESSION, "unflag.before=error"), ERROR)
        talk = Talk(rig, self.others)
        talk.run()
        reached.end()
        if scenario == UNDO and not (talk.answer or b"").startswith(b"-ERR [SYS/TEMP]"):
            raise AssertionError(f"QUIT should have failed: {talk.answer}")
        rig.ledger.judge()

    failing = "expunge.before"

    @staticmethod
    def judge_answers(ledger, point, action, talk):
        """popgate lives: whatever was asked was answered, or a cut message ended the session."""
        if action == ERROR and re.match(r"maildrop\.|lock\.", point.name):
            if not talk.said[-1].startswith(b"-ERR [SYS/TEMP]"):
                ledger.complain("rule 1", f"the login was answered {talk.said}")
        elif action == ERROR and re.match(r"retr\.(chunk|end)", point.name):
            if talk.answer is not None:
                ledger.complain("rule 32", f"a session with a cut message went on: {talk.said}")
        elif action == DELAY and point.name.startswith("retr."):
            pass  # the server seems to have been silent: cut, or not
        elif talk.answer is None and not (talk.said[-1] or b"").startswith(b"-ERR [SYS/TEMP]"):
            ledger.complain("rule 35", f"the session ended with {talk.said}")

    @staticmethod
    def judge_replay(ledger, point, log):
        """The log says what became of what was interrupted."""
        if point.name == "replay.after":
            return
        left = point.scenario in (REPLAY, UNDO) or ENTERED.fullmatch(f"{point.name}@{point.at}") is not None
        if left != (SETTLED.search(log) is not None):
            ledger.complain("journal", f"the log of the next session says:\n{log[-1500:]}")


class Talk:
    """As much of a session as can be had."""

    def __init__(self, rig, others):
        self.rig, self.others = rig, others
        self.said = [None]  # status lines
        self.answer = None  # to QUIT

    def run(self, lose=False, mark=True):
        with contextlib.suppress(OSError, Pop3Error):
            self._run(lose, mark)

    def _run(self, lose, mark):
        rig, ledger = self.rig, self.rig.ledger
        client = rig.client()
        with client:
            for line in (f"USER {rig.user}", "PASS secret"):
                self.said.append(client.pop3.command(line))
            if not self.said[-1].startswith(b"+OK"):
                return
            client.list()
            if lose:
                rig.proxy.arm(TO_SERVER, 0, CLOSE)
            client.retr(1)
            self.said.append(client.refusal)
            visible = list(client.session.shown)
            if mark and self.others:
                self._flag_another(client.session)
            done = [client.try_dele(number) for number in DELETED_BY_US if mark and number in visible]
            if lose and all(done):
                rig.proxy.arm(TO_SERVER, 0, CLOSE)
            self.answer = client.quit()

    def _flag_another(self, session):
        """Another client flags a message that nobody has marked: whose flag that of a marked one is, nobody could tell."""
        ledger = self.rig.ledger
        marked = ledger.allowed() | {session.shown[number].name for number in DELETED_BY_US if number in session.shown}
        ledger.others_flag([message for message in session.shown.values() if message.name not in marked][-1], "\\Deleted")


class NotReached(AssertionError):
    pass


class Reached:
    """Starts popgate with a fail point, lets it go on when it was stopped, and sees whether the point was reached."""

    def __init__(self, rig, point, action):
        self.rig, self.point, self.action = rig, point, action
        self.status = None
        self.path = os.path.join(rig.gate.dir, "failpoints")
        if os.path.exists(self.path):
            os.unlink(self.path)
        text = f"{point.name}={action}@{point.at}" + (f";{point.extra}" if point.extra else "")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._wake, daemon=True)
        if rig.gate.process.alive():
            rig.gate.stop()
        rig.gate.environ = {"POPGATE_FAILPOINTS": text, "POPGATE_FAILPOINT_LOG": self.path}
        self._patience("400ms" if action == DELAY else rigs.PATIENT)
        self._before = rig.gate.process
        if action == STOP:
            self._thread.start()
        try:
            rig.gate.start()
        except AssertionError:
            if action != KILL:
                raise
        rig.gate.environ = {}

    def _patience(self, command_timeout):
        self.rig.gate.upstream["command_timeout"] = command_timeout
        self.rig.gate.write_config()

    def _wake(self):
        while not self._over.is_set():
            process = self.rig.gate.process
            if process is not self._before and state(process.pid) == "T":
                process.signal(signal.SIGCONT)
                return
            time.sleep(0.002)

    def names(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="ascii") as log:
            return log.read().split()

    def end(self):
        """The session is over. Raises AssertionError where the point was not reached."""
        self._over.set()
        if self.action == STOP:
            self._thread.join()
        self._patience(rigs.PATIENT)  # from the next start on
        if self.point.name not in self.names():
            raise NotReached(f"{self.point} was not reached:\n{self.rig.gate.log()[-3000:]}")
        if self.action == KILL:
            self.status = self.rig.gate.process.wait()


def state(pid):
    """The letter that the system has for the state of process PID."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except OSError:
        return "?"


def add_tests(cls):
    for point in cls.points:
        def test(self, point=point):
            self.actions(point)
        scenario = "" if point.scenario in (SESSION, RECONNECT) else f"_in_{point.scenario}"
        test.__name__ = "test_" + point.name.replace(".", "_") + (f"_time_{point.at}" if point.at > 1 else "") + scenario
        if point.extra:
            test.__name__ += "_after_" + point.extra.partition("=")[0].replace(".", "_")
        if hasattr(cls, test.__name__):
            raise AssertionError(f"two tests named {test.__name__}")
        setattr(cls, test.__name__, test)
    return cls


@add_tests
class Dovecot(Points, unittest.TestCase):
    points = (LOGIN + RETR + START + QUIT + STORE + EXPUNGE + SECOND + REPLAYED + UNDONE +
              [Point("expunge.before", 1, REPLAY), Point("expunge.after", 1, REPLAY), Point("unflag.before", extra="expunge.before=error")])


@add_tests
class DovecotWithoutUidplusLeave(Points, unittest.TestCase):
    server = staticmethod(servers.dovecot_without_uidplus)
    upstream = {"without_uidplus": "leave", "marks_stay": True}
    failing = "search.before"
    points = QUIT + STORE + REPLAYED + UNDONE + [
        Point("search.before"), Point("search.before", 1, REPLAY),
        Point("unflag.before", extra="search.before=error")]


@add_tests
class DovecotWithoutUidplusLift(Points, unittest.TestCase):
    server = staticmethod(servers.dovecot_without_uidplus)
    upstream = {"without_uidplus": "lift"}
    points = QUIT + STORE + EXPUNGE + REPLAYED + UNDONE + [
        Point("search.before"), Point("lift.after"), Point("lift.restored"),
        Point("lift.after", 1, REPLAY), Point("lift.restored", 1, REPLAY), Point("expunge.before", 1, REPLAY),
        Point("expunge.after", 1, REPLAY), Point("unflag.before", extra="expunge.before=error"),
        Point("unflag.before", 1, SESSION, "lift.after=error"), Point("lift.restored", 1, SESSION, "lift.after=error")]


@add_tests
class DovecotWithoutUidplusAlone(Points, unittest.TestCase):
    server = staticmethod(servers.dovecot_without_uidplus)
    others = False
    marks_again = False  # what two sessions have flagged is to each the other's, and stays
    points = QUIT + STORE + EXPUNGE + REPLAYED + UNDONE + [
        Point("search.before"), Point("expunge.before", 1, REPLAY), Point("expunge.after", 1, REPLAY)]


@add_tests
class SeveralMailboxes(Points, unittest.TestCase):
    """Of the messages that QUIT is to remove, two are in INBOX and one is in Junk."""

    upstream = {"mailbox": "INBOX, Junk"}
    points = (LOGIN[1:] + [Point(point.name, 2) for point in LOGIN[1:]] + QUIT + STORE + EXPUNGE +
              [Point(point.name, 2) for point in QUIT + STORE + EXPUNGE if point.name != "journal.write"] +
              [Point("journal.write", at) for at in (3, 4)] + [Point("turn.before"), Point("turn.after")] + REPLAYED + UNDONE)

    @classmethod
    def rig(cls):
        rig = rigs.Rig(cls.server(), cls.upstream)
        junk = cls.server().imap(rig.user)
        junk.create("Junk")
        junk.select("Junk")
        rig.ledger = Ledgers([rig.ledger, Ledger(junk, rig.user, name="Junk")])
        return rig


@add_tests
class Trash(Points, unittest.TestCase):
    upstream = {"delete": "trash", "trash_mailbox": "Bin"}
    trash = "Bin"
    points = QUIT + [Point("move.before"), Point("move.after")]


@add_tests
class TrashByCopies(Points, unittest.TestCase):
    server = staticmethod(servers.dovecot_without_uidplus)
    upstream = {"delete": "trash", "trash_mailbox": "Bin"}
    trash = "Bin"
    others = False
    points = QUIT + STORE + EXPUNGE + [Point("copy.after"), Point("search.before")]


@add_tests
class Cyrus(Points, unittest.TestCase):
    server = staticmethod(servers.cyrus)
    points = QUIT + STORE + EXPUNGE + REPLAYED + UNDONE


class Recreated(unittest.TestCase):
    """What a killed session left in the journal is about another mailbox by the time of the next one."""

    def test_rule_10_the_journal_touches_no_other_mailbox(self):
        rig = rigs.Rig(servers.dovecot(), {"mailbox": "Pop"})
        self.addCleanup(rig.stop)
        ledger = rig.ledger
        for name in ("quit.after_intent", "store.after", "expunge.after", "verify.after"):
            ledger.make_mailbox("Pop")
            ledger.arrange(name, PLAN)
            uidvalidity, uids = ledger.uidvalidity, sorted(uid for uid, _ in ledger.look().values())
            reached = Reached(rig, Point(name), KILL)
            Talk(rig, others=True).run()
            reached.end()
            ledger.judge()
            ledger.make_mailbox("Pop")
            # whatever had been marked is flagged by others there
            ledger.arrange(name + ", and a new mailbox", ["" if i % 2 else "\\Deleted" for i in range(len(PLAN))])
            self.assertNotEqual(ledger.uidvalidity, uidvalidity)
            self.assertEqual(sorted(message.uid for message in ledger.messages.values()), uids)
            rig.restart()
            ledger.reopen(rig.gate)
            ledger.judge(settled=True)
            self.assertEqual([str(violation) for violation in ledger.violations], [])
            self.assertIn("dropped: UIDVALIDITY has changed", rig.gate.log())
            rig.restart()
            ledger.reopen(rig.gate)
            self.assertNotIn("interrupted deletion", rig.gate.log())
            tally.add(runs=1, faults=1)
        self.assertEqual([str(violation) for violation in ledger.violations], [])


class All(unittest.TestCase):
    def test_every_point_has_its_tests(self):
        done = subprocess.run([binary()], env=dict(os.environ, POPGATE_FAILPOINTS="list"), capture_output=True,
                              text=True, check=True)
        tested = {point.name for cls in Points.__subclasses__() for point in cls.points}
        of_a_process = {"worker.start"}  # integration/test_workers.py
        self.assertEqual(set(done.stdout.split()) - of_a_process, tested)
        self.assertGreaterEqual(len(tested), 20)
