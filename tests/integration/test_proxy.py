"""Listeners behind a proxy: whom the PROXY header names, who may send one, and what follows from it."""
import os
import re
import socket
import ssl
import subprocess
import sys

from harness import certificates, corpus, popgate, ports, servers
from harness.cases import Case
from harness.dovecot import Dovecot
from harness.haproxy import Haproxy
from harness.pop3 import Pop3, tls_context

HERE = os.path.dirname(os.path.abspath(__file__))
HEADERS = os.path.join(HERE, "..", "proxy", "headers.txt")
ONE = corpus.message("one", corpus.FILL * 10)
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client="192.0.2.7", port=40000):
    return b"PROXY TCP4 %s 198.51.100.1 %d 110\r\n" % (client.encode(), port)


def rows():
    with open(HEADERS, encoding="utf-8") as file:
        for line in file:
            answer, client, port, octets, name = line.rstrip("\n").split(" ", 4)
            yield answer, client, port, bytes.fromhex(octets.replace("-", "")), name


class ProxyCase(Case):
    proxies = "127.0.0.1"

    def start(self, **settings):
        """A gateway with one listener of each kind behind proxies, and its usual ones."""
        server = self.server = self.scripted([ONE])
        gate = self.gate = self.gateway({"port": server.port}, **settings)
        self.pop3, self.pop3s = (ports.HOST, ports.free_port()), (ports.HOST, ports.free_port())
        good = certificates.good()
        proxied = {"proxy_protocol": "yes", "proxy_networks": self.proxies, "certificate": good.cert, "key": good.key}
        gate.more_listeners = [("pop3", {"address": "%s:%d" % self.pop3, **proxied}),
                               ("pop3s", {"address": "%s:%d" % self.pop3s, **proxied})]
        gate.reload()
        return gate

    def raw(self, octets, source="127.0.0.1", address=None):
        sock = socket.create_connection(address or self.pop3, timeout=60, source_address=(source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(octets)
        return sock

    def all_of(self, sock):
        """What comes until the end of the connection; a reset is an end."""
        data = b""
        try:
            while True:
                more = sock.recv(65536)
                if not more:
                    break
                data += more
        except ConnectionResetError:
            pass
        sock.close()
        return data

    def session(self, header, **options):
        """A POP3 session that begins with HEADER, by STLS when it is to log in."""
        session = Pop3(self.pop3, greeting=False, **options)
        session.send(header)
        session.greeting = session.line()
        return session


class Headers(ProxyCase):
    def test_file_is_what_the_script_makes(self):
        script = os.path.join(HERE, "..", "proxy", "make-headers")
        made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
        with open(HEADERS, encoding="utf-8") as file:
            self.assertEqual(made, file.read())

    def test_all_headers_of_the_file(self):
        """T22. Whole ones are greeted under the name that they give, with the QUIT in the same packet answered; bad
        ones are closed without a word."""
        gate = self.start()
        for answer, client, port, octets, name in rows():
            if answer == "more":
                continue
            with self.subTest(name):
                start = len(gate.log())
                said = self.all_of(self.raw(octets + b"QUIT\r\n"))
                if answer == "bad":
                    self.assertEqual(said, b"")
                    gate.wait_log("no PROXY header", start=start)
                else:
                    self.assertEqual(said.count(b"+OK"), 2, said)
                    client = ports.HOST if client == "-" else client
                    gate.wait_log(re.compile(rf"session ended .*client={re.escape(client)} ").search, start=start)

    def test_header_that_ends_too_early(self):
        gate = self.start()
        for answer, _, _, octets, name in rows():
            if answer != "more":
                continue
            with self.subTest(name):
                start = len(gate.log())
                sock = self.raw(octets)
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(self.all_of(sock), b"")
                gate.wait_log("no PROXY header", start=start)

    def test_header_that_does_not_come(self):
        gate = self.start(login_timeout="200ms")
        for octets in (b"", b"PROXY TCP4 192", V2):
            with self.subTest(octets):
                start = len(gate.log())
                self.assertEqual(self.all_of(self.raw(octets)), b"")
                gate.wait_log("timed out", start=start)

    def test_octet_by_octet(self):
        self.start()
        for header in (v1(), V2 + b"\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x9c\x40\0\x6e"):
            sock = self.raw(b"")
            for octet in header + b"CAPA\r\nQUIT\r\n":
                sock.sendall(bytes([octet]))
            self.assertEqual(self.all_of(sock).count(b"+OK"), 3)

    def test_what_follows_is_not_swallowed(self):
        """Also a ClientHello in the header's packet."""
        self.start()
        self.assertEqual(self.all_of(self.raw(v1() + b"CAPA\r\nNOOP\r\nQUIT\r\n")).count(b"\n-ERR "), 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tls_context(certificates.good().ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock = self.raw(v1() + outgoing.read(), address=self.pop3s)
        greeting = b""
        while not greeting:
            incoming.write(sock.recv(65536))
            try:
                greeting = tls.read(100)
            except ssl.SSLWantReadError:
                pass
            sock.sendall(outgoing.read())
        self.assertTrue(greeting.startswith(b"+OK"), greeting)
        sock.close()


class WhoMaySend(ProxyCase):
    def test_unlisted_source_is_closed(self):
        """T22."""
        gate = self.start()
        for address in (self.pop3, self.pop3s):
            self.assertEqual(self.all_of(self.raw(v1(), "127.0.0.2", address)), b"")
        gate.wait_log("not in proxy_networks")
        self.assertNotIn("client=192.0.2.7", gate.log())
        self.assertTrue(self.all_of(self.raw(v1() + b"QUIT\r\n")).startswith(b"+OK"))

    def test_header_on_a_plain_listener_is_a_bad_command(self):
        """T22."""
        gate = self.start()
        said = self.all_of(self.raw(v1() * 3, address=gate.pop3))
        self.assertEqual(said.count(b"-ERR unknown command"), 3, said)
        gate.wait_log(re.compile(r"session ended .*client=127\.0\.0\.1 .*bad commands").search)
        self.assertNotIn("client=192.0.2.7", gate.log())

    def test_configuration(self):
        gate = self.start()
        for settings, said in (({"proxy_protocol": "yes"}, "needs proxy_networks"),
                               ({"proxy_networks": "192.0.2.1"}, "means nothing without"),
                               ({"proxy_protocol": "yes", "proxy_networks": "0.0.0.0/0"}, "anybody can claim")):
            gate.more_listeners = [("pop3", {"address": "127.0.0.1:0", **settings})]
            gate.write_config()
            done = popgate.run("check-config", "--config", gate.config)
            self.assertIn(said, done.stdout + done.stderr)
            self.assertEqual(done.returncode != 0, said == "needs proxy_networks")


class Consequences(ProxyCase):
    def test_limit_by_the_client_not_by_the_proxy(self):
        gate = self.start(max_sessions_per_address=2)
        sessions = [self.session(v1(f"192.0.2.{host}")) for host in (1, 1, 2, 3, 4)]
        self.assertTrue(all(session.greeting.startswith(b"+OK") for session in sessions))
        third = self.session(v1("192.0.2.1"))
        self.assert_code(third.greeting, "SYS/TEMP")
        self.assertEqual(third.rest(), b"")
        gate.wait_log(re.compile(r"connections refused .*client=192\.0\.2\.1 ").search)
        self.assertTrue(self.session(v1("192.0.2.2")).greeting.startswith(b"+OK"))
        sessions[0].quit()
        gate.wait_log("session ended")
        self.assertTrue(self.session(v1("192.0.2.1")).greeting.startswith(b"+OK"))

    def test_rate_by_the_client_not_by_the_proxy(self):
        self.start(max_connections_per_minute_per_address=2)
        for host in range(1, 6):
            self.assertTrue(self.session(v1(f"192.0.2.{host}")).greeting.startswith(b"+OK"))
        greetings = [self.session(v1("192.0.2.9")).greeting for _ in range(4)]
        self.assertEqual([greeting[:4] for greeting in greetings[:2]], [b"+OK "] * 2)
        self.assert_code(greetings[3], "SYS/TEMP")  # the third may be that of the next half minute
        self.gate.wait_log(re.compile(r"refused .*client=192\.0\.2\.9 .*per_minute_per_address is reached").search)

    def may_log_in(self, header):
        session = self.session(header)
        reply = session.command("USER someone")
        session.close()
        return reply.startswith(b"+OK")

    def test_rule_23_plain_text_behind_a_proxy(self):
        """The proxy is on this machine, which excuses its own way to us and nobody's way to it."""
        self.start(plaintext_networks="192.0.2.0/24")
        self.assertTrue(self.may_log_in(v1("192.0.2.7")))
        for header in (v1("198.51.100.9"), v1("127.0.0.1"), b"PROXY TCP6 ::1 ::1 1 2\r\n", b"PROXY UNKNOWN\r\n",
                       V2 + b"\x20\0\0\0", V2 + b"\x21\0\0\0"):
            self.assertFalse(self.may_log_in(header), header)

    def test_rule_23_the_way_from_the_proxy_counts_too(self):
        self.start(plaintext_networks="192.0.2.0/24", plaintext_loopback="no")
        self.assertFalse(self.may_log_in(v1("192.0.2.7")))
        self.gate.settings["plaintext_networks"] = "192.0.2.0/24, 127.0.0.1"
        self.gate.reload()
        self.assertTrue(self.may_log_in(v1("192.0.2.7")))
        self.assertFalse(self.may_log_in(v1("198.51.100.9")))

    def test_log(self):
        gate = self.start()
        session = self.session(v1("192.0.2.7"))
        session.stls()
        session.login("someone")
        session.quit()
        log = gate.wait_log("logged_in=yes")
        self.assertRegex(log, r"connected .*client=192\.0\.2\.7 protocol=pop3 proxy=127\.0\.0\.1")
        self.assertRegex(log, r"session ended .*client=192\.0\.2\.7 user=someone")


class RealProxy(ProxyCase):
    def test_haproxy(self):
        """Both versions, STLS and TLS from the first octet, a message each; the client is whom HAProxy saw."""
        gate = self.start()
        proxy = Haproxy([(self.pop3[1], "send-proxy"), (self.pop3[1], "send-proxy-v2"),
                         (self.pop3s[1], "send-proxy"), (self.pop3s[1], "send-proxy-v2")])
        self.addCleanup(proxy.stop)
        for number, address in enumerate(proxy.addresses):
            with self.subTest(number):
                context = tls_context(certificates.good().ca)
                sock = socket.create_connection(address, source_address=(f"127.0.1.{number + 1}", 0))
                sock.close()
                gate.wait_log(f"client=127.0.1.{number + 1} ")
                session = Pop3(address, tls=context if number >= 2 else None)
                if number < 2:
                    session.stls(context)
                session.login(f"user{number}")
                self.assertEqual(session.retr(1), ONE)
                session.quit()


class Forwarding(ProxyCase):
    def test_real_dovecot_logs_the_client(self):
        """forward_client: rip, lip and session in Dovecot's log are the client's, the listener's and popgate's."""
        dovecot = Dovecot(trusted="127.0.0.0/8")
        self.addCleanup(dovecot.stop)
        gate = self.start()
        gate.upstream.update({"port": dovecot.imap_port, "forward_client": "yes"})
        gate.reload()
        for header, rip, lip in ((v1("192.0.2.7"), "192.0.2.7", "198.51.100.1"),
                                 (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 995\r\n", "2001:db8::7", "2001:db8::1")):
            with self.subTest(rip):
                user = dovecot.user()
                session = self.session(header)
                session.stls()
                session.login(user)
                session.quit()
                log = gate.wait_log(re.compile(rf"session ended .*user={user} ").search)
                session_id = re.search(rf"session ended session=(\w+) .*user={user} ", log)[1]
                dovecot.wait_log(re.compile(rf"Login: user=<{user}>.* rip={rip}, lip={lip},.*session=<{session_id}>").search)

    def test_without_a_proxy_and_without_trust(self):
        """The socket's own address; and a server that does not trust us goes by what it sees."""
        dovecot = Dovecot(trusted="127.0.0.0/8")
        self.addCleanup(dovecot.stop)
        gate = self.gateway({"port": dovecot.imap_port, "forward_client": "yes", "send_id": "yes"})
        session = Pop3(gate.pop3, greeting=False, source="127.0.0.9")
        session.line()
        session.login("someone")
        session.quit()
        dovecot.wait_log(re.compile(r"Login: user=<someone>.* rip=127\.0\.0\.9, lip=127\.0\.0\.1,").search)
        gate = self.gateway({"port": servers.dovecot().imap_port, "forward_client": "yes"})
        gate.login("distrusted").quit()
        servers.dovecot().wait_log(re.compile(r"Login: user=<distrusted>.* rip=127\.0\.0\.1,").search)

    def test_octets_that_are_sent(self):
        gate = self.start()
        gate.upstream["forward_client"] = "yes"
        gate.reload()
        session = self.session(v1("192.0.2.7", 40001))
        session.stls()
        session.login("someone")
        session.quit()
        names = self.server.names()
        self.assertLess(names.index("ID"), names.index("AUTHENTICATE"))
        self.assertRegex(self.server.lines("ID")[0],
                         rb'^\("x-originating-ip" "192\.0\.2\.7" "x-originating-port" "40001" "x-connected-ip" '
                         rb'"198\.51\.100\.1" "x-connected-port" "110" "x-session-id" "\w{12}"\)$')

    def test_nothing_is_told_unless_asked_for(self):
        gate = self.start()
        gate.login("someone").quit()
        self.assertNotIn("ID", self.server.names())
