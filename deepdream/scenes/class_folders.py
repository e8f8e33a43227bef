"""Photos sorted into one folder a class become a data set in the official layout.

`python -m deepdream folders PHOTOS --root DIR` does it from the command line. The photos stay where they are:
DIR/Images holds links to them, DIR/TrainImages.txt and DIR/TestImages.txt name them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Photos = Mapping[str, Sequence[Path]]  # class: its files


def write_layout(
    photos: Path, root: Path, *, test: Path | None = None, test_share: float = 0.2, seed: int = 0, copy: bool = False
) -> tuple[list[str], list[str]]:
    """Make `root` a data set of photos/<class>/<file>; returns its training and test list.

    test: a folder of the same form whose pictures are the test list; without one, `test_share` of each class is drawn
        for it, from (seed, class). copy: copy the files instead of linking them.

    `root` is new or empty, and appears whole or not at all. Raises ValueError, in one line, where there are no class
    folders, where a class is too small to be split, and for test classes that are not trained on; FileExistsError
    where `root` holds something.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share is {test_share}; it must be between 0 and 1, and neither of them")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f"{root} is not empty; name a new folder for the data set")
    of_class = find_photos(photos)
    if test is None:
        train_files, test_files = _drawn(of_class, test_share, seed)
    else:
        train_files, test_files = of_class, find_photos(test)
        if unknown := set(test_files) - set(of_class):
            raise ValueError(f"{test} has classes that {photos} has not: {', '.join(sorted(unknown))}")

    making = root.with_name(f".{root.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    try:
        # Where two folders are put together, their files may have the same names.
        prefixes = ("", "") if test is None else ("train_", "test_")
        lists = [
            _place(files, making / "Images", prefix, copy=copy)
            for files, prefix in zip((train_files, test_files), prefixes, strict=True)
        ]
        for name, entries in zip(("TrainImages.txt", "TestImages.txt"), lists, strict=True):
            (making / name).write_text("\n".join(entries) + "\n", encoding="utf-8")
        if root.exists():
            root.rmdir()
        making.rename(root)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return lists[0], lists[1]


def find_photos(folder: Path) -> Photos:
    """The pictures of each class folder below `folder`, by their names' endings, both sorted; hidden ones do not count.

    Raises ValueError where there is none, and FileNotFoundError where there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; name one that holds a folder of photos for each class")
    endings = tuple(Image.registered_extensions())
    found = {
        path.name: [file for file in sorted(path.iterdir()) if _is_photo(file, endings)]
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    found = {name: files for name, files in found.items() if files}
    if not found:
        raise ValueError(f"{folder} holds no folder with photos; it needs one for each class: {folder}/<class>/<file>")
    return found


def _is_photo(file: Path, endings: tuple[str, ...]) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.name.lower().endswith(endings)


def _drawn(photos: Photos, share: float, seed: int) -> tuple[Photos, Photos]:
    """Each class split in two, at least one picture in each."""
    train, test = {}, {}
    for number, (name, files) in enumerate(photos.items()):
        if len(files) < 2:
            raise ValueError(
                f"class {name} has only {len(files)} photo; to be trained on and tested it needs 2 or more"
            )
        count = min(len(files) - 1, max(1, round(share * len(files))))
        drawn = set(np.random.default_rng([seed, number]).choice(len(files), count, replace=False).tolist())
        train[name] = [file for i, file in enumerate(files) if i not in drawn]
        test[name] = [file for i, file in enumerate(files) if i in drawn]
    return train, test


def _place(photos: Photos, images: Path, prefix: str, *, copy: bool) -> list[str]:
    """Link or copy the files to images/<class>/<prefix><file>, and name them as a list does."""
    entries = []
    for name, file in _each(photos):
        entry = f"{name}/{prefix}{file.name}"
        (images / name).mkdir(parents=True, exist_ok=True)
        if copy:
            shutil.copy2(file, images / entry)
        else:
            os.symlink(file.resolve(), images / entry)
        entries.append(entry)
    return entries


def _each(photos: Photos) -> Iterator[tuple[str, Path]]:
    return ((name, file) for name, files in photos.items() for file in files)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deepdream.scenes.class_folders",
        description="Make a data set, in MIT Indoor's layout, of photos that are sorted into one folder a class.",
        epilog="then:\n  python -m deepdream.scenes --show data.root=DIR\n  python train.py data.root=DIR",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", type=Path, help="a folder that holds <class>/<file>")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="the data set to make, a new folder")
    parser.add_argument("--test", type=Path, metavar="PHOTOS", help="photos to test on, of the same form")
    parser.add_argument("--test-share", type=float, default=0.2, help="without --test, drawn for it (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of that draw (%(default)s)")
    parser.add_argument("--copy", action="store_true", help="copy the photos instead of linking to them")
    options = parser.parse_args(arguments)
    try:
        train, test = write_layout(
            options.photos,
            options.root,
            test=options.test,
            test_share=options.test_share,
            seed=options.seed,
            copy=options.copy,
        )
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    classes = {entry.partition("/")[0] for entry in train}
    print(f"{options.root}: {len(classes)} classes, {len(train):,} photos to train on, {len(test):,} to test on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
