"""Images decoded once: uint8 in one flat file, read through a memory map that all processes share.

cache_dir/<data set>-<side>-<hash of its path>/
    integrity.csv   the record of each listed file (deepdream.scenes.integrity)
    pixels.bin      the images in the order of integrity.csv, each (height, width, 3) uint8; not with shorter_side=None
    index.npy       int64 (images, 3): offset in pixels.bin, height and width of each; -1, 0, 0 where skipped
    about.json      the fingerprint of its sources
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from deepdream.files import atomic_folder, exclusive
from deepdream.hardware import cores
from deepdream.scenes.integrity import ImageRecord, check_image, read_records, write_records
from deepdream.scenes.splits import SceneLists

if TYPE_CHECKING:  # building works without torch; only reading needs it
    from torch import Tensor

T = TypeVar("T")
OnProgress = Callable[[int, int], None]
Pixels = npt.NDArray[np.uint8]

RECORDS = "integrity.csv"
_FORMAT = 3  # goes up when the same files would give other bytes
_CHUNK = 8  # images per task of a thread
_CHUNKS_AHEAD = 2  # chunks in work per core: enough that no thread waits, few enough that memory stays flat


class DecodedImageCache:
    """The decoded images of a folder that `prepare_cache` wrote, by their row in integrity.csv."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = np.load(folder / "index.npy")

    def __reduce__(self) -> tuple[type[DecodedImageCache], tuple[Path]]:
        """A worker process opens the map itself instead of being sent the pixels."""
        return DecodedImageCache, (self.folder,)

    @cached_property
    def _pixels(self) -> Tensor:
        import torch

        # Copy-on-write, because PyTorch has no read-only tensors; nothing is ever written.
        return torch.from_numpy(np.memmap(self.folder / "pixels.bin", dtype=np.uint8, mode="c"))

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, row: int) -> Tensor:
        """An image: uint8 (3, H, W), a view of the map in channels-last order."""
        start, height, width = (int(value) for value in self._index[row])
        return self._pixels[start : start + height * width * 3].view(height, width, 3).permute(2, 0, 1)


@dataclass(frozen=True)
class PreparedCache:
    """The result of `prepare_cache`.

    records: of each image, train first. images: the decoded images; None with shorter_side=None.
    built: whether this call did the work.
    """

    folder: Path
    records: list[ImageRecord]
    images: DecodedImageCache | None
    built: bool


def prepare_cache(
    lists: SceneLists,
    *,
    cache_dir: Path,
    shorter_side: int | None,
    on_progress: OnProgress | None = None,
    on_wait: Callable[[Path], None] | None = None,
) -> PreparedCache:
    """Open every listed image once, and keep it decoded below `cache_dir`.

    shorter_side: of the cached images in pixels; smaller ones keep their size. None caches none and only checks them.
    on_progress(done, total) is called after each image; on_wait(folder) where another process is already at work.

    A cache made from the same lists, files (by size and date) and settings is used if it is complete, and replaced
    otherwise. It appears whole or not at all; of several processes one builds it and the others wait. Raises OSError
    where `cache_dir` cannot be written.
    """
    images = lists.images.resolve()
    source = hashlib.sha256(repr([str(images), *lists.entries]).encode(errors="surrogateescape")).hexdigest()[:8]
    name = images.parent.name if images.name.lower() == "images" else images.name
    folder = cache_dir / f"{name}-{shorter_side or 'check'}-{source}"
    key = _fingerprint(lists, shorter_side)
    built = False
    if not _is_complete(folder, key, shorter_side):
        with _named_errors(cache_dir):
            cache_dir.mkdir(parents=True, exist_ok=True)
            waiting = None if on_wait is None else partial(on_wait, folder)
            with exclusive(folder.with_name(f".{folder.name}.lock"), on_wait=waiting):
                if not _is_complete(folder, key, shorter_side):
                    _build(folder, lists, shorter_side, key, on_progress)
                    built = True
    decoded = None if shorter_side is None else DecodedImageCache(folder)
    return PreparedCache(folder, read_records(folder / RECORDS), decoded, built)


def _fingerprint(lists: SceneLists, shorter_side: int | None) -> str:
    """A hash of everything that determines the pixels: the files by name, size and date."""
    digest = hashlib.sha256(repr((_FORMAT, shorter_side)).encode())
    for entry in lists.entries:
        status = (lists.images / entry).stat()
        digest.update(repr((entry, status.st_size, status.st_mtime_ns)).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _is_complete(folder: Path, key: str, shorter_side: int | None) -> bool:
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        files = [RECORDS] if shorter_side is None else [RECORDS, "index.npy", "pixels.bin"]
        sizes = {name: (folder / name).stat().st_size for name in files}
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and about.get("key") == key and about.get("bytes") == sizes


@contextlib.contextmanager
def _named_errors(cache_dir: Path) -> Iterator[None]:
    """Errors of writing name the configuration key and the way out."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "data.cache_images=false caches no pixels" if full else "name a folder that can be written"
        raise type(error)(
            f"data.cache_dir is {cache_dir}, where the decoded images cannot be written "
            f"({error.strerror or error}); {hint}, data.cache_dir=DIR uses another folder"
        ) from error


def _build(folder: Path, lists: SceneLists, shorter_side: int | None, key: str, on_progress: OnProgress | None) -> None:
    with atomic_folder(folder) as partial_folder:
        _write(partial_folder, lists, shorter_side, on_progress)
        sizes = {path.name: path.stat().st_size for path in partial_folder.iterdir()}
        about = {"key": key, "bytes": sizes, "images": str(lists.images.resolve()), "shorter_side": shorter_side}
        (partial_folder / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _write(folder: Path, lists: SceneLists, shorter_side: int | None, on_progress: OnProgress | None) -> None:
    """Check and, with a shorter side, decode every image."""
    entries = lists.entries
    records, index, start = [], [], 0
    with contextlib.ExitStack() as stack:
        file = stack.enter_context((folder / "pixels.bin").open("wb")) if shorter_side is not None else None
        work = partial(_decoded, lists.images, shorter_side=shorter_side)
        for done, (record, pixels) in enumerate(_in_order(work, entries), start=1):
            records.append(record)
            index.append((-1, 0, 0) if pixels is None else (start, *pixels.shape[:2]))
            if file is not None and pixels is not None:
                start += file.write(pixels.data)
            if on_progress is not None:
                on_progress(done, len(entries))
    write_records(folder / RECORDS, records)
    if shorter_side is not None:
        np.save(folder / "index.npy", np.array(index, dtype=np.int64))


def _in_order(work: Callable[[str], T], entries: Sequence[str]) -> Iterator[T]:
    """work(entry) of each entry, in order, on all cores, never more than a few chunks ahead.

    Threads, because Pillow releases the GIL while it decodes and resizes; in chunks, because a task costs time too.
    """
    chunks = (entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK))
    running: deque[Future[list[T]]] = deque()
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for chunk in chunks:
                running.append(pool.submit(lambda names: [work(name) for name in names], chunk))
                if len(running) > _CHUNKS_AHEAD * cores():
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _decoded(images: Path, entry: str, *, shorter_side: int | None) -> tuple[ImageRecord, Pixels | None]:
    record, image = check_image(images, entry, shorter_side)
    if image is None or shorter_side is None:
        return record, None
    return record, np.asarray(_shrunk(image, shorter_side))


def _shrunk(image: Image.Image, shorter_side: int) -> Image.Image:
    """The image with its shorter side at most `shorter_side`, its aspect ratio kept."""
    factor = shorter_side / min(image.size)
    if factor >= 1:
        return image
    width, height = (max(shorter_side, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)
