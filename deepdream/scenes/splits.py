"""The images of a data set in its splits, and their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

IMBALANCED = 3  # times as many images, from which on classes are worth a note


@dataclass(frozen=True)
class SceneLists:
    """The images of a data set: paths below `images`, and the class of each.

    labels: the index in `classes` of each path. val: empty where validation images are to be held out of `train`.
    notes: what a user should know of how the data set was read, each in one line.
    """

    images: Path
    classes: tuple[str, ...]
    labels: Mapping[str, int]
    train: tuple[str, ...]
    test: tuple[str, ...]
    val: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """All images, train first."""
        return self.train + self.val + self.test

    def label(self, entry: str) -> int:
        """Index of the class of an image."""
        return self.labels[entry]


def hold_out(lists: SceneLists, per_class: int, seed: int) -> tuple[list[str], list[str]]:
    """The training images split in two: without, and only, `per_class` of each class, drawn from (seed, class).

    Raises ValueError where a class would have no training image left.
    """
    train: list[str] = []
    val: list[str] = []
    of_class: list[list[str]] = [[] for _ in lists.classes]
    for entry in lists.train:
        of_class[lists.label(entry)].append(entry)
    for number, (name, entries) in enumerate(zip(lists.classes, of_class, strict=True)):
        if len(entries) <= per_class:
            raise ValueError(
                f"data.val_per_class is {per_class}, but class {name} has only {len(entries)} training images"
            )
        held = set(np.random.default_rng([seed, number]).choice(len(entries), per_class, replace=False).tolist())
        train += [entry for i, entry in enumerate(entries) if i not in held]
        val += [entry for i, entry in enumerate(entries) if i in held]
    return train, val


def describe_imbalance(lists: SceneLists) -> str:
    """The most and the least frequent class of the training images, where they differ by IMBALANCED or more; or ""."""
    counts = Counter(lists.label(entry) for entry in lists.train).most_common()
    if not counts or counts[0][1] < IMBALANCED * counts[-1][1]:
        return ""
    (most, high), (least, low) = counts[0], counts[-1]
    return f"class {lists.classes[most]} has {high:,} training images, class {lists.classes[least]} has {low:,}"


def class_names(folders: Iterable[str]) -> dict[str, str]:
    """The class that each folder holds, by its path below the data set.

    Leading folders that all have in common are no part of the name, nor are the initials that Places sorts its classes
    by. The rest is joined as MIT Indoor Scenes writes its names, so that it works in a command and in a file name.

    >>> class_names(["train/a/abbey", "train/b/bakery/shop"])
    {'train/a/abbey': 'abbey', 'train/b/bakery/shop': 'bakery_shop'}

    Raises ValueError where two folders get the same name.
    """
    parts = {folder: PurePosixPath(folder).parts for folder in dict.fromkeys(folders)}
    shared = _count_shared(list(parts.values()))
    parts = {folder: path[shared:] for folder, path in parts.items()}
    if all(len(path) > 1 and len(path[0]) == 1 and path[1].startswith(path[0]) for path in parts.values()):
        parts = {folder: path[1:] for folder, path in parts.items()}
    names = {folder: "_".join(path) for folder, path in parts.items()}
    first: dict[str, str] = {}
    for folder, name in names.items():
        if first.setdefault(name, folder) != folder:
            raise ValueError(f"the folders {first[name]} and {folder} are both class {name}; rename one")
    return names


def _count_shared(paths: Sequence[tuple[str, ...]]) -> int:
    """The number of leading parts that all paths have in common, none of them a path's last."""
    shortest = min(len(path) for path in paths) - 1
    return next((depth for depth in range(shortest) if len({path[depth] for path in paths}) > 1), shortest)
