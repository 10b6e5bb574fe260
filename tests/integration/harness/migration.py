"""What it takes to move mailboxes: the address that clients keep, what a server's own POP3 says, and copies of the mail."""
import contextlib
import os
import shutil
import socket
import threading

from . import ports, unpacked, workspace
from .pop3 import Pop3


def uidls_of(server, user):
    """The UIDLs in the order of the messages, as the server's own POP3 says them."""
    with Pop3((ports.HOST, server.pop3_port)) as session:
        session.login(user, server.password)
        uidls = [uidl for _, uidl in sorted(session.uidl().items())]
        session.quit()
    return uidls


class Door:
    """The address that clients have of their server, behind which the server can be another one tomorrow."""

    def __init__(self, port):
        self.leads_to = port  # of new connections
        self._listener = socket.create_server((ports.HOST, ports.free_port()), backlog=100)
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # until stop()
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((ports.HOST, self.leads_to))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def copy_by_append(source, user, target, new_user=None):
    """As imapsync does: each message in the order of the UIDs, with its flags and date, octet by octet."""
    with source.imap(user) as old, target.imap(new_user or user) as new:
        for octets, flags, date in old.messages():
            new.append_with(octets, flags, date)


MBSYNC = """
IMAPStore old
Host {host}
Port {old_port}
User {user}
Pass {old_password}
SSLType None
AuthMechs LOGIN

IMAPStore new
Host {host}
Port {new_port}
User {new_user}
Pass {new_password}
SSLType None
AuthMechs LOGIN

Channel move
Far :old:INBOX
Near :new:INBOX
Sync Pull
SyncState {folder}/
CopyArrivalDate yes
"""


def copy_by_mbsync(source, user, target, new_user=None):
    """mbsync adds a header of its own, X-TUID, to every message, so the sizes on both sides differ."""
    if not shutil.which("mbsync"):
        raise AssertionError("mbsync is not installed (isync)")
    folder = workspace.folder("mbsync")
    config = os.path.join(folder, "config")
    with open(config, "w", encoding="utf-8") as out:
        out.write(MBSYNC.format(
            host=ports.HOST, folder=folder, old_port=source.imap_port, user=user, old_password=source.password,
            new_port=target.imap_port, new_user=new_user or user, new_password=target.password))
    unpacked.run(["mbsync", "-q", "-c", config, "move"])
    shutil.rmtree(folder)
