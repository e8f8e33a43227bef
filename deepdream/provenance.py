"""Write pictures that keep inside them how they were made, and read that again.

What is read from a file is untrusted: plain data, of a bounded size, none of it acted upon.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deepdream.images import opened, reason, to_image

if TYPE_CHECKING:
    from torch import Tensor

MAX_PROVENANCE = 1_000_000  # characters; a whole configuration has a few thousand
MAX_COMMENT = 65_533  # bytes, of a JPEG
PROVENANCE_KEY = "deepdream"


def write_png(image: Image.Image | Tensor, path: str | Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write a picture, or a tensor as `to_image` takes it, and return its path.

    `provenance` is kept inside as JSON, keys sorted, in a text chunk named "deepdream"; a value that JSON has no word
    for (a Path, a dtype) becomes its text. No other metadata is written. Missing folders are made. The file appears
    whole or not at all: after a failure the file that was there before is still there.

    Raises ValueError for a name that does not end in .png and for provenance that is no JSON or longer than
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
    """Write a picture as `write_png` does, as a JPEG of quality 95, `provenance` in its comment.

    Raises what `write_png` raises; the name must end in .jpg or .jpeg, and a comment holds 65,533 bytes.
    """
    path = Path(path)
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        raise ValueError(f"{path} does not end in .jpg or .jpeg")
    comment = b"" if provenance is None else f"{PROVENANCE_KEY} {_provenance_text(provenance, path)}".encode("ascii")
    if len(comment) > MAX_COMMENT:
        raise ValueError(f"the provenance of {path} has {len(comment):,} bytes; a JPEG's comment holds {MAX_COMMENT:,}")
    return _write(image, path, format="JPEG", quality=95, subsampling=0, comment=comment)


def write_picture(image: Image.Image | Tensor, path: str | Path, *, provenance: Mapping[str, Any] | None) -> Path:
    """Write a picture as the kind of file that its name says: .png, .jpg or .jpeg. See write_png and write_jpeg."""
    is_jpeg = Path(path).suffix.lower() in (".jpg", ".jpeg")
    return write_jpeg(image, path, provenance=provenance) if is_jpeg else write_png(image, path, provenance=provenance)


def _write(image: Image.Image | Tensor, path: Path, **how: Any) -> Path:
    """Write a picture whole or not at all."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; name a file to write")
    image = image.copy() if isinstance(image, Image.Image) else to_image(image)
    image.info = {}  # Pillow would write some of it: a colour profile, say
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"  # not tempfile: its files are closed to others
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            image.save(file, **how)
        os.replace(temporary, path)
    except OSError as error:
        why = reason(error) if os.path.isdir(path.parent) else f"no folder {path.parent}: {reason(error)}"
        raise type(error)(f"{path} cannot be written ({why}); choose another place") from error
    finally:
        if os.path.lexists(temporary):
            temporary.unlink()
    return path


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The configuration that was kept inside a PNG, or in a JPEG's comment: plain data, none of it acted upon.

    >>> path = write_png(Image.new("RGB", (8, 8)), "dream.png", provenance={"seed": 7})
    >>> read_provenance(path)
    {'seed': 7}

    Raises what `read_image` raises, and ValueError where there is none, where it is longer than MAX_PROVENANCE, or
    where it is not a JSON object.
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
    """What deepdream wrote into a picture's metadata, if it did."""
    if image.format == "PNG":
        text = image.info.get(PROVENANCE_KEY)
        return text if isinstance(text, str) else None
    comment = image.info.get("comment", b"")
    key = f"{PROVENANCE_KEY} ".encode("ascii")
    if image.format != "JPEG" or not isinstance(comment, bytes) or not comment.startswith(key):
        return None
    return comment.removeprefix(key).decode("ascii", errors="replace")


def _provenance_text(provenance: Mapping[str, Any], path: Path) -> str:
    """ASCII, in which a file name that is not valid UTF-8 survives too."""
    try:
        text = json.dumps(dict(provenance), sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the provenance of {path} cannot be kept as JSON ({reason(error)})") from error
    if len(text) > MAX_PROVENANCE:
        raise ValueError(f"the provenance of {path} has {len(text):,} characters; {MAX_PROVENANCE:,} are allowed")
    return text
