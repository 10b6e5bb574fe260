"""Allocations fail: the n-th one alone, or all from the n-th on, for n = 1, 2, 3, ... through whole sessions.

Nobody crashes, nobody lies, nothing is lost, nothing leaks, and the next session is served as if nothing had happened.
Short runs look at a sample of n where a session allocates much, as with TLS; with POPGATE_TEST_LONG=1 at each."""
import unittest

from inject import FOREVER, LONG, Gateway
from truthful import Deleting, Learning, Listing, Mailbox, Reading, Rounds

import tally
from harness import certificates, servers

# glibc 2.36: getaddrinfo keeps what it knows of the machine's own addresses (check_pf.c), anew whenever a look-up
# failed half-way; and where /etc/hosts could not be read, each thread's resolver keeps the addresses of its servers
# (res_send.c). Nobody else can let go of that.
KEPT_BY_LIBC = ("check_pf.c", "res_send.c")

STEPS = 60    # values of n in a short run, at least


class Hunt(Rounds):
    """Runs a kind of session again and again while an allocation fails, another one each time."""

    def __init__(self, gate, session, times):
        super().__init__(gate, session)
        self.times = times
        self.reached = 0
        self.frames = []

    def begin(self):
        """Fills the caches that fill once, and learns what is normal."""
        for _ in range(4):
            count = self.clean()
        self.base = self.control["live"]
        self.clean()
        self.base = max(self.base, self.live())
        return count

    def fail(self, number):
        """A session in which allocation NUMBER fails. Returns whether there was one of that number."""
        self.prepare()
        self.control.allocation(number, self.times)
        self.failing()
        self.frames = self.control.frames()
        return self.control.failed() > 0

    def explain_leak(self, number):
        self.control.trace(True)
        self.fail(number)
        self.clean()
        self.live()
        self.control.trace(False)
        names = self.gate.addresses()
        text = ""
        for size, order, frames in self.control.records():
            callers = names.describe(frames)
            if not any(kept in caller for caller in callers for kept in KEPT_BY_LIBC):
                text += f"\n  {size} octets, allocation {order}:\n    " + "\n    ".join(callers)
        return text

    def step(self, number):
        if not self.fail(number):
            return False
        self.reached += 1
        frames = self.frames
        self.clean()
        if self.live() > self.base and self.leaks(lambda: self.fail(number)):
            names = "\n    ".join(self.gate.addresses().describe(frames))
            left = self.explain_leak(number)
            if left:
                raise AssertionError(f"memory leaks when allocation {number} fails:\n    {names}\nleft behind:{left}")
        return True

    def run(self):
        count = self.begin()
        stride = 1 if LONG else max(1, count // STEPS)
        number = 1
        while self.step(number):
            number += stride
        return count


class AllocationFailure(unittest.TestCase):
    def hunt(self, kind, server, times, tls=False, blocks=(), **upstream):
        settings = {"port": server.imaps_port if tls else server.imap_port, **upstream}
        if tls:
            # a failure may leave one more session to be resumed, which looks like a leak
            settings.update(host="localhost", tls="implicit", ca_file=certificates.good().ca, tls_resumption="no")
        gate = Gateway(settings, blocks=blocks)
        self.addCleanup(gate.stop)
        mailbox = Mailbox(server)
        self.addCleanup(mailbox.imap.close)
        hunt = Hunt(gate, kind(gate, mailbox, tls), times)
        hunt.run()
        tally.add(runs=hunt.reached, faults=hunt.reached)
        self.assertGreater(hunt.reached, 10)

    def test_login_and_listing_with_one_failure(self):
        self.hunt(Listing, servers.dovecot(), 1)

    def test_login_and_listing_with_failures_from_then_on(self):
        self.hunt(Listing, servers.dovecot(), FOREVER)

    def test_login_to_a_host_that_is_looked_up_with_one_failure(self):
        self.hunt(Listing, servers.dovecot(), 1, host="localhost")

    def test_login_to_a_host_that_is_looked_up_with_failures_from_then_on(self):
        self.hunt(Listing, servers.dovecot(), FOREVER, host="localhost")

    def learn(self, times):
        server = servers.dovecot()
        self.hunt(Learning, server, times, label="new", uidl="%v.%u", learn="old", mailbox="INBOX, Junk", blocks=[
            ("upstream old", {"protocol": "pop3", "host": "127.0.0.1", "port": server.pop3_port})])

    def test_learning_with_one_failure(self):
        self.learn(1)

    def test_learning_with_failures_from_then_on(self):
        self.learn(FOREVER)

    def test_reading_with_one_failure(self):
        self.hunt(Reading, servers.dovecot(), 1)

    def test_reading_with_failures_from_then_on(self):
        self.hunt(Reading, servers.dovecot(), FOREVER)

    def test_reading_with_tls_on_both_legs_with_one_failure(self):
        self.hunt(Reading, servers.dovecot(), 1, tls=True)

    def test_reading_with_tls_on_both_legs_with_failures_from_then_on(self):
        self.hunt(Reading, servers.dovecot(), FOREVER, tls=True)

    def test_deletion_with_one_failure(self):
        self.hunt(Deleting, servers.dovecot(), 1)

    def test_deletion_with_failures_from_then_on(self):
        self.hunt(Deleting, servers.dovecot(), FOREVER)

    def test_deletion_without_uidplus_with_one_failure(self):
        self.hunt(Deleting, servers.dovecot_without_uidplus(), 1)

    def test_deletion_without_uidplus_with_failures_from_then_on(self):
        self.hunt(Deleting, servers.dovecot_without_uidplus(), FOREVER)


if __name__ == "__main__":
    unittest.main(verbosity=2)
