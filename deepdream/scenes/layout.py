"""Which images a data set has, and their classes: read from lists here, or from class folders (`class_folders`).

The official layout of MIT Indoor Scenes (Quattoni & Torralba, "Recognizing Indoor Scenes", CVPR 2009):

root/Images/<class>/<file>
root/TrainImages.txt      one `class/file` per line
root/TestImages.txt

That of MiniPlaces, and of other sets with numbered classes:

root/images/<any>/<path>/<file>
root/train.txt            one `path label` per line, the label a number
root/val.txt
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from deepdream.image_formats import IMAGE_SUFFIXES
from deepdream.scenes.class_folders import find_images_below, read_class_folders
from deepdream.scenes.config import DataConfig
from deepdream.scenes.splits import SceneLists, class_names

EXPECTED_LAYOUT = "Images/<class>/<file>, TrainImages.txt and TestImages.txt"
HOME_PAGE = "http://web.mit.edu/torralba/www/indoor.html"
HOW_TO_DOWNLOAD = (
    "`python -m deepdream download --root DIR`, or data.download=true with a new or empty data.root, "
    f"downloads MIT Indoor Scenes (2.4 GB) from {HOME_PAGE}"
)

# Where the images are below the root; the last two are those of public copies.
_IMAGE_FOLDERS = ("Images", "images", "indoorCVPR_09/Images", "data/images")

_LABELLED = re.compile(rf"(.+(?:{'|'.join(map(re.escape, IMAGE_SUFFIXES))}))\s+(\d+)", re.IGNORECASE)


def read_data(config: DataConfig) -> SceneLists:
    """The images of the data set at `config.root`. Raises what `read_lists` and `read_class_folders` raise."""
    if config.train_list is None or config.test_list is None:
        lists = read_class_folders(config.root, test_share=config.test_share, class_depth=config.class_depth)
    else:
        lists = read_lists(
            config.root,
            train_list=config.train_list,
            test_list=config.test_list,
            allow_missing=config.allow_missing,
        )
    names = config.class_names or {}
    return replace(lists, classes=tuple(names.get(name, name) for name in lists.classes))


def read_lists(
    root: str | Path,
    *,
    train_list: str = "TrainImages.txt",
    test_list: str = "TestImages.txt",
    allow_missing: bool = False,
) -> SceneLists:
    """The images that two lists name: in the official layout, in MiniPlaces', or in public copies of the two.

    Of `class/file` the classes are sorted. Numbered classes keep their order, and are named by `class_names` after the
    folders of their training images.

    allow_missing: leave out listed images that are not there, and say so in `notes`.

    Raises FileNotFoundError where the layout or a listed image is not found, and ValueError for a list that contradicts
    itself, in one line that names the file.
    """
    root = Path(root)
    images = find_images(root)
    if images is None:
        raise layout_error(root)
    train, test = (read_labelled(_find_list(root, images, name)) for name in (train_list, test_list))
    if shared := train.keys() & test.keys():
        raise ValueError(f"{root}: {len(shared)} images are in both lists, the first is {min(shared)}")
    names = _names_by_key(train)
    if untrained := {key for key in test.values() if key not in names}:
        raise ValueError(f"{root}/{train_list} has no image of {', '.join(sorted(untrained))}, which {test_list} has")
    numbered = all(key.isdecimal() and not entry.startswith(f"{key}/") for entry, key in train.items())
    keys = sorted(names, key=int if numbered else str)
    index = {key: number for number, key in enumerate(keys)}
    labels = {entry: index[key] for entry, key in (train | test).items()}
    missing = {entry for entry in labels if not os.path.isfile(os.path.join(images, entry))}
    notes = []
    if missing and (not allow_missing or len(missing) == len(labels)):
        raise FileNotFoundError(
            f"{len(missing)} of {len(labels)} listed images are not in {images}: {first_few(sorted(missing))}; "
            f"{HOW_TO_DOWNLOAD}; data.allow_missing=true skips them"
        )
    if missing:
        notes.append(f"{len(missing):,} of {len(labels):,} listed images are not in {images}; they are skipped")
    train_entries, test_entries = (tuple(entry for entry in split if entry not in missing) for split in (train, test))
    return SceneLists(
        images, tuple(names[key] for key in keys), labels, train_entries, test_entries, notes=tuple(notes)
    )


def read_images(path: Path) -> SceneLists:
    """Images without classes, as `test`: those below a folder, or those of a list that are there.

    Raises FileNotFoundError where there are none.
    """
    if path.is_dir():
        images, entries = path, tuple(find_images_below(path))
    else:
        images = find_images(path.parent) or path.parent
        entries = tuple(entry for entry in read_list(path) if (images / entry).is_file()) if path.is_file() else ()
    if not entries:
        raise FileNotFoundError(f"data.against has {path}, which is neither a folder with images nor a list of images")
    return SceneLists(images, (), {}, (), entries)


def find_images(root: Path) -> Path | None:
    """The folder of the images, in either layout; None where there is none."""
    return next((root / name for name in _IMAGE_FOLDERS if (root / name).is_dir()), None)


def layout_error(root: Path) -> FileNotFoundError:
    """The error for a `root` without the layout: it names the layout and the commands that download the data."""
    found = "which has no Images folder" if root.is_dir() else "which is not a folder"
    if not root.exists():
        found = "which does not exist"
    return FileNotFoundError(
        f"data.root is {root}, {found}; expected there: {EXPECTED_LAYOUT}. {HOW_TO_DOWNLOAD}; "
        "data=folder reads class folders, data=rooms needs no download"
    )


def read_list(path: Path) -> tuple[str, ...]:
    """The images that a list names, in its order; see `read_labelled`."""
    return tuple(read_labelled(path))


def read_labelled(path: Path) -> dict[str, str]:
    """The images that a list names, in its order, each with its class: `class/file`, or `path label` in each line.

    UTF-8 with or without a byte order mark, with the line ends of any system. Raises ValueError, in one line that
    names the file, for one that is empty, names an image twice, or holds anything else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not text in UTF-8 (byte {error.start}); it needs one `class/file` per line"
        ) from error
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty; it needs one `class/file` per line")
    matches = [_LABELLED.fullmatch(line) for line in lines]
    labelled = [(match[1], match[2]) for match in matches if match is not None]
    has_labels = len(labelled) == len(lines)
    entries = labelled if has_labels else [(line, line.partition("/")[0]) for line in lines]
    for number, (entry, _) in enumerate(entries, start=1):
        parts = entry.split("/")
        wrong_depth = len(parts) < 2 if has_labels else len(parts) != 2
        if wrong_depth or not all(map(_is_name, parts)):
            raise ValueError(f"{path} line {number} is {lines[number - 1]!r}; it must be `class/file` or `path label`")
    classes = dict(entries)
    if len(classes) < len(entries):
        raise ValueError(f"{path} names {len(entries) - len(classes)} images twice")
    return classes


def _is_name(part: str) -> bool:
    """Whether a part of a path is the name of a file or folder: on Windows a backslash or a colon also divides."""
    return part not in ("", ".", "..") and os.path.basename(part) == part and not os.path.splitdrive(part)[0]


def first_few(entries: Iterable[str], *, count: int = 3) -> str:
    """The first entries, for an error message: `a, b, c, ...`."""
    entries = list(entries)
    return ", ".join(entries[:count]) + (", ..." if len(entries) > count else "")


def _names_by_key(train: Mapping[str, str]) -> dict[str, str]:
    """The name of each class of a list: the class itself, or of a numbered one that of the folder of its images."""
    folders: dict[str, str] = {}
    for entry, key in train.items():
        folders.setdefault(key, entry.rpartition("/")[0])
    if len(set(folders.values())) < len(folders):  # the images of all classes are in one folder
        return {key: key for key in folders}
    names = class_names(folders.values())
    return {key: names[folder] for key, folder in folders.items()}


def _find_list(root: Path, images: Path, name: str) -> Path:
    for folder in (root, images.parent):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{root / name} is missing; expected in {root}: {EXPECTED_LAYOUT}. See {HOME_PAGE}")
