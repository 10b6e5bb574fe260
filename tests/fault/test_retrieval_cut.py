"""The connection to the mail server is cut at every octet of a RETR's and a TOP's dialogue: a message whose end did not
come is never shown as complete (rule 32, I7), however client and server are connected.

Short runs take every 7th octet and all around the message's first and last; POPGATE_TEST_LONG=1 takes all."""
import functools
import itertools
import re
import struct
import unittest

import rig as rigs
import tally
from cutting_proxy import AGAIN, DEAD, DIRECTIONS, FAULTS, RECOVER, STALL, TO_CLIENT

from harness import certificates, octets, servers

STRIDE = 7
AROUND = 8    # octets on either side of an edge that are all taken
PLAN = ("", "\\Seen", "\\Deleted", "")
CUT = 2       # the number of the message that is cut
LINES = 20

# Ends of lines, dots and what looks like the end of a message, everywhere.
BODY = b"".join(b"%d text\r\n.\r\n..\r\n.%d\r\n" % (i, i) for i in range(36)) + b".\r\n"


def edges(recorded, tls):
    """Places in RECORDED where something begins or ends: a literal, or a TLS record."""
    found = []
    if tls:
        at = 0
        while at + 5 <= len(recorded):
            found.append(at)
            at += 5 + struct.unpack_from(">H", recorded, at + 3)[0]
        return found
    for match in re.finditer(rb"\{(\d+)\}\r\n", recorded):
        found += [match.end(), match.end() + int(match[1])]
    return found


def places(length, around, start, stride):
    """Every STRIDEth from START to LENGTH, and all that are AROUND those."""
    near = {place + i for place in around for i in range(-AROUND, AROUND + 1)}
    return sorted({place for place in near if 0 <= place <= length} | set(range(start, length + 1, stride)))


class Bystander:
    """A session of another user of the same gateway, which goes on all the time."""

    def __init__(self, rig):
        self.user = rig.server.user("bystander")
        rig.server.fill(self.user, [b"Subject: bystander\r\n\r\ntext\r\n"])
        self.session = rig.gate.login(self.user)

    def check(self):
        if self.session.retr(1) != b"Subject: bystander\r\n\r\ntext\r\n":
            raise AssertionError("the session of another user was disturbed")


class Cuts:
    """For a way to the client and one to the server: a test for each command, fault and fate of later connections."""

    client_tls = None  # "pop3s", "stls"
    upstream_tls = "none"
    server = staticmethod(servers.dovecot)
    body = BODY
    stride = STRIDE

    @classmethod
    def setUpClass(cls):
        cls.pool = rigs.Pool(cls.rig)
        try:
            cls.clean = {command: cls.clean_run(command) for command in ("RETR", "TOP")}
        except BaseException:
            cls.pool.stop()
            raise

    @classmethod
    def rig(cls):
        server = cls.server()
        upstream, port = {"tls": cls.upstream_tls}, server.imap_port
        if cls.upstream_tls == "implicit":
            port = server.imaps_port
            upstream.update(ca_file=certificates.authority().cert, verify_name="localhost")
        rig = rigs.Rig(server, upstream, server_port=port)
        rig.bystander = Bystander(rig)
        return rig

    @classmethod
    def tearDownClass(cls):
        for rig in cls.pool.rigs:
            rig.bystander.session.close()
        cls.pool.stop()

    @classmethod
    def begin(cls, rig, name, gate=None):
        rig.ledger.arrange(name, PLAN, cls.body)
        client = rig.client(cls.client_tls, gate)
        client.login()
        return client

    @classmethod
    def get(cls, client, command, ask=True):
        whole = client.session.shown[CUT].octets
        if command == "TOP":
            return client.octets_of(CUT, "TOP", LINES, octets.top(whole, LINES), ask=ask)
        return client.octets_of(CUT, "RETR", ask=ask)

    @classmethod
    def clean_run(cls, command):
        """Direction -> octets of the undisturbed dialogue."""
        rig = cls.pool.rigs[0]
        client = cls.begin(rig, "clean")
        rig.proxy.record()
        if cls.get(client, command) is None:
            raise AssertionError(f"an undisturbed {command} brought nothing: {client.refusal} {client.end}")
        recorded = {direction: rig.proxy.recorded(direction) for direction in DIRECTIONS}
        client.quit()
        rig.ledger.judge()
        if rig.ledger.violations:
            raise AssertionError(str(rig.ledger.violations[0]))
        return recorded

    def cut(self, command, direction, fault, then, start):
        recorded = self.clean[command][direction]
        around = edges(recorded, self.upstream_tls != "none") if direction == TO_CLIENT else []
        stride = max(1, self.stride // STRIDE) if rigs.LONG else self.stride
        self.pool.run(places(len(recorded), around, start, stride),
                      functools.partial(self.one, command, direction, fault, then))

    def one(self, command, direction, fault, then, rig, place):
        ledger = rig.ledger
        name = f"{type(self).__name__} {command}: {fault} after octet {place} {direction}, then {then}"
        if fault == STALL:
            client = rigs.insist(lambda: self.begin(rig, name, rig.impatient()))
        else:
            client = self.begin(rig, name)
        before = rig.proxy.fired
        pipelined = place % 2 == 1
        rig.proxy.arm(direction, place, fault, then)
        if pipelined:
            line = f"TOP {CUT} {LINES}" if command == "TOP" else f"RETR {CUT}"
            client.session.quit()
            client.send(f"{line}\r\nDELE {CUT}\r\nQUIT")
        came = self.get(client, command, ask=not pipelined)
        tally.add(faults=rig.proxy.fired - before)
        if came is None and client.refusal is None:
            self.judge_end(client)
        else:
            # It came as a whole, or nothing of it: the session goes on, or ends by an answer.
            if came is None and not client.refusal.startswith(b"-ERR [SYS/TEMP]"):
                ledger.complain("rule 35", f"{command} was answered {client.refusal!r}")
            client.try_dele(CUT, ask=not pipelined)
            self.end(client, pipelined)
        client.pop3.close()
        rig.bystander.check()
        rig.proxy.recover()
        found = ledger.judge()
        if came is None and client.session.shown[CUT].name not in found and not client.session.marks:
            ledger.complain("I7", "the message is gone that did not come")
        ledger.reopen(rig.gate, still_ending=lambda: rig.proxy.open_connections() > 1)
        ledger.judge(settled=True)

    @staticmethod
    def end(client, pipelined):
        """QUIT and its answer, as far as there still is a session."""
        if not pipelined:
            client.quit()
            return
        try:
            client.session.answered(client.pop3.status())
        except (OSError, AssertionError):
            client.session.answered(None)

    def judge_end(self, client):
        """The message was cut: no client may take the end of the connection for a good one."""
        how = client.how_it_ended()
        if how not in (("reset", "cut") if self.client_tls else ("reset",)):
            client.ledger.complain("I7", f"the connection with a cut message ended {how}: {client.end!r}")
        if client.try_dele(CUT):
            client.ledger.complain("I7", "a cut message could be deleted")


def combinations():
    """(name, command, direction, fault, then, start): start runs through all residues."""
    everything = itertools.product(("RETR", "TOP"), FAULTS, DIRECTIONS, (RECOVER, DEAD, AGAIN))
    for index, (command, fault, direction, then) in enumerate(everything):
        name = f"test_rule_32_{command}_{fault}_{direction.replace(' ', '_')}_then_{then}"
        yield name, command, direction, fault, then, index % STRIDE


def add_tests(wanted=None):
    """WANTED(command, direction, fault, then): which combinations a short run takes."""
    def add(cls):
        for name, command, direction, fault, then, start in combinations():
            if not (rigs.LONG or wanted is None or wanted(command, direction, fault, then)):
                continue

            def test(self, arguments=(command, direction, fault, then, start)):
                self.cut(*arguments)
            test.__name__ = name
            setattr(cls, name, test)
        return cls
    return add


@add_tests(lambda command, direction, fault, then: fault != STALL or then == RECOVER)
class Plain(Cuts, unittest.TestCase):
    pass


@add_tests(lambda command, direction, fault, then: direction == TO_CLIENT and then == DEAD)
class Pop3s(Cuts, unittest.TestCase):
    client_tls = "pop3s"


@add_tests(lambda command, direction, fault, then: direction == TO_CLIENT and then == RECOVER and command == "RETR")
class Stls(Cuts, unittest.TestCase):
    client_tls = "stls"


@add_tests(lambda command, direction, fault, then: direction == TO_CLIENT and then == RECOVER and command == "RETR")
class UpstreamTls(Cuts, unittest.TestCase):
    upstream_tls = "implicit"


@add_tests(lambda command, direction, fault, then: direction == TO_CLIENT and then == DEAD and command == "RETR")
class BothTls(Cuts, unittest.TestCase):
    client_tls = "pop3s"
    upstream_tls = "implicit"


@add_tests(lambda command, direction, fault, then: direction == TO_CLIENT and then == DEAD and fault != STALL)
class LargeMessage(Cuts, unittest.TestCase):
    """Of which the client has got much before the cut."""
    body = BODY * 80
    stride = 997
