"""The official layout of MIT Indoor Scenes (Quattoni & Torralba, "Recognizing Indoor Scenes", CVPR 2009).

root/Images/<class>/<file>
root/TrainImages.txt      one `class/file` per line
root/TestImages.txt
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

EXPECTED_LAYOUT = "Images/<class>/<file>, TrainImages.txt and TestImages.txt"
HOME_PAGE = "http://web.mit.edu/torralba/www/indoor.html"
HOW_TO_DOWNLOAD = (
    "`python -m deepdream download --root DIR`, or data.download=true with a new or empty data.root, "
    f"downloads MIT Indoor Scenes (2.4 GB) from {HOME_PAGE}"
)


@dataclass(frozen=True)
class SceneLists:
    """The content of the official lists: `class/file` paths below `images`, and the classes, sorted."""

    images: Path
    classes: tuple[str, ...]
    train: tuple[str, ...]
    test: tuple[str, ...]

    def label(self, entry: str) -> int:
        """Index of the class of `class/file`."""
        return self.classes.index(entry.partition("/")[0])


def read_lists(
    root: str | Path, *, train_list: str = "TrainImages.txt", test_list: str = "TestImages.txt"
) -> SceneLists:
    """The lists of a data set in the official layout, or in the public copy that nests Images/ in indoorCVPR_09/.

    Raises FileNotFoundError where the layout is not found, and ValueError for a list that contradicts itself, in one
    line that names the file.
    """
    root = Path(root)
    images = find_images(root)
    if images is None:
        raise layout_error(root)
    entries = {name: read_list(_find_list(root, images, name)) for name in (train_list, test_list)}
    train, test = entries[train_list], entries[test_list]
    shared = set(train) & set(test)
    if shared:
        raise ValueError(f"{root}: {len(shared)} images are in both lists, the first is {min(shared)}")
    classes = tuple(sorted({entry.partition("/")[0] for entry in train + test}))
    untrained = set(classes) - {entry.partition("/")[0] for entry in train}
    if untrained:
        raise ValueError(f"{root}/{train_list} has no image of {', '.join(sorted(untrained))}, which {test_list} has")
    _require_files(images, train + test)
    return SceneLists(images, classes, train, test)


def find_images(root: Path) -> Path | None:
    """The folder of the images, in either layout; None where there is none."""
    return next((images for images in (root / "Images", root / "indoorCVPR_09" / "Images") if images.is_dir()), None)


def layout_error(root: Path) -> FileNotFoundError:
    """The error for a `root` without the layout: it names the layout and the commands that download the data."""
    found = "which has no Images folder" if root.is_dir() else "which is not a folder"
    if not root.exists():
        found = "which does not exist"
    return FileNotFoundError(
        f"data.root is {root}, {found}; expected there: {EXPECTED_LAYOUT}. {HOW_TO_DOWNLOAD}; "
        "data=rooms needs no download"
    )


def read_list(path: Path) -> tuple[str, ...]:
    """The entries of one list, each `class/file`, in its order.

    UTF-8 with or without a byte order mark, with the line ends of any system. Raises ValueError, in one line that
    names the file, for one that is empty, names an image twice, or holds anything but `class/file`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not text in UTF-8 (byte {error.start}); it needs one `class/file` per line"
        ) from error
    entries = tuple(line.strip() for line in text.split("\n") if line.strip())
    if not entries:
        raise ValueError(f"{path} is empty; it needs one `class/file` per line")
    for number, entry in enumerate(entries, start=1):
        parts = entry.split("/")
        if len(parts) != 2 or any(part in ("", "..") or PurePath(part).name != part for part in parts):
            raise ValueError(f"{path} line {number} is {entry!r}; it must be `class/file`")
    if len(set(entries)) < len(entries):
        raise ValueError(f"{path} names {len(entries) - len(set(entries))} images twice")
    return entries


def first_few(entries: Iterable[str], *, count: int = 3) -> str:
    """The first entries, for an error message: `a, b, c, ...`."""
    entries = list(entries)
    return ", ".join(entries[:count]) + (", ..." if len(entries) > count else "")


def _find_list(root: Path, images: Path, name: str) -> Path:
    for folder in (root, images.parent):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{root / name} is missing; expected in {root}: {EXPECTED_LAYOUT}. See {HOME_PAGE}")


def _require_files(images: Path, entries: Sequence[str]) -> None:
    missing = [entry for entry in entries if not (images / entry).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(entries)} listed images are not in {images}: {first_few(missing)}; "
            f"{HOW_TO_DOWNLOAD}"
        )
