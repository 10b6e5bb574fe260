"""How many runs the fault tests did, how many faults they brought about, and what came of them. By test module."""
import collections
import threading

_lock = threading.Lock()
_counts = collections.defaultdict(collections.Counter)
_module = "?"
_test = collections.Counter()


def begin(module):
    """A test of MODULE begins."""
    global _module
    with _lock:
        _module = module
        _test.clear()


def add(**counts):
    """Adds to runs, faults, violations of the test that runs."""
    with _lock:
        _counts[_module].update(counts)
        _test.update(counts)


def of_test():
    """The counts of the test that runs."""
    with _lock:
        return dict(_test)


def of_modules():
    with _lock:
        return {module: dict(counts) for module, counts in _counts.items()}
