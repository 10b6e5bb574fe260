"""Connections to the server that outlive their session (`reuse`), and TLS sessions that do: taken by the same user with
the same password only, with nothing of the former session left, and never worth an error."""
import socket
import threading

from harness import certificates, ports, scripted_imap, servers
from harness.cases import Case
from harness.scripted_imap import CAPABILITY, once

WITH_UNSELECT = (*CAPABILITY, "UNSELECT")
DONE = b"{tag} OK done\r\n"
ONE_WORKER = {"workers": 1}  # each worker keeps its own
TAKEN = "goes on with the connection of an earlier session"


def message(number):
    return b"Subject: %d\r\n\r\nbody\r\n" % number


class Reuse(Case):
    def pair(self, capability=WITH_UNSELECT, reuse="60s", **upstream):
        server = self.scripted([message(n) for n in range(3)], capability=capability)
        server.on("UNSELECT", DONE)
        return server, self.gateway({"port": server.port, "reuse": reuse, **upstream}, **ONE_WORKER)

    def visit(self, gate, user="user", password="secret"):
        """A whole session; returns what STAT said."""
        session = gate.login(user, password)
        seen = session.stat()
        session.quit()
        return seen

    def logged_out(self, server, times=1):
        server.wait_for(lambda s: s.names().count("LOGOUT") == times)

    # what is taken

    def test_the_next_session_takes_the_connection(self):
        server, gate = self.pair()
        first = self.visit(gate)
        for _ in range(3):
            self.assertEqual(self.visit(gate), first)
        self.assertEqual(server.accepted, 1)
        server.wait_for(lambda s: s.names().count("UNSELECT") == 4)
        names = server.names()
        self.assertEqual(names.count("AUTHENTICATE"), 1)
        self.assertEqual(names[names.index("SELECT"):], ["SELECT", "UID FETCH", "UNSELECT"] * 4)

    def test_without_unselect_nothing_is_closed(self):
        server, gate = self.pair(CAPABILITY)
        self.visit(gate)
        self.visit(gate)
        self.assertEqual(server.accepted, 1)
        names = server.names()
        self.assertEqual(names.count("SELECT"), 2)
        self.assertFalse({"UNSELECT", "CLOSE", "EXPUNGE"} & set(names), names)

    def test_off_by_default(self):
        server = self.scripted([message(1)], capability=WITH_UNSELECT)
        gate = self.gateway({"port": server.port})
        self.visit(gate)
        self.logged_out(server)
        self.visit(gate)
        self.logged_out(server, 2)
        self.assertEqual(server.accepted, 2)
        self.assertNotIn("UNSELECT", server.names())

    def test_no_password_is_needed_to_keep_it(self):
        server, gate = self.pair(reconnect="no")
        self.visit(gate)
        self.visit(gate)
        self.assertEqual(server.accepted, 1)

    # by whom

    def test_another_password_asks_the_server(self):
        server, gate = self.pair()
        self.visit(gate)
        session = gate.connect()
        session.ok("USER user")
        self.assert_code(session.command("PASS wrong"), "AUTH")
        session.quit()
        self.assertEqual(server.accepted, 2)
        self.visit(gate)  # whoever knows it still has it
        self.assertEqual(server.accepted, 2)

    def test_another_user_asks_the_server(self):
        server, gate = self.pair()
        self.visit(gate, "jane")
        for user in ("joan", "Jane", "jan", "janee", "jane@example.org"):
            before = server.accepted
            self.visit(gate, user)
            self.assertEqual(server.accepted, before + 1, user)
        self.assertEqual([user for user, _ in server.logins],
                         ["jane", "joan", "Jane", "jan", "janee", "jane@example.org"])

    def test_a_new_password_ends_what_the_old_one_left(self):
        server, gate = self.pair()
        self.visit(gate)
        server.password = "changed"
        session = gate.login("user", "changed")
        self.logged_out(server)
        session.quit()
        session = gate.connect()
        session.ok("USER user")
        self.assert_code(session.command("PASS secret"), "AUTH")
        session.quit()

    def test_one_session_at_a_time_all_the_same(self):
        _, gate = self.pair()
        self.visit(gate)
        first = gate.login("user")
        second = gate.connect()
        second.ok("USER user")
        self.assert_code(second.command("PASS secret"), "IN-USE")
        second.quit()
        first.quit()

    # which ones are kept

    def test_only_quit_leaves_one(self):
        server, gate = self.pair()
        session = gate.login("user")
        session.close()
        self.logged_out(server)
        self.assertNotIn("UNSELECT", server.names())

    def test_a_failed_deletion_leaves_none(self):
        server, gate = self.pair()
        server.on("UID STORE", b"{tag} NO not now\r\n")
        session = gate.login("user")
        session.ok("DELE 1")
        session.err("QUIT")
        self.logged_out(server)
        self.assertNotIn("UNSELECT", server.names())

    # its end

    def test_its_time_ends(self):
        server, gate = self.pair(reuse="200ms")
        self.visit(gate)
        self.logged_out(server)
        self.visit(gate)
        self.assertEqual(server.accepted, 2)

    def test_the_server_closes_it(self):
        for action in ("close", "bye", "reset"):
            server, gate = self.pair()
            self.visit(gate)
            server.wait_for(lambda s: "UNSELECT" in s.names())
            if action == "bye":
                server.connections[0].send(b"* BYE idle for too long\r\n")
            elif action == "close":
                server.connections[0].sock.shutdown(socket.SHUT_RDWR)
            else:
                server.drop_connections()
            self.visit(gate)
            self.assertEqual(server.accepted, 2, action)
            server.wait_for(lambda s: len(s.connections) <= 1)

    def test_anything_else_that_the_server_says_ends_it(self):
        for octets in (b"* 5 EXISTS\r\n", b"4711 OK done\r\n", b"* BYE\r\n", b"\0", b"+ go on\r\n"):
            server, gate = self.pair()
            server.on("UNSELECT", DONE + octets)
            self.visit(gate)
            self.visit(gate)
            self.assertEqual(server.accepted, 2, octets)

    def test_a_server_that_fails_with_it_is_asked_anew(self):
        for step, action in (("SELECT", b"{tag} NO who are you?\r\n"), ("SELECT", scripted_imap.close),
                             ("SELECT", b"{tag} BAD x\r\n"), ("UNSELECT", b"{tag} BAD x\r\n"),
                             ("fetch listing", scripted_imap.reset), ("fetch listing", b"{tag} NO no\r\n")):
            server, gate = self.pair()
            first = self.visit(gate)
            server.on(step, once(action))
            self.assertEqual(self.visit(gate), first, step)
            self.assertEqual(self.visit(gate), first, step)

    def test_reload_ends_it(self):
        server, gate = self.pair()
        self.visit(gate)
        busy = gate.login("other")
        gate.reload()
        self.logged_out(server)
        busy.quit()  # of the old configuration
        self.logged_out(server, 2)
        self.visit(gate)
        self.assertEqual(server.accepted, 3)
        self.visit(gate)
        self.assertEqual(server.accepted, 3)

    def test_the_end_of_the_gateway_ends_it(self):
        server, gate = self.pair()
        for user in ("one", "two", "three"):
            self.visit(gate, user)
        gate.stop()
        self.logged_out(server, 3)

    # what is seen

    def walk(self, server):
        """New mail, mail that others removed, and deletions through one connection."""
        user = server.user()
        server.fill(user, [message(n) for n in range(4)])
        gate = self.gateway({"port": server.imap_port, "reuse": "60s"}, **ONE_WORKER)
        session = gate.login(user)
        self.assertEqual(session.stat()[0], 4)
        session.ok("DELE 2")
        session.quit()
        session = gate.login(user)
        self.assertEqual(session.stat()[0], 3)
        self.assertIn(b"Subject: 2", session.retr(2))
        session.ok("DELE 1")
        session.quit()
        server.fill(user, [message(7)])
        with server.imap(user) as mailbox:
            mailbox.expunge(mailbox.uids()[:1])
        session = gate.login(user)
        self.assertEqual(session.stat()[0], 2)
        self.assertIn(b"Subject: 7", session.retr(2))
        self.assertIn(b"Subject: 3", session.retr(1))
        session.quit()
        self.assertEqual(gate.log().count(TAKEN), 2)
        with server.imap(user) as mailbox:
            self.assertEqual(len(mailbox.uids()), 2)
        return user

    def test_dovecot(self):
        server = servers.dovecot()
        user = self.walk(server)
        logins = f"imap-login: Info: Login: user=<{user}>"
        server.wait_log(lambda log: log.count(logins) >= 5)  # one of ours, and four of the test's own
        self.assertEqual(server.log().count(logins), 5)

    def test_dovecot_without_uidplus(self):
        self.walk(servers.dovecot_without_uidplus())

    def test_cyrus(self):
        self.walk(servers.cyrus())

    def test_messages_flagged_by_others_stay(self):
        """What is flagged \\Deleted when a connection is left is not expunged by that."""
        server = servers.dovecot()
        user = server.user()
        server.fill(user, [message(n) for n in range(4)])
        gate = self.gateway({"port": server.imap_port, "reuse": "60s"}, **ONE_WORKER)
        session = gate.login(user)
        with server.imap(user) as mailbox:
            mailbox.flag_deleted(mailbox.uids()[:1])
        session.quit()
        session = gate.login(user)
        self.assertEqual(session.stat()[0], 3)
        session.quit()
        self.assertEqual(gate.log().count(TAKEN), 1)
        with server.imap(user) as mailbox:
            self.assertEqual(len(mailbox.uids()), 4)

    def test_over_tls(self):
        server = self.scripted([message(1)], capability=WITH_UNSELECT, tls="implicit")
        server.on("UNSELECT", DONE)
        gate = self.gateway({"port": server.port, "tls": "implicit", "ca_file": certificates.good().ca,
                             "reuse": "60s"}, **ONE_WORKER)
        for _ in range(3):
            self.visit(gate)
        self.assertEqual(server.accepted, 1)
        gate.stop()
        self.logged_out(server)


class Relay:
    """Passes octets on to PORT and counts those of the server, per connection."""

    def __init__(self, port):
        self.target, self.counts = (ports.HOST, port), []
        self._listener = socket.create_server((ports.HOST, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            self.counts.append(0)
            threading.Thread(target=self._pass, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, len(self.counts) - 1), daemon=True).start()

    def _pass(self, source, sink, number):
        try:
            while data := source.recv(65536):
                if number is not None:
                    self.counts[number] += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self._listener.close()


class TlsSessions(Case):
    def login(self, gate, user="user"):
        session = gate.login_when_free(user)
        session.stat()
        session.quit()

    def test_the_second_handshake_is_a_resumption(self):
        for tls in ("implicit", "starttls"):
            server = self.scripted([message(1)], tls=tls)
            resumed = []
            server.on("AUTHENTICATE", lambda connection, _: resumed.append(connection.sock.session_reused))
            gate = self.gateway({"port": server.port, "tls": tls, "ca_file": certificates.good().ca}, **ONE_WORKER)
            for _ in range(4):
                self.login(gate)
            self.assertEqual(resumed, [False, True, True, True], tls)

    def test_another_server_at_that_address_is_judged(self):
        """A server that cannot resume must show a good certificate, however often it was seen before."""
        good = self.scripted([message(1)], tls="implicit")
        bad = self.scripted([message(1)], tls="implicit", certificate=certificates.bad()["self-signed"])
        relay = Relay(good.port)
        self.addCleanup(relay.stop)
        gate = self.gateway({"port": relay.port, "tls": "implicit", "ca_file": certificates.good().ca}, **ONE_WORKER)
        self.login(gate)
        self.login(gate)
        relay.target = (ports.HOST, bad.port)
        for _ in range(3):
            session = gate.connect()
            session.ok("USER user")
            self.assert_code(session.command("PASS secret"), "SYS/TEMP")
            session.quit()
        self.assertFalse(bad.saw_credentials("secret"))
        relay.target = (ports.HOST, good.port)
        self.login(gate)

    def test_dovecot_resumes(self):
        """Without its certificate the server has much less to say."""
        server = servers.dovecot()
        user = server.user()
        server.fill(user, [message(1)])
        relay = Relay(server.imaps_port)
        self.addCleanup(relay.stop)
        gate = self.gateway({"port": relay.port, "tls": "implicit", "ca_file": certificates.good().ca}, **ONE_WORKER)
        for _ in range(8):  # more than there are processes that may have given the ticket
            self.login(gate, user)
        self.assertLess(min(relay.counts), max(relay.counts) - 500, relay.counts)
