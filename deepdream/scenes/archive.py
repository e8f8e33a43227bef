"""The pictures of a tar archive, unpacked so that nothing in it decides where a file is written.

Only regular files at Images/<class>/<file> (or indoorCVPR_09/Images/<class>/<file>) are read, and each is written to a
path made here of those two names. An archive that holds anything dangerous is refused whole: it is not what it says.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from deepdream.files import require_space

BLOCK = 1 << 20
LONGEST_NAME = 255  # bytes, on every file system in use

# What tarfile is known to raise for headers that make no sense.
_DAMAGED = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Packed:
    """Where a picture lies in an archive. entry: `class/file`; offset and size in bytes."""

    entry: str
    offset: int
    size: int


def pictures_in(archive: Path) -> list[Packed]:
    """The pictures of an uncompressed tar, in its order; other files (annotations) are passed over.

    Raises ValueError, in one line, for a file that is no tar or ends too soon, and for an archive that holds a link, a
    device, a sparse file, or a name that leads elsewhere.
    """
    pictures = {}
    for member in _members(archive):
        danger = _danger(member)
        if danger is not None:
            raise ValueError(f"{archive.name} is refused, because its member {member.name[:80]!r} {danger}")
        entry = _entry(member)
        if entry is not None:
            pictures[entry] = Packed(entry, member.offset_data, member.size)  # the last of a name counts, as in tar
    if not pictures:
        raise ValueError(f"{archive.name} holds no pictures at Images/<class>/<file>")
    return sorted(pictures.values(), key=lambda picture: picture.offset)


def unpack(
    archive: Path, pictures: Iterable[Packed], folder: Path, *, on_picture: Callable[[int, int], None] | None = None
) -> None:
    """Write each picture to folder/<class>/<file>. `folder` is made and must not be there.

    on_picture(done, total) is called after each. Raises OSError where the disk is too full, and ValueError where the
    archive ends too soon.
    """
    pictures = list(pictures)
    folder.mkdir()
    require_space(folder, sum(picture.size for picture in pictures), f"unpacking {archive.name}")
    with archive.open("rb") as file:
        for done, picture in enumerate(pictures, start=1):
            label, _, name = picture.entry.partition("/")
            (folder / label).mkdir(exist_ok=True)
            with (folder / label / name).open("wb") as target:
                for block in _blocks(file, picture, archive):
                    target.write(block)
            if on_picture is not None:
                on_picture(done, len(pictures))


def _members(archive: Path) -> Iterator[tarfile.TarInfo]:
    """Every member, in order. Each begins after the one before: a negative size would have tarfile read in circles."""
    length, last = archive.stat().st_size, -1
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as tar:
            while (member := tar.next()) is not None:
                if member.size < 0 or member.offset <= last:
                    raise tarfile.ReadError("a header is damaged")
                if tar.offset > length:
                    raise tarfile.ReadError("it ends too soon")
                last = member.offset
                yield member
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes a header that it cannot read for the end
                raise tarfile.ReadError("a header is damaged")
    except _DAMAGED as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{archive.name} is not a whole tar archive ({said})") from error


def _danger(member: tarfile.TarInfo) -> str | None:
    """Why a member must not be unpacked; None where nothing speaks against it."""
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


def _entry(member: tarfile.TarInfo) -> str | None:
    """`class/file` of a picture; None for anything else, hidden files among it."""
    match = re.fullmatch(r"(?:\./)?(?:indoorCVPR_09/)?Images/([^./][^/]*)/([^./][^/]*)", member.name, re.DOTALL)
    if match is None or not member.isreg():
        return None
    # Where a backslash or a colon means something to the file system, a name that holds one is no plain name.
    return f"{match[1]}/{match[2]}" if all(PurePath(part).name == part for part in match.groups()) else None


def _blocks(file: BinaryIO, picture: Packed, archive: Path) -> Iterator[bytes]:
    file.seek(picture.offset)
    left = picture.size
    while left:
        block = file.read(min(BLOCK, left))
        if not block:
            raise ValueError(f"{archive.name} ends inside {picture.entry}")
        left -= len(block)
        yield block
