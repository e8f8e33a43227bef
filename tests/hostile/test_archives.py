"""Hostile tars beyond those of tests/scenes/test_archive.py: each is refused, or its files stay in their folder."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from deepdream.scenes.archive import list_images, unpack
from tests.hostile.guard import guard, outcome
from tests.scenes.archives import member, official_tar, tar

GOOD = member("Images/bar/good.jpg", b"good")


def pax(name: str = "Images/bar/a.jpg", **headers: str) -> bytes:
    return tar([member(name, b"x", pax_headers=headers), GOOD], format=tarfile.PAX_FORMAT)


def _headers(archive: bytes, **fields: object) -> bytes:
    """The archive with its first header written anew, its content as it was."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        info = members.getmembers()[0]
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT) + archive[512:]


PLAIN = tar([member("Images/bar/a.jpg", b"x"), GOOD])
FILES = {
    "a name upwards in a pax header": pax(path="Images/../../escaped.jpg"),
    "an absolute name in a pax header": pax(path="/tmp/escaped.jpg"),
    "a link in a pax header": pax(linkpath="/etc/passwd"),
    "a size in a pax header that is no number": pax(size="many"),
    "a size in a pax header below zero": pax(size="-512"),
    "a size of eight exabytes": _headers(PLAIN, size=2**63 - 1),
    "a size of a whole archive": _headers(PLAIN, size=len(PLAIN) - 512),
    "a name of a megabyte": tar([member("Images/bar/" + "a" * 1_000_000), GOOD]),
    "a hundred thousand folders deep": tar([member("Images/" + "a/" * 100_000 + "a.jpg"), GOOD]),
    "a comment of thirty megabytes": pax(comment="x" * 30_000_000),
    "a name of dots": tar([member("Images/.../....jpg"), GOOD]),
    "a hidden class": tar([member("Images/.ssh/authorized_keys"), GOOD]),
    "a name with line ends and escapes": tar([member("Images/bar/\x1b]0;x\x07\n\r.jpg"), GOOD]),
    "a link with such a name": tar([member("\x1b[2J\n", b"", type=tarfile.SYMTYPE, linkname="/")]),
    "a file where its folder should be": tar([member("Images/bar"), GOOD]),
    "a file and a folder of one name": tar([member("Images/bar/a.jpg"), member("Images/bar/a.jpg/b.jpg"), GOOD]),
    "one name ten thousand times": tar([member("Images/bar/a.jpg")] * 10_000),
    "an old sparse file": _headers(PLAIN, type=tarfile.GNUTYPE_SPARSE),
    "a member of no known kind": _headers(PLAIN, type=b"Z"),
    "a long name that never comes": _headers(PLAIN, type=tarfile.GNUTYPE_LONGNAME, size=2**40),
    "a date that no clock shows": pax(mtime="1e400"),
    "an owner upwards": _headers(PLAIN, uname="../../root", gname="\x1b[2J"),
    "compressed": gzip.compress(PLAIN),
    "another archive inside": tar([member("Images/bar/inner.tar", PLAIN), GOOD]),
    **{f"cut at {n}/16": official_tar()[: len(official_tar()) * n // 16] for n in range(1, 16)},
}


@pytest.mark.parametrize("kind", FILES)
def test_files_of_a_tar_stay_in_the_target_folder(tmp_path: Path, kind: str) -> None:
    archive, folder = tmp_path / "set.tar", tmp_path / "in" / "Images"
    archive.write_bytes(FILES[kind])
    folder.parent.mkdir()
    with guard(folder.parent):
        found = outcome(list_images, archive)
        if not isinstance(found, str):
            outcome(unpack, archive, found, folder)
    assert {path.name for path in tmp_path.iterdir()} == {"set.tar", "in"}
    written = [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()]
    assert all(len(path.parts) == 2 and not path.name.startswith(".") for path in written)
    assert isinstance(found, str) or {f"{path}" for path in written} == {image.entry for image in found}
