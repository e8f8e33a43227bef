"""Tar archives for tests: a small data set in the official form, and hostile ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

CLASSES = ("airport_inside", "bar", "winecellar")
PER_CLASS = 4  # three to train on, one to test on


def images() -> dict[str, bytes]:
    """`class/file`: content, of a few kilobytes each."""
    rng = np.random.default_rng(67)
    names = [f"{label}/{label}_{number}.jpg" for label in CLASSES for number in range(PER_CLASS - 1)]
    names += [f"{label}/Küche é {label}.jpg" for label in CLASSES]
    return {name: rng.bytes(int(rng.integers(3_000, 30_000))) for name in names}


def lists() -> dict[str, bytes]:
    """The two lists of `images`, without a line end at their end, as the official ones are."""
    names = list(images())
    train, test = names[: -len(CLASSES)], names[-len(CLASSES) :]
    return {"TrainImages.txt": "\n".join(train).encode(), "TestImages.txt": "\n".join(test).encode()}


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """One member: a regular file unless `fields` say otherwise."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], *, format: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def official_members(prefix: str = "Images/") -> list[tuple[tarfile.TarInfo, bytes]]:
    """`images`, with the folders and the annotations that an archive may hold too."""
    folders = [member(f"{prefix}{label}", b"", type=tarfile.DIRTYPE) for label in CLASSES]
    files = [member(f"{prefix}{name}", content) for name, content in images().items()]
    other = [member("Annotations/bar/bar_0.xml", b"<annotation/>"), member(f"{prefix}bar/.hidden.jpg", b"no image")]
    return [*folders, *files, *other]


def official_tar(prefix: str = "Images/") -> bytes:
    """A small archive in the official form."""
    return tar(official_members(prefix))


def official_files() -> dict[str, bytes]:
    """The files of the complete data set, by their path below its root."""
    return {**lists(), **{f"Images/{name}": content for name, content in images().items()}}


def content(folder: Path) -> dict[str, bytes]:
    """The files of a folder, hidden ones too, by their path below it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
