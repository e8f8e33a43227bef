"""Files and folders that appear whole or not at all, locks between processes, and free disk space."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.filesize import decimal

PARTIAL = ".partial"

_LONGEST_STEM = 180  # bytes of a name to which some more are added; file systems allow 255
_LONGEST_SUFFIX = 16


@contextmanager
def atomic_path(
    path: Path, *, unique: bool = False, sync: bool = False, partial_stem: str | None = None
) -> Iterator[Path]:
    """A path beside `path` to write to: it becomes `path` when the block ends, and is removed when the block raises.

    unique: allows several processes to write the same file at once; the last one wins. Without it the partial file has
        one name per target, so that the next run overwrites what a killed process left.
    sync: wait until the disk holds the content (os.fsync): after a power cut `path` is the old file or the new one.
    partial_stem: the name of the partial file, for one name in a folder of large files that a single process writes.

    The parent folder is created. An existing `path` stays until the block ends. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stem = partial_stem or (f".{secrets.token_hex(8)}{PARTIAL}" if unique else hidden_beside(path, PARTIAL).name)
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    partial = path.with_name(stem + suffix)  # libraries choose the format by the suffix
    try:
        yield partial
        if sync:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with contextlib.suppress(OSError):  # already renamed, or on a disk that fails: the first error counts
            partial.unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all, even if the process is killed. Raises OSError."""
    with atomic_path(path, sync=True) as partial:
        partial.write_bytes(content)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to fill: it replaces `folder` when the block ends, and is removed when it raises.

    What a killed process left is removed first. Where several processes may write the same folder, the caller lets one
    in at a time (`exclusive`). Raises OSError; the old folder is then still there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{hidden_beside(folder, PARTIAL).name}-"
    for leftover in folder.parent.iterdir():
        if leftover.name.startswith(prefix):
            shutil.rmtree(leftover, ignore_errors=True)
    partial = folder.with_name(f"{prefix}{secrets.token_hex(4)}")
    replaced = partial.with_name(f"{partial.name}-replaced")
    partial.mkdir()
    try:
        yield partial
        with contextlib.suppress(FileNotFoundError):
            folder.rename(replaced)
        partial.rename(folder)
    finally:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def modified(path: Path) -> int | None:
    """When a file was last modified, in nanoseconds; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def hidden_beside(path: Path, ending: str) -> Path:
    """`.name` and `ending`, beside `path`; of a long name its hash, so that what is appended fits the file system."""
    name = os.fsencode(path.name)
    stem = path.name if len(name) <= _LONGEST_STEM else hashlib.sha256(name).hexdigest()[:16]
    return path.with_name(f".{stem}{ending}")


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
