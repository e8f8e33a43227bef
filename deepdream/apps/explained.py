"""From the configuration of an explanation to an explained image, for the command and for Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from deepdream import explaining
from deepdream.apps.inputs import DEFAULT_PHOTO, read_photo
from deepdream.explaining.config import CHECKS, ExplainAppConfig
from deepdream.provenance import content, read_provenance

if TYPE_CHECKING:
    from deepdream.models import Network

MIN_SIDE = 16  # pixels of an image: one enlarged from less has no detail to explain


def explain_one(
    config: ExplainAppConfig,
    network: Network,
    name: str,
    path: str,
    on_method: Callable[[str], object] | None = None,
) -> explaining.ExplainedImage:
    """The image at `path` explained as `config` says. Raises ValueError for one that is too small to explain."""
    image = read_photo(path)
    if min(image.size) < MIN_SIDE:
        raise ValueError(f"{path} is {image.width}x{image.height}; it needs at least {MIN_SIDE} pixels a side")
    return explaining.explain_image(
        network,
        image,
        name=name,
        methods=config.methods,
        target=config.target,
        against=config.against,
        checks=tuple(CHECKS) if config.score else None,
        crop=config.crop,
        before=_image_before_the_dream(path),
        mask=None if config.masks is None else read_photo(str(mask_of(config.masks, name))),
        config=config.explain,
        precision=config.precision,
        seed=config.seed,
        on_method=on_method,
    )


def mask_of(folder: str, name: str) -> Path:
    """The mask of the image called `name`. Raises ValueError where there is none."""
    path = Path(folder, f"{name}.png")
    if not path.is_file():
        raise ValueError(f"{path} is missing: masks={folder} must hold a PNG with the name of each image")
    return path


def _image_before_the_dream(path: str) -> Image.Image | None:
    """The image that a dream was made from, if its provenance names one that still exists and has not changed."""
    try:
        stored = read_provenance(path)
        name = (stored.get("config") or {}).get("image")
        if "inputs" in stored and stored["inputs"].get("image") != content(name):
            return None
        return read_photo(name or DEFAULT_PHOTO)
    except (OSError, ValueError, AttributeError, TypeError):  # not a dream, or its image is gone
        return None
