"""Write images that hold the configuration they were made with, and read it back.

What a file holds is untrusted: it is read as plain data of a bounded size, and nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from deepdream.bit_depth import write_png_16, write_tiff
from deepdream.files import atomic_path
from deepdream.image_formats import opened, reason
from deepdream.images import Pixels, over_white, to_pixels

if TYPE_CHECKING:
    from torch import Tensor

MAX_PROVENANCE = 1_000_000  # characters; a whole configuration has a few thousand
MAX_COMMENT = 65_533  # bytes, of a JPEG
PROVENANCE_KEY = "deepdream"


def write_png(image: Image.Image | Tensor, path: str | Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write an image with `write_image`, and refuse a name that does not end in .png."""
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"{path} does not end in .png; write a .png, because the configuration is kept inside it")
    return write_image(image, path, provenance=provenance)


def write_image(
    image: Image.Image | Tensor, path: str | Path, *, bits: int = 8, provenance: Mapping[str, Any] | None = None
) -> Path:
    """Write an image in the format of its suffix, one of OUTPUTS, and return its path.

    image: or a tensor (3, H, W), or (4, H, W) with alpha, as `to_pixels` takes it; a JPEG has no alpha, and is
        composited over white. PNG, WebP and TIFF are lossless; a JPEG has quality 95.
    bits: per channel of a tensor's file, see `bits_of_output`.
    provenance: stored as JSON, keys sorted, under the name "deepdream": in a text chunk of a PNG, the comment of a
        JPEG, the ImageDescription of a TIFF or of the EXIF of a WebP. A value that JSON has no type for (a Path, a
        dtype) becomes its text. No other metadata is written.

    Missing folders are made. The file appears whole or not at all: a failed write leaves an earlier file unchanged.

    Raises ValueError for another suffix and for provenance that is not JSON, or longer than MAX_PROVENANCE or than a
    JPEG's comment; OSError (IsADirectoryError, PermissionError, ...) where the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise ValueError(f"{path} does not end in {', '.join(OUTPUTS)}")
    bits_of_output(path, bits)
    text = None if provenance is None else _provenance_text(provenance, path)
    if path.suffix.lower() in (".jpg", ".jpeg") and len(_with_key(text)) > MAX_COMMENT:
        raise ValueError(f"the provenance of {path} is too long; a JPEG's comment holds {MAX_COMMENT:,} bytes")
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; name a file to write")
    if isinstance(image, Image.Image):
        pixels = np.asarray(image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB"))
    else:
        pixels = to_pixels(image, bits=bits)
    try:
        with atomic_path(path, unique=True) as partial, partial.open("x+b") as file:
            _WRITERS[path.suffix.lower()](file, pixels, text)
    except OSError as error:
        why = reason(error) if os.path.isdir(path.parent) else f"no folder {path.parent}: {reason(error)}"
        raise type(error)(f"{path} cannot be written ({why}); choose another place") from error
    return path


def bits_of_output(path: Path, bits: int | None) -> int:
    """The bits per channel of an output: `bits`, or if None 16 for a TIFF and 8 for others.

    Raises ValueError for 16 bits in a format that has 8.
    """
    suffix = path.suffix.lower()
    if bits == 16 and suffix not in (".png", ".tif", ".tiff"):
        raise ValueError(f"output is {path}, which holds 8 bits; dream.bits=16 needs a name in .png or .tif")
    return bits or (16 if suffix in (".tif", ".tiff") else 8)


def _png(file: BinaryIO, pixels: Pixels, text: str | None) -> None:
    chunks = PngInfo()
    if text is not None:
        chunks.add_text(PROVENANCE_KEY, text)
    if pixels.dtype == np.uint16:
        write_png_16(file, pixels.astype(np.uint16, copy=False), chunks)
    else:
        Image.fromarray(pixels).save(file, format="PNG", pnginfo=chunks)


def _jpeg(file: BinaryIO, pixels: Pixels, text: str | None) -> None:
    image = Image.fromarray(pixels)
    opaque = over_white(image) if image.mode == "RGBA" else image
    opaque.save(file, format="JPEG", quality=95, subsampling=0, comment=_with_key(text).encode("ascii"))


def _webp(file: BinaryIO, pixels: Pixels, text: str | None) -> None:
    exif = Image.Exif()
    if text is not None:
        exif[ExifTags.Base.ImageDescription] = _with_key(text)
    Image.fromarray(pixels).save(file, format="WEBP", lossless=True, exact=True, exif=exif)


def _tiff(file: BinaryIO, pixels: Pixels, text: str | None) -> None:
    write_tiff(file, pixels, _with_key(text))


def _with_key(text: str | None) -> str:
    """The provenance as it stands in a description, which other programs write too."""
    return "" if text is None else f"{PROVENANCE_KEY} {text}"


_WRITERS: dict[str, Callable[[BinaryIO, Pixels, str | None], None]] = {
    ".png": _png,
    ".jpg": _jpeg,
    ".jpeg": _jpeg,
    ".webp": _webp,
    ".tif": _tiff,
    ".tiff": _tiff,
}
OUTPUTS = tuple(_WRITERS)


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The configuration inside an image that `write_image` wrote, as plain data.

    >>> path = write_png(Image.new("RGB", (8, 8)), "dream.png", provenance={"seed": 7})
    >>> read_provenance(path)
    {'seed': 7}

    Raises what `read_image` raises, and ValueError for a file without one, and for one that is longer than
    MAX_PROVENANCE or not a JSON object.
    """
    path = Path(path)
    with opened(path) as image:
        text = _kept_text(image)
    if text is None:
        raise ValueError(f"{path} holds no configuration; only an image as deepdream wrote it does")
    if len(text) > MAX_PROVENANCE:
        raise ValueError(f"the configuration in {path} has {len(text):,} characters; {MAX_PROVENANCE:,} are allowed")
    try:
        provenance = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the configuration in {path} is not valid JSON ({reason(error)})") from error
    if not isinstance(provenance, dict):
        raise ValueError(f"the configuration in {path} is not a JSON object but a {type(provenance).__name__}")
    return provenance


def _kept_text(image: Image.Image) -> str | None:
    """The text that deepdream wrote into an image's metadata; None for an image of another program."""
    if image.format == "PNG":
        text = image.info.get(PROVENANCE_KEY)
        return text if isinstance(text, str) else None
    if image.format == "JPEG":
        text = image.info.get("comment", b"")
    else:
        text = image.getexif().get(ExifTags.Base.ImageDescription)
    text = text.decode("ascii", errors="replace") if isinstance(text, bytes) else text
    key = f"{PROVENANCE_KEY} "
    return text.removeprefix(key) if isinstance(text, str) and text.startswith(key) else None


def _provenance_text(provenance: Mapping[str, Any], path: Path) -> str:
    """As JSON in ASCII, which preserves a file name that is not valid UTF-8 too."""
    try:
        text = json.dumps(dict(provenance), sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the provenance of {path} cannot be kept as JSON ({reason(error)})") from error
    if len(text) > MAX_PROVENANCE:
        raise ValueError(f"the provenance of {path} has {len(text):,} characters; {MAX_PROVENANCE:,} are allowed")
    return text


def content(name: Any) -> Any:
    """The SHA-256 of a file, or of several in their order; a name of another kind, as of a sample photo, is itself."""
    if isinstance(name, Sequence) and not isinstance(name, str):
        return [content(each) for each in name]
    if name is None or not Path(name).is_file():
        return name
    status = Path(name).stat()
    return f"sha256:{_digest(str(name), status.st_mtime_ns, status.st_size)}"


@cache
def _digest(path: str, modified: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
