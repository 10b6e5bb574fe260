"""Guessing of passwords: what the client hears and when, what the server sees, and who is spared; T1 to T4."""
import base64
import itertools
import os
import random
import re
import signal
import threading
import time

from harness import corpus, samples, servers, sockets
from harness.cases import Case
from harness.pop3 import Pop3

ONE = corpus.message("one", corpus.FILL * 10)


class Guesses(Case):
    # as an administrator has them, but for the time
    SETTINGS = {"auth_failure_delay": "20ms", "max_failed_logins_per_user": 10, "max_failed_logins": 600,
                "max_auth_failures": 1000}

    def start(self, users=None, upstream=None, **settings):
        self.server = self.scripted([ONE], users=users)
        self.gate = self.gateway({"port": self.server.port, "max_failed_logins": 300, **(upstream or {})},
                                 **{**self.SETTINGS, **settings})
        return self.gate

    def connect(self, source="127.0.0.1"):
        return Pop3(self.gate.pop3, source=source)

    def guess(self, session, user, password):
        session.ok(f"USER {user}")
        return session.command(f"PASS {password}")

    def at_once(self, jobs):
        """Runs the functions JOBS, each in a thread of its own; returns what they return."""
        results = [None] * len(jobs)

        def run(number):
            results[number] = jobs[number]()
        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def logins(self, user=None):
        with self.server.lock:
            return [login for login in self.server.logins if user in (None, login[0])]


class Guessing(Guesses):
    def test_t1_guesses_at_one_user(self):
        """From 20 addresses: 10 reach the server, all are answered alike, and the user comes in all the while."""
        self.start({"victim": "right"})
        known = self.connect("127.0.2.1")
        known.login("victim", "right")
        known.quit()
        self.server.forget()
        replies = set()
        for number in range(50):
            with self.connect(f"127.0.1.{number % 20 + 1}") as session:
                replies.add(self.guess(session, "victim", f"guess{number}"))
        self.assertEqual(replies, {b"-ERR [AUTH] user name or password is wrong"})
        self.assertIn(len(self.logins("victim")), (10, 11, 12))  # one more after each block that ran out meanwhile
        self.assertRegex(self.gate.log(), r"login refused .*user=victim .*too many failed logins of this user")
        for source in ("127.0.2.1", "127.0.2.2"):  # with the password known, from anywhere
            session = self.connect(source)
            session.login("victim", "right")
            session.quit()
        self.server.users["victim"] = "changed"
        session = self.connect("127.0.2.1")  # with another one, from the address known
        session.login("victim", "changed")
        session.quit()
        with self.connect("127.0.2.9") as session:
            self.assert_code(self.guess(session, "victim", "no"), "AUTH")

    def test_t2_parallel_guesses_of_one_address(self):
        """After a failure, two at a time reach the server; a known user of that address is not held up."""
        self.start({"known": "right"}, auth_failure_delay="1s", authorization_timeout="3s")
        session = self.connect()
        session.login("known", "right")
        session.quit()
        with self.connect() as session:
            self.assert_code(self.guess(session, "first", "x"), "AUTH")
        self.server.forget()
        lock, now, most = threading.Lock(), [0], [0]
        release = threading.Event()

        def slow(connection, command):
            if b"known" in base64.b64decode(command.arguments.split(b" ")[1]):
                return False
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            release.wait(30)
            with lock:
                now[0] -= 1
            return False
        self.server.on("AUTHENTICATE", slow)
        sessions = [self.connect() for _ in range(200)]
        for number, session in enumerate(sessions):
            session.send(f"USER guess{number}\r\nPASS x\r\n".encode())
        self.server.wait_for(lambda s: most[0] == 2)
        good = self.connect()
        good.login("known", "right")
        good.quit()
        for session in sessions[:100]:
            session.close()  # who is gone leaves the queue
        self.gate.wait_log("went away before the server was asked")
        release.set()
        self.assertEqual(most[0], 2)
        for session in sessions:
            session.close()

    def test_t3_budget_of_failures(self):
        """One failure may happen at once, and one in ten seconds: known users pass, others are told to come later."""
        self.start({"known": "right", "unknown": "right"}, upstream={"max_failed_logins": 6})
        session = self.connect()
        session.login("known", "right")
        session.quit()
        with self.connect("127.0.1.1") as session:
            self.assert_code(self.guess(session, "a", "x"), "AUTH")
        begin = time.monotonic()
        sessions = [self.connect(f"127.0.1.{number}") for number in range(2, 22)]
        replies = self.at_once([lambda s=s, n=n: self.guess(s, f"b{n}", "x") for n, s in enumerate(sessions)])
        took = time.monotonic() - begin
        rejected = sum(b"[AUTH]" in reply for reply in replies)
        self.assertEqual(rejected + sum(b"[SYS/TEMP]" in reply for reply in replies), 20, replies)
        self.assertLessEqual(rejected, 1 + took / 10)
        self.assertIn("max_failed_logins is reached", self.gate.log())
        session = self.connect("127.0.3.1")
        session.login("known", "right")
        session.quit()
        self.assertLessEqual(len(self.logins()), 2 + 1 + 1 + (time.monotonic() - begin) / 10)

    def test_t4_one_text_and_one_schedule(self):
        """Unknown users and wrong passwords, at a quick and at a slow server: the same words, on the same schedule."""
        dovecot = servers.dovecot()
        self.start()
        self.gate.upstream["port"] = dovecot.imap_port
        self.gate.settings["auth_failure_delay"] = "1s"
        self.gate.reload()
        texts, times = set(), {}
        for number, user in enumerate(("jürgen", "spaces", "reader", "nobody here", "x@example.org")):
            with self.connect(f"127.0.4.{number + 1}") as session:
                session.ok(f"USER {user}")
                begin = time.monotonic()
                texts.add(session.command("PASS wrong"))
                times[user] = time.monotonic() - begin
        self.assertEqual(texts, {b"-ERR [AUTH] user name or password is wrong"})
        for took in times.values():
            self.assertGreater(took, 0.8, times)

    def test_answer_waits_after_the_arrival_of_the_password(self):
        """And 2, 4, 8, 15: the fourth answer to an address takes 7.5 times as long as the first."""
        self.start({}, auth_failure_delay="200ms")
        times = []
        with self.connect() as session:
            for number in range(4):
                session.ok(f"USER user{number}")
                begin = time.monotonic()
                self.assert_code(session.command("PASS x"), "AUTH")
                times.append(time.monotonic() - begin)
        for took, least in zip(times, (0.17, 0.34, 0.68, 1.27)):
            self.assertGreater(took, least * 0.95, times)

    def test_bad_sasl_exchanges_do_not_hold_up_a_good_login(self):
        """A thousand, four in each of 250 connections."""
        self.start(max_bad_commands_before_login=1000, max_sessions_per_address=2000)
        sessions = [self.connect() for _ in range(250)]
        for session in sessions:
            session.send(b"AUTH PLAIN !!!!\r\nAUTH PLAIN AGEA\r\nAUTH LOGIN\r\n*\r\nAUTH PLAIN =\r\n")
        good = self.connect()
        good.login("someone")
        self.assertEqual(good.retr(1), ONE)
        good.quit()
        for session in sessions:
            replies = [session.status() for _ in range(5)]
            self.assertEqual(sum(reply.startswith(b"-ERR") for reply in replies), 4, replies)
            session.close()
        self.assertEqual(len(self.logins()), 1)

    def test_failures_end_a_connection(self):
        self.start({}, max_auth_failures=2, max_failed_logins_per_user=1)
        session = self.connect()
        self.assert_code(self.guess(session, "someone", "x"), "AUTH")
        self.assert_code(self.guess(session, "someone", "y"), "AUTH")  # not asked any more, and counted
        self.assertEqual(session.rest(), b"")
        self.assertEqual(len(self.logins()), 1)

    def test_fail2ban_can_read_the_log(self):
        self.start({}, max_failed_logins_per_user=1)
        for _ in range(2):
            with self.connect("127.0.5.5") as session:
                self.guess(session, "someone", "x")
        expression = re.compile(r'login (failed|refused) .*client=127\.0\.5\.5 .*code="credentials rejected"')
        self.gate.wait_log(lambda text: len(expression.findall(text)) == 2)


class Timing(Guesses):
    """T4, as statistics: what the time of an answer tells of a name. The server has texts of its own for each kind of failure."""
    by_the_clock = True

    WORDS = {"unknown": b"no such user", "wrong": b"the password of this user is wrong"}

    def start(self, pause=lambda: None, **settings):
        """Names that begin with w are users of another password, those of over 8 octets are not allowed to log in."""
        super().start(user_max_length=8, max_failed_logins=1000000, max_failed_logins_per_user=100000,
                      upstream={"max_failed_logins": 1000000}, log_level="warning", **settings)
        self.spent, self.replies = {}, set()

        def reject(connection, command):
            began = time.perf_counter()
            user = base64.b64decode(command.arguments.split(b" ")[1]).split(b"\0")[1].decode()
            text = self.WORDS["wrong" if user.startswith("w") else "unknown"]
            pause()
            self.spent[user] = time.perf_counter() - began
            connection.send_for(command, b"{tag} NO [AUTHENTICATIONFAILED] " + text + b"\r\n")
            return True
        self.server.on("AUTHENTICATE", reject)

    def took(self, session, user):
        """Seconds from the password to the answer."""
        session.ok(f"USER {user}")
        began = time.perf_counter()
        self.replies.add(session.command("PASS guess"))
        return time.perf_counter() - began

    def assert_alike(self, label, one, other):
        self.assertLess(samples.distance(one, other), samples.critical(one, other), label)

    def assert_apart(self, label, one, other):
        self.assertGreater(samples.distance(one, other), samples.critical(one, other), label)

    def test_t4_what_the_gateway_adds_does_not_show_who_exists(self):
        """Without any delay, so that nothing hides it: how long a rejected login takes longer than at the server. That the
        measure is fine enough shows with half as much again."""
        self.start()
        names = {"unknown": "u1234567", "wrong": "w1234567"}
        added, order = {kind: [] for kind in names}, random.Random(4)
        for number in range(1000):
            if number % 250 == 0:
                session = self.connect()
                self.addCleanup(session.close)
            for kind in order.sample(list(names), len(names)):
                added[kind].append(self.took(session, names[kind]) - self.spent.pop(names[kind]))
        self.assertEqual(self.replies, {b"-ERR [AUTH] user name or password is wrong"})
        self.assert_alike("users and others", added["unknown"], added["wrong"])
        self.assert_apart("half as much again", added["unknown"], [seconds * 1.5 for seconds in added["wrong"]])

    def test_t4_the_schedule_does_not_show_who_exists(self):
        """With a delay, at a server that takes its time, as long for nobody as for another: users, unknown ones, and names of
        which the server hears nothing."""
        chance = random.Random(5)
        self.start(pause=lambda: time.sleep(chance.uniform(0, 0.03)), auth_failure_delay="120ms")
        number, kinds = itertools.count(), {"unknown": "u{:07}", "wrong": "w{:07}", "refused": "refused{:07}"}
        took = {kind: [] for kind in kinds}

        def visit(order):
            """An address of its own each time, for the delay grows."""
            for _ in range(50):
                for kind in order.sample(list(kinds), len(kinds)):
                    own = next(number)
                    with self.connect(f"127.1.{own >> 8}.{own % 256}") as session:
                        took[kind].append(self.took(session, kinds[kind].format(own)))
        self.at_once([lambda order=random.Random(seed): visit(order) for seed in range(8)])
        self.assertEqual(self.replies, {b"-ERR [AUTH] user name or password is wrong"})
        for one, other in itertools.combinations(kinds, 2):
            self.assertEqual(len(took[one]), 400)
            self.assert_alike(f"{one} and {other}", took[one], took[other])
        self.assert_apart("a quarter more", took["unknown"], [seconds * 1.25 for seconds in took["wrong"]])


class BeforeLogin(Case):
    def start(self, workers=0, **settings):
        """One process, so that it has the oldest connection; with more of them each ends its own."""
        self.server = self.scripted([ONE])
        self.gate = self.gateway({"port": self.server.port}, workers=workers, **settings)
        self.gate.wait_log(lambda text: text.count("session ended") + text.count("TLS handshake failed") >= 2)
        return self.gate

    def test_t5_oldest_of_an_address_makes_room(self):
        gate = self.start(max_sessions_before_login_per_address=3)
        inside = gate.login("someone")
        others = [Pop3(gate.pop3, source="127.0.6.1") for _ in range(3)]
        sessions = [gate.connect() for _ in range(5)]
        for session in sessions[:2]:
            self.assertEqual(session.rest(), b"")
        for session in sessions[2:] + others:
            session.ok("CAPA")
            session.raw_multi()
        self.assertEqual(inside.retr(1), ONE)
        inside.quit()

    def test_t5_oldest_of_all_makes_room(self):
        gate = self.start(max_sessions_before_login=3)
        inside = gate.login("someone")
        sessions = [Pop3(gate.pop3, source=f"127.0.6.{number}") for number in range(1, 6)]
        for session in sessions[:2]:
            self.assertEqual(session.rest(), b"")
        for session in sessions[2:]:
            session.ok("CAPA")
            session.raw_multi()
        self.assertEqual(inside.retr(1), ONE)
        inside.quit()
        # Nobody has stopped popgate, and the log must not look so.
        gate.wait_log(lambda text: text.count('reason="made room for others"') == 2)

    def test_t5_connections_of_all_workers_count(self):
        """Above the limit is no more than one for each further worker."""
        gate = self.start(workers=2, max_sessions_before_login_per_address=8)
        inside = gate.login("someone")
        sessions = [gate.connect() for _ in range(30)]
        gate.wait_log(lambda text: text.count("ended to make room") in (21, 22))
        left = 0
        for session in sessions:
            try:
                session.ok("CAPA")
                session.raw_multi()
                left += 1
            except (AssertionError, OSError):
                pass
            session.close()
        self.assertIn(left, (8, 9))
        self.assertEqual(inside.retr(1), ONE)
        inside.quit()

    def test_flood_of_slow_connections(self):
        """A good login comes in all the while, and everything is given back."""
        gate = self.start(workers=2, max_sessions_before_login=200, max_sessions_before_login_per_address=50)
        slow = [Pop3(gate.pop3, source=f"127.0.7.{number % 8 + 1}", greeting=False) for number in range(600)]
        for session in slow:
            try:
                session.send(b"U")
            except OSError:
                pass  # it had to make room
        good = gate.connect()
        good.login("someone")
        self.assertEqual(good.retr(1), ONE)
        good.quit()
        for session in slow:
            session.close()
        gate.connect().quit()


class AcrossWorkers(Guesses):
    """Two workers remember together, and what they remember outlives one of them."""

    def spread(self, want):
        """At least WANT connections in each of the two workers, each from an address of its own. How many that takes is the
        kernel's affair, and the load's."""
        sessions, by_worker = [], [[]]
        while min(len(have) for have in by_worker) < want:
            self.assertLess(len(sessions), 200)
            for _ in range(10):
                sessions.append(self.connect(f"127.0.8.{len(sessions) + 1}"))
                self.addCleanup(sessions[-1].close)
            inodes = sockets.server_sockets(self.gate.pop3)
            held = [sockets.sockets_of(pid) for pid in self.gate.workers()]
            self.assertEqual(len(held), 2)
            by_worker = [[each for each in sessions if inodes.get(each.sock.getsockname()[1]) in inside]
                         for inside in held]
        return by_worker

    def begin(self, **settings):
        self.start({"victim": "right"}, **settings)
        self.gate.wait_workers(2)

    def test_failures_of_a_user_count_in_all_workers(self):
        self.begin(max_failed_logins_per_user=3)
        one, other = self.spread(3)
        for number in range(3):
            self.assert_code(self.guess(one[number], "victim", f"guess{number}"), "AUTH")
        self.assertEqual(len(self.logins("victim")), 3)
        for session, number in ((other[0], 3), (one[0], 4)):
            self.assert_code(self.guess(session, "victim", f"guess{number}"), "AUTH")
        self.assert_code(self.guess(other[1], "victim", "right"), "AUTH")  # that address is not known
        self.assertEqual(len(self.logins("victim")), 3)

    def test_who_logged_in_at_one_worker_is_known_to_the_other(self):
        self.begin(max_failed_logins_per_user=1)
        one, other = self.spread(3)
        one[0].login("victim", "right")
        one[0].quit()
        self.assert_code(self.guess(one[1], "victim", "guess"), "AUTH")
        self.assert_code(self.guess(other[0], "victim", "another"), "AUTH")
        self.assertEqual(len(self.logins("victim")), 2)
        other[1].login("victim", "right")
        other[1].quit()

    def test_a_worker_that_dies_takes_no_memory_with_it(self):
        self.begin(max_failed_logins_per_user=1)
        with self.connect("127.0.9.1") as session:
            self.assert_code(self.guess(session, "victim", "guess"), "AUTH")
        for _ in range(2):
            pid = self.gate.workers()[0]
            os.kill(pid, signal.SIGKILL)
            self.gate.wait_log(lambda _, gone=pid: gone not in self.gate.workers())
            self.gate.wait_workers(2)
        with self.connect("127.0.9.2") as session:
            self.assert_code(self.guess(session, "victim", "right"), "AUTH")
        self.assertEqual(len(self.logins("victim")), 1)

    def test_the_servers_budget_is_one(self):
        self.begin(upstream={"max_failed_logins": 6})  # one failure at once, one more in ten seconds
        one, other = self.spread(1)
        begin = time.monotonic()
        self.assert_code(self.guess(one[0], "a", "x"), "AUTH")
        reply = self.guess(other[0], "b", "x")
        if time.monotonic() - begin < 9:
            self.assert_code(reply, "SYS/TEMP")


class Masters(Guesses):
    def test_guesses_at_a_master_are_the_masters_failures(self):
        """Whoever the mail is of: users that the guesser names are not locked out, and are no way around."""
        self.start({"jane": "right"}, upstream={"master_separator": '"*"'}, max_failed_logins_per_user=3)
        for number in range(5):
            with self.connect(f"127.0.8.{number + 1}") as session:
                self.assert_code(self.guess(session, f"user{number}*boss", f"guess{number}"), "AUTH")
        self.assertEqual(len(self.logins()), 3)
        for number in range(5, 8):
            with self.connect(f"127.0.8.{number + 1}") as session:
                self.guess(session, "jane*boss", f"guess{number}")
        session = self.connect("127.0.8.20")
        session.login("jane", "right")
        session.quit()
        self.assertRegex(self.gate.log(), r"login refused .*user=jane master=boss ")

    def test_names_that_may_not_log_in_are_failures_of_the_address(self):
        self.start({}, user_max_length=8, auth_failure_delay="200ms")
        times = []
        with self.connect() as session:
            for number in range(3):
                session.ok(f"USER much.too.long{number}")
                begin = time.monotonic()
                self.assert_code(session.command("PASS x"), "AUTH")
                times.append(time.monotonic() - begin)
        for took, least in zip(times, (0.17, 0.34, 0.68)):
            self.assertGreater(took, least * 0.95, times)
        self.assertEqual(self.logins(), [])
