"""Servers whose Debian packages conflict with those that are installed: fetched and unpacked, and run from there."""
import fcntl
import glob
import os
import subprocess


def run(argv, **options):
    """A short command that must succeed; the finished process, with text unless it is asked for otherwise."""
    done = subprocess.run(argv, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return done


def _installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True)
    return done.stdout.endswith(" installed")


def install(name, conflicting, others):
    """The folder that the packages CONFLICTING are unpacked to, and OTHERS, which they need, where these are not installed;
    fetched from the Debian mirror once and kept in the cache as NAME."""
    above = os.path.join(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "popgate-test")
    os.makedirs(above, exist_ok=True)
    with open(os.path.join(above, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other runs may want it just now
        wanted = [*conflicting, *(package for package in others if not _installed(package))]
        return _unpacked(os.path.join(above, name), wanted)


def _unpacked(cache, wanted):
    """A package is marked when all of it is there, so a list that has grown costs only what is new."""
    root, packages = os.path.join(cache, "root"), os.path.join(cache, "packages")
    marks = os.path.join(cache, "unpacked")
    for folder in (packages, marks):
        os.makedirs(folder, exist_ok=True)
    missing = [package for package in wanted if not os.path.exists(os.path.join(marks, package))]
    if missing:
        run(["apt-get", "download", "-o", "APT::Sandbox::User=root", *missing], cwd=packages)
    for package in missing:
        for path in glob.glob(os.path.join(packages, f"{package}_*.deb")):
            run(["dpkg", "-x", path, root])
        open(os.path.join(marks, package), "w").close()
    return root


def libraries(root):
    """The value of LD_LIBRARY_PATH for programs below ROOT."""
    return ":".join([os.path.join(root, "usr/lib"), *glob.glob(f"{root}/usr/lib/*-linux-gnu*")])
