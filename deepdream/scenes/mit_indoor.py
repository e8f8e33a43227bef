"""MIT Indoor Scenes arrives by itself: downloaded, checked, unpacked.

`python -m deepdream.scenes.mit_indoor --root DIR` does only that. What is under way lies in root/.arriving, and the
pictures are renamed into place last: root/Images is there only when all is, and what a run leaves that was stopped at
any moment, killed even, is completed by the next.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from deepdream.scenes.archive import Packed, pictures_in, unpack
from deepdream.scenes.config import UrlConfig
from deepdream.scenes.download import Patience, download
from deepdream.scenes.layout import find_images, first_few, not_the_layout, read_list, read_lists
from deepdream.schema import typed

ARCHIVE = "indoorCVPR_09.tar"
TRAIN_LIST, TEST_LIST = "TrainImages.txt", "TestImages.txt"
MISSING_LIST = "MissingImages.txt"  # written where an archive lacks listed pictures

_ARRIVING = ".arriving"
_LOCK = ".arriving.lock"


def arrive(root: str | Path, url: UrlConfig | None = None, *, patience: Patience | None = None) -> None:
    """Make `root` hold MIT Indoor Scenes in the official layout, downloading what is not there.

    Returns at once where there are pictures already, in either layout; nothing is written there. Lists and an
    indoorCVPR_09.tar that somebody has put into `root` are used and left alone. Of several processes one downloads
    and the others wait. url: where from (None: as in conf/data/mit_indoor.yaml).

    Raises FileNotFoundError where `root` holds something else, OSError where no address gives the files or the disk
    is too full, and ValueError for an indoorCVPR_09.tar in `root` that is damaged or lacks listed pictures.
    """
    root = Path(root)
    if find_images(root) and not (root / _ARRIVING).exists():
        return
    if not find_images(root):
        _refuse_other_folders(root)
    root.mkdir(parents=True, exist_ok=True)
    with _one_process(root):
        if not find_images(root):
            _fill(root, url or official(), patience or Patience())
        # The pictures are there: a second lock does no harm from now on. The folder goes last, it brings us back here.
        with contextlib.suppress(OSError):
            (root / _LOCK).unlink()
        shutil.rmtree(root / _ARRIVING, ignore_errors=True)


def official() -> UrlConfig:
    """The addresses of conf/data/mit_indoor.yaml."""
    text = (files("deepdream.conf") / "data" / "mit_indoor.yaml").read_text(encoding="utf-8")
    return typed(UrlConfig, OmegaConf.create(text).url)


def _refuse_other_folders(root: Path) -> None:
    """2.4 GB do not go into a folder that holds something else."""
    if not root.exists():
        return
    if not root.is_dir():
        raise not_the_layout(root)
    for path in root.iterdir():
        ours = path.name in (ARCHIVE, "Images") or path.suffix == ".txt"  # Images: another process has just finished
        if not ours and not path.name.startswith("."):
            raise not_the_layout(root)


@contextlib.contextmanager
def _one_process(root: Path) -> Iterator[None]:
    """A lock that a kill opens. In root, because the folder above may belong to somebody else."""
    lock = FileLock(root / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _say(f"waiting for another process that fetches MIT Indoor Scenes into {root}")
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()


def _fill(root: Path, url: UrlConfig, patience: Patience) -> None:
    """Lists, archive, pictures; then all of it into place, the pictures last."""
    start = time.monotonic()
    how_not_to = "data.download=false never downloads, data=rooms needs none"
    _say(f"MIT Indoor Scenes (2.4 GB) is fetched into {root}; {how_not_to}")
    arriving = root / _ARRIVING
    arriving.mkdir(exist_ok=True)
    lists = [
        _list(root / TRAIN_LIST, url.train_list, "train", url.train_sha256, patience),
        _list(root / TEST_LIST, url.test_list, "test", url.test_sha256, patience),
    ]
    listed = [entry for path in lists for entry in read_list(path)]
    archive, pictures = _archive(root, url, listed, patience)
    shutil.rmtree(arriving / "Images", ignore_errors=True)  # what a killed run had unpacked
    with _bar("unpacking", MofNCompleteColumn()) as on_picture:
        unpack(archive, pictures, arriving / "Images", on_picture=on_picture)
    for path in lists:
        if path.parent == arriving:
            path.replace(root / path.name)
    (arriving / "Images").rename(root / "Images")
    _say(f"MIT Indoor Scenes is in {root}: {_counts(pictures)}, after {time.monotonic() - start:.0f} s")
    _note_shortfall(pictures, url)


def _list(path: Path, urls: Sequence[str], which: str, sha256: str | None, patience: Patience) -> Path:
    """Where one list is: in root, if somebody has put it there, or else among what arrives."""
    if path.exists():
        return path
    path = path.parent / _ARRIVING / path.name

    def check(part: Path) -> None:
        read_list(part)
        found = hashlib.sha256(part.read_bytes()).hexdigest()
        if sha256 is not None and found != sha256:
            raise ValueError(f"its SHA-256 is {found}; data.url.{which}_sha256 is {sha256} (null takes any)")

    if not path.exists():
        download(urls, path, check=check, on_trouble=_say, patience=patience)
    return path


def _archive(root: Path, url: UrlConfig, listed: Sequence[str], patience: Patience) -> tuple[Path, list[Packed]]:
    """Where the archive is, and what is in it: somebody's own in root, or the one that arrives."""
    if (root / ARCHIVE).exists():
        return root / ARCHIVE, _complete(root / ARCHIVE, listed, root)
    path = root / _ARRIVING / ARCHIVE
    if path.exists():
        try:
            return path, _complete(path, listed, root)
        except ValueError as error:
            _say(f"{error}; it is removed and downloaded again")
            path.unlink()
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bar(f"downloading {ARCHIVE}", *columns) as on_bytes:
        download(
            url.archive,
            path,
            check=lambda part: _complete(part, listed, root),
            copies=2,  # it is unpacked beside itself
            on_bytes=on_bytes,
            on_trouble=_say,
            patience=patience,
        )
    return path, _complete(path, listed, root)


def _complete(archive: Path, listed: Sequence[str], root: Path) -> list[Packed]:
    """The pictures of an archive that has every listed one.

    Raises ValueError otherwise; the pictures that it lacks are named in root/MissingImages.txt.
    """
    pictures = pictures_in(archive)
    there = {picture.entry for picture in pictures}
    missing = [entry for entry in listed if entry not in there]
    if missing:
        (root / MISSING_LIST).write_text("\n".join(missing) + "\n", encoding="utf-8")
        raise ValueError(
            f"{archive.name} lacks {len(missing)} of {len(listed)} listed pictures: {first_few(missing)} "
            f"(all of them are named in {root / MISSING_LIST})"
        )
    (root / MISSING_LIST).unlink(missing_ok=True)
    return pictures


def _counts(pictures: Sequence[Packed]) -> str:
    size = decimal(sum(picture.size for picture in pictures))
    return f"{len(_classes(pictures))} classes, {len(pictures):,} pictures, {size}"


def _classes(pictures: Sequence[Packed]) -> set[str]:
    return {picture.entry.partition("/")[0] for picture in pictures}


def _note_shortfall(pictures: Sequence[Packed], url: UrlConfig) -> None:
    expected = {"classes": (len(_classes(pictures)), url.classes), "pictures": (len(pictures), url.pictures)}
    for name, (found, wanted) in expected.items():
        if wanted is not None and found < wanted:
            _say(f"note: the archive holds {found:,} {name} of {wanted:,}; every picture that the lists name is there")


@contextlib.contextmanager
def _bar(title: str, *columns: ProgressColumn) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on a terminal, nothing elsewhere; yields what to call with (done, total)."""
    shown = (TextColumn("{task.description}"), BarColumn(), *columns)
    with Progress(*shown, transient=True, disable=not Console().is_terminal) as progress:
        task = None

        def update(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:  # what is there from an earlier run is no part of the speed
                task = progress.add_task(title, completed=done, total=total)
            progress.update(task, completed=done, total=total)

        yield update


def _say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: download, check, and say what is there. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deepdream.scenes.mit_indoor",
        description="Download MIT Indoor Scenes (2.4 GB; twice that is needed until it is unpacked). "
        "A download that was stopped goes on where it was.",
    )
    parser.add_argument("--root", required=True, type=Path, metavar="DIR", help="the folder for it, new or empty")
    parser.add_argument("--archive", nargs="+", metavar="URL", help="other addresses of the archive, tried in order")
    options = parser.parse_args(arguments)
    try:
        url = official()
        arrive(options.root, replace(url, archive=options.archive) if options.archive else url)
        print(_summary(options.root))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _summary(root: Path) -> str:
    lists = read_lists(root)
    sizes = [path.stat().st_size for path in lists.images.glob("*/*") if path.is_file()]
    return (
        f"{root}: {len(lists.classes)} classes, {len(sizes):,} pictures, {decimal(sum(sizes))}; "
        f"{len(lists.train):,} to train on, {len(lists.test):,} to test on"
    )


if __name__ == "__main__":
    sys.exit(main())
