"""What a process uses: processor time, memory, descriptors."""
import os
import re
import time

TICKS = os.sysconf("SC_CLK_TCK")

# AddressSanitizer keeps freed memory in a quarantine of 8 MiB (see harness/popgate.py) and shadows all of it.
GROWTH_KB = 16 << 10
GROWTH_KB_ASAN = 64 << 10
# valgrind keeps 20 MB of freed blocks, shadows all memory, and holds what it has translated.
GROWTH_KB_VALGRIND = 48 << 10
SLOWNESS_VALGRIND = 20


class Vitals:
    """Of process PID, which runs the program PATH."""

    def __init__(self, pid, path):
        self.pid = pid
        if os.environ.get("POPGATE_VALGRIND_REPORTS"):
            self.growth_kb, self.slowness = GROWTH_KB_VALGRIND, SLOWNESS_VALGRIND
            return
        self.slowness = 1
        with open(path, "rb") as program:
            self.growth_kb = GROWTH_KB_ASAN if b"__asan_init" in program.read() else GROWTH_KB

    def cpu_seconds(self):
        """What the process has used; under valgrind, what it would have without."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS / self.slowness

    def _status(self, name):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"{name}:\s+(\d+)", status.read())[1])

    def resident_kb(self):
        return self._status("VmRSS")

    def peak_kb(self):
        """The most that was resident since forget_peak."""
        return self._status("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as out:
            out.write("5")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def wait_until(condition, what, timeout=60):
    """Looks at CONDITION until it holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come: {what}")
        time.sleep(0.02)
