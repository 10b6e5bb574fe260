"""The folder of one test run. Readable by the unprivileged user that the mail servers run as."""
import atexit
import os
import shutil
import tempfile

MAIL_USER = "nobody"

_root = None


def root():
    """The run's folder, made at the first call and removed at exit unless POPGATE_TEST_KEEP is set."""
    global _root
    if _root is None:
        _root = tempfile.mkdtemp(prefix="popgate-test-")
        os.chmod(_root, 0o755)
        if not os.environ.get("POPGATE_TEST_KEEP"):
            atexit.register(shutil.rmtree, _root, ignore_errors=True)
    return _root


def folder(name):
    """A new folder in the run's folder whose name begins with NAME."""
    path = tempfile.mkdtemp(prefix=name + "-", dir=root())
    os.chmod(path, 0o755)
    return path
