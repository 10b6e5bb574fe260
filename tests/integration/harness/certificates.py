"""A certificate authority of the run's own, and every kind of bad certificate, by the openssl command."""
import base64
import functools
import hashlib
import os
import subprocess

from . import workspace

LOCAL_NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"
VALID = ("20240101000000Z", "20991231235959Z")
EXPIRED = ("20200101000000Z", "20210101000000Z")
NOT_YET = ("20980101000000Z", "20991231235959Z")

CA_CONFIG = """
[ca]
default_ca = this
[this]
dir = {dir}
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
default_md = sha256
unique_subject = no
policy = any
copy_extensions = none
[any]
commonName = supplied
"""


class Certificate:
    """Paths of a certificate, its key, and the authority that a client would have to trust."""

    def __init__(self, cert, key, ca):
        self.cert, self.key, self.ca = cert, key, ca


def _openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {done.stderr}")


KEYS = {"EC": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "RSA": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048")}


def _key(path, kind="EC"):
    _openssl("genpkey", "-algorithm", *KEYS[kind], "-out", path)
    os.chmod(path, 0o600)


def pin(certificate):
    """The pin of its key, as tls_pin has it without its "="."""
    public = subprocess.run(["openssl", "pkey", "-in", certificate.key, "-pubout", "-outform", "DER"],
                            capture_output=True, check=True).stdout
    return "sha256/" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


class Authority:
    def __init__(self, name):
        self.dir = workspace.folder("ca-" + name)
        self.cert = os.path.join(self.dir, "ca.pem")
        self.key = os.path.join(self.dir, "ca.key")
        self._count = 0
        with open(os.path.join(self.dir, "ca.cnf"), "w") as config:
            config.write(CA_CONFIG.format(dir=self.dir))
        open(os.path.join(self.dir, "index.txt"), "w").close()
        with open(os.path.join(self.dir, "serial"), "w") as serial:
            serial.write("1000\n")
        _key(self.key)
        _openssl("req", "-x509", "-new", "-key", self.key, "-subj", f"/CN=popgate test {name}",
                 "-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.cert)

    def issue(self, common_name="localhost", names=LOCAL_NAMES, dates=VALID, usage="serverAuth",
              key="EC"):
        self._count += 1
        stem = os.path.join(self.dir, f"leaf{self._count}")
        _key(stem + ".key", key)
        _openssl("req", "-new", "-key", stem + ".key", "-subj", f"/CN={common_name}", "-out", stem + ".csr")
        with open(stem + ".ext", "w") as extensions:
            extensions.write(f"basicConstraints = CA:FALSE\nextendedKeyUsage = {usage}\n")
            if names:
                extensions.write(f"subjectAltName = {names}\n")
        _openssl("ca", "-batch", "-config", os.path.join(self.dir, "ca.cnf"), "-cert", self.cert,
                 "-keyfile", self.key, "-in", stem + ".csr", "-out", stem + ".pem", "-notext",
                 "-startdate", dates[0], "-enddate", dates[1], "-extfile", stem + ".ext")
        return Certificate(stem + ".pem", stem + ".key", self.cert)

    def staple(self, certificate):
        """An OCSP response about CERTIFICATE, good for a day; its path."""
        path = certificate.cert + ".ocsp"
        _openssl("ocsp", "-index", os.path.join(self.dir, "index.txt"), "-CA", self.cert, "-rsigner", self.cert,
                 "-rkey", self.key, "-issuer", self.cert, "-cert", certificate.cert, "-ndays", "1",
                 "-respout", path)
        return path


def _self_signed():
    folder = workspace.folder("self-signed")
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "cert.key")
    _key(key)
    _openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=localhost", "-days", "3650",
             "-addext", f"subjectAltName={LOCAL_NAMES}", "-out", cert)
    return Certificate(cert, key, cert)


@functools.cache
def authority():
    return Authority("authority")


@functools.cache
def good():
    """Good for localhost, 127.0.0.1 and ::1."""
    return authority().issue()


@functools.cache
def second():
    """As good as good(), but another key and serial: what a renewal brings."""
    return authority().issue()


@functools.cache
def bad():
    """Name -> certificate that a client which trusts authority() and asks for localhost must refuse."""
    ours = authority()
    return {
        "expired": ours.issue(dates=EXPIRED),
        "not yet valid": ours.issue(dates=NOT_YET),
        "wrong name": ours.issue("mail.example.org", "DNS:mail.example.org"),
        "common name only": ours.issue("localhost", names=None),
        "wildcard too deep": ours.issue("*", "DNS:*,DNS:*.localhost"),
        "client usage only": ours.issue(usage="clientAuth"),
        "self-signed": _self_signed(),
        "unknown authority": Authority("stranger").issue(),
    }
