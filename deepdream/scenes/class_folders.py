"""Photos sorted into one folder per class, read as they are: nothing is copied, linked or written.

root/<class>/<file>             split by a seeded draw
root/train/<class>/<file>       with root/test, root/val, or both; other usual names of the three are known
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from deepdream.image_formats import is_image_name, unused_files
from deepdream.scenes.splits import SceneLists, class_names

# The usual names of the folders of a split, in lower case.
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}

_EXPECTED = "it must hold one folder of photos for each class, or train/ and test/ that do"

Photos = dict[str, list[str]]  # class, by its path below the folder of the split: its photos, by their paths below root


def read_class_folders(root: str | Path, *, test_share: float = 0.2, class_depth: int | None = None) -> SceneLists:
    """The photos of class folders, by their suffixes; hidden files and folders are ignored.

    test_share: fraction of each class to test on where there are neither test nor validation images.
    class_depth: how many levels of folders name a class; None: each folder that holds photos is a class.

    With validation but no test images the former are the test images, as in ImageNet, and validation images are held
    out of the training images. Classes are sorted by their folders and named by `class_names`.

    Raises FileNotFoundError where `root` is no folder, and ValueError where it holds no class folders, where a class is
    too small to be split, and for classes without training photos.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"data.root is {root}, which is not a folder; {_EXPECTED}")
    folders = find_splits(root)
    files = {split: list(find_files_below(folder)) for split, folder in folders.items()}
    photos = {split: _by_class(root, folders[split], found, class_depth) for split, found in files.items()}
    notes = _notes_on_unused(files)
    for split in ("val", "test"):
        if split in photos and not photos[split]:
            notes.append(f"{folders[split]} has no class folders; it is not used")
            del photos[split]
    if not photos["train"]:
        raise ValueError(f"{folders['train']} holds no folder with photos; {_EXPECTED}")
    if "test" not in photos and "val" in photos:
        notes.append(f"{folders['val']} is the test set; validation images are held out of {folders['train']}")
        photos["test"] = photos.pop("val")
    if "test" not in photos:
        photos["train"], photos["test"] = _split(photos["train"], test_share)
        notes.append(f"{test_share:.0%} of each class in {folders['train']} are the test images (data.test_share)")
    train = sorted(photos["train"])
    for split, found in photos.items():
        if unknown := sorted(set(found) - set(train)):
            raise ValueError(f"{folders[split]} has classes that {folders['train']} lacks: {', '.join(unknown)}")
    labels = {file: train.index(name) for found in photos.values() for name, files in found.items() for file in files}
    entries = {split: tuple(file for files in found.values() for file in files) for split, found in photos.items()}
    return SceneLists(root, tuple(class_names(train).values()), labels, notes=tuple(notes), **entries)


def find_splits(root: Path) -> dict[str, Path]:
    """The folder of each split in `root`, or in its only folder; without a training folder, all is "train".

    A folder of photos is a class, whatever its name: train, beside bus and tram.
    """
    subfolders = _subfolders(root)
    found = {split: path for split, names in SPLITS.items() for path in subfolders if path.name.lower() in names}
    if "train" in found and _subfolders(found["train"]):
        return found
    if len(subfolders) == 1 and _subfolders(subfolders[0]) and not any(map(is_image_name, os.listdir(subfolders[0]))):
        return find_splits(subfolders[0])
    return {"train": root}


def find_images_below(folder: Path) -> Iterator[str]:
    """The path below `folder` of every image file, by its suffix, in sorted folders; hidden ones are ignored."""
    return filter(is_image_name, find_files_below(folder))


def find_files_below(folder: Path) -> Iterator[str]:
    """The path below `folder` of every file that is not hidden, in sorted folders."""
    above: dict[str, tuple[str, ...]] = {}  # the folders above each folder, without links: none is entered again
    for path, subfolders, files in os.walk(folder, followlinks=True):
        chain = (*above.pop(path, ()), os.path.realpath(path))
        inside = {os.path.join(path, name): name for name in sorted(subfolders) if not name.startswith(".")}
        subfolders[:] = [name for sub, name in inside.items() if os.path.realpath(sub) not in chain]
        above |= dict.fromkeys(inside, chain)
        below = Path(path).relative_to(folder).as_posix()
        for name in sorted(files):
            if not name.startswith(".") and os.path.isfile(os.path.join(path, name)):
                yield name if below == "." else f"{below}/{name}"


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _by_class(root: Path, folder: Path, files: list[str], class_depth: int | None) -> Photos:
    """The photos of each class among the files below the folder of a split; not those beside the class folders."""
    above = folder.relative_to(root).as_posix()
    found: Photos = {}
    for path in filter(is_image_name, files):
        label = "/".join(path.split("/")[:-1][:class_depth])
        if label:
            found.setdefault(label, []).append(path if above == "." else f"{above}/{path}")
    return found


def _notes_on_unused(files: dict[str, list[str]]) -> list[str]:
    """What of the files of each split is no photo of a class, for `SceneLists.notes`."""
    beside = sum(is_image_name(file) for found in files.values() for file in found if "/" not in file)
    notes = [f"{beside:,} photos beside the class folders are not used"] if beside else []
    others = unused_files(file for found in files.values() for file in found)
    return [*notes, others] if others else notes


def _split(photos: Photos, test_share: float) -> tuple[Photos, Photos]:
    """Training and test photos of each class, at least one of each.

    A photo's place follows from a hash of its name: it stays there when others are added or removed, but for a few at
    the border.
    """
    train, test = {}, {}
    for label, files in photos.items():
        if len(files) < 2:
            raise ValueError(f"class {label} has only {len(files)} photo; training and test need 2 or more")
        count = min(len(files) - 1, max(1, round(test_share * len(files))))
        drawn = set(sorted(files, key=lambda file: hashlib.sha256(os.fsencode(file)).digest())[:count])
        train[label] = [file for file in files if file not in drawn]
        test[label] = [file for file in files if file in drawn]
    return train, test
