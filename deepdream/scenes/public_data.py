"""Public data sets: downloaded, checked, unpacked.

Work in progress is in root/.partial, and the images are renamed into place last: their folder exists only when all of
it is complete. A run that was stopped at any moment, even killed, is completed by the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rich.filesize import decimal

from deepdream.console import BYTES, progress_bar
from deepdream.download import RetryPolicy, download
from deepdream.files import PARTIAL, exclusive
from deepdream.scenes.archive import ArchivedImage, list_images, unpack
from deepdream.scenes.class_folders import find_splits
from deepdream.scenes.config import DataConfig, UrlConfig
from deepdream.scenes.layout import find_images, first_few, read_list

MISSING_LIST = "MissingImages.txt"  # written where an archive lacks listed images

_LOCK = f"{PARTIAL}.lock"


def ensure_downloaded(config: DataConfig, *, retry: RetryPolicy | None = None) -> None:
    """Make `config.root` hold the data set at `config.url`, downloading what is missing. Without a url it does nothing.

    Returns at once where there are images already; nothing is written there. Lists and an archive that the user has put
    into the root are used and kept. Of several processes one downloads and the others wait.

    Raises FileNotFoundError where the root holds something else, or the download has no list of the name in the config;
    OSError where no address serves the files or the disk has too little space; and ValueError for an archive in the
    root that is damaged or lacks listed images.
    """
    url, root = config.url, Path(config.root)
    if url is None:
        return
    if _has_images(root, url) and not (root / PARTIAL).exists():
        return
    if not _has_images(root, url):
        _refuse_other_folders(root, url)
    root.mkdir(parents=True, exist_ok=True)
    # The lock is in root, because the folder above may belong to somebody else.
    waiting = f"waiting for another process that downloads {url.name} into {root}"
    with exclusive(root / _LOCK, on_wait=lambda: _print(waiting)):
        if not _has_images(root, url):
            _fill(root, config, url, retry or RetryPolicy())
        # The images are there: a second lock does no harm from now on. The folder goes last, because it brings the next
        # run back here after a kill.
        with contextlib.suppress(OSError):
            (root / _LOCK).unlink()
        shutil.rmtree(root / PARTIAL, ignore_errors=True)


def _has_images(root: Path, url: UrlConfig) -> bool:
    """Whether the images are there, in the layout of the archive or in that of a public copy."""
    if url.train_list is not None:
        return find_images(root) is not None
    return root.is_dir() and {"train", "val"} <= find_splits(root).keys()


def _refuse_other_folders(root: Path, url: UrlConfig) -> None:
    """Gigabytes must not go into a folder that holds something else."""
    if not root.exists():
        return
    # The folder of the images may be there: another process has just finished.
    ours = (url.file, url.folder)
    if not root.is_dir() or not all(
        path.name in ours or path.suffix == ".txt" or path.name.startswith(".") for path in root.iterdir()
    ):
        raise FileNotFoundError(
            f"data.root is {root}, which has no {url.folder} folder but something else; {url.name} ({url.size}) is "
            f"downloaded into a new or empty folder only, and a copy of it is recognised by its folder {url.folder}"
        )


def _fill(root: Path, config: DataConfig, url: UrlConfig, retry: RetryPolicy) -> None:
    """Lists, archive, images; then all of it into place, the images last."""
    start = time.monotonic()
    alternatives = "data.download=false never downloads, data=rooms needs no download"
    _print(f"downloading {url.name} ({url.size}) into {root}; {alternatives}")
    partial = root / PARTIAL
    partial.mkdir(exist_ok=True)
    lists = []
    if config.train_list is not None and config.test_list is not None:
        lists = [
            _list(root / config.train_list, url.train_list or [], "train", url.train_sha256, retry),
            _list(root / config.test_list, url.test_list or [], "test", url.test_sha256, retry),
        ]
    listed = [] if config.allow_missing else [entry for path in lists for entry in read_list(path)]
    archive, images = _archive(root, url, listed, retry)
    shutil.rmtree(partial / url.folder, ignore_errors=True)  # what a killed run had unpacked
    with progress_bar("unpacking") as on_progress:
        unpack(archive, images, partial / url.folder, on_progress=on_progress)
    for path in lists:
        if path.parent == partial:
            path.replace(root / path.name)
    (partial / url.folder).rename(root / url.folder)
    size = decimal(sum(image.size for image in images))
    _print(f"{url.name} is in {root}: {len(images):,} images, {size}, after {time.monotonic() - start:.0f} s")
    classes = len({PurePosixPath(image.entry).parent.name for image in images})
    for what, found, expected in (("classes", classes, url.classes), ("images", len(images), url.images)):
        if expected is not None and found < expected:
            _print(f"note: the archive holds {found:,} of {expected:,} {what}")


def _list(path: Path, urls: Sequence[str], which: str, sha256: str | None, retry: RetryPolicy) -> Path:
    """The path of one list: the user's own in root, or the one downloaded into root/.partial."""
    if path.exists():
        return path
    if not any(url.endswith(f"/{path.name}") for url in urls):
        raise FileNotFoundError(
            f"data.{which}_list is {path.name}, which is not in {path.parent}, and no address in data.url.{which}_list "
            "has that name"
        )
    path = path.parent / PARTIAL / path.name

    def check(part: Path) -> None:
        read_list(part)
        if sha256 is not None:
            _require_checksum(part, "sha256", sha256, f"data.url.{which}_sha256")

    if not path.exists():
        download(urls, path, check=check, on_retry=_print, retry=retry)
    return path


def _archive(root: Path, url: UrlConfig, listed: Sequence[str], retry: RetryPolicy) -> tuple[Path, list[ArchivedImage]]:
    """The path of the archive and its images: the user's own in root, or the one downloaded into root/.partial."""
    missing_list = root / MISSING_LIST

    def check(archive: Path) -> list[ArchivedImage]:
        if url.checksum is not None:
            kind, _, digest = url.checksum.partition(":")
            _require_checksum(archive, kind, digest, "data.url.checksum")
        return _require_listed(list_images(archive, url.folder), listed, archive.name, missing_list)

    if (root / url.file).exists():
        return root / url.file, check(root / url.file)
    path = root / PARTIAL / url.file
    if path.exists():
        try:
            return path, check(path)
        except ValueError as error:
            _print(f"{error}; it is removed and downloaded again")
            path.unlink()
    with progress_bar(f"downloading {url.file}", columns=BYTES) as on_bytes:
        # Two copies, because it is unpacked beside itself.
        download(url.archive, path, check=check, copies=2, on_bytes=on_bytes, on_retry=_print, retry=retry)
    return path, list_images(path, url.folder)


def _require_checksum(path: Path, kind: str, expected: str, key: str) -> None:
    """Raises ValueError unless the file has the checksum `expected`; kind: "sha256" or "md5"."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != expected:
        raise ValueError(f"its {kind} is {found}; {key} is {expected} (null takes any)")


def _require_listed(
    images: list[ArchivedImage], listed: Sequence[str], archive: str, missing_list: Path
) -> list[ArchivedImage]:
    """`images` of `archive`, which holds every listed one.

    Raises ValueError otherwise; `missing_list` then names the images that it lacks.
    """
    found = {image.entry for image in images}
    missing = [entry for entry in listed if entry not in found]
    if missing:
        missing_list.write_text("\n".join(missing) + "\n", encoding="utf-8")
        raise ValueError(
            f"{archive} lacks {len(missing)} of {len(listed)} listed images: {first_few(missing)} "
            f"({missing_list} names all of them)"
        )
    missing_list.unlink(missing_ok=True)
    return images


def _print(line: str) -> None:
    print(line, flush=True)
