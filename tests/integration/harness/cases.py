"""The base of all test cases here: a gateway that ends with the test, checked at its end."""
import unittest

from . import scripted_imap
from .popgate import Popgate


class Case(unittest.TestCase):
    maxDiff = 2000

    def gateway(self, upstream, **settings):
        """A gateway for this test alone."""
        started = Popgate(upstream, **settings)
        self.addCleanup(self._stop, started)
        return started

    @staticmethod
    def _stop(started):
        if started.process.returncode is None:
            started.stop()
        else:
            started.check_sanitizers()

    def scripted(self, *arguments, **options):
        server = scripted_imap.Server(*arguments, **options)
        self.addCleanup(self._stop_scripted, server)
        return server

    def _stop_scripted(self, server):
        server.stop()
        self.assertEqual(server.faults, [], "the scripted server itself failed")

    def assert_code(self, reply, code=None):
        """REPLY is -ERR with just this response code (None: without any)."""
        start = b"-ERR" if code is None else b"-ERR [" + code.encode() + b"]"
        self.assertTrue(reply.startswith(start), f"expected {start!r}: {reply!r}")
        if code is None:
            self.assertFalse(reply.startswith(b"-ERR ["), f"expected no response code: {reply!r}")
