"""Pictures to read and write, and what every test of that asks for."""

from __future__ import annotations

import gc
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.images import (
    read_sample,
)

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def _no_warning_and_no_open_file():
    """Every test here fails on a warning, a file left open among them, and on an open file descriptor."""
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        gc.collect(1)  # the young generations, which hold what the test made; all would take 0.1 s
    if descriptors.exists():
        assert len(list(descriptors.iterdir())) == before


@pytest.fixture(scope="module", autouse=True)
def _libraries_loaded():
    """Modules that are imported on first use open files of their own; have that behind us."""
    read_sample("china")
    Image.init()


def gradient(height: int = 24, width: int = 36) -> np.ndarray:
    """(H, W, 3) uint8, smooth, without any symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + 2 * y) % 256], axis=2).astype(np.uint8)


def photo(path: Path, **options) -> Path:
    Image.fromarray(gradient()).save(path, **options)
    return path


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def message(error: pytest.ExceptionInfo[Exception], path: Path) -> str:
    """The error's text, after checking that it is one line that names the file."""
    text = str(error.value)
    assert "\n" not in text
    assert path.name in text
    return text


def assert_rgb(image: Image.Image, expected: np.ndarray, tolerance: int = 0) -> None:
    assert image.mode == "RGB"
    assert type(image) is Image.Image  # not a file that still has to be decoded
    assert image.info == {}
    actual = np.asarray(image)
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= tolerance
