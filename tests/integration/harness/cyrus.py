"""A private Cyrus: imapd, and its own pop3d for comparisons. Its packages conflict with Dovecot's."""
import grp
import os
import pwd

from . import imap, ports, unpacked, workspace
from .pop3 import Pop3
from .process import Process

PASSWORD = "secret"
CONFLICTING = ("cyrus-imapd", "cyrus-pop3d", "cyrus-common")
# What they need beside the base system; only those that are not installed are unpacked.
OTHERS = ("sasl2-bin", "libxapian30", "libical3")

IMAPD_CONF = """
configdirectory: {dir}/conf
partition-default: {dir}/spool
defaultpartition: default
cyrus_user: {user}
cyrus_group: {group}
admins: admin
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb2
sasl_mech_list: PLAIN LOGIN
servername: localhost
defaultdomain: localhost
unixhierarchysep: yes
altnamespace: yes
lmtpsocket: {dir}/run/lmtp
idlesocket: {dir}/run/idle
notifysocket: {dir}/run/notify
duplicatesuppression: no
expunge_mode: immediate
delete_mode: immediate
failedloginpause: 0
"""

# What uidl_format may be, and popgate's name for it.
UIDL_FORMATS = {"cyrus": "cyrus", "uidonly": "cyrus-uid", "courier": "cyrus-courier", "dovecot": "cyrus-dovecot"}

CYRUS_CONF = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {dir}/imapd.conf -U 30" listen="127.0.0.1:{port}" prefork=1 maxchild=50
{pop3}
}}
EVENTS {{
}}
"""


class Cyrus:
    """PASSWORD fits every user that user() has made."""

    def __init__(self):
        root = unpacked.install("cyrus", CONFLICTING, OTHERS)
        self.dir = workspace.folder("cyrus")
        self.password = PASSWORD
        self._users = 0
        self._root = root
        owner = pwd.getpwnam(workspace.MAIL_USER)
        self._env = dict(os.environ, LD_LIBRARY_PATH=unpacked.libraries(root))
        self.imap_port = ports.free_port()
        names = dict(dir=self.dir, bin=f"{root}/usr/lib/cyrus/bin", port=self.imap_port,
                     user=owner.pw_name, group=grp.getgrgid(owner.pw_gid).gr_name)
        for name in ("conf", "spool", "run"):
            os.mkdir(os.path.join(self.dir, name))
        self.pop3_ports = {form: ports.free_port() for form in UIDL_FORMATS}
        self.pop3_port = self.pop3_ports["cyrus"]
        names["pop3"] = "\n".join(f'  pop3{form} cmd="{names["bin"]}/pop3d -C {self.dir}/pop3d-{form}.conf" '
                                  f'listen="{ports.HOST}:{port}" prefork=0' for form, port in self.pop3_ports.items())
        texts = {"imapd.conf": IMAPD_CONF, "cyrus.conf": CYRUS_CONF}
        texts.update({f"pop3d-{form}.conf": f"{IMAPD_CONF}uidl_format: {form}\n" for form in UIDL_FORMATS})
        for name, text in texts.items():
            with open(os.path.join(self.dir, name), "w") as out:
                out.write(text.format(**names))
        self._owner = (owner.pw_uid, owner.pw_gid)
        self._add_password("admin")
        for path, folders, files in os.walk(self.dir):
            for name in (".", *folders, *files):
                os.chown(os.path.join(path, name), *self._owner)
        self.process = Process(
            ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups",
             f"{names['bin']}/master", "-C", f"{self.dir}/imapd.conf", "-M", f"{self.dir}/cyrus.conf",
             "-p", f"{self.dir}/run/master.pid"], env=self._env)
        self.process.wait_connect((ports.HOST, self.imap_port)).close()

    def _add_password(self, user):
        unpacked.run([f"{self._root}/usr/sbin/saslpasswd2", "-c", "-p", "-u", "localhost", "-f",
                      f"{self.dir}/sasldb2", user], input=PASSWORD, env=self._env)

    def user(self, stem="user"):
        self._users += 1
        name = f"{stem}{self._users}"
        self.add_user(name)
        return name

    def add_user(self, name):
        """A user with an empty mailbox."""
        self._add_password(name)
        admin = imap.Mailbox.administrator(ports.HOST, self.imap_port, "admin", PASSWORD)
        admin.create(f"user/{name}")
        admin.close()

    def imap(self, user, password=PASSWORD):
        return imap.Mailbox(ports.HOST, self.imap_port, user, password)

    def pop3_uidls(self, user):
        """What Cyrus's own POP3 calls the messages, in each of its ways, by popgate's names for these."""
        said = {}
        for form, port in self.pop3_ports.items():
            with Pop3((ports.HOST, port)) as session:
                session.login(user)
                said[UIDL_FORMATS[form]] = [line.split(b" ", 1)[1].decode() for line in session.lines("UIDL")]
                session.quit()
        return said

    def fill(self, user, messages):
        with self.imap(user) as mailbox:
            mailbox.append(messages)

    def stop(self):
        self.process.stop()
