"""What is kept inside a picture comes back, and whatever else stands there does no harm."""

from __future__ import annotations

import errno
import json
import os
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from deepdream.images import (
    noise_image,
    read_image,
)
from deepdream.provenance import MAX_PROVENANCE, read_provenance, write_image, write_png
from tests.pictures import (  # noqa: F401  # fixtures of every test
    _libraries_loaded,
    _no_warning_and_no_open_file,
    assert_rgb,
    chunk,
    gradient,
    message,
    photo,
    png,
)

# JPEG and provenance


def test_a_jpeg_keeps_its_provenance_in_its_comment(tmp_path):
    path = write_image(Image.fromarray(gradient()), tmp_path / "new" / "a.jpg", provenance={"seed": 1, "name": "küche"})
    assert read_provenance(path) == {"seed": 1, "name": "küche"}
    assert abs(np.asarray(read_image(path), float) - gradient()).mean() < 4
    with pytest.raises(ValueError, match=r"does not end in \.png, \.jpg"):
        write_image(Image.new("RGB", (2, 2)), tmp_path / "a.gif")
    with pytest.raises(ValueError, match="a JPEG's comment holds"):
        write_image(Image.new("RGB", (2, 2)), tmp_path / "b.jpg", provenance={"a": "x" * 70_000})
    assert not (tmp_path / "b.jpg").exists()


def test_the_comment_of_another_program_is_no_provenance(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.jpg", comment=b"deepdreams of electric sheep")
    with pytest.raises(ValueError, match="holds no configuration"):
        read_provenance(tmp_path / "a.jpg")


# PNG and provenance

CONFIG = {"seed": 1, "dream": {"layers": ["layer3"], "step_size": 0.09, "mask": None}, "image": "küche 厨房 🛋 \udcff"}


def test_provenance_comes_back(tmp_path):
    path = write_png(torch.rand(3, 4, 5), str(tmp_path / "new" / "folder" / "dream é.png"), provenance=CONFIG)
    assert path == tmp_path / "new" / "folder" / "dream é.png"
    assert read_provenance(path) == CONFIG
    with Image.open(path) as image:
        text = image.info["deepdream"]
    assert text.index('"dream"') < text.index('"image"') < text.index('"seed"')


def test_png_holds_the_picture_and_nothing_else(tmp_path):
    image = Image.fromarray(gradient())
    image.info = {"icc_profile": b"x" * 99, "exif": b"Exif\0\0", "dpi": (72, 72), "transparency": (0, 0, 0)}
    data = write_png(image, tmp_path / "a.PNG", provenance=CONFIG).read_bytes()
    assert len(image.info) == 4
    names, position = [], 8
    while position < len(data):
        names.append(data[position + 4 : position + 8])
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    assert set(names) - {b"tEXt", b"iTXt"} == {b"IHDR", b"IDAT", b"IEND"}
    assert len([name for name in names if name in {b"tEXt", b"iTXt"}]) == 1
    assert_rgb(read_image(tmp_path / "a.PNG"), gradient())


def test_values_json_has_no_word_for_become_text(tmp_path):
    path = write_png(Image.new("RGB", (2, 2)), tmp_path / "a.png", provenance={"a": Path("x"), "b": torch.float32})
    assert read_provenance(path) == {"a": "x", "b": "torch.float32"}


def test_new_file_is_readable_as_the_umask_says(tmp_path):
    (tmp_path / "plain").touch()
    path = write_png(Image.new("RGB", (2, 2)), tmp_path / "a.png")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png.bak"])
def test_other_suffix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"write a \.png, because the configuration") as error:
        write_png(Image.new("RGB", (2, 2)), tmp_path / name)
    message(error, tmp_path / name)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_png(Image.fromarray(gradient()), tmp_path / "a.png", provenance={"old": True})
    before = path.read_bytes()

    def full(image, file, *_):
        file.write(b"half a picture")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ImageFile, "_save", full)
        patch.setattr("PIL.PngImagePlugin.ImageFile._save", full)
        with pytest.raises(OSError, match="No space left on device") as error:
            write_png(Image.new("RGB", (2, 2)), path)
    message(error, path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_png(Image.new("RGB", (2, 2)), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_reader_sees_a_whole_file_while_it_is_replaced(tmp_path):
    path = write_png(Image.new("RGB", (64, 64)), tmp_path / "a.png", provenance={"n": -1})
    writers = [
        threading.Thread(target=lambda n=n: [write_png(noise_image(64, 64, n), path, provenance={"n": n})])
        for n in range(8)
    ]
    for writer in writers:
        writer.start()
    for _ in range(20):
        assert read_provenance(path)["n"] in range(-1, 8)
    for writer in writers:
        writer.join()
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_place_that_cannot_be_written_is_refused(tmp_path):
    image = Image.new("RGB", (2, 2))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder") as error:
        write_png(image, tmp_path / "folder.png")
    message(error, tmp_path / "folder.png")
    path = photo(tmp_path / "file.png") / "a.png"
    with pytest.raises(OSError, match="cannot be written") as error:
        write_png(image, path)
    message(error, path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="Permission denied") as error:
        write_png(Image.new("RGB", (2, 2)), tmp_path / "a.png")
    message(error, tmp_path / "a.png")


def test_provenance_that_is_no_json_is_refused_before_anything_is_written(tmp_path):
    loop: dict[str, object] = {}
    loop["self"] = loop
    for provenance in (loop, {("a", "b"): 1}, {"a": "x" * MAX_PROVENANCE}):
        with pytest.raises(ValueError, match=r"provenance of .*a\.png"):
            write_png(Image.new("RGB", (2, 2)), tmp_path / "a.png", provenance=provenance)
    assert list(tmp_path.iterdir()) == []


def png_with(path: Path, *chunks: bytes) -> Path:
    path.write_bytes(png(1, 1, *chunks, chunk(b"IDAT", zlib.compress(b"\0\0"))))
    return path


def test_international_text_chunk_is_read_too(tmp_path):
    info = PngInfo()
    info.add_itxt("deepdream", json.dumps({"a": "厨"}, ensure_ascii=False), zip=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=info)
    assert read_provenance(tmp_path / "a.png") == {"a": "厨"}


def test_picture_without_provenance_is_refused(tmp_path):
    for path in (
        photo(tmp_path / "a.jpg"),
        photo(tmp_path / "a.png"),
        write_png(torch.zeros(3, 2, 2), tmp_path / "b.png"),
    ):
        with pytest.raises(ValueError, match="holds no configuration") as error:
            read_provenance(path)
        message(error, path)


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        ([chunk(b"tEXt", b"deepdream\0not json")], "not valid JSON"),
        ([chunk(b"tEXt", b"deepdream\0")], "not valid JSON"),
        ([chunk(b"tEXt", b"deepdream\0[1, 2]")], "not a JSON object but a list"),
        ([chunk(b"tEXt", b"deepdream\0" + b"[" * 200_000)], "not valid JSON"),
        ([chunk(b"tEXt", b"deepdream\0" + b"9" * 100_000)], "not valid JSON"),
        ([chunk(b"tEXt", b"deepdream\0" + b"9" * (MAX_PROVENANCE + 1))], "are allowed"),
        ([chunk(b"zTXt", b"deepdream\0\0" + zlib.compress(b"9" * 50_000_000))], "(?i)decompressed data too large"),
        ([chunk(b"tEXt", b"k%d\0" % n + bytes(10_000_000)) for n in range(7)], "memory used in text chunks"),
    ],
    ids=["words", "nothing", "list", "deep", "number", "long", "zip bomb", "memory"],
)
def test_hostile_provenance_is_refused(tmp_path, chunks, says):
    path = png_with(tmp_path / "a.png", *chunks)
    with pytest.raises(ValueError, match=says) as error:
        read_provenance(path)
    message(error, path)
