"""Real POP3 clients with private configurations, each of which hands back the messages it received, in order.

What a client itself changes on the way to a file is described at its function, and undone by expected_from_*."""
import os
import re
import shutil
import subprocess

from . import workspace

TIMEOUT = 100


def _need(name):
    if not shutil.which(name):
        raise AssertionError(f"{name} is not installed")


def _environment(home):
    return dict(os.environ, HOME=home, LC_ALL="C", TMPDIR=home)


def _run(argv, home, statuses=(0,)):
    done = subprocess.run(argv, capture_output=True, env=_environment(home), timeout=TIMEOUT, cwd=home)
    if done.returncode not in statuses:
        raise AssertionError(f"{argv[0]} ended with {done.returncode}: {done.stdout[-1500:]!r} {done.stderr[-1500:]!r}")
    return done


def curl(address, user, password, count, security="none", ca=None):
    """Messages 1 to COUNT by curl. It un-stuffs and changes nothing else."""
    _need("curl")
    home = workspace.folder("curl")
    scheme = "pop3s" if security == "tls" else "pop3"
    lines = [f'user = "{user}:{password}"', "silent", "show-error", "fail", f"max-time = {TIMEOUT}"]
    if ca:
        lines.append(f'cacert = "{ca}"')
    if security == "stls":
        lines.append("ssl-reqd")
    for number in range(1, count + 1):
        lines += [f'url = "{scheme}://localhost:{address[1]}/{number}"', f'output = "{home}/{number}"']
    config = os.path.join(home, "config")
    with open(config, "w") as out:
        out.write("\n".join(lines) + "\n")
    _run(["curl", "-q", "-4", "-K", config], home)
    return _files(home, [str(number) for number in range(1, count + 1)])


def curl_token(address, user, token, mechanism, ca):
    """Message 1 by curl, which shows TOKEN by MECHANISM over TLS; and curl's exit status."""
    _need("curl")
    home = workspace.folder("curl")
    config = os.path.join(home, "config")
    with open(config, "w") as out:
        out.write("\n".join([
            f'user = "{user}"', f'oauth2-bearer = "{token}"', f'login-options = "AUTH={mechanism}"', "silent",
            "show-error", f"max-time = {TIMEOUT}", f'cacert = "{ca}"', f'url = "pop3s://localhost:{address[1]}/1"',
            f'output = "{home}/1"']) + "\n")
    done = _run(["curl", "-q", "-4", "-K", config], home, statuses=(0, 67, 94))
    return (_files(home, ["1"])[0] if done.returncode == 0 else None), done.returncode


def _read(home, names):
    messages = []
    for name in names:
        with open(os.path.join(home, name), "rb") as message:
            messages.append(message.read())
    return messages


def _files(home, names):
    """The messages in the files NAMES of HOME, which is not needed any more."""
    messages = _read(home, names)
    shutil.rmtree(home)
    return messages


def _delivery(home):
    """A program that writes its standard input to the next free number in HOME/in."""
    os.mkdir(os.path.join(home, "in"))
    path = os.path.join(home, "deliver")
    with open(path, "w") as out:
        out.write(f'#!/bin/sh\nn=$(ls {home}/in | wc -l)\nexec cat >"{home}/in/$n"\n')
    os.chmod(path, 0o755)
    return path


def _delivered(home):
    names = sorted(os.listdir(os.path.join(home, "in")), key=int)
    return _files(home, [os.path.join("in", name) for name in names])


def mpop(address, user, password, security="none", ca=None, delete=False):
    """All messages by mpop, delivered to a program; it hands them over with LF line ends."""
    home = workspace.folder("mpop")
    _run_mpop(home, _delivery(home), address, user, password, security, ca, delete)
    return _delivered(home)


def _run_mpop(home, deliver, address, user, password, security="none", ca=None, delete=False):
    _need("mpop")
    lines = ["defaults", "account test", "host localhost", f"port {address[1]}", f"user {user}",
             f"password {password}", "auth user", f"keep {'off' if delete else 'on'}",
             f"uidls_file {home}/uidls", f"delivery mda {deliver}", "received_header off", "timeout 120",
             f"tls {'off' if security == 'none' else 'on'}"]
    if security != "none":
        lines += [f"tls_starttls {'on' if security == 'stls' else 'off'}", f"tls_trust_file {ca}"]
    config = os.path.join(home, "config")
    with open(config, "w") as out:
        out.write("\n".join(lines) + "\n")
    os.chmod(config, 0o600)
    _run(["mpop", "-q", "-C", config, "test"], home)


def fetchmail(address, user, password, security="none", ca=None, delete=False):
    """All messages by fetchmail, delivered to a program with its own rewriting off."""
    home = workspace.folder("fetchmail")
    _run_fetchmail(home, _delivery(home), address, user, password, security, ca, delete, which="fetchall")
    return _delivered(home)


def _run_fetchmail(home, deliver, address, user, password, security="none", ca=None, delete=False, which="no fetchall"):
    """WHICH: all messages, or those alone whose UIDL it does not know."""
    _need("fetchmail")
    tls = {"none": "sslproto ''", "stls": f"sslproto 'TLS1.2+' sslcertck sslcertfile '{ca}'",
           "tls": f"ssl sslcertck sslcertfile '{ca}'"}[security]
    config = os.path.join(home, "config")
    with open(config, "w") as out:
        out.write(f"""
set no bouncemail
set no softbounce
set invisible
poll localhost protocol POP3 service {address[1]} timeout 120 uidl
  user '{user}' password '{password}' is root here
  {'no keep' if delete else 'keep'} {which} no rewrite no mimedecode pass8bits no dropstatus
  no stripcr no forcecr {tls} mda '{deliver}'
""")
    os.chmod(config, 0o600)
    _run(["fetchmail", "-f", config, "--pidfile", f"{home}/pid", "--idfile", f"{home}/ids", "--nodetach",
          "--nosyslog", "-s"], home, statuses=(0, 1))


def _run_getmail(home, deliver, address, user, password):
    """getmail misses the end of a child that comes before it begins to wait, and then waits for ever; so what it starts
    looks first whether getmail sleeps."""
    _need("getmail")
    patient = os.path.join(home, "deliver-patiently")
    with open(patient, "w") as out:
        out.write(f'#!/bin/sh\nuntil grep -q "^State:.S" /proc/$PPID/status; do :; done\nexec {deliver}\n')
    os.chmod(patient, 0o755)
    config = os.path.join(home, "config")
    with open(config, "w") as out:
        out.write(f"""
[retriever]
type = SimplePOP3Retriever
server = localhost
port = {address[1]}
username = {user}
password = {password}
timeout = {TIMEOUT}
[destination]
type = MDA_external
path = {patient}
allow_root_commands = true
[options]
delete = false
read_all = false
delivered_to = false
received = false
""")
    os.chmod(config, 0o600)
    _run(["getmail", "-q", "-g", home, "-r", config], home)


class KeepingClient:
    """A client that leaves its mail on the server, and keeps on disk which UIDLs it has had."""

    NAMES = {"fetchmail": _run_fetchmail, "getmail": _run_getmail, "mpop": _run_mpop}

    def __init__(self, name):
        self._fetch = self.NAMES[name]
        self._home = workspace.folder(name)
        self._deliver = _delivery(self._home)

    def fetch(self, address, user, password="secret"):
        """The messages that were new to it, in any order. It may keep apart what it had from servers at different ports."""
        before = self._names()
        self._fetch(self._home, self._deliver, address, user, password)
        return _read(self._home, self._names() - before)

    def _names(self):
        return {os.path.join("in", name) for name in os.listdir(os.path.join(self._home, "in"))}


def expected_from_curl(octets):
    return octets


def expected_from_mpop(octets):
    return octets.replace(b"\r\n", b"\n")


def fetchmail_carries(octets):
    """fetchmail splits body lines of over 8,000 octets (with a stray NUL) and writes a header of its own
    where a message has none."""
    return not octets.startswith(b"\r\n") and max(map(len, octets.split(b"\r\n"))) < 8000


def expected_from_fetchmail(octets):
    """fetchmail ends a header that has no body with a blank line."""
    return octets if b"\r\n\r\n" in octets else octets + b"\r\n"
