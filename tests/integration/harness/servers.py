"""The real IMAP servers that test modules share: started at first use, ended when the run ends."""
import atexit
import functools

from . import certificates
from .courier import Courier
from .cyrus import Cyrus
from .dovecot import WITHOUT_UIDPLUS, Dovecot
from .oauth import OAuthDovecot

_started = []


def _keep(server):
    _started.append(server)
    return server


@functools.cache
def dovecot():
    """With all its extensions. "reader" may only read, "seer" may also set \\Seen."""
    return _keep(Dovecot(passwords={"jürgen": "pässwörd", "spaces": " two  words "},
                         rights={"reader": "lr", "seer": "lrs"}))


@functools.cache
def dovecot_for_known_clients():
    """Demands a certificate of our authority from whoever logs in."""
    return _keep(Dovecot(extra=f"""
ssl_ca = <{certificates.authority().cert}
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_require_client_cert = yes
"""))


@functools.cache
def dovecot_with_tokens():
    return _keep(OAuthDovecot())


@functools.cache
def dovecot_without_uidplus():
    return _keep(Dovecot(capability=WITHOUT_UIDPLUS))


@functools.cache
def dovecot_with_move_only():
    """MOVE, but no UIDPLUS."""
    return _keep(Dovecot(capability=WITHOUT_UIDPLUS + " MOVE"))


@functools.cache
def cyrus():
    return _keep(Cyrus())


@functools.cache
def dovecot_with_uidls(uidl_format):
    return _keep(Dovecot(extra=f"pop3_uidl_format = {uidl_format}\n"))


@functools.cache
def courier():
    return _keep(Courier())


def stop_all():
    while _started:
        _started.pop().stop()


atexit.register(stop_all)
