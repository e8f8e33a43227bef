"""Files of one folder that several processes make together, on one machine or many. Any of them may die.

Nobody hands out the work, and nothing but the folder connects the processes. Each goes over all files, claims one that
is neither made nor claimed, makes it, and lets go of it. A claim is a small file beside the output (a lease of
filelock): it is created exclusively, refreshed while its process lives, and taken over from a dead one, on the same
machine at once, on another after LEASE seconds on the clock of the process that waits.

A process that was suspended for longer than LEASE may find that another has made its file. That wastes work and does
no harm where the same inputs give the same file and a file appears whole, as with `files.atomic_path`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self, TypeVar

from filelock import SoftFileLease, Timeout

from deepdream.files import hidden_beside, modified
from deepdream.image_formats import reason

T = TypeVar("T")

LEASE = 60.0  # seconds without a sign of life after which a process on another machine counts as dead
POLL = 0.5  # seconds between two looks at what other processes are making
CLAIM = ".claim"


class Claims:
    """The files that this process is making, and those that it waits for. Leaving the context lets go of all."""

    def __init__(self) -> None:
        self._held: dict[Path, SoftFileLease] = {}
        self._awaited: dict[Path, SoftFileLease] = {}  # kept: a lease remembers since when it has seen no refresh

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for path in list(self._held):
            self.release(path)

    def rounds(
        self, work: Sequence[T], file: Callable[[T], Path], is_made: Callable[[T], bool], *, start: float = 0.0
    ) -> Iterator[Iterator[T]]:
        """What of `work` is this process's to make, in rounds, until all of it is made or was tried here.

        file: that of each piece, which is claimed. is_made: whether it is finished, also by another process.
        start: the share of the work after which this process begins, so that several do not meet at the first piece.

        The caller makes all of a round, and releases each file, before it asks for the next one: otherwise two
        processes could wait for each other. Raises OSError where the folder cannot be written.
        """
        first = round(start * len(work))
        work = [*work[first:], *work[:first]]
        while work:
            busy: list[T] = []
            yield self._free(work, file, is_made, busy)
            work = busy
            if work:
                time.sleep(POLL)

    def _free(
        self, work: Sequence[T], file: Callable[[T], Path], is_made: Callable[[T], bool], busy: list[T]
    ) -> Iterator[T]:
        for piece in work:
            if is_made(piece):
                continue
            if not self._take(file(piece)):
                busy.append(piece)
            elif is_made(piece):  # between the two lines above
                self.release(file(piece))
            else:
                yield piece

    def _take(self, path: Path) -> bool:
        """Whether no other living process makes `path`; it is then claimed by this one."""
        lease = self._awaited.pop(path, None) or _lease(hidden_beside(path, CLAIM))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lease.acquire(blocking=False)
        except Timeout:
            self._awaited[path] = lease
            return False
        except OSError as error:
            raise type(error)(f"{path} cannot be written ({reason(error)}); choose another place") from error
        self._held[path] = lease
        return True

    def release(self, path: Path) -> None:
        """Let go of `path`, if it is claimed: it is made, or cannot be."""
        if (lease := self._held.pop(path, None)) is not None:
            lease.release()


class OneFile:
    """A file that one of several processes writes, when all of them have done their share.

    It counts as written when it is newer than this object: make it at the beginning of a process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = modified(path)

    def write(self, write: Callable[[], object]) -> bool:
        """Call `write`, which writes the file, unless another process does: then wait. Whether it was this one.

        Raises what `write` raises; another process, if one waits, then tries.
        """
        is_writer = False
        with Claims() as claims:
            for free in claims.rounds([self._path], Path, lambda path: modified(path) != self._before):
                for path in free:
                    write()
                    is_writer = True
                    claims.release(path)
        return is_writer


def clear_claims(folder: Path) -> None:
    """Remove the claims that dead processes of this machine have left in `folder`."""
    for path in folder.glob(f".*{CLAIM}"):
        lease = _lease(path)
        try:
            lease.acquire(blocking=False)
        except Timeout:
            continue
        lease.release()


def _lease(path: Path) -> SoftFileLease:
    return SoftFileLease(path, lease_duration=LEASE)
