"""Take from Python what Windows does not have; imported at the start of each process that has this folder on its path.

It does not imitate backslashes in paths, open files that cannot be removed, and sys.platform, which the standard
library itself reads.
"""

import contextlib
import multiprocessing
import multiprocessing.context
import os
import platform
import signal

with contextlib.suppress(ImportError):
    import psutil  # noqa: F401  (what it imports, it chooses by sys.platform)

# SIGCHLD stays: by sys.platform, torch's loading processes need it.
SIGNALS = ("SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGHUP", "SIGALRM", "SIGQUIT")
FUNCTIONS = (
    "posix_fallocate",
    "sched_getaffinity",
    "fork",
    "forkpty",
    "mkfifo",
    "statvfs",
    "sysconf",
    "getuid",
)


def _refused(source: object, target: object, *arguments: object, **keywords: object) -> None:
    raise OSError(1314, "A required privilege is not held by the client", source)


for name in SIGNALS:
    delattr(signal, name)
for name in FUNCTIONS:
    delattr(os, name)
os.symlink = _refused
KNOWN = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM")
signal.valid_signals = lambda: {getattr(signal, name) for name in KNOWN}
platform.system = lambda: "Windows"  # what Lightning asks before it uses a signal
os.environ["USERNAME"] = "somebody"
multiprocessing.set_start_method("spawn")
for name in ("fork", "forkserver"):
    del multiprocessing.context._concrete_contexts[name]
