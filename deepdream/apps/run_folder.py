"""A folder of its own for each run, and one process at a time at work in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

RUNNING = ".running"  # the lock in the folder of a run


def own_folder(wanted: str) -> str:
    """`wanted`, made at this moment; where it is there already, the first free one of wanted_2, wanted_3 and so on.

    Two runs that begin in the same second share no folder. Where none can be made, Hydra says why, when it tries.
    """
    path = Path(wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            own = path if number == 1 else path.with_name(f"{path.name}_{number}")
            try:
                os.mkdir(own)
            except FileExistsError:
                continue
            return str(own)
    except OSError:
        pass
    return wanted


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """While this is open, no other run is at work in `folder`. Raises ValueError, in one line, where one is.

    The lock is the system's: it ends with its process, however that ends. On a file system without locks filelock
    takes a file that names the process instead, and says so.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / RUNNING)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"another process is training in {folder}; wait for its end, or choose another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
