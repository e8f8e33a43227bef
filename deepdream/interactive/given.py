"""Images that are given as objects: a configuration names files, so each gets one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from deepdream.images import to_tensor
from deepdream.key_kinds import home_expanded
from deepdream.provenance import write_image

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    Photo: TypeAlias = str | Path | Image.Image | npt.NDArray[Any] | Tensor

PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


class GivenImages:
    """The names of the images of a call, by the key that each is for.

    names: key -> path. An image that has no file is written losslessly into a folder that lasts as long as this object.
    """

    def __init__(self, **images: Photo | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="deepdream-", ignore_cleanup_errors=True)
        self.names = {key: self._name(key, image) for key, image in images.items() if image is not None}

    def _name(self, key: str, image: Photo) -> str:
        if isinstance(image, str | os.PathLike):
            return home_expanded(os.fspath(image))
        path = Path(self._folder.name, f"{key}.png")
        _write(key, image, path)
        return str(path)

    def has_file(self, key: str) -> bool:
        """Whether the image was given as a path or a name."""
        return Path(self._folder.name) not in Path(self.names[key]).parents

    def kept_beside(self, output: Path) -> dict[str, str]:
        """Key -> path of those that had no file, copied to where `output` is written, under the SHA-256 of each."""
        kept = {}
        for key, name in self.names.items():
            if not self.has_file(key):
                digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
                target = output.with_name(f"{output.stem}_{key}_{digest[:8]}.png")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(name, target)
                kept[key] = str(target)
        return kept


def _write(key: str, image: Image.Image | npt.NDArray[Any] | Tensor, path: Path) -> None:
    """Write an image as PNG: 16 bits per channel of an array of uint16, otherwise 8. Raises ValueError for no image."""
    if isinstance(image, Image.Image):
        plain = image if image.mode in PNG_MODES else image.convert("RGB")
        plain.save(path, exif=image.getexif(), icc_profile=image.info.get("icc_profile"), compress_level=1)
    elif isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"{key} is an array {image.dtype} {image.shape}; it must be uint8 or uint16, (H, W, 3) or (H, W, 4)"
            )
        write_image(to_tensor(image.copy()), path, bits=8 * image.itemsize)
    elif hasattr(image, "is_floating_point"):
        write_image(image, path)
    else:
        raise ValueError(f"{key} is a {type(image).__name__}; it must be a path, a PIL image, an array or a tensor")
