"""A private Dovecot 2.3: IMAP plain, with STARTTLS and over TLS, and its own POP3 for comparisons."""
import grp
import os
import pwd
import re
import shutil
import time

from . import certificates, imap, ports, workspace
from .process import Process
from .vitals import wait_until

PASSWORD = "secret"

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_chars =
auth_username_format = %u
auth_cache_size = 0
auth_failure_delay = 0
{trusted}
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 0
mail_plugins = acl
plugin {{
  acl = vfile:{dir}/acl
}}
{imap_capability}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/passwd
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%u
}}
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
pop3_uidl_format = %08Xu%08Xv
pop3_no_flag_updates = yes
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Trash {{
    auto = create
  }}
}}
default_vsz_limit = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  service_count = 0
  process_limit = 2
  client_limit = 1000
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_limit = 2
  client_limit = 1000
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap {{
  service_count = 200
}}
"""

# What an IMAP server without UIDPLUS (and without MOVE unless asked for) says of itself.
WITHOUT_UIDPLUS = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UNSELECT"


class Dovecot:
    """PASSWORD fits every user name that is not in PASSWORDS; a maildrop appears at its first login. EXTRA is more
    configuration, FILES maps names of files beside it to their texts. TRUSTED: networks of proxies that may name their
    clients."""

    def __init__(self, capability=None, passwords=None, rights=None, extra="", files=None, trusted=None):
        if not shutil.which("dovecot"):
            raise AssertionError("dovecot is not installed (dovecot-imapd, dovecot-pop3d)")
        self.dir = workspace.folder("dovecot")
        self.password = PASSWORD
        self._users = 0
        owner = pwd.getpwnam(workspace.MAIL_USER)
        self._owner = (owner.pw_uid, owner.pw_gid)
        for name in ("run", "mail"):
            os.mkdir(os.path.join(self.dir, name))
        os.chown(os.path.join(self.dir, "mail"), *self._owner)
        self._write("passwd", "".join(f"{user}:{word}\n" for user, word in (passwords or {}).items()))
        for name, text in (files or {}).items():
            self._write(name, text)
        self._write("acl", "".join(f"INBOX user={user} {rights}\n" for user, rights in (rights or {}).items()))
        self.imap_port, self.imaps_port = ports.free_port(), ports.free_port()
        self.pop3_port, self.pop3s_port = ports.free_port(), ports.free_port()
        certificate = certificates.good()
        self._write("dovecot.conf", CONFIG.format(
            dir=self.dir, user=owner.pw_name, group=grp.getgrgid(owner.pw_gid).gr_name,
            cert=certificate.cert, key=certificate.key, imap=self.imap_port, imaps=self.imaps_port,
            pop3=self.pop3_port, pop3s=self.pop3s_port,
            trusted=f"login_trusted_networks = {trusted}" if trusted else "",
            imap_capability=f"imap_capability = {capability}" if capability else "") + extra.format(dir=self.dir))
        self.process = Process(["dovecot", "-F", "-c", os.path.join(self.dir, "dovecot.conf")])
        for port in (self.imap_port, self.imaps_port, self.pop3_port, self.pop3s_port):
            self.process.wait_connect((ports.HOST, port)).close()

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as out:
            out.write(text)

    def user(self, stem="user"):
        """A user name that no test has had yet, so an empty maildrop."""
        self._users += 1
        return f"{stem}{self._users}"

    def add_user(self, name):
        """Nothing to do: every name is a user."""

    def imap(self, user, password=PASSWORD):
        return imap.Mailbox(ports.HOST, self.imap_port, user, password)

    def fill(self, user, messages):
        """Appends MESSAGES (octets) over IMAP."""
        with self.imap(user) as mailbox:
            mailbox.append(messages)

    def drop(self, user, octets, at=None):
        """Puts a message file with just these OCTETS into the Maildir, as a delivery agent would; with the time AT in its name."""
        home = os.path.join(self.dir, "mail", user)
        for name in ("", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            path = os.path.join(home, name)
            if not os.path.isdir(path):
                os.mkdir(path)
                os.chown(path, *self._owner)
        name = f"{at or time.time_ns()}.M1P{os.getpid()}.test"
        path = os.path.join(home, "Maildir", "tmp", name)
        with open(path, "wb") as out:
            out.write(octets)
        os.chown(path, *self._owner)
        os.rename(path, os.path.join(home, "Maildir", "new", name))

    def number_anew(self, user):
        """What is left when a Maildir was restored without its index: the messages, under other UIDs and UIDVALIDITY."""
        os.unlink(os.path.join(self.dir, "mail", user, "Maildir", "dovecot-uidlist"))
        self._drop_index(user)

    def set_uidvalidity(self, user, uidvalidity):
        """UIDs stay, UIDVALIDITY is another one."""
        self._drop_index(user)
        path = os.path.join(self.dir, "mail", user, "Maildir", "dovecot-uidlist")
        with open(path) as uids:
            text = re.sub(r"\bV\d+", f"V{uidvalidity}", uids.read(), count=1)
        with open(path, "w") as uids:
            uids.write(text)

    def _drop_index(self, user):
        folder = os.path.join(self.dir, "mail", user, "Maildir")
        for name in os.listdir(folder):
            if name.startswith("dovecot.index"):
                os.unlink(os.path.join(folder, name))

    def log(self):
        with open(os.path.join(self.dir, "dovecot.log"), errors="backslashreplace") as log:
            return log.read()

    def wait_log(self, condition):
        """Waits until CONDITION holds of the log, which a process of its own writes: later than clients are answered."""
        wait_until(lambda: condition(self.log()), f"{condition} in the log of Dovecot")

    def stop(self):
        self.process.stop()
