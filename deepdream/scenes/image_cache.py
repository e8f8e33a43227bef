"""Pictures decoded once: uint8 in one flat file, read through a memory map that all processes share.

cache/<data set>-<side>-<hash of its place>/
    scan.csv      what each listed file turned out to be (deepdream.scenes.integrity)
    pixels.bin    the pictures in the order of the scan, each (height, width, 3) uint8; left out with shorter_side=None
    index.npy     int64 (pictures, 3): where each begins in pixels.bin, its height and its width; -1 where left out
    about.json    the fingerprint of what it was made from
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout
from PIL import Image

from deepdream.hardware import cores
from deepdream.scenes.integrity import Finding, examine, read_scan, write_scan
from deepdream.scenes.layout import SceneLists

if TYPE_CHECKING:  # building does without torch; only reading brings it
    from torch import Tensor

T = TypeVar("T")
Progress = Callable[[int, int], None]
Pixels = npt.NDArray[np.uint8]

_FORMAT = 1  # goes up when the same files would give other bytes
_HANDFUL = 8  # pictures
_AHEAD = 2  # handfuls in work for each core: enough that none waits, few enough that memory stays flat


class Store:
    """The pictures of a folder that `prepare` has written, by their place in the scan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = np.load(folder / "index.npy")

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        """A worker process opens the map again instead of being sent the pixels."""
        return Store, (self.folder,)

    @cached_property
    def _pixels(self) -> Tensor:
        import torch

        # Copy-on-write, because PyTorch knows no read-only tensor; nothing is ever written.
        return torch.from_numpy(np.memmap(self.folder / "pixels.bin", dtype=np.uint8, mode="c"))

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, number: int) -> Tensor:
        """A picture: uint8 (3, H, W), a view of the map in channels-last order."""
        start, height, width = (int(value) for value in self._index[number])
        return self._pixels[start : start + height * width * 3].view(height, width, 3).permute(2, 0, 1)


@dataclass(frozen=True)
class Prepared:
    """findings: of each picture of both lists, train first. store: the decoded pictures, where they are kept.

    built: whether this call did the work.
    """

    folder: Path
    findings: list[Finding]
    store: Store | None
    built: bool


def prepare(
    lists: SceneLists,
    *,
    cache: Path,
    shorter_side: int | None,
    on_picture: Progress | None = None,
    on_wait: Callable[[Path], None] | None = None,
) -> Prepared:
    """Open every listed picture once, and keep it decoded.

    shorter_side: in pixels, of the kept pictures; smaller ones keep their size. None keeps none and only scans.
    on_picture(done, total) is called after each picture; on_wait(folder) where another process is making it already.

    What is already in `cache` is used if it was made from the same lists, files (by size and date) and settings, and is
    whole; otherwise it is made again. It is written beside its place and renamed, so that a kill leaves nothing
    half-written; of several processes one does the work and the others wait. Raises OSError where `cache` cannot be
    written.
    """
    place = hashlib.sha256(repr([str(lists.images.resolve()), lists.train, lists.test]).encode()).hexdigest()[:8]
    name = lists.images.resolve().parent.name
    folder = cache / f"{name}-{shorter_side or 'scan'}-{place}"
    key = _fingerprint(lists, shorter_side)
    built = False
    if not _is_whole(folder, key, shorter_side):
        with _writing_to(cache), _alone(folder, on_wait):
            if not _is_whole(folder, key, shorter_side):
                _build(folder, lists, shorter_side, key, on_picture)
                built = True
    store = None if shorter_side is None else Store(folder)
    return Prepared(folder, read_scan(folder / "scan.csv"), store, built)


def _fingerprint(lists: SceneLists, shorter_side: int | None) -> str:
    """A hash of all that the pixels follow from: files by name, size and date."""
    digest = hashlib.sha256(repr((_FORMAT, shorter_side)).encode())
    for entry in lists.train + lists.test:
        status = (lists.images / entry).stat()
        digest.update(repr((entry, status.st_size, status.st_mtime_ns)).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _is_whole(folder: Path, key: str, shorter_side: int | None) -> bool:
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        files = ["scan.csv"] if shorter_side is None else ["scan.csv", "index.npy", "pixels.bin"]
        sizes = {name: (folder / name).stat().st_size for name in files}
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and about.get("key") == key and about.get("bytes") == sizes


@contextlib.contextmanager
def _alone(folder: Path, on_wait: Callable[[Path], None] | None) -> Iterator[None]:
    """One process at a time makes `folder`; the others wait."""
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait is not None:
            on_wait(folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _writing_to(cache: Path) -> Iterator[None]:
    """What goes wrong in writing is said with the way out."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "data.store=off keeps no pixels" if full else "name a folder that can be written"
        raise type(error)(
            f"data.cache is {cache}, where the decoded pictures cannot be kept ({error.strerror or error}); {hint}, "
            "data.cache=DIR puts them elsewhere"
        ) from error


def _build(folder: Path, lists: SceneLists, shorter_side: int | None, key: str, on_picture: Progress | None) -> None:
    for left_by_a_kill in folder.parent.glob(f".{folder.name}.building-*"):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    building = folder.with_name(f".{folder.name}.building-{uuid.uuid4().hex[:8]}")
    building.mkdir()
    try:
        _write(building, lists, shorter_side, on_picture)
        sizes = {path.name: path.stat().st_size for path in building.iterdir()}
        about = {"key": key, "bytes": sizes, "pictures_of": str(lists.images.resolve()), "shorter_side": shorter_side}
        (building / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _write(folder: Path, lists: SceneLists, shorter_side: int | None, on_picture: Progress | None) -> None:
    """Scan and, with a shorter side, decode every picture of both lists."""
    entries = lists.train + lists.test
    findings, index, start = [], [], 0
    with contextlib.ExitStack() as stack:
        file = stack.enter_context((folder / "pixels.bin").open("wb")) if shorter_side is not None else None
        work = partial(_decoded, lists.images, shorter_side=shorter_side)
        for done, (finding, pixels) in enumerate(_in_order(work, entries), start=1):
            findings.append(finding)
            index.append((-1, 0, 0) if pixels is None else (start, *pixels.shape[:2]))
            if file is not None and pixels is not None:
                start += file.write(pixels.data)
            if on_picture is not None:
                on_picture(done, len(entries))
    write_scan(folder / "scan.csv", findings)
    if shorter_side is not None:
        np.save(folder / "index.npy", np.array(index, dtype=np.int64))


def _in_order(work: Callable[[str], T], entries: Sequence[str]) -> Iterator[T]:
    """work(entry) for each entry, in order, on all cores, never more than a few handfuls ahead.

    Threads, because Pillow lets go of the interpreter while it decodes and resizes; by the handful, because handing
    over takes time as well.
    """
    handfuls = (entries[start : start + _HANDFUL] for start in range(0, len(entries), _HANDFUL))
    running: deque[Future[list[T]]] = deque()
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for handful in handfuls:
                running.append(pool.submit(lambda names: [work(name) for name in names], handful))
                if len(running) > _AHEAD * cores():
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _decoded(images: Path, entry: str, *, shorter_side: int | None) -> tuple[Finding, Pixels | None]:
    finding, picture = examine(images, entry, shorter_side)
    if picture is None or shorter_side is None:
        return finding, None
    return finding, np.asarray(_shrunk(picture, shorter_side))


def _shrunk(picture: Image.Image, shorter_side: int) -> Image.Image:
    """The picture with its shorter side at most `shorter_side`, its proportions kept."""
    factor = shorter_side / min(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(shorter_side, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC)
