"""The independent view of a mailbox: what another IMAP client (imaplib) sees and does there."""
import imaplib
import re

imaplib._MAXLINE = 100 << 20


class Mailbox:
    """A logged-in connection with INBOX selected. Every question is asked anew."""

    def __init__(self, host, port, user, password, name="INBOX"):
        self._log_in(host, port, user, password)
        self.select(name)

    @classmethod
    def administrator(cls, host, port, user, password):
        """A connection without a selected mailbox."""
        self = cls.__new__(cls)
        self._log_in(host, port, user, password)
        return self

    def _log_in(self, host, port, user, password):
        self.connection = imaplib.IMAP4(host, port, timeout=60)
        encoded = [text.encode() for text in (user, password)]
        self._did(self.connection.authenticate("PLAIN", lambda _: b"\0" + encoded[0] + b"\0" + encoded[1]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.connection.logout()
        except (OSError, imaplib.IMAP4.error):
            pass

    @staticmethod
    def _did(answer):
        status, data = answer
        if status != "OK":
            raise AssertionError(f"IMAP: {status} {data!r}")
        return data

    def select(self, name="INBOX"):
        try:
            self._did(self.connection.select(name))
        except imaplib.IMAP4.readonly:
            self.connection.is_readonly = True  # it is selected all the same

    def append(self, messages, name="INBOX"):
        for message in messages:
            self.connection.literal = bytes(message)
            self._did(self.connection._simple_command("APPEND", name))
        self._did(self.connection.noop())

    def append_with(self, octets, flags, date, name="INBOX"):
        """FLAGS: a set; DATE: as INTERNALDATE has it, with its quotes."""
        self.connection.literal = bytes(octets)
        self._did(self.connection._simple_command("APPEND", name, f"({' '.join(sorted(flags))})", date))

    def messages(self):
        """Each message in the order of UIDs: its octets, its flags without \\Recent, its date with quotes."""
        for uid in self.uids():
            data = self._did(self.connection.uid("FETCH", str(uid), "(FLAGS INTERNALDATE BODY.PEEK[])"))
            head, octets = next(part for part in data if isinstance(part, tuple))
            rest = b"".join(part for part in data if isinstance(part, bytes))
            flags = re.search(rb"FLAGS \(([^)]*)\)", head + rest)[1].decode()
            date = re.search(rb'INTERNALDATE ("[^"]*")', head + rest)[1].decode()
            yield octets, set(flags.split()) - {"\\Recent"}, date

    def uids(self, criterion="ALL"):
        self._did(self.connection.noop())
        data = self._did(self.connection.uid("SEARCH", criterion))
        return sorted(int(uid) for uid in (data[0] or b"").split())

    def uidvalidity(self, name="INBOX"):
        data = self._did(self.connection.status(name, "(UIDVALIDITY)"))
        return int(re.search(rb"UIDVALIDITY (\d+)", data[0])[1])

    def bodies(self):
        """UID -> octets of BODY.PEEK[]."""
        found = {}
        for uid in self.uids():
            data = self._did(self.connection.uid("FETCH", str(uid), "(UID BODY.PEEK[])"))
            found[uid] = next((part[1] for part in data if isinstance(part, tuple)), b"")
        return found

    def flags(self):
        """UID -> set of flags, without \\Recent."""
        if not self.uids():
            return {}
        found = {}
        for line in self._did(self.connection.uid("FETCH", "1:*", "(UID FLAGS)")):
            uid = re.search(rb"UID (\d+)", line)
            if not uid:
                continue  # news that came with an earlier answer
            flags = re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode()
            found[int(uid[1])] = set(flags.split()) - {"\\Recent"}
        return found

    def store(self, uids, change, flags):
        text = ",".join(str(uid) for uid in uids)
        self._did(self.connection.uid("STORE", text, change, f"({flags})"))

    def flag_deleted(self, uids):
        self.store(uids, "+FLAGS", "\\Deleted")

    def expunge(self, uids):
        """Removes just these messages (the server needs UIDPLUS, or no other message is flagged)."""
        self.flag_deleted(uids)
        self._did(self.connection.expunge())

    def create(self, name):
        self._did(self.connection.create(name))

    def delete(self, name):
        self._did(self.connection.delete(name))
