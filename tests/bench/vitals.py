"""CPU time and memory of a server: the process that was started, all that come from it, and those that ended."""
import os
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def processes():
    """pid -> (parent, session, CPU seconds with those of children that have ended)."""
    table = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(")") + 2:].split()
        table[int(pid)] = (int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])) / TICK)
    return table


def family(root, table=None):
    """ROOT, its descendants, and what else is in the session that it leads."""
    table = processes() if table is None else table
    children = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found = {pid for pid, (_, session, _) in table.items() if pid == root or session == root}
    todo = list(found)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def cpu(root):
    table = processes()
    return sum(table[pid][2] for pid in family(root, table))


def pss_of(pid):
    """Proportional set size in kB; 0 of a process that has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
    except OSError:
        return 0


def pss(root):
    """The same of all of a server's processes, and their number."""
    sizes = [size for size in map(pss_of, family(root)) if size]
    return sum(sizes), len(sizes)


class Peak(threading.Thread):
    """The most memory that a server had, looked at some times a second; less often where looking is dear."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.kb, self.over = root, 0, threading.Event()
        self.start()

    def run(self):
        while True:
            begin = time.monotonic()
            self.kb = max(self.kb, pss(self.root)[0])
            if self.over.wait(max(0.1, 20 * (time.monotonic() - begin))):
                return

    def finish(self):
        """In MB."""
        self.over.set()
        self.join()
        return self.kb / 1024
