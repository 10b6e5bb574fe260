"""Free ports on loopback."""
import random
import socket

HOST = "127.0.0.1"
FIRST, LAST = 15000, 29999  # below those that the kernel gives to whoever connects
_given = set()


def free_port(host=HOST):
    """A port that nothing listens on now and that this run has not handed out before."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.randint(FIRST, LAST)
        if port in _given:
            continue
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port
