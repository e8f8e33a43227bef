"""The official layout of MIT Indoor Scenes (Quattoni & Torralba, "Recognizing Indoor Scenes", CVPR 2009).

root/Images/<class>/<file>
root/TrainImages.txt      one `class/file` a line
root/TestImages.txt
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXPECTED_LAYOUT = "Images/<class>/<file>, TrainImages.txt and TestImages.txt"
ARCHIVE_URL = "http://groups.csail.mit.edu/vision/LabelMe/NewImages/indoorCVPR_09.tar"
LISTS_URL = "http://web.mit.edu/torralba/www/indoor.html"


@dataclass(frozen=True)
class SceneLists:
    """What the official lists say: paths below `images`, as `class/file`, and the classes, sorted."""

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

    Raises FileNotFoundError where the layout is not there, and ValueError for a list that contradicts itself, in one
    line that names the file.
    """
    root = Path(root)
    images = _images_folder(root)
    entries = {name: _read_list(_find_list(root, images, name)) for name in (train_list, test_list)}
    train, test = entries[train_list], entries[test_list]
    shared = set(train) & set(test)
    if shared:
        raise ValueError(f"{root}: {len(shared)} pictures are in both lists, the first is {min(shared)}")
    classes = tuple(sorted({entry.partition("/")[0] for entry in train + test}))
    untrained = set(classes) - {entry.partition("/")[0] for entry in train}
    if untrained:
        raise ValueError(f"{root}/{train_list} has no picture of {', '.join(sorted(untrained))}, which {test_list} has")
    _check_files(images, train + test)
    return SceneLists(images, classes, train, test)


def _images_folder(root: Path) -> Path:
    for images in (root / "Images", root / "indoorCVPR_09" / "Images"):
        if images.is_dir():
            return images
    found = "which does not exist" if not root.exists() else "where there is no Images folder"
    raise FileNotFoundError(
        f"data.root is {root}, {found}; expected there: {EXPECTED_LAYOUT}. "
        f"MIT Indoor Scenes comes from {ARCHIVE_URL} and its lists from {LISTS_URL}; "
        "data=rooms needs no download"
    )


def _find_list(root: Path, images: Path, name: str) -> Path:
    for folder in (root, images.parent):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{root / name} is missing; expected in {root}: {EXPECTED_LAYOUT}. See {LISTS_URL}")


def _read_list(path: Path) -> tuple[str, ...]:
    entries = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if not entries:
        raise ValueError(f"{path} is empty; it needs one `class/file` a line")
    for number, entry in enumerate(entries, start=1):
        parts = entry.split("/")
        if len(parts) != 2 or not all(parts) or ".." in parts:
            raise ValueError(f"{path} line {number} is {entry!r}; it must be `class/file`")
    if len(set(entries)) < len(entries):
        raise ValueError(f"{path} names {len(entries) - len(set(entries))} pictures twice")
    return entries


def _check_files(images: Path, entries: tuple[str, ...]) -> None:
    missing = [entry for entry in entries if not (images / entry).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(entries)} listed pictures are not in {images}, the first is {missing[0]}; "
            f"MIT Indoor Scenes comes from {ARCHIVE_URL}"
        )
