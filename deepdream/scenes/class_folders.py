"""From photos sorted into one folder per class to a data set in the official layout.

The photos stay where they are: root/Images holds links to them, root/TrainImages.txt and root/TestImages.txt name them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from deepdream.files import atomic_folder, link_or_copy
from deepdream.images import IMAGE_SUFFIXES

Photos = Mapping[str, Sequence[Path]]  # class: its files


def write_layout(
    photos: Path, root: Path, *, test: Path | None = None, test_share: float = 0.2, seed: int = 0, copy: bool = False
) -> tuple[list[str], list[str]]:
    """Make `root` a data set of photos/<class>/<file>; returns its training and test list.

    test: a folder of the same form with the test photos; without one, `test_share` of each class is drawn, from
        (seed, class). copy: copy the files instead of linking them.

    `root` is new or empty, and appears whole or not at all. Raises ValueError, in one line, where there are no class
    folders, where a class is too small to be split, and for test classes without training photos; FileExistsError
    where `root` is not empty.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share is {test_share}; it must be more than 0 and less than 1")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f"{root} is not empty; name a new folder for the data set")
    train_files = find_photos(photos)
    if test is None:
        train_files, test_files = _split(train_files, test_share, seed)
    else:
        test_files = find_photos(test)
        if unknown := set(test_files) - set(train_files):
            raise ValueError(f"{test} has classes that {photos} lacks: {', '.join(sorted(unknown))}")
    # Where two folders are merged, their files may have the same names.
    prefixes = ("", "") if test is None else ("train_", "test_")
    with atomic_folder(root) as folder:
        lists = [
            _add_images(files, folder / "Images", prefix, copy=copy)
            for files, prefix in zip((train_files, test_files), prefixes, strict=True)
        ]
        for name, entries in zip(("TrainImages.txt", "TestImages.txt"), lists, strict=True):
            (folder / name).write_text("\n".join(entries) + "\n", encoding="utf-8")
        if root.exists():
            root.rmdir()  # raises where somebody has written to it meanwhile
    return lists[0], lists[1]


def find_photos(folder: Path) -> Photos:
    """The photos of each class folder below `folder`, by their suffixes, both sorted; hidden ones are ignored.

    Raises ValueError where there are none, and FileNotFoundError where `folder` is not a folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; name one that holds a folder of photos for each class")
    found = {
        path.name: [file for file in sorted(path.iterdir()) if _is_photo(file)]
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    found = {name: files for name, files in found.items() if files}
    if not found:
        raise ValueError(f"{folder} holds no folder with photos; it needs one for each class: {folder}/<class>/<file>")
    return found


def _is_photo(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.name.lower().endswith(IMAGE_SUFFIXES)


def _split(photos: Photos, test_share: float, seed: int) -> tuple[Photos, Photos]:
    """Training and test photos of each class, at least one of each."""
    train, test = {}, {}
    for number, (name, files) in enumerate(photos.items()):
        if len(files) < 2:
            raise ValueError(f"class {name} has only {len(files)} photo; training and test need 2 or more")
        count = min(len(files) - 1, max(1, round(test_share * len(files))))
        drawn = set(np.random.default_rng([seed, number]).choice(len(files), count, replace=False).tolist())
        train[name] = [file for i, file in enumerate(files) if i not in drawn]
        test[name] = [file for i, file in enumerate(files) if i in drawn]
    return train, test


def _add_images(photos: Photos, images: Path, prefix: str, *, copy: bool) -> list[str]:
    """Link or copy the files to images/<class>/<prefix><file>; returns their entries for a list."""
    entries = []
    for name, file in _each(photos):
        entry = f"{name}/{prefix}{file.name}"
        (images / name).mkdir(parents=True, exist_ok=True)
        if copy:
            shutil.copy2(file, images / entry)
        else:
            link_or_copy(file, images / entry)
        entries.append(entry)
    return entries


def _each(photos: Photos) -> Iterator[tuple[str, Path]]:
    return ((name, file) for name, files in photos.items() for file in files)
