"""A child process whose output is collected while it runs; ended by its own pid only."""
import atexit
import os
import select
import signal
import socket
import subprocess
import threading
import time

_all = []


def _end_all():
    """Nothing outlives the run, however it ends."""
    for process in _all:
        process.signal(signal.SIGTERM)


class Process:
    def __init__(self, argv, env=None, cwd=None, pass_fds=()):
        self.argv = argv
        self._changed = threading.Condition()
        self._output = bytearray()
        self._ended = False
        self._child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env, cwd=cwd, pass_fds=pass_fds, start_new_session=True)
        os.set_blocking(self._child.stdout.fileno(), False)
        if not _all:
            atexit.register(_end_all)
        _all.append(self)
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self):
        readable = select.poll()  # which, unlike select, takes descriptors of any number
        readable.register(self._child.stdout, select.POLLIN)
        while not self._ended:
            readable.poll()
            with self._changed:
                self._take()

    def _take(self):
        """Takes all that the process has written by now; the lock is held."""
        while not self._ended:
            try:
                data = os.read(self._child.stdout.fileno(), 65536)
            except BlockingIOError:
                return
            self._output += data
            self._ended = not data
            self._changed.notify_all()

    @property
    def pid(self):
        return self._child.pid

    @property
    def returncode(self):
        return self._child.returncode

    def alive(self):
        return self._child.poll() is None

    def output(self):
        """All that was written before this call, so that whatever the process wrote before it answered is there."""
        with self._changed:
            self._take()
            return self._output.decode("utf-8", "backslashreplace")

    def wait_output(self, wanted, timeout=20, start=0):
        """Waits until WANTED (a string, or a predicate on the text after offset START) is in the output."""
        test = wanted if callable(wanted) else (lambda text: wanted in text)
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                seen = len(self._output)
                text = self._output.decode("utf-8", "backslashreplace")[start:]
                if test(text):
                    return text
                if len(self._output) > seen:  # the test has looked at the output itself
                    continue
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    raise AssertionError(f"{self.argv[0]}: expected output {wanted!r} in:\n{text[-4000:]}")
                self._changed.wait(left)

    def wait_connect(self, address, timeout=60):
        """Waits until something accepts connections on ADDRESS, failing early if the process ends."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return socket.create_connection(address, timeout=10)
            except OSError as error:
                if not self.alive() or time.monotonic() > deadline:
                    raise AssertionError(
                        f"{self.argv[0]} does not listen on {address}: {error}\n{self.output()}") from error
            with self._changed:
                self._changed.wait(0.02)

    def signal(self, number):
        if self.alive():
            os.kill(self._child.pid, number)

    def wait(self, timeout=30):
        self._child.wait(timeout)
        self._reader.join(timeout)
        return self._child.returncode

    def stop(self, timeout=30):
        """SIGTERM, and SIGKILL when that has no effect. Returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.wait(10)
            raise AssertionError(f"{self.argv[0]} did not end on SIGTERM:\n{self.output()[-4000:]}")
