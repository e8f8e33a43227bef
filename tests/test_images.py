"""Image files in every mode and with every fault, made here byte by byte."""

from __future__ import annotations

import errno
import os
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from deepdream.image_formats import FORMATS, IMAGE_SUFFIXES, MAX_FILE_PIXELS
from deepdream.images import SAMPLES, decode, read_image, read_sample
from deepdream.provenance import read_provenance, write_png
from tests.pictures import (  # noqa: F401  # fixtures of every test
    SHARED,
    _libraries_loaded,
    _no_warning_and_no_open_file,
    assert_rgb,
    chunk,
    gradient,
    message,
    photo,
    png,
)

# Modes


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp", "a.ppm", "a.tga"])
def test_lossless_formats_are_read_exactly(tmp_path, name):
    assert_rgb(read_image(str(photo(tmp_path / name, lossless=True))), gradient())


def test_jpeg_is_read_without_its_metadata(tmp_path):
    path = photo(
        tmp_path / "a.jpg", quality=100, subsampling=0, comment=b"hello", dpi=(300, 300), icc_profile=b"x" * 99
    )
    assert_rgb(read_image(path), gradient(), tolerance=4)


def test_grey_fills_three_channels(tmp_path):
    grey = gradient()[..., 0]
    for name in ("a.png", "a.tif"):
        Image.fromarray(grey).save(tmp_path / name)
        assert_rgb(read_image(tmp_path / name), np.stack([grey] * 3, axis=2))


def test_one_bit_is_black_and_white(tmp_path):
    bits = gradient()[..., 0] > 100
    for name in ("a.png", "a.tif"):
        Image.fromarray(bits).save(tmp_path / name)
        assert_rgb(read_image(tmp_path / name), np.stack([bits * 255] * 3, axis=2))


def test_palette_gives_its_colours(tmp_path):
    image = Image.fromarray(gradient()).quantize(16)
    for name in ("a.png", "a.gif", "a.bmp"):
        image.save(tmp_path / name)
        assert_rgb(read_image(tmp_path / name), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("name", "transparency"), [("a.png", 0), ("a.gif", 0), ("a.png", bytes([0, 128, 255]))])
def test_transparent_palette_is_composited_over_white(tmp_path, name, transparency):
    image = Image.new("P", (3, 1))
    image.putpalette([200, 0, 0, 0, 100, 0, 0, 0, 50])
    image.putdata([0, 1, 2])
    image.save(tmp_path / name, transparency=transparency)
    middle = [0, 100, 0] if transparency == 0 else [127, 177, 127]
    assert_rgb(read_image(tmp_path / name), np.array([[[255, 255, 255], middle, [0, 0, 50]]]), tolerance=1)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_rgba_is_composited_over_white(tmp_path, name):
    alpha = np.linspace(0, 255, 36).astype(np.uint8)[None].repeat(24, axis=0)
    Image.fromarray(np.dstack([gradient(), alpha])).save(tmp_path / name, lossless=True, exact=True)
    weight = alpha[..., None] / 255
    assert_rgb(read_image(tmp_path / name), np.rint(gradient() * weight + 255 * (1 - weight)), tolerance=1)


def test_grey_with_alpha_is_composited_over_white(tmp_path):
    image = Image.merge("LA", [Image.new("L", (3, 2), 100), Image.new("L", (3, 2), 51)])
    image.save(tmp_path / "a.png")
    assert_rgb(read_image(tmp_path / "a.png"), np.full((2, 3, 3), 0.2 * 100 + 0.8 * 255), tolerance=1)


def test_one_transparent_colour_in_rgb_png_becomes_white(tmp_path):
    image = Image.new("RGB", (2, 1), (10, 20, 30))
    image.putpixel((1, 0), (40, 50, 60))
    image.save(tmp_path / "a.png", transparency=(40, 50, 60))
    assert_rgb(read_image(tmp_path / "a.png"), np.array([[[10, 20, 30], [255, 255, 255]]]))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_becomes_rgb(tmp_path, name):
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red.save(tmp_path / name, **({"quality": 100} if name == "a.jpg" else {}))
    assert_rgb(read_image(tmp_path / name), np.full((16, 16, 3), [255, 0, 0]), tolerance=3)


def test_ycck_jpeg_becomes_rgb(tmp_path):
    # Four channels that an Adobe marker declares as inverted YCCK: Y=Cb=Cr=128 and K=255 is mid-grey.
    Image.new("CMYK", (16, 16), (127, 127, 127, 0)).save(tmp_path / "a.jpg", quality=100)
    data = (tmp_path / "a.jpg").read_bytes()
    adobe = data.index(b"Adobe")
    (tmp_path / "a.jpg").write_bytes(data[: adobe + 11] + b"\x02" + data[adobe + 12 :])
    assert_rgb(read_image(tmp_path / "a.jpg"), np.full((16, 16, 3), 128), tolerance=3)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, name):
    values = np.array([[0, 128, 129, 257, 32768, 65279, 65535]], dtype=np.uint16)
    if name == "a.pgm":  # which Pillow 10 reads but does not write
        (tmp_path / name).write_bytes(b"P5\n7 1\n65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / name)
    expected = np.array([0, 0, 1, 1, 128, 254, 255])  # v / 257, rounded
    assert_rgb(read_image(tmp_path / name), np.stack([expected[None]] * 3, axis=2))


def test_big_endian_16_bit_tiff_is_scaled(tmp_path):
    pixels = struct.pack(">3H", 0, 32768, 65535)
    entries = [(256, 3), (257, 1), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 6)]
    ifd = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHIHH", k, 3, 1, v, 0) for k, v in entries)
    (tmp_path / "a.tif").write_bytes(b"MM\x00*" + struct.pack(">I", 14) + pixels + ifd + bytes(4))
    assert_rgb(read_image(tmp_path / "a.tif"), np.repeat([[[0], [128], [255]]], 3, axis=2))


def test_16_bit_rgb_png_becomes_8_bit(tmp_path):
    row = struct.pack(">6H", 0, 32768, 65535, 65535, 257, 0)
    data = png(2, 1, chunk(b"IDAT", zlib.compress(b"\0" + row)), depth=16, colour=2)
    (tmp_path / "a.png").write_bytes(data)
    assert_rgb(read_image(tmp_path / "a.png"), np.array([[[0, 128, 255], [255, 1, 0]]]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 0.5, 1], np.float32), [0, 128, 255]),
        (np.array([0, 100, 255], np.float32), [0, 100, 255]),
        (np.array([0, 32768, 65535], np.float32), [0, 128, 255]),
        (np.array([-0.2, 0, 0.2], np.float32), [0, 128, 255]),
        (np.array([np.nan, 0, 1], np.float32), [0, 0, 255]),
        (np.array([0.5, 0.5, 0.5], np.float32), [128, 128, 128]),
        (np.array([0, 32768, 65535], np.int32), [0, 128, 255]),
        (np.array([-1000000, 0, 1000000], np.int32), [0, 128, 255]),
    ],
)
def test_float_and_32_bit_greys_are_scaled(tmp_path, values, expected):
    Image.fromarray(values[None]).save(tmp_path / "a.tif")
    assert_rgb(read_image(tmp_path / "a.tif"), np.stack([[expected]] * 3, axis=2))


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_animation_gives_its_first_frame(tmp_path, name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    assert_rgb(read_image(tmp_path / name), np.full((8, 8, 3), [255, 0, 0]))


def test_gif_under_a_jpg_name_is_read(tmp_path):
    Image.new("RGB", (8, 8), (0, 0, 255)).save(tmp_path / "a.jpg", format="GIF")
    assert_rgb(read_image(tmp_path / "a.jpg"), np.full((8, 8, 3), [0, 0, 255]))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, name, orientation):
    upright = gradient()
    stored = {  # how a camera stores the upright image, by the EXIF standard's rows and columns
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(
        tmp_path / name, exif=exif, **({"quality": 100, "subsampling": 0} if name == "a.jpg" else {"lossless": True})
    )
    assert_rgb(read_image(tmp_path / name), upright, tolerance=4 if name == "a.jpg" else 0)


BROKEN_EXIF = {
    "a pointer to nowhere": b"Exif\0\0MM\0*\xff\xff\xff\xff\x12\x34",
    "no header": b"Exif\0\0nothing of the kind",
    "an orientation that does not exist": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
    "an orientation in words": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04up!\0\0\0\0\0",
}


@pytest.mark.parametrize("kind", BROKEN_EXIF)
@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_broken_exif_is_ignored(tmp_path, name, kind):
    assert_rgb(read_image(photo(tmp_path / name, exif=BROKEN_EXIF[kind], lossless=True)), gradient())


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_the_rows_of_a_truncated_image_are_turned_upright(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees
    Image.fromarray(noise).resize((120, 80)).save(tmp_path / name, exif=exif)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * 0.8)])
    decoded = decode(tmp_path / name, least=0.5)
    assert decoded.truncated
    assert decoded.size == (120, 80)
    assert decoded.image.height == 120
    assert 40 <= decoded.image.width <= 80


def test_every_suffix_is_one_that_pillow_reads_as_that_format():
    registered = Image.registered_extensions()
    for kind, suffixes in FORMATS.items():
        for suffix in suffixes:
            assert registered.get(suffix, kind) == kind
            assert suffix in IMAGE_SUFFIXES
    assert not {".eps", ".ps", ".pdf", ".svg", ".txt"} & set(IMAGE_SUFFIXES)


def test_name_outside_ascii_is_read(tmp_path):
    assert read_image(photo(tmp_path / "küche 厨房 .png")).size == (36, 24)


@pytest.mark.skipif(not (SHARED / "mit67").exists(), reason="the original images are not beside this checkout")
def test_real_photos_are_read():
    paths = sorted((SHARED / "mit67" / "Images").glob("*/*"))
    assert len(paths) == 27
    for path in paths:
        image = read_image(path)
        assert image.mode == "RGB"
        assert min(image.size) >= 100


# Faults


def test_error_of_a_missing_file_names_close_ones(tmp_path):
    photo(tmp_path / "kitchen.jpg")
    photo(tmp_path / "beach.jpg")
    with pytest.raises(FileNotFoundError) as error:
        read_image(tmp_path / "Kichen.JPG")
    text = message(error, tmp_path / "Kichen.JPG")
    assert "kitchen.jpg" in text
    assert "beach" not in text


def test_missing_folder_is_named(tmp_path):
    for path in (tmp_path / "nowhere" / "a.jpg", photo(tmp_path / "b.jpg") / "a.jpg"):
        with pytest.raises(FileNotFoundError, match=re.escape(str(path.parent))) as error:
            read_image(path)
        message(error, path)


def test_folder_is_refused(tmp_path):
    for use in (read_image, read_provenance):
        with pytest.raises(IsADirectoryError, match="is a folder") as error:
            use(tmp_path)
        message(error, tmp_path)


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ValueError, match=re.escape("photo.jpg is empty (0 bytes)")) as error:
        read_image(tmp_path / "photo.jpg")
    message(error, tmp_path / "photo.jpg")


@pytest.mark.parametrize("data", [b"just some words\n" * 20, b"<html>404</html>", b"\0" * 5000, b"\xff\xd8\xff", b"P"])
def test_a_file_that_is_not_an_image_is_refused(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ValueError, match=r"not an image|damaged") as error:
        read_image(tmp_path / "a.jpg")
    message(error, tmp_path / "a.jpg")


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp", "a.bmp", "a.tif", "lzw.tif"])
def test_truncated_file_is_refused(tmp_path, capfd, name, part):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8))
    noise.save(tmp_path / name, **({"compression": "tiff_lzw"} if name == "lzw.tif" else {}))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ValueError, match=r"truncated|only the start") as error:
        read_image(tmp_path / name)
    message(error, tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_flipped_bytes_give_an_image_or_a_one_line_error(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.png", "a.jpg", "a.gif", "a.tif", "a.webp", "a.bmp"):
        data = np.frombuffer(photo(tmp_path / name).read_bytes(), np.uint8)
        for _ in range(60):
            broken = data.copy()
            broken[rng.integers(0, len(data), 8)] = rng.integers(0, 256, 8)
            (tmp_path / name).write_bytes(broken.tobytes())
            text = ""
            try:
                mode = read_image(tmp_path / name).mode
            except ValueError as error:
                text = str(error)
            assert "\n" not in text if text else mode == "RGB"


def test_decompression_bomb_is_refused_by_its_header(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(100_000, 100_000, chunk(b"IDAT", zlib.compress(bytes(1000)))))
    for use in (read_image, read_provenance):
        with pytest.raises(ValueError, match="too large") as error:
            use(path)
        assert "10000000000 pixels" in message(error, path)


def test_limit_holds_where_pillows_own_is_off(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    path = tmp_path / "bomb.png"
    path.write_bytes(png(1000, MAX_FILE_PIXELS // 1000 + 1, chunk(b"IDAT", zlib.compress(bytes(1000)))))
    with pytest.raises(ValueError, match="too large") as error:
        read_image(path)
    message(error, path)


def test_large_image_under_the_limit_is_read_without_a_warning(tmp_path):
    path = tmp_path / "large.png"  # 90 megapixels of one bit: more than Pillow warns of
    path.write_bytes(png(9500, 9500, chunk(b"IDAT", zlib.compress(bytes(9500 * (1 + 1188)))), depth=1))
    assert read_image(path).size == (9500, 9500)


def test_forbidden_file_is_refused(tmp_path, monkeypatch):
    path = photo(tmp_path / "a.png")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read anything

        def refuse(*_):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match="Permission denied") as error:
        read_image(path)
    message(error, path)


def test_name_too_long_is_refused_in_one_line(tmp_path):
    path = tmp_path / ("a" * 300 + ".png")
    with pytest.raises(OSError, match="too long") as error:
        read_image(path)
    message(error, path)
    with pytest.raises(OSError, match="too long") as error:
        write_png(Image.new("RGB", (2, 2)), path)
    message(error, path)
    assert list(tmp_path.iterdir()) == []


# HEIC


def test_a_photo_in_heic_is_read_upright_whatever_its_name(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(gradient(64, 96), 1)))
    stored.save(tmp_path / "a.heic", exif=exif.tobytes(), quality=-1, chroma=444)
    for name in ("a.heic", "IMG_0001.jpg"):  # as some programs rename it
        (tmp_path / "a.heic").rename(tmp_path / name)
        assert_rgb(read_image(tmp_path / name), gradient(64, 96), tolerance=6)
        (tmp_path / name).rename(tmp_path / "a.heic")


def test_jpeg_xl_is_named(tmp_path):
    for start in (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"):
        (tmp_path / "a.jxl").write_bytes(start + bytes(12))
        with pytest.raises(ValueError, match="is a JPEG XL image") as error:
            read_image(tmp_path / "a.jxl")
        message(error, tmp_path / "a.jxl")


def test_heic_without_its_package_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(12))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"pip install 'deepdream-lightning\[heif\]'") as error:
        read_image(tmp_path / "a.heic")
    message(error, tmp_path / "a.heic")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_photo_is_that_of_scikit_learn(name: str) -> None:
    np.testing.assert_array_equal(np.asarray(read_sample(name)), load_sample_image(f"{name}.jpg"))
