"""Safe unpacking of the images in a tar archive, with gzip or without: its paths are never trusted.

Only regular files at <folder>/<class>/<file> are read, where a class may be several folders deep and <folder> may be in
one other folder, and each is written to a path built here from those names. An archive with any dangerous member is
refused as a whole.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO

from deepdream.files import require_space

BLOCK = 1 << 20
LONGEST_NAME = 255  # bytes, on every file system in use
DEEPEST = 6  # names in the path of an image below its folder
GZIP = b"\x1f\x8b"

# What tarfile and gzip raise for invalid content.
_DAMAGED = (
    *(tarfile.TarError, gzip.BadGzipFile, zlib.error),
    *(EOFError, ValueError, OverflowError, RecursionError, MemoryError),
)


@dataclass(frozen=True)
class ArchivedImage:
    """The position of an image in a tar. entry: `class/file`; offset and size in bytes, before any compression."""

    entry: str
    offset: int
    size: int


def list_images(archive: Path, folder: str = "Images") -> list[ArchivedImage]:
    """The images of a tar in `folder`, in its order; other files (annotations) are ignored.

    Raises ValueError, in one line, for a file that is no tar or is truncated, and for an archive that holds a link, a
    device, a sparse file, or a name that leads elsewhere.
    """
    images = {}
    for member in _members(archive):
        danger = _danger(member)
        if danger is not None:
            raise ValueError(f"{archive.name} is refused, because its member {member.name[:80]!r} {danger}")
        entry = _entry(member, folder)
        if entry is not None:
            # Of several members of one name the last counts, as in tar.
            images[entry] = ArchivedImage(entry, member.offset_data, member.size)
    if not images:
        raise ValueError(f"{archive.name} holds no images at {folder}/<class>/<file>")
    if covered := images.keys() & {parent.as_posix() for entry in images for parent in PurePosixPath(entry).parents}:
        raise ValueError(f"{archive.name} is refused, because {min(covered)!r} is both a file and a folder in it")
    return sorted(images.values(), key=lambda image: image.offset)


def unpack(
    archive: Path,
    images: Iterable[ArchivedImage],
    folder: Path,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write each image to folder/<class>/<file>; they come from `list_images`. `folder` is created and must not exist.

    on_progress(done, total) is called after each. Raises OSError where the disk has too little space, and ValueError
    where the archive is truncated.
    """
    images = list(images)
    folder.mkdir()
    require_space(folder, sum(image.size for image in images), f"unpacking {archive.name}")
    with _opened(archive) as file:
        for done, image in enumerate(images, start=1):
            path = folder / image.entry
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as target:
                for block in _blocks(file, image, archive):
                    target.write(block)
            if on_progress is not None:
                on_progress(done, len(images))


def _members(archive: Path) -> Iterator[tarfile.TarInfo]:
    """Every member, in order. Each must begin after the previous one: a negative size would make tarfile loop."""
    last = -1
    try:
        with _opened(archive) as file, tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as tar:
            length = None if isinstance(file, gzip.GzipFile) else archive.stat().st_size
            while (member := tar.next()) is not None:
                if member.size < 0 or member.offset <= last:
                    raise tarfile.ReadError("a header is damaged")
                if length is not None and tar.offset > length:
                    raise tarfile.ReadError("it is truncated")
                last = member.offset
                yield member
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes an unreadable header for the end
                raise tarfile.ReadError("a header is damaged")
            while length is None and file.read(BLOCK):  # the end of gzip's stream has its checksum
                pass
    except _DAMAGED as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{archive.name} is not a complete tar archive ({cause})") from error


def _opened(archive: Path) -> BinaryIO:
    """The tar in an archive, decompressed as it is read; to go back in it is slow."""
    file = archive.open("rb")
    if file.read(len(GZIP)) != GZIP:
        file.seek(0)
        return file
    file.close()
    return gzip.open(archive)  # type: ignore[return-value]


def _danger(member: tarfile.TarInfo) -> str | None:
    """Why a member must not be unpacked; None if it is safe."""
    if member.issym() or member.islnk():
        return "is a link"
    if member.isdev():
        return "is a device"
    if member.issparse():
        return "is a sparse file"
    if "\0" in member.name:
        return "has a zero byte in its name"
    if re.match(r"[/\\]|[A-Za-z]:", member.name):
        return "has an absolute path"
    parts = re.split(r"[/\\]", member.name)
    if ".." in parts:
        return "leads out of its folder"
    if any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_NAME for part in parts):
        return f"has a name of more than {LONGEST_NAME} bytes"
    return None


def _entry(member: tarfile.TarInfo, folder: str) -> str | None:
    """`class/file` of an image; None for anything else, including hidden files."""
    match = re.fullmatch(rf"(?:\./)?(?:[^./][^/]*/)?{re.escape(folder)}/(.+)", member.name, re.DOTALL)
    if match is None or not member.isreg():
        return None
    parts = match[1].split("/")
    # On Windows a name with a backslash or a colon is not a plain name.
    plain = all(part and not part.startswith(".") and PurePath(part).name == part for part in parts)
    return match[1] if plain and 2 <= len(parts) <= DEEPEST else None


def _blocks(file: BinaryIO, image: ArchivedImage, archive: Path) -> Iterator[bytes]:
    file.seek(image.offset)
    left = image.size
    while left:
        try:
            block = file.read(min(BLOCK, left))
        except _DAMAGED as error:
            raise ValueError(f"{archive.name} is damaged inside {image.entry}") from error
        if not block:
            raise ValueError(f"{archive.name} ends inside {image.entry}")
        left -= len(block)
        yield block
