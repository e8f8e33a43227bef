"""Arrays over a long list of images, computed in parts that several processes share, and kept in files.

The parts are the same in every process, whenever it starts, and begin at a multiple of the batch size: together they
hold what one process computes. See `deepdream.claims` for how the processes share them.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdream.claims import Claims, clear_claims
from deepdream.files import atomic_path, modified

Arrays = Mapping[str, npt.NDArray[Any]]

PARTS = 64  # about so many of a long list: few files, and little is lost with a process that dies
SOURCE = "source"  # of the arrays in a file, beside them


class SharedArrays:
    """The arrays of each part of a list of `count` images, in `folder`, a file for each part.

    source: what the arrays of a part are computed from, as text. A file of an earlier run with the same source stays.
    parts: ranges of indices. kept: the number of images whose arrays an earlier run has left.
    """

    def __init__(self, folder: Path, count: int, *, batch_size: int, source: Callable[[range], str]) -> None:
        size = batch_size * max(1, round(count / PARTS / batch_size))
        self.parts = [range(first, min(first + size, count)) for first in range(0, count, size)]
        self._folder = folder
        self._source = source
        self._before = {part: modified(self._file(part)) for part in self.parts}
        self._earlier = {part for part in self.parts if self._is_of_source(part)}
        self.kept = sum(map(len, self._earlier))

    def compute(
        self,
        arrays: Callable[[range, Callable[[int], object]], Arrays],
        *,
        start: float = 0.0,
        on_done: Callable[[int], object] | None = None,
    ) -> None:
        """Compute what no other process does, and return when all parts are there.

        arrays: those of a part; it calls its second argument with the number of images of the part that are done.
        start: the share of the parts after which this process begins. on_done: called with the number of images done.
        Raises what `arrays` raises, and OSError where the folder cannot be written.
        """

        def on_batch(done: int) -> None:
            if on_done is not None:
                on_done(sum(len(each) for each in self.parts if self._is_made(each)) + done)

        with Claims() as claims:
            for free in claims.rounds(self.parts, self._file, self._is_made, start=start):
                for part in free:
                    self._save(part, arrays(part, on_batch))
                    claims.release(self._file(part))
                on_batch(0)
        clear_claims(self._folder)

    def read(self) -> Iterator[Arrays]:
        """The arrays of each part, in order."""
        for part in self.parts:
            with np.load(self._file(part), allow_pickle=False) as saved:
                yield {name: saved[name] for name in saved.files if name != SOURCE}

    def _file(self, part: range) -> Path:
        return self._folder / f"{part.start:07}.npz"

    def _is_made(self, part: range) -> bool:
        return part in self._earlier or modified(self._file(part)) != self._before[part]

    def _is_of_source(self, part: range) -> bool:
        if self._before[part] is None:
            return False
        try:
            with np.load(self._file(part), allow_pickle=False) as saved:
                return str(saved[SOURCE]) == self._about(part)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # a damaged file is computed again
            return False

    def _about(self, part: range) -> str:
        return hashlib.sha256(f"{part.start}-{part.stop}: {self._source(part)}".encode()).hexdigest()

    def _save(self, part: range, arrays: Arrays) -> None:
        with atomic_path(self._file(part), unique=True) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays, **{SOURCE: np.array(self._about(part))})
