"""An image that a notebook shows, with the command that makes it."""

from __future__ import annotations

import base64
import html
import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from deepdream.console import command_line
from deepdream.images import over_white
from deepdream.provenance import write_image

QUALITY = 90  # of the JPEG inside an HTML page


class Shown:
    """An image with its recipe.

    image: what a notebook shows. recipe: the configuration, network and version that it was made with, as plain
    values; a saved file holds it. command: the command line that does the same.
    """

    _app: str

    def __init__(self, image: Image.Image, recipe: dict[str, Any], arguments: list[str]) -> None:
        self.image, self.recipe, self._arguments = image, recipe, arguments

    @property
    def command(self) -> str:
        """The command that does the same. IMAGE, GUIDE and MASK stand for images that were given without a file."""
        return command_line(self._app, *self._arguments)

    def save(self, path: str | Path) -> Path:
        """Write the image with its recipe in the format of its suffix (.png, .jpg, .webp or .tif); returns the path.

        Raises what `deepdream.provenance.write_image` raises.
        """
        return write_image(self.image, path, provenance=self.recipe)

    def _repr_png_(self) -> bytes:
        """The file that `save` writes."""
        with tempfile.TemporaryDirectory() as folder:
            return write_image(self.image, Path(folder, "image.png"), provenance=self.recipe).read_bytes()

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        over_white(self.image).save(buffer, "JPEG", quality=QUALITY)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        size = f'width="{self.image.width}" height="{self.image.height}"'
        command = html.escape(self.command)
        return (
            f'<figure style="margin:0"><img {size} style="max-width:100%;height:auto" alt="{command}" '
            f'src="data:image/jpeg;base64,{data}"><figcaption><code>{command}</code></figcaption></figure>'
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.image.width}x{self.image.height}: {self.command}>"
