"""The connection to the mail server is cut at every octet of a QUIT's dialogue, in either direction, in three ways; later
connections work, or none does. A ledger judges each run.

Short runs take every 7th octet, from another beginning for each combination; POPGATE_TEST_LONG=1 takes all."""
import functools
import itertools
import re
import unittest

import rig as rigs
import tally
from cutting_proxy import AGAIN, DEAD, DIRECTIONS, FAULTS, RECOVER, STALL

from harness import servers

# Flags of the messages. POP3 does not see those that others have flagged \Deleted; the first, the fourth and the seventh
# are deleted, and the fifth is flagged by others while the session lasts.
PLAN = ("", "\\Flagged", "\\Deleted", "\\Seen", "", "\\Seen \\Deleted", "\\Answered", "")
DELETED_BY_US = (1, 3, 5)  # numbers in POP3
FLAGGED_LATER = 4          # index into PLAN

STRIDE = 7

ANSWER = re.compile(rb"\+OK.*|-ERR \[SYS/TEMP\] (\d+) of (\d+) messages not removed.*|-ERR \[SYS/TEMP\] .*")


def talk(rig, name, others=True, gate=None):
    """A session up to just before its QUIT."""
    ledger = rig.ledger
    ledger.arrange(name, PLAN if others else [flags.replace("\\Deleted", "").strip() for flags in PLAN])
    client = rig.client(gate=gate)
    client.login()
    numbers = DELETED_BY_US
    client.retr(numbers[0])
    if others:
        ledger.others_flag(list(ledger.messages.values())[FLAGGED_LATER], "\\Deleted")
    client.dele(*numbers)
    return client


def judge(rig, client, answer):
    """After QUIT was answered by ANSWER, the mail is looked at; then the server works, and the maildrop is opened again."""
    ledger = rig.ledger
    if answer is None:
        ledger.complain("rule 35", "QUIT was not answered, though popgate lives")
    else:
        match = ANSWER.fullmatch(answer)
        if not match:
            ledger.complain("rule 14", f"QUIT was answered {answer!r}")
    found = ledger.judge()
    if answer and (match := ANSWER.fullmatch(answer)) and match[1]:
        left = len(client.session.marked_messages() & set(found))
        if int(match[2]) != len(client.session.marks) or int(match[1]) < left:
            ledger.complain("rule 14", f"{left} are left, and QUIT was answered {answer!r}")
    rig.proxy.recover()
    ledger.reopen(rig.gate)
    ledger.judge(settled=True)


class Cuts:
    """For a server and its settings: a test for each fault, direction and fate of later connections."""

    upstream = {}
    others = True  # whether others flag messages \Deleted

    @classmethod
    def setUpClass(cls):
        cls.pool = rigs.Pool(lambda: rigs.Rig(cls.server(), cls.upstream))
        try:
            cls.lengths = cls.clean_run()
        except BaseException:
            cls.pool.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.pool.stop()

    @classmethod
    def clean_run(cls):
        """Direction -> octets of the dialogue of a QUIT that is not disturbed."""
        rig = cls.pool.rigs[0]
        client = talk(rig, "clean", cls.others)
        rig.proxy.record()
        answer = client.quit()
        lengths = {direction: len(rig.proxy.recorded(direction)) for direction in DIRECTIONS}
        judge(rig, client, answer)
        if rig.ledger.violations:
            raise AssertionError(str(rig.ledger.violations[0]))
        return lengths

    def cut(self, direction, fault, then, start):
        stride = 1 if rigs.LONG else STRIDE
        places = range(0 if rigs.LONG else start, self.lengths[direction] + 1, stride)
        self.pool.run(places, functools.partial(self.one, direction, fault, then))

    def one(self, direction, fault, then, rig, place):
        """What may be chance has to happen three times to be called a fault."""
        violations = rig.ledger.violations
        for _ in range(3):
            violations.clear()
            self.once(direction, fault, then, rig, place)
            if not violations or not all(violation.may_be_late for violation in violations):
                return
            tally.add(late=1)

    def once(self, direction, fault, then, rig, place):
        name = f"{type(self).__name__}: {fault} after octet {place} {direction}, then {then}"
        if fault == STALL:
            client = rigs.insist(lambda: talk(rig, name, self.others, rig.impatient()))
        else:
            client = talk(rig, name, self.others)
        before = rig.proxy.fired
        rig.proxy.arm(direction, place, fault, then)
        answer = client.quit()
        tally.add(faults=rig.proxy.fired - before)
        judge(rig, client, answer)


def combinations():
    """(name, direction, fault, then, start): start runs through all residues."""
    everything = itertools.product(FAULTS, DIRECTIONS, (RECOVER, DEAD, AGAIN))
    for index, (fault, direction, then) in enumerate(everything):
        yield f"test_{fault}_{direction.replace(' ', '_')}_then_{then}", direction, fault, then, index % STRIDE


def add_tests(cls):
    for name, direction, fault, then, start in combinations():
        def test(self, direction=direction, fault=fault, then=then, start=start):
            self.cut(direction, fault, then, start)
        test.__name__ = name
        setattr(cls, name, test)
    return cls


@add_tests
class Dovecot(Cuts, unittest.TestCase):
    server = staticmethod(servers.dovecot)


@add_tests
class DovecotWithoutUidplusLeave(Cuts, unittest.TestCase):
    server = staticmethod(servers.dovecot_without_uidplus)
    upstream = {"without_uidplus": "leave", "marks_stay": True}


@add_tests
class DovecotWithoutUidplusLift(Cuts, unittest.TestCase):
    server = staticmethod(servers.dovecot_without_uidplus)
    upstream = {"without_uidplus": "lift"}


@add_tests
class DovecotWithoutUidplusAlone(Cuts, unittest.TestCase):
    """Nobody else has flagged anything: EXPUNGE."""
    server = staticmethod(servers.dovecot_without_uidplus)
    upstream = {"without_uidplus": "leave"}
    others = False


@add_tests
class Cyrus(Cuts, unittest.TestCase):
    server = staticmethod(servers.cyrus)
