"""TLS on both legs: versions, ciphers, ALPN, certificates by name, tickets, OCSP; whom an upstream must be, and who we are
to it; listeners for old devices. The other side is Python's ssl or the openssl command."""
import os
import re
import socket
import ssl
import subprocess
import threading
import time

from harness import certificates, popgate, ports, servers
from harness.cases import Case
from harness.pop3 import Pop3, tls_context

ONE = b"Subject: one\r\n\r\nbody\r\n"
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3}
EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def client(version=None, ciphers=EVERYTHING, alpn=None):
    """A client that minds nothing, of one version of TLS only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = context.minimum_version = VERSIONS[version]
    context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def every_cipher():
    """All of TLS 1.2 that OpenSSL knows, as it describes them."""
    return [cipher for cipher in client("1.2").get_ciphers() if cipher["protocol"] != "TLSv1.3"]


def shake(address, context=None, name=None, session=None, source=None):
    """Greets and says good-bye. Returns the SSLSocket, closed, with what was agreed as .agreed."""
    raw = socket.create_connection(address, timeout=60, source_address=source and (source, 0))
    raw.settimeout(60)
    with (context or client()).wrap_socket(raw, server_hostname=name, session=session) as sock:
        greeting = sock.recv(4096)
        if not greeting.startswith(b"+OK"):
            raise OSError(f"greeting: {greeting!r}")
        sock.agreed = (sock.version(), sock.cipher()[0], sock.selected_alpn_protocol())
        sock.shown = sock.getpeercert(True)
        sock.resumed, sock.next = sock.session_reused, sock.session
        sock.sendall(b"QUIT\r\n")
        while sock.recv(4096):
            pass
    return sock


def s_client(address, *arguments):
    done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % address, *arguments], input="QUIT\n",
                          capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def der(certificate):
    with open(certificate.cert) as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def several(*of):
    """What the settings of a listener say about several pairs."""
    return certificates.Certificate(", ".join(c.cert for c in of), ", ".join(c.key for c in of), of[0].ca)


class Front(Case):
    @classmethod
    def setUpClass(cls):
        ca = certificates.authority()
        cls.ec, cls.rsa = ca.issue(), ca.issue(key="RSA")

    def setUp(self):
        self.server = self.scripted([ONE])

    def start(self, *pairs, **settings):
        """A gateway with one more pop3s listener, at self.address, with PAIRS and SETTINGS."""
        both = several(*(pairs or (self.ec, self.rsa)))
        self.address = (ports.HOST, ports.free_port())
        self.listener = {"address": "%s:%d" % self.address, "certificate": both.cert, "key": both.key, **settings}
        self.gate = self.gateway({"port": self.server.port})
        self.gate.more_listeners = [("pop3s", self.listener)]
        self.gate.reload()

    def assert_refused(self, label, address, context, **options):
        with self.assertRaises(OSError, msg=label):
            shake(address, context, **options)

    def test_t13_versions(self):
        for minimum, good in (("1.2", ("1.2", "1.3")), ("1.3", ("1.3",))):
            self.start(tls_minimum=minimum)
            for version in VERSIONS:
                with self.subTest(minimum=minimum, version=version):
                    if version in good:
                        self.assertEqual(shake(self.address, client(version)).agreed[0], "TLSv" + version)
                    else:
                        self.assert_refused(version, self.address, client(version))

    def test_t13_ciphers(self):
        """Only such as encrypt and authenticate in one, with keys that nobody can derive later."""
        self.start()
        for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                       "ECDHE-RSA-CHACHA20-POLY1305"):
            self.assertEqual(shake(self.address, client("1.2", cipher)).agreed[1], cipher)
        for cipher in ("AES128-GCM-SHA256", "AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA256",
                       "ECDHE-ECDSA-AES256-SHA384", "DHE-RSA-AES128-GCM-SHA256", "AES128-CCM", "CAMELLIA128-SHA",
                       "NULL-SHA256", "ECDHE-RSA-NULL-SHA", "AECDH-NULL-SHA", "AECDH-AES128-SHA", "ADH-AES128-GCM-SHA256",
                       "PSK-AES128-GCM-SHA256"):
            with self.subTest(cipher):
                self.assert_refused(cipher, self.address, client("1.2", cipher + ":@SECLEVEL=0"))

    def test_t13_every_cipher(self):
        """All that OpenSSL knows, one by one, with a certificate of either kind."""
        self.start()
        good = re.compile(r"ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)")
        accepted, names = set(), {cipher["name"] for cipher in every_cipher()}
        for name in names:
            try:
                self.assertEqual(shake(self.address, client("1.2", name + ":@SECLEVEL=0")).agreed[1], name)
                accepted.add(name)
            except OSError:
                pass
        self.assertEqual(accepted, {name for name in names if good.fullmatch(name)})
        self.assertEqual((len(accepted), len(names) > 100), (6, True))

    def test_t13_what_is_set_is_obeyed(self):
        self.start(tls_ciphers="ECDHE-RSA-AES256-GCM-SHA384", tls_suites="TLS_AES_128_GCM_SHA256", tls_groups="P-384")
        self.assertEqual(shake(self.address, client("1.2")).agreed[1], "ECDHE-RSA-AES256-GCM-SHA384")
        self.assertEqual(shake(self.address, client("1.3")).agreed[1], "TLS_AES_128_GCM_SHA256")
        self.assert_refused("cipher", self.address, client("1.2", "ECDHE-RSA-AES128-GCM-SHA256"))
        self.assertIn("Cipher is TLS_AES_128_GCM_SHA256", s_client(self.address, "-tls1_3", "-groups", "P-384"))
        for arguments in (("-groups", "X25519"), ("-ciphersuites", "TLS_AES_256_GCM_SHA384")):
            self.assertIn("Cipher is (NONE)", s_client(self.address, "-tls1_3", *arguments))

    def test_t13_no_renegotiation_no_compression(self):
        self.start()
        self.assertIn("Secure Renegotiation IS supported", s_client(self.address, "-tls1_2"))
        with subprocess.Popen(["openssl", "s_client", "-connect", "%s:%d" % self.address, "-tls1_2"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            text = b""
            while b"+OK" not in text:  # a greeting on its way would end the renegotiation for another reason
                text += os.read(child.stdout.fileno(), 4096) or self.fail(text)
            text += child.communicate(b"R\n", timeout=60)[0]
        self.assertIn(b"no renegotiation", text)
        self.assertIn(b"Compression: NONE", text)

    def test_t11_alpn(self):
        self.start()
        self.assertEqual(shake(self.address, client(alpn=["imap", "pop3"])).agreed[2], "pop3")
        self.assertIsNone(shake(self.address).agreed[2])
        for offered in (["h2", "http/1.1"], ["http/1.1"], ["imap"]):
            self.assert_refused(offered, self.address, client(alpn=offered))

    # certificates by name

    def names(self):
        ca = certificates.authority()
        return {"a.test RSA": ca.issue("a", "DNS:a.test,DNS:www.a.test", key="RSA"),
                "a.test EC": ca.issue("a", "DNS:a.test"),
                "*.b.test": ca.issue("b", "DNS:*.b.test"),
                "x.b.test": ca.issue("x", "DNS:x.b.test")}

    def test_certificates_by_name(self):
        made = self.names()
        self.start(self.ec, self.rsa, *made.values())
        rsa, ec = client("1.2", "ECDHE-RSA-AES128-GCM-SHA256"), client("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
        for name, context, shown in (
                (None, ec, self.ec), (None, rsa, self.rsa), ("localhost", ec, self.ec), ("localhost", rsa, self.rsa),
                ("unknown.test", ec, self.ec), ("unknown.test", rsa, self.rsa), ("b.test", ec, self.ec),
                ("y.x.b.test", ec, self.ec), ("127.0.0.1", rsa, self.rsa),
                ("a.test", ec, made["a.test EC"]), ("a.test", rsa, made["a.test RSA"]),
                ("A.TEST", client("1.3"), made["a.test EC"]), ("www.a.test", rsa, made["a.test RSA"]),
                ("www.a.test", client("1.3"), made["a.test RSA"]), ("x.b.test", ec, made["x.b.test"]),
                ("y.B.test", ec, made["*.b.test"]), ("y" * 63 + ".b.test", ec, made["*.b.test"]),
                (".".join(["y" * 60] * 4), ec, self.ec)):
            with self.subTest(name=name):
                self.assertEqual(shake(self.address, context, name).shown, der(shown))
        self.assert_refused("has no such key", self.address, ec, name="www.a.test")

    def test_two_types_of_key_with_tls_1_3(self):
        self.start(self.rsa, self.ec)
        for algorithm, kind in (("ECDSA+SHA256", "ECDSA"), ("RSA-PSS+SHA256", "RSA-PSS")):
            self.assertIn("Peer signature type: " + kind, s_client(self.address, "-tls1_3", "-sigalgs", algorithm))

    def test_names_by_stls(self):
        made = self.names()
        gate = self.gateway({"port": self.server.port}, certificate=several(self.ec, *made.values()))
        session = gate.connect()
        session.ok("STLS")
        with client().wrap_socket(session.sock, server_hostname="y.b.test") as sock:
            self.assertEqual(sock.getpeercert(True), der(made["*.b.test"]))

    def test_reload_of_several_pairs_under_load(self):
        ca = certificates.authority()
        old = [ca.issue(names="DNS:a.test"), ca.issue(names="DNS:b.test", key="RSA")]
        new = [ca.issue(names="DNS:a.test"), ca.issue(names="DNS:b.test", key="RSA")]
        self.start(*old)
        seen, faults, ended = set(), [], threading.Event()

        def knock():
            while not ended.is_set():
                for i, name in enumerate(("a.test", "b.test")):
                    try:
                        shown = shake(self.address, name=name).shown
                    except OSError as error:
                        faults.append((name, error))
                        return
                    if shown not in (der(old[i]), der(new[i])):
                        faults.append((name, shown))
                    seen.add(shown)

        threads = [threading.Thread(target=knock) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(6):
                pairs = several(*(old if turn % 2 else new))
                self.listener.update(certificate=pairs.cert, key=pairs.key)
                self.gate.reload()
                # the second pair does not match: everything stays as it is
                self.listener["key"] = ", ".join(c.key for c in (old if turn % 2 else new)[:1] * 2)
                self.gate.reload("not reloaded")
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        self.assertEqual(faults, [])
        self.assertEqual(shake(self.address, name="a.test").shown, der(old[0]))
        self.assertEqual(shake(self.address, name="b.test").shown, der(old[1]))
        self.assertIn(der(new[0]), seen)

    # tickets

    def test_tickets_outlive_a_reload(self):
        self.start()
        for version in ("1.2", "1.3"):
            context = client(version)
            last = shake(self.address, context)
            self.assertFalse(last.resumed)
            for _ in range(3):
                self.gate.reload()
                last = shake(self.address, context, session=last.next)
                self.assertTrue(last.resumed, version)

    def test_a_ticket_is_not_for_other_terms(self):
        self.start(tls_ciphers="ECDHE+AES")
        context = client("1.2", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        last = shake(self.address, context)
        self.assertTrue(shake(self.address, context, session=last.next).resumed)
        self.assert_refused("weaker cipher", self.gate.pop3s, context, session=last.next)
        context = client("1.3")
        last = shake(self.address, context)
        self.assertFalse(shake(self.gate.pop3s, context, session=last.next).resumed)

    # OCSP

    def test_ocsp_response(self):
        ca = certificates.authority()
        other = ca.issue(names="DNS:a.test")
        self.start(self.ec, other, ocsp_response=f'{ca.staple(self.ec)}, ""')
        text = s_client(self.address, "-status")
        self.assertIn("OCSP Response Status: successful", text)
        self.assertIn("Cert Status: good", text)
        self.assertIn("OCSP response: no response sent", s_client(self.address, "-status", "-servername", "a.test"))
        self.assertNotIn("OCSP Response Status", s_client(self.address))
        self.listener["ocsp_response"] = f'{ca.staple(self.ec)}, {ca.staple(self.ec)}'
        self.gate.reload("is about another certificate")
        with open(self.ec.cert + ".ocsp", "ab") as file:
            file.write(b"\0")
        self.listener["ocsp_response"] = f'{self.ec.cert}.ocsp, ""'
        self.gate.reload("is no OCSP response")
        self.assertIn("Cert Status: good", s_client(self.address, "-status"))

    # T23

    def test_t23_handshake_flood(self):
        """200 handshakes at once, half of them never finished; who comes then is served."""
        self.start()
        silent, threads, faults = [], [], []

        def knock():
            try:
                shake(self.address)
            except OSError as error:
                faults.append(error)

        for _ in range(100):
            sock = socket.create_connection(self.address)
            sock.sendall(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello that does not come
            silent.append(sock)
            threads.append(threading.Thread(target=knock))
        for thread in threads:
            thread.start()
        with Pop3(self.address, tls=tls_context(certificates.authority().cert)) as session:
            session.login("someone")
            self.assertEqual(session.stat()[0], 1)
            session.quit()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])
        for sock in silent:
            sock.close()
        self.gate.assert_alive()

    def test_t23_handshakes_of_one_address_in_a_minute(self):
        """Whatever number of connections it tries: only so many come as far as a handshake, at all workers together; others
        are not concerned."""
        self.start()
        self.gate.settings.update(max_connections_per_minute_per_address=30)
        self.gate.reload()
        shaken, threads, began = [], [], time.monotonic()

        def knock():
            for _ in range(50):
                try:
                    shaken.append(shake(self.address, source="127.0.3.1"))
                except OSError:
                    pass  # closed before it began
        for _ in range(8):
            threads.append(threading.Thread(target=knock))
            threads[-1].start()
        for number in range(20):
            shake(self.address, source=f"127.0.4.{number % 2}")
        for thread in threads:
            thread.join()
        self.assertGreaterEqual(len(shaken), 30)
        self.assertLessEqual(len(shaken), 30 + (time.monotonic() - began) / 2 + 1)
        self.gate.wait_log("max_connections_per_minute_per_address is reached")
        with Pop3(self.gate.pop3, source="127.0.3.1", greeting=False) as session:
            self.assertEqual(session.rest(), b"-ERR [SYS/TEMP] too many connections\r\n")


class Back(Case):
    def serve(self, tls="implicit", certificate=None, **settings):
        """A scripted server whose context has SETTINGS."""
        certificate = certificate or certificates.good()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        context.set_ciphers(settings.pop("ciphers", EVERYTHING))
        for name, value in settings.items():
            getattr(context, name)(value) if callable(getattr(context, name)) else setattr(context, name, value)
        self.context = context
        return self.scripted([ONE], tls=tls, context=context)

    def visit(self, server, upstream=(), user="user"):
        """Logs in through a gateway of its own; returns the answer to PASS, and its log."""
        gate = self.gateway({"port": server.port, "tls": server.tls, "ca_file": certificates.authority().cert,
                             **dict(upstream)})
        session = gate.connect()
        session.ok(f"USER {user}")
        answer = session.command("PASS secret")
        session.quit()
        log = gate.log()
        gate.stop()
        return answer, log

    def assert_in(self, server, upstream=()):
        answer, log = self.visit(server, upstream)
        self.assertTrue(answer.startswith(b"+OK"), (answer, log))
        return log

    def assert_out(self, server, upstream=()):
        answer, log = self.visit(server, upstream)
        self.assert_code(answer, "SYS/TEMP")
        self.assertFalse(server.saw_credentials("secret"))
        return log

    def test_t13_versions(self):
        for tls in ("implicit", "starttls"):
            for version, number in VERSIONS.items():
                with self.subTest(tls=tls, version=version):
                    server = self.serve(tls, minimum_version=number, maximum_version=number)
                    (self.assert_in if version in ("1.2", "1.3") else self.assert_out)(server)
                    if version == "1.2":
                        server.forget()
                        self.assert_out(server, {"tls_minimum": "1.3"})

    def test_t13_ciphers(self):
        rsa = certificates.authority().issue(key="RSA")
        two = {"maximum_version": VERSIONS["1.2"]}
        for cipher in ("NULL-SHA256", "ECDHE-RSA-NULL-SHA", "AECDH-AES128-SHA", "ADH-AES128-SHA256"):
            with self.subTest(cipher):
                server = self.serve(certificate=rsa, ciphers=cipher + ":@SECLEVEL=0", **two)
                self.assert_out(server)
                server.forget()
                self.assert_out(server, {"tls_ciphers": "ALL:COMPLEMENTOFALL"})
        good = self.serve(certificate=rsa, ciphers="ECDHE-RSA-AES128-GCM-SHA256", **two)
        self.assert_in(good)
        good.forget()
        self.assert_out(good, {"tls_ciphers": "ECDHE-RSA-AES256-GCM-SHA384"})
        good.forget()
        self.assert_out(self.serve(set_ecdh_curve="prime256v1"), {"tls_groups": "X25519"})
        self.assert_out(self.serve(), {"tls_suites": "TLS_AES_128_CCM_8_SHA256"})

    def test_t13_every_cipher(self):
        """Of a server that knows one at a time: what OpenSSL uses by itself, and that neither weak nor anonymous."""
        rsa = certificates.authority().issue(key="RSA")
        server = self.serve(maximum_version=VERSIONS["1.2"], load_dh_params=self.dh_parameters(2048))
        self.context.load_cert_chain(rsa.cert, rsa.key)
        gate = self.gateway({"port": server.port, "tls": "implicit", "ca_file": certificates.authority().cert,
                             "tls_resumption": "no"})
        usual = {cipher["name"] for cipher in client("1.2", "DEFAULT:@SECLEVEL=2").get_ciphers()}
        self.assertGreater(len(every_cipher()), 100)
        for number, cipher in enumerate(every_cipher()):
            with self.subTest(cipher["name"]), gate.connect() as session:
                self.context.set_ciphers(cipher["name"] + ":@SECLEVEL=0")
                server.forget()
                session.ok(f"USER user{number}")
                answer = session.command("PASS secret")
                good = cipher["name"] in usual and not re.search("PSK|SRP", cipher["name"])
                self.assertEqual(answer.startswith(b"+OK"), good, answer)
                self.assertEqual(server.saw_credentials("secret"), good)
                if good:
                    self.assertGreaterEqual(cipher["strength_bits"], 112)
                    self.assertNotEqual(cipher["auth"], "auth-null")

    @staticmethod
    def dh_parameters(bits):
        path = os.path.join(certificates.authority().dir, f"dh{bits}.pem")
        subprocess.run(["openssl", "dhparam", "-dsaparam", "-out", path, str(bits)], check=True, capture_output=True)
        return path

    def test_t13_small_diffie_hellman(self):
        path = self.dh_parameters(1024)
        rsa = certificates.authority().issue(key="RSA")
        log = self.assert_out(self.serve(certificate=rsa, ciphers="DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
                                         maximum_version=VERSIONS["1.2"], load_dh_params=path))
        self.assertIn("dh key too small", log)

    def test_ca_directory(self):
        folder = os.path.join(certificates.authority().dir, "roots")
        os.mkdir(folder)
        server = self.serve()
        directory = {"ca_file": None, "ca_directory": folder}
        self.check_config(server, directory, 78, "is empty")
        os.symlink(certificates.bad()["self-signed"].cert, os.path.join(folder, "other.pem"))
        self.assert_out(server, directory)
        server.forget()
        os.symlink(certificates.authority().cert, os.path.join(folder, "any name"))
        self.assert_in(server, directory)
        os.symlink(certificates.authority().key, os.path.join(folder, "key"))
        self.check_config(server, directory, 78, "holds no usable PEM certificates")

    def check_config(self, server, upstream, status, *words):
        text = popgate.config_text({}, [("pop3", {"address": "127.0.0.1:0"})],
                                   {"host": "localhost", "port": server.port, "tls": server.tls, **upstream})
        path = os.path.join(certificates.authority().dir, "check.conf")
        with open(path, "w") as out:
            out.write(text)
        done = popgate.run("check-config", "--config", path)
        self.assertEqual(done.returncode, status, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_client_certificate(self):
        """A server that wants to know who we are."""
        ours = certificates.authority().issue("popgate", names=None, usage="clientAuth")
        own = {"client_certificate": ours.cert, "client_key": ours.key}
        for tls in ("implicit", "starttls"):
            for version in ("1.2", "1.3"):
                with self.subTest(tls=tls, version=version):
                    server = self.serve(tls, verify_mode=ssl.CERT_REQUIRED, maximum_version=VERSIONS[version],
                                        load_verify_locations=certificates.authority().cert)
                    self.assert_out(server)
                    server.forget()
                    self.assert_in(server, own)
        self.check_config(server, {**own, "client_key": certificates.good().key}, 78, "client_certificate",
                          "does not belong to")

    def test_client_certificate_for_dovecot(self):
        """The same with a server that takes nobody's password without it."""
        server = servers.dovecot_for_known_clients()
        user = server.user()
        server.drop(user, ONE)
        known = certificates.authority().issue("popgate", names=None, usage="clientAuth")
        for tls, port in (("implicit", server.imaps_port), ("starttls", server.imap_port)):
            gate = self.gateway({"port": port, "tls": tls, "ca_file": certificates.authority().cert})
            for own, good in ((None, False), (known, True), (certificates.bad()["self-signed"], False)):
                with self.subTest(tls=tls, own=own and own.cert):
                    gate.upstream.update(client_certificate=own and own.cert, client_key=own and own.key)
                    gate.reload()
                    with gate.connect() as session:
                        session.ok(f"USER {user}")
                        answer = session.command("PASS secret")
                        self.assertEqual(answer.startswith(b"+OK"), good, answer)
                        if good:
                            self.assertEqual(session.retr(1), ONE)
                            session.quit()

    def test_insecure_is_shouted_about(self):
        bad = certificates.bad()["expired"]
        server = self.serve(certificate=bad)
        insecure = {"ca_file": None, "tls_insecure": "yes"}
        log = self.assert_in(server, insecure)
        self.assertIn("NOBODY VERIFIES", log)
        self.check_config(server, insecure, 0, "warning: tls_insecure: NOBODY VERIFIES")
        gate = self.gateway({"port": server.port, "tls": server.tls, **insecure})
        gate.reload("NOBODY VERIFIES")
        read, write = os.pipe()
        os.write(write, b"secret\n")
        os.close(write)
        done = popgate.run("probe", "--config", gate.config, "--password-fd", str(read), "user", pass_fds=(read,))
        os.close(read)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("NOT VERIFIED", done.stdout)
        self.assertIn("NOBODY VERIFIES", done.stderr)


class Legacy(Case):
    """A fenced listener: only 127.0.0.2 is an old device."""

    INSIDE = "127.0.0.2"

    def start(self, **settings):
        self.server = self.scripted([ONE])
        pair = certificates.authority().issue(key="RSA")
        self.implicit, self.plain = (ports.HOST, ports.free_port()), (ports.HOST, ports.free_port())
        fence = {"certificate": pair.cert, "key": pair.key, "legacy_tls": "yes",
                 "legacy_networks": f"{self.INSIDE}/32", "legacy_until": "2099-12-31", **settings}
        self.gate = self.gateway({"port": self.server.port})
        self.gate.more_listeners = [(kind, {"address": "%s:%d" % address, **fence})
                                    for kind, address in (("pop3s", self.implicit), ("pop3", self.plain))]
        self.fence = [listener for _, listener in self.gate.more_listeners]
        self.gate.reload()

    def usage(self, field):
        """The sum of FIELD in what each process says at its end about legacy TLS."""
        return sum(int(found) for found in re.findall(rf"legacy TLS is in use .*?\b{field}", self.gate.log()))

    def test_old_versions_are_for_the_fenced_listener_only(self):
        self.start()
        for version in VERSIONS:
            with self.subTest(version):
                agreed = shake(self.implicit, client(version), source=self.INSIDE).agreed
                self.assertEqual(agreed[0].removesuffix(".0"), "TLSv" + version.removesuffix(".0"))
                if version < "1.2":
                    with self.assertRaises(OSError):
                        shake(self.gate.pop3s, client(version), source=self.INSIDE)
        self.assertEqual(shake(self.implicit, client("1.0", "AES128-SHA:@SECLEVEL=0"), source=self.INSIDE).agreed[1],
                         "AES128-SHA")
        for ciphers in (None, "ALL:COMPLEMENTOFALL"):
            for listener in self.fence:
                listener["tls_ciphers"] = ciphers
            self.gate.reload()
            for cipher in ("NULL-SHA", "AECDH-AES128-SHA", "ADH-AES128-SHA", "AECDH-NULL-SHA"):
                with self.assertRaises(OSError, msg=f"{ciphers} {cipher}"):
                    shake(self.implicit, client("1.0", cipher + ":@SECLEVEL=0"), source=self.INSIDE)

    def test_others_are_refused_before_the_handshake(self):
        self.start()
        for address in (self.implicit, self.plain):
            with socket.create_connection(address, timeout=60) as sock:
                self.assertEqual(sock.recv(1), b"")
        self.gate.wait_log("not in legacy_networks")
        self.gate.process.signal(15)
        self.gate.wait_log("legacy TLS is in use")
        self.gate.process.wait()
        self.assertEqual((self.usage(r"sessions=(\d+)"), self.usage(r"refused=(\d+)")), (0, 2))

    def test_who_still_uses_it(self):
        self.start()
        context = client("1.0", "AES128-SHA:@SECLEVEL=0")
        for _ in range(3):
            shake(self.implicit, context, source=self.INSIDE)
        with socket.create_connection(self.plain, timeout=60, source_address=(self.INSIDE, 0)) as raw:
            self.assertTrue(raw.recv(1024).startswith(b"+OK"))
            raw.sendall(b"STLS\r\n")
            self.assertTrue(raw.recv(1024).startswith(b"+OK"))
            with context.wrap_socket(raw) as sock:
                sock.sendall(b"USER someone\r\n")
                self.assertTrue(sock.recv(1024).startswith(b"+OK"))
                sock.sendall(b"PASS secret\r\n")
                self.assertTrue(sock.recv(1024).startswith(b"+OK"))
                sock.sendall(b"QUIT\r\n")
                self.assertTrue(sock.recv(1024).startswith(b"+OK"))
        self.gate.wait_log("user=someone")
        self.gate.process.signal(15)
        self.gate.wait_log("legacy TLS is in use")
        self.gate.process.wait()
        self.assertRegex(self.gate.log(), rf"session ended .*client={self.INSIDE} user=someone .*tls=TLSv1 "
                                          r"legacy_cipher=AES128-SHA")
        self.assertEqual(self.usage(r"sessions=(\d+)"), 4)
        self.assertEqual(self.usage(rf'clients="{self.INSIDE} \((\d+)\)"'), 4)

    def test_its_end(self):
        self.start()
        shake(self.implicit, client("1.0"), source=self.INSIDE)
        for listener in self.fence:
            listener["legacy_until"] = "2020-02-29"
        self.gate.reload()
        self.assertIn("legacy_until: that day is over, this listener is closed", self.gate.log())
        for address in (self.implicit, self.plain):
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(address, timeout=60, source_address=(self.INSIDE, 0))
        shake(self.gate.pop3s)
        self.gate.stop()
        self.gate.start()
        self.gate.wait_log("that day is over")
        shake(self.gate.pop3s)
