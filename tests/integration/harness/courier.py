"""A private Courier: pop3d and imapd on one Maildir, users by userdb. Its packages conflict with Dovecot's.

Courier looks for its configuration and its sockets at fixed paths, so each of its programs runs in a mount namespace of its
own, where /etc is a small copy and /run is a folder of this server."""
import base64
import hashlib
import os
import pwd
import shutil

from . import imap, ports, unpacked, workspace
from .process import Process

PASSWORD = "secret"
CONFLICTING = ("courier-pop", "courier-imap", "courier-base", "courier-authlib", "courier-authlib-userdb",
               "courier-authdaemon")
# What they need beside the base system; only those that are not installed are unpacked.
OTHERS = ("libcourier-unicode4", "libltdl7", "libgamin0", "libgdbm6", "libidn12")

# Of the machine's /etc: what the C library reads.
ETC = ("passwd", "group", "nsswitch.conf", "hosts", "services", "ld.so.cache", "host.conf", "resolv.conf", "localtime")

AUTHDAEMONRC = """
authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=4
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
"""

# The settings that Debian's courier-imap and courier-pop come with, without those of its start script; and no locks of the
# IMAP server, which would wait for a file access monitor.
ENVIRONMENT = {
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE",
    "IMAP_KEYWORDS": "1", "IMAP_ACL": "1", "IMAP_IDLE_TIMEOUT": "60", "IMAP_USELOCKS": "0",
    "IMAP_MAILBOX_SANITY_CHECK": "1", "IMAP_CHECK_ALL_FOLDERS": "0", "IMAP_TRASHFOLDERNAME": "Trash",
    "IMAP_EMPTYTRASH": "Trash:7", "IMAP_UMASK": "022", "IMAP_ENHANCEDIDLE": "0", "POP3_PROXY": "0", "IMAP_PROXY": "0",
    "MAILDIRPATH": "Maildir", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}

NAMESPACE = 'mount --make-rprivate / && mount --bind "$0/etc" /etc && mount --bind "$0/run" /run && exec "$@"'


class Courier:
    """PASSWORD fits every user that user() has made."""

    def __init__(self):
        self._root = unpacked.install("courier", CONFLICTING, OTHERS)
        self.dir = workspace.folder("courier")
        self.password = PASSWORD
        self._users = {}
        owner = pwd.getpwnam(workspace.MAIL_USER)
        self._owner = (owner.pw_uid, owner.pw_gid)
        self._env = {**ENVIRONMENT, "LD_LIBRARY_PATH": ":".join([
            unpacked.libraries(self._root), os.path.join(self._root, "usr/lib/courier-authlib")])}
        for name in ("etc/courier", "run/courier/authdaemon", "mail"):
            os.makedirs(os.path.join(self.dir, name))
        os.chown(os.path.join(self.dir, "mail"), *self._owner)
        for name in ETC:
            if os.path.exists(os.path.join("/etc", name)):
                shutil.copy(os.path.join("/etc", name), os.path.join(self.dir, "etc", name))
        with open(os.path.join(self.dir, "etc/courier/authdaemonrc"), "w") as out:
            out.write(AUTHDAEMONRC)
        self._write_users()
        self.imap_port, self.pop3_port = ports.free_port(), ports.free_port()
        programs = os.path.join(self._root, "usr/lib/courier/courier")
        self.processes = [self._start(os.path.join(self._root, "usr/lib/courier/courier-authlib/authdaemond"))]
        for port, login, server in (
                (self.imap_port, f"{programs}/imaplogin", f"{self._root}/usr/bin/imapd"),
                (self.pop3_port, f"{programs}/courierpop3login", f"{programs}/courierpop3d")):
            process = self._start(
                os.path.join(self._root, "usr/sbin/couriertcpd"), f"-address={ports.HOST}", "-maxprocs=60",
                "-maxperip=60", "-nodnslookup", "-noidentlookup", str(port), login, server, "Maildir")
            self.processes.append(process)
            process.wait_connect((ports.HOST, port)).close()

    def _start(self, *argv):
        return Process(["unshare", "--mount", "sh", "-c", NAMESPACE, self.dir, *argv], env=self._env)

    def _write_users(self):
        """The user database and its shadow, as makeuserdb writes them: replaced at once."""
        folder = os.path.join(self.dir, "etc/courier")
        uid, gid = self._owner
        public = "".join(f"{user}\tuid={uid}|gid={gid}|home={home}|mail={home}/Maildir|_=\n"
                         for user, home in self._users.items())
        digest = base64.b64encode(hashlib.sha256(PASSWORD.encode()).digest()).decode()
        secret = "".join(f"{user}\tsystempw={{SHA256}}{digest}\n" for user in self._users)
        for name, text in (("userdb", public), ("userdbshadow", secret)):
            unpacked.run([os.path.join(self._root, "usr/lib/courier/courier-authlib/makedatprog"), "-",
                          f"{folder}/{name}.tmp", f"{folder}/{name}.dat"], input=text + "\n.\n", env=self._env)

    def user(self, stem="user"):
        name = f"{stem}{len(self._users) + 1}"
        self.add_user(name)
        return name

    def add_user(self, name):
        """A user with an empty mailbox."""
        home = os.path.join(self.dir, "mail", name)
        for path in ("", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            os.mkdir(os.path.join(home, path))
            os.chown(os.path.join(home, path), *self._owner)
        self._users[name] = home
        self._write_users()

    def imap(self, user, password=PASSWORD):
        return imap.Mailbox(ports.HOST, self.imap_port, user, password)

    def fill(self, user, messages):
        with self.imap(user) as mailbox:
            mailbox.append(messages)

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
