"""Malformed image files: name and content, made here."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
from PIL import Image, features
from PIL import __version__ as pillow_version

from tests.pictures import chunk, png

PILLOW = int(pillow_version.split(".")[0])
SIDE = 48
PHOTO = Image.fromarray(np.random.default_rng(8).integers(0, 256, (12, 16, 3), np.uint8)).resize((64, SIDE))
MODES = (
    *("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "LA", "PA", "La", "RGBa", "RGBX", "I", "F"),
    *("I;16", "I;16L", "I;16B", "I;16N"),
)
KINDS = {
    "jpg": {"format": "JPEG"},
    "progressive.jpg": {"format": "JPEG", "progressive": True},
    "png": {"format": "PNG"},
    "gif": {"format": "GIF"},
    "webp": {"format": "WEBP"},
    "bmp": {"format": "BMP"},
    "tif": {"format": "TIFF"},
    "lzw.tif": {"format": "TIFF", "compression": "tiff_lzw"},
    "ppm": {"format": "PPM"},
    "tga": {"format": "TGA"},
    **({"avif": {"format": "AVIF"}} if features.check("avif") else {}),
    **({"jp2": {"format": "JPEG2000"}} if features.check("jpg_2000") else {}),
}
ONE_PIXEL = chunk(b"IDAT", zlib.compress(b"\0\0"))


def encoded(image: Image.Image = PHOTO, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def truncated() -> Iterator[tuple[str, bytes]]:
    """Each kind of file, cut at every sixteenth."""
    for kind, options in KINDS.items():
        content = encoded(**options)
        for sixteenths in range(1, 16):
            yield f"cut_{sixteenths}.{kind}", content[: len(content) * sixteenths // 16]


def of_every_mode() -> Iterator[tuple[str, bytes]]:
    """Each of Pillow's modes, in each kind of file that can hold it."""
    for mode in MODES:
        image = _in_mode(mode)
        for kind, options in KINDS.items():
            if (mode, kind) == ("YCbCr", "tif") and PILLOW < 13:  # writes a file that it calls truncated
                continue
            try:
                yield f"{mode.replace(';', '_')}.{kind}", encoded(image, **options)
            except (OSError, ValueError, KeyError):  # a kind of file that cannot hold the mode
                continue


def _in_mode(mode: str) -> Image.Image:
    if mode.startswith("I;16"):
        return Image.frombytes(mode, (16, 16), bytes(range(256)) * 2)
    if mode == "LAB":
        return Image.frombytes(mode, (16, 16), bytes(range(256)) * 3)
    if mode in ("PA", "La", "RGBa"):
        return PHOTO.convert({"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    return PHOTO.convert(mode)


def lying() -> Iterator[tuple[str, bytes]]:
    """Headers that promise another size than there is: nothing, far more, or far too much."""
    sides = (0, 1, 3_000, 65_535)
    for side in (*sides, 2**31 - 1, 2**32 - 1):
        yield f"png_{side}.png", png(side, side, ONE_PIXEL)
    for kind, place, form in (
        ("gif", 6, "<HH"),
        ("bmp", 18, "<ii"),
        ("tga", 12, "<HH"),
        ("webp", 26, "<HH"),
    ):
        for side in sides:
            yield f"{kind}_{side}.{kind}", _with(encoded(**KINDS[kind]), place, struct.pack(form, side, side))
    jpeg = encoded(format="JPEG")
    size = jpeg.index(b"\xff\xc0") + 5
    for side in sides:
        yield f"jpg_{side}.jpg", _with(jpeg, size, struct.pack(">HH", side, side))
    for side in (0, 1, 3_000, 2**31 - 1):
        yield f"tif_{side}.tif", _tiff(width=side, height=side)
        yield f"ppm_{side}.ppm", b"P6\n%d %d\n255\nabc" % (side, side)
    yield "tif_circle.tif", _tiff(next_directory=8)
    yield "tif_strips.tif", _tiff(strips=2**30)
    yield "tif_bits.tif", _tiff(bits=63)
    yield "ppm_digits.ppm", b"P6\n" + b"9" * 100_000
    yield "gif_frames.gif", encoded(format="GIF")[:-1] + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02" * 50_000


@cache
def deflated(byte: bytes) -> bytes:
    """60 MB in 60 kB."""
    return zlib.compress(byte * 60_000_000, 6)


def _comments() -> bytes:
    jpeg = encoded(format="JPEG")
    return jpeg[:2] + (b"\xff\xfe\xff\xff" + b"x" * 65_533) * 500 + jpeg[2:]


def _scans() -> bytes:
    progressive = encoded(format="JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    return progressive[:-2] + scan * 2_000 + b"\xff\xd9"


# Small files that would fill the memory; made when asked for, because packing them takes seconds.
BOMBS: dict[str, Callable[[], bytes]] = {
    "pixels.png": lambda: png(40_000, 40_000, chunk(b"IDAT", deflated(b"\0")), depth=1),
    "too_much_data.png": lambda: png(8, 8, chunk(b"IDAT", deflated(b"\0"))),
    "profile.png": lambda: png(1, 1, chunk(b"iCCP", b"x\0\0" + deflated(b"\0")), ONE_PIXEL),
    "text.png": lambda: png(1, 1, chunk(b"zTXt", b"deepdream\0\0" + deflated(b" ")), ONE_PIXEL),
    "international.png": lambda: png(1, 1, chunk(b"iTXt", b"deepdream\0\1\0\0\0" + deflated(b" ")), ONE_PIXEL),
    "long_text.png": lambda: png(1, 1, chunk(b"tEXt", b"deepdream\0" + b" " * 100_000_000), ONE_PIXEL),
    "many_texts.png": lambda: png(1, 1, *(chunk(b"tEXt", b"deepdream\0{}") for _ in range(20_000)), ONE_PIXEL),
    "exif.png": lambda: png(1, 1, chunk(b"eXIf", b"MM\0*" + b"\0\0\0\x08" + b"\xff" * 10_000_000), ONE_PIXEL),
    "comments.jpg": _comments,
    "scans.jpg": _scans,
    "tiff_deflate.tif": lambda: encoded(
        Image.new("1", (30_000, 30_000)), format="TIFF", compression="tiff_adobe_deflate"
    ),
}


def programs() -> Iterator[tuple[str, bytes]]:
    """Kinds of files that Pillow hands to another program, or that others would, under a photo's name."""
    yield "eps.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(ran) (w) file\n%%EOF\n"
    binary = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    yield "binary_eps.png", struct.pack("<IIIIIII", 0xC6D3D0C5, 32, len(binary), 0, 0, 0, 0).ljust(32, b"\0") + binary
    yield "metafile.jpg", b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<4hH", 0, 0, 9, 9, 96) + bytes(64)
    yield "stub.jpg", b"GRIB\0\0\0\1" + bytes(64)
    yield "svg.png", b'<svg xmlns="http://www.w3.org/2000/svg"><script href="file:///etc/passwd"/></svg>'
    yield "shell.jpg", b"#!/bin/sh\ntouch ran\n"


def all_faults() -> dict[str, Callable[[], bytes]]:
    """Every file of this module that must not be trusted: how to make it, by its name."""
    ready = dict([*truncated(), *lying(), *programs()])
    return {**{name: partial(bytes, content) for name, content in ready.items()}, **BOMBS}


def _with(content: bytes, place: int, replacement: bytes) -> bytes:
    return content[:place] + replacement + content[place + len(replacement) :]


def _tiff(*, width: int = 1, height: int = 1, bits: int = 8, strips: int = 1, next_directory: int = 0) -> bytes:
    """A grey TIFF of one pixel, whatever its tags say."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, strips if tag in (273, 279) else 1, v) for tag, v in tags.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_directory)
