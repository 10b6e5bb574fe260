"""Which process holds which connection."""
import contextlib
import os
import socket


def server_sockets(server):
    """The inodes of the SERVER's ends of its connections, by the client's port."""
    local = "%08X:%04X" % (int.from_bytes(socket.inet_aton(server[0]), "little"), server[1])
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return {int(row[2].partition(":")[2], 16): row[9] for row in rows if row[1] == local}


def sockets_of(pid):
    """The inodes of the sockets that the process PID holds."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return {link[len("socket:["):-1] for link in found if link.startswith("socket:[")}
