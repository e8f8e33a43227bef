"""MIT Indoor Scenes: downloaded, checked, unpacked.

Work in progress is in root/.partial, and the images are renamed into place last: root/Images exists only when all of
it is complete. A run that was stopped at any moment, even killed, is completed by the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal

from deepdream.console import BYTES, progress_bar
from deepdream.download import RetryPolicy, download
from deepdream.files import PARTIAL, exclusive
from deepdream.scenes.archive import ArchivedImage, list_images, unpack
from deepdream.scenes.config import DataConfig, UrlConfig
from deepdream.scenes.layout import find_images, first_few, layout_error, read_list

ARCHIVE = "indoorCVPR_09.tar"
TRAIN_LIST, TEST_LIST = "TrainImages.txt", "TestImages.txt"
MISSING_LIST = "MissingImages.txt"  # written where an archive lacks listed images

_LOCK = f"{PARTIAL}.lock"


def ensure_mit_indoor(root: str | Path, url: UrlConfig | None = None, *, retry: RetryPolicy | None = None) -> None:
    """Make `root` hold MIT Indoor Scenes in the official layout, downloading what is missing.

    Returns at once where there are images already, in either layout; nothing is written there. Lists and an
    indoorCVPR_09.tar that the user has put into `root` are used and kept. Of several processes one downloads and the
    others wait. url: the addresses (None: those of conf/data/mit_indoor.yaml).

    Raises FileNotFoundError where `root` holds something else, OSError where no address serves the files or the disk
    has too little space, and ValueError for an indoorCVPR_09.tar in `root` that is damaged or lacks listed images.
    """
    root = Path(root)
    if find_images(root) and not (root / PARTIAL).exists():
        return
    if not find_images(root):
        _refuse_other_folders(root)
    root.mkdir(parents=True, exist_ok=True)
    # The lock is in root, because the folder above may belong to somebody else.
    waiting = f"waiting for another process that downloads MIT Indoor Scenes into {root}"
    with exclusive(root / _LOCK, on_wait=lambda: _print(waiting)):
        if not find_images(root):
            _fill(root, url or official_url(), retry or RetryPolicy())
        # The images are there: a second lock does no harm from now on. The folder goes last, because it brings the next
        # run back here after a kill.
        with contextlib.suppress(OSError):
            (root / _LOCK).unlink()
        shutil.rmtree(root / PARTIAL, ignore_errors=True)


def official_url() -> UrlConfig:
    """The addresses in conf/data/mit_indoor.yaml."""
    url = DataConfig.preset("mit_indoor").url
    assert url is not None
    return url


def _refuse_other_folders(root: Path) -> None:
    """2.4 GB must not go into a folder that holds something else."""
    if not root.exists():
        return
    if not root.is_dir():
        raise layout_error(root)
    for path in root.iterdir():
        ours = path.name in (ARCHIVE, "Images") or path.suffix == ".txt"  # Images: another process has just finished
        if not ours and not path.name.startswith("."):
            raise layout_error(root)


def _fill(root: Path, url: UrlConfig, retry: RetryPolicy) -> None:
    """Lists, archive, images; then all of it into place, the images last."""
    start = time.monotonic()
    alternatives = "data.download=false never downloads, data=rooms needs no download"
    _print(f"downloading MIT Indoor Scenes (2.4 GB) into {root}; {alternatives}")
    partial = root / PARTIAL
    partial.mkdir(exist_ok=True)
    lists = [
        _list(root / TRAIN_LIST, url.train_list, "train", url.train_sha256, retry),
        _list(root / TEST_LIST, url.test_list, "test", url.test_sha256, retry),
    ]
    listed = [entry for path in lists for entry in read_list(path)]
    archive, images = _archive(root, url, listed, retry)
    shutil.rmtree(partial / "Images", ignore_errors=True)  # what a killed run had unpacked
    with progress_bar("unpacking") as on_progress:
        unpack(archive, images, partial / "Images", on_progress=on_progress)
    for path in lists:
        if path.parent == partial:
            path.replace(root / path.name)
    (partial / "Images").rename(root / "Images")
    size = decimal(sum(image.size for image in images))
    _print(
        f"MIT Indoor Scenes is in {root}: {len(_classes(images))} classes, {len(images):,} images, {size}, "
        f"after {time.monotonic() - start:.0f} s"
    )
    _note_shortfall(images, url)


def _list(path: Path, urls: Sequence[str], which: str, sha256: str | None, retry: RetryPolicy) -> Path:
    """The path of one list: the user's own in root, or the one downloaded into root/.partial."""
    if path.exists():
        return path
    path = path.parent / PARTIAL / path.name

    def check(part: Path) -> None:
        read_list(part)
        found = hashlib.sha256(part.read_bytes()).hexdigest()
        if sha256 is not None and found != sha256:
            raise ValueError(f"its SHA-256 is {found}; data.url.{which}_sha256 is {sha256} (null takes any)")

    if not path.exists():
        download(urls, path, check=check, on_retry=_print, retry=retry)
    return path


def _archive(root: Path, url: UrlConfig, listed: Sequence[str], retry: RetryPolicy) -> tuple[Path, list[ArchivedImage]]:
    """The path of the archive and its images: the user's own in root, or the one downloaded into root/.partial."""
    if (root / ARCHIVE).exists():
        return root / ARCHIVE, _require_listed(root / ARCHIVE, listed, root)
    path = root / PARTIAL / ARCHIVE
    if path.exists():
        try:
            return path, _require_listed(path, listed, root)
        except ValueError as error:
            _print(f"{error}; it is removed and downloaded again")
            path.unlink()
    with progress_bar(f"downloading {ARCHIVE}", columns=BYTES) as on_bytes:
        download(
            url.archive,
            path,
            check=lambda part: _require_listed(part, listed, root),
            copies=2,  # it is unpacked beside itself
            on_bytes=on_bytes,
            on_retry=_print,
            retry=retry,
        )
    return path, _require_listed(path, listed, root)


def _require_listed(archive: Path, listed: Sequence[str], root: Path) -> list[ArchivedImage]:
    """The images of an archive that holds every listed one.

    Raises ValueError otherwise; root/MissingImages.txt then names the images that it lacks.
    """
    images = list_images(archive)
    found = {image.entry for image in images}
    missing = [entry for entry in listed if entry not in found]
    if missing:
        (root / MISSING_LIST).write_text("\n".join(missing) + "\n", encoding="utf-8")
        raise ValueError(
            f"{archive.name} lacks {len(missing)} of {len(listed)} listed images: {first_few(missing)} "
            f"({root / MISSING_LIST} names all of them)"
        )
    (root / MISSING_LIST).unlink(missing_ok=True)
    return images


def _classes(images: Sequence[ArchivedImage]) -> set[str]:
    return {image.entry.partition("/")[0] for image in images}


def _note_shortfall(images: Sequence[ArchivedImage], url: UrlConfig) -> None:
    expected = {"classes": (len(_classes(images)), url.classes), "images": (len(images), url.images)}
    for name, (found, wanted) in expected.items():
        if wanted is not None and found < wanted:
            _print(f"note: the archive holds {found:,} of {wanted:,} {name}; all listed images are among them")


def _print(line: str) -> None:
    print(line, flush=True)
