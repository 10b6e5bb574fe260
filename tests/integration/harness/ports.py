"""Free ports on loopback."""
import socket

HOST = "127.0.0.1"
_given = set()


def free_port(host=HOST):
    """A port that nothing listens on now and that this run has not handed out before."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
