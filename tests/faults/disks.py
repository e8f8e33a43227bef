"""A small disk, and one that cannot be written to, for a command alone: in a mount namespace of its own."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import partial
from pathlib import Path

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 1, 32, 16384, 1 << 18


def mount(folder: Path, *, size: str = "100m", read_only: bool = False) -> None:
    """Put an empty disk of `size` at `folder`, for this process and those that it starts; others see nothing of it.

    Raises OSError where the system does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    _check(libc.unshare(_NEW_MOUNTS if user == 0 else _NEW_MOUNTS | _NEW_USER))
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _check(libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))
    flags = _READ_ONLY if read_only else 0
    _check(libc.mount(b"none", os.fsencode(folder), b"tmpfs", flags, f"size={size}".encode()))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def allowed() -> bool:
    """Whether this system lets a process mount a disk for itself."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        try:
            mount(Path("/mnt"))
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def small(folder: Path, size: str) -> partial[None]:
    """What a command does first that finds a disk of `size` at `folder`."""
    return partial(mount, folder, size=size)


def unwritable(folder: Path) -> partial[None]:
    """What a command does first that can write nothing into `folder`."""
    return partial(mount, folder, read_only=True)
