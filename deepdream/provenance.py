"""Write images that hold the configuration they were made with, and read it back.

What a file holds is untrusted: it is read as plain data of a bounded size, and nothing in it is executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deepdream.files import atomic_path
from deepdream.image_formats import opened, reason
from deepdream.images import to_image

if TYPE_CHECKING:
    from torch import Tensor

MAX_PROVENANCE = 1_000_000  # characters; a whole configuration has a few thousand
MAX_COMMENT = 65_533  # bytes, of a JPEG
PROVENANCE_KEY = "deepdream"


def write_png(image: Image.Image | Tensor, path: str | Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write an image, or a tensor as `to_image` takes it, and return its path.

    `provenance` is stored as JSON, keys sorted, in a text chunk named "deepdream"; a value that JSON has no type for
    (a Path, a dtype) becomes its text. No other metadata is written. Missing folders are made. The file appears whole
    or not at all: a failed write leaves an earlier file unchanged.

    Raises ValueError for a name that does not end in .png and for provenance that is not JSON or longer than
    MAX_PROVENANCE, OSError (IsADirectoryError, PermissionError, ...) where the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path} does not end in .png; write a .png, because the configuration is kept inside it")
    chunks = PngInfo()
    if provenance is not None:
        chunks.add_text(PROVENANCE_KEY, _provenance_text(provenance, path))
    return _write(image, path, format="PNG", pnginfo=chunks)


def write_jpeg(image: Image.Image | Tensor, path: str | Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write an image as `write_png` does, as a JPEG of quality 95 with `provenance` in its comment.

    Raises what `write_png` raises; the name must end in .jpg or .jpeg, and a comment holds 65,533 bytes.
    """
    path = Path(path)
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        raise ValueError(f"{path} does not end in .jpg or .jpeg")
    comment = b"" if provenance is None else f"{PROVENANCE_KEY} {_provenance_text(provenance, path)}".encode("ascii")
    if len(comment) > MAX_COMMENT:
        raise ValueError(f"the provenance of {path} has {len(comment):,} bytes; a JPEG's comment holds {MAX_COMMENT:,}")
    return _write(image, path, format="JPEG", quality=95, subsampling=0, comment=comment)


def write_image(image: Image.Image | Tensor, path: str | Path, *, provenance: Mapping[str, Any] | None) -> Path:
    """Write an image in the format of its suffix: .png, .jpg or .jpeg. See write_png and write_jpeg."""
    is_jpeg = Path(path).suffix.lower() in (".jpg", ".jpeg")
    return write_jpeg(image, path, provenance=provenance) if is_jpeg else write_png(image, path, provenance=provenance)


def _write(image: Image.Image | Tensor, path: Path, **how: Any) -> Path:
    """Write an image whole or not at all."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; name a file to write")
    image = image.copy() if isinstance(image, Image.Image) else to_image(image)
    image.info = {}  # Pillow would write some of it: a colour profile, say
    try:
        with atomic_path(path, unique=True) as partial, partial.open("xb") as file:
            image.save(file, **how)
    except OSError as error:
        why = reason(error) if os.path.isdir(path.parent) else f"no folder {path.parent}: {reason(error)}"
        raise type(error)(f"{path} cannot be written ({why}); choose another place") from error
    return path


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The configuration inside a PNG, or in a JPEG's comment, as plain data.

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
        raise ValueError(f"{path} holds no configuration; only a PNG or JPEG as deepdream wrote it does")
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
    comment = image.info.get("comment", b"")
    key = f"{PROVENANCE_KEY} ".encode("ascii")
    if image.format != "JPEG" or not isinstance(comment, bytes) or not comment.startswith(key):
        return None
    return comment.removeprefix(key).decode("ascii", errors="replace")


def _provenance_text(provenance: Mapping[str, Any], path: Path) -> str:
    """As JSON in ASCII, which preserves a file name that is not valid UTF-8 too."""
    try:
        text = json.dumps(dict(provenance), sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the provenance of {path} cannot be kept as JSON ({reason(error)})") from error
    if len(text) > MAX_PROVENANCE:
        raise ValueError(f"the provenance of {path} has {len(text):,} characters; {MAX_PROVENANCE:,} are allowed")
    return text
