from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from deepdream.scenes.archive import list_images, unpack
from tests.scenes.archives import images, member, official_members, official_tar, tar


@pytest.mark.parametrize("prefix", ["Images/", "indoorCVPR_09/Images/", "./Images/", "./a/Images/"])
def test_only_the_images_are_unpacked_with_their_content(tmp_path: Path, prefix: str) -> None:
    path = _written(tmp_path, official_tar(prefix))
    steps: list[tuple[int, int]] = []
    unpack(path, list_images(path), tmp_path / "out", on_progress=lambda done, total: steps.append((done, total)))
    assert _content(tmp_path / "out") == images()
    assert steps == [(k, len(images())) for k in range(1, len(images()) + 1)]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_format_is_read(tmp_path: Path, format: int) -> None:
    path = _written(tmp_path, tar(official_members(), format=format))
    unpack(path, list_images(path), tmp_path / "out")
    assert _content(tmp_path / "out") == images()


def test_a_name_that_is_not_utf8_keeps_its_bytes(tmp_path: Path) -> None:
    path = _written(tmp_path, tar([member(os.fsdecode(b"Images/bar/caf\xe9.jpg"), b"latin")]))
    unpack(path, list_images(path), tmp_path / "out")
    assert os.listdir(os.fsencode(tmp_path / "out" / "bar")) == [b"caf\xe9.jpg"]


HOSTILE = {
    "a path upwards": (member("Images/bar/../../../escaped.jpg"), "leads out of its folder"),
    "a class upwards": (member("Images/../escaped.jpg"), "leads out of its folder"),
    "upwards with backslashes": (member("Images\\..\\..\\escaped.jpg"), "leads out of its folder"),
    "a folder upwards": (member("../escaped", b"", type=tarfile.DIRTYPE), "leads out of its folder"),
    "an absolute path": (member("/tmp/escaped.jpg"), "has an absolute path"),
    "a drive": (member("C:/escaped.jpg"), "has an absolute path"),
    "a share": (member("\\\\host\\escaped.jpg"), "has an absolute path"),
    "a symbolic link": (member("Images/bar", b"", type=tarfile.SYMTYPE, linkname="/tmp"), "is a link"),
    "a hard link": (member("Images/bar/a.jpg", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "is a link"),
    "a device": (member("Images/bar/a.jpg", b"", type=tarfile.CHRTYPE), "is a device"),
    "a disk": (member("Images/bar/a.jpg", b"", type=tarfile.BLKTYPE), "is a device"),
    "a pipe": (member("Images/bar/a.jpg", b"", type=tarfile.FIFOTYPE), "is a device"),
    "a name too long": (member(f"Images/bar/{'a' * 256}"), "has a name of more than 255 bytes"),
    "a zero byte": (member("x", pax_headers={"path": "Images/bar/a\0.jpg"}), "has a zero byte in its name"),
    "a sparse file": (
        member(
            "x",
            b"1\n0\n0\n".ljust(512, b"\0"),
            pax_headers={
                "GNU.sparse.major": "1",
                "GNU.sparse.minor": "0",
                "GNU.sparse.name": "Images/bar/a.jpg",
                "GNU.sparse.realsize": "99999999999999",
            },
        ),
        "is a sparse file",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_whole_and_its_member_named(tmp_path: Path, kind: str) -> None:
    hostile, message = HOSTILE[kind]
    format = tarfile.PAX_FORMAT if hostile[0].pax_headers else tarfile.GNU_FORMAT
    path = _written(tmp_path, tar([*official_members(), hostile], format=format))
    with pytest.raises(ValueError, match=message) as caught:
        list_images(path)
    assert "\n" not in str(caught.value)
    assert "set.tar is refused, because its member '" in str(caught.value)
    assert os.listdir(tmp_path) == ["set.tar"]


def test_a_damaged_archive_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    """But where it ends with a complete member: there the lists show which images are missing."""
    content = official_tar()
    end = content.rstrip(b"\0")
    path = tmp_path / "set.tar"
    for length in [*range(1, 512, 73), *range(513, len(end), 3001)]:
        _written(tmp_path, content[:length])
        with pytest.raises(ValueError, match=r"set\.tar is not a complete tar archive"):
            list_images(path)


def test_a_header_with_a_wrong_checksum_does_not_end_the_archive_early(tmp_path: Path) -> None:
    content = official_tar()
    headers = [image.offset - 512 for image in list_images(_written(tmp_path, content))]
    for header in headers[:6]:
        damaged = bytearray(content)
        damaged[header + 130] ^= 0x40
        with pytest.raises(ValueError, match="a header is damaged"):
            list_images(_written(tmp_path, bytes(damaged)))


def test_a_negative_size_does_not_loop(tmp_path: Path) -> None:
    info, _ = member("Images/bar/a.jpg", b"")
    info.size = -1024  # in base 256, as GNU tar writes large numbers
    path = _written(tmp_path, official_tar()[:512] + info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(ValueError, match="is not a complete tar archive"):
        list_images(path)


@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>" * 99, bytes(10_240)], ids=["empty", "a web page", "no member"]
)
def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"set\.tar"):
        list_images(_written(tmp_path, content))


def test_an_archive_without_images_names_the_expected_layout(tmp_path: Path) -> None:
    path = _written(tmp_path, tar([member("Annotations/bar/a.xml"), member("Images/a.jpg")]))
    with pytest.raises(ValueError, match="holds no images at Images/<class>/<file>"):
        list_images(path)


def _written(folder: Path, content: bytes) -> Path:
    path = folder / "set.tar"
    path.write_bytes(content)
    return path


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
