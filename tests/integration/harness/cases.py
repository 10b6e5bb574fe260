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


class ScriptedCase(Case):
    """One scripted server and one gateway for the class; each test begins with a full mailbox (UIDs 10, 20, ...,
    the last message flagged)."""

    capability = scripted_imap.CAPABILITY
    tls = "none"
    messages = ()
    upstream = {}
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = scripted_imap.Server(capability=cls.capability, tls=cls.tls)
        # Short, for the sake of tests with a server that falls silent; a busy machine must not look like one.
        cls.gate = Popgate({"port": cls.server.port, "tls": cls.tls, "connect_timeout": "3s", "tls_timeout": "3s",
                            "command_timeout": "3s", **cls.upstream}, **cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.gate.stop()
        cls.server.stop()
        if cls.server.faults:
            raise AssertionError(f"the scripted server itself failed: {cls.server.faults}")

    def setUp(self):
        self.begin()

    def tearDown(self):
        self.gate.assert_alive()

    def begin(self, messages=None):
        server = self.server
        server.usual()
        with server.lock:
            server.capability = list(self.capability)
            server.uidvalidity = 1700000000
            server.users = None
            server.messages = [scripted_imap.Message(10 * i, m)
                               for i, m in enumerate(self.messages if messages is None else messages, 1)]
            if server.messages:
                server.messages[-1].flags = {"\\Flagged"}
        server.forget()
