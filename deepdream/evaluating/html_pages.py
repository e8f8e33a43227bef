"""Pages that hold all they show: one HTML file, which opens from disk and needs no internet."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

LARGE = 400_000  # bytes of a PNG from which on a JPEG is tried


def rendered_page(template: str, **values: Any) -> str:
    """A template of this package, filled in; every value is escaped. Raises jinja2.UndefinedError for a missing one."""
    environment = Environment(
        loader=PackageLoader("deepdream.evaluating"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def data_url(path: Path) -> str:
    """A PNG as a data URL; as a JPEG where that is smaller, as for photos."""
    content, kind = path.read_bytes(), "png"
    if len(content) > LARGE:
        with Image.open(path) as image:
            smaller = _jpeg(image)
        if len(smaller) < len(content):
            content, kind = smaller, "jpeg"
    return _url(content, kind)


def photo_url(image: Image.Image) -> str:
    """A photo as a data URL."""
    return _url(_jpeg(image), "jpeg")


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
