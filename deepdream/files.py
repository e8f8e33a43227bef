"""Files and folders that appear whole or not at all, locks, and room on the disk."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.filesize import decimal

PARTIAL = ".partial"


@contextmanager
def atomic_path(path: Path, *, unique: bool = False, sync: bool = False) -> Iterator[Path]:
    """A path beside `path` to write to: it becomes `path` when the block ends, and is removed when the block raises.

    unique: two processes may write the same file at once. Otherwise there is one name for each target, so that what a
        killed process leaves is overwritten by the next.
    sync: wait until the disk holds the content (os.fsync), so that a power cut loses nothing either.

    The parent folder is made. A file that was at `path` before stays until then. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f".{secrets.token_hex(8)}{PARTIAL}" if unique else f".{path.name}{PARTIAL}"
    partial = path.with_name(name + path.suffix)  # libraries choose the format by the suffix
    try:
        yield partial
        if sync:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all, whenever this process ends. Raises OSError."""
    with atomic_path(path, sync=True) as partial:
        partial.write_bytes(content)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to fill: it takes the place of `folder` when the block ends.

    It is removed when the block raises; what a killed process has left is removed first. Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}{PARTIAL}-"
    for leftover in folder.parent.iterdir():
        if leftover.name.startswith(prefix):
            shutil.rmtree(leftover, ignore_errors=True)
    partial = folder.with_name(f"{prefix}{secrets.token_hex(4)}")
    partial.mkdir()
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def exclusive(lock_file: Path, *, on_wait: Callable[[], object] | None = None) -> Iterator[None]:
    """One process at a time is inside; the others wait, after `on_wait()`.

    The lock is the operating system's: it ends with its process, however that ends.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait is not None:
            on_wait()
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def exclusive_or_refuse(lock_file: Path, message: str) -> Iterator[None]:
    """One process at a time is inside. Raises ValueError(message) where another one is."""
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(message) from error
    try:
        yield
    finally:
        lock.release()


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise OSError, in one line, where the disk of `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{what} needs {decimal(needed)} in {folder}, where {decimal(free)} are free; "
            "make room, or choose a folder on another disk"
        )
