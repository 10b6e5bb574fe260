"""Free ports on loopback."""
import fcntl
import os
import random
import socket
import tempfile

HOST = "127.0.0.1"
FIRST, LAST = 15000, 29999  # below those that the kernel gives to whoever connects
LANE = 1500                 # ports of one run: another run must not take that of a gateway which is down for a moment
_given = set()
_lane = None


def _take_lane():
    """The ports of this run. The lock goes with the process."""
    starts = list(range(FIRST, LAST + 1, LANE))
    random.shuffle(starts)
    for start in starts:
        lock = os.open(os.path.join(tempfile.gettempdir(), f"popgate-test-ports-{start}"),
                       os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return list(range(start, start + LANE))
        except OSError:
            os.close(lock)
    raise AssertionError(f"{len(starts)} runs of tests at a time are the most")


def _is_free(family, host, port):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host=HOST):
    """A port that nothing listens on now, and, as long as there are others, none that was handed out before."""
    global _lane
    _lane = _lane or _take_lane()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(2):
        fresh = [port for port in _lane if port not in _given]
        random.shuffle(fresh)
        for port in fresh:
            _given.add(port)
            if _is_free(family, host, port):
                return port
        _given.clear()
    raise AssertionError("no free port")
