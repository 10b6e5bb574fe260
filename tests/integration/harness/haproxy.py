"""A private HAProxy: passes connections on, with a PROXY header before them."""
import os
import shutil

from . import ports, workspace
from .process import Process

CONFIG = """
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
{fronts}
"""
FRONT = """
listen front{number}
  bind {host}:{port}
  server popgate {host}:{target} {option}
"""


class Haproxy:
    """ROUTES: a list of (port of the gateway, "send-proxy" or "send-proxy-v2"); addresses has one for each."""

    def __init__(self, routes):
        if not shutil.which("haproxy"):
            raise AssertionError("haproxy is not installed")
        self.addresses = [(ports.HOST, ports.free_port()) for _ in routes]
        fronts = "".join(FRONT.format(number=number, host=ports.HOST, port=address[1], target=target, option=option)
                         for number, (address, (target, option)) in enumerate(zip(self.addresses, routes)))
        path = os.path.join(workspace.folder("haproxy"), "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(fronts=fronts))
        self.process = Process(["haproxy", "-db", "-f", path])
        for address in self.addresses:
            self.process.wait_connect(address).close()

    def stop(self):
        self.process.stop()
