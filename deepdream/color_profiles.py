"""Colour profiles (ICC): the colours of a tagged image in sRGB, which networks are trained on and screens expect.

A profile is part of an untrusted file: one that cannot be used is reported, and the image keeps its numbers.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

# The colour space of a profile, and the mode of an image that it describes.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB": "LAB"}
# Levels of 255 by which profiles called sRGB differ: their curves and white points are rounded differently.
_SRGB_TOLERANCE = 2
_LAB = b"LAB"  # stands for the profile of images in CIELAB, which need none


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB, in mode RGB or RGBA; with a profile that is sRGB, or with none, the same pixels.

    profile: the ICC profile of the file. Relative colorimetric, with black point compensation; colours outside sRGB
    are clipped. Alpha is unchanged.

    Raises ValueError, in one line, for a profile that is damaged or of another kind than the image.
    """
    if image.mode == "LAB":
        return _converted(image, _LAB)
    if not profile:
        return plain_rgb(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    space = _space(profile)
    if (image.mode == "CMYK") != (space == "CMYK") or (space == "GRAY" and image.mode not in ("1", "L", "LA", "La")):
        raise ValueError(f"it describes {space} and the image is {image.mode}")
    if is_srgb(profile):
        return plain_rgb(image)
    rgb = _converted(image.convert(_MODES[space]), profile)
    if alpha is not None:
        rgb.putalpha(alpha)
    return rgb


def plain_rgb(image: Image.Image) -> Image.Image:
    """A new image of the same numbers, in mode RGB, or RGBA where it is transparent."""
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        converted = ImageCms.applyTransform(image, _transform(profile, image.mode))
    except ImageCms.PyCMSError as error:
        raise ValueError(" ".join(str(error).split()) or "it cannot be used") from error
    assert converted is not None
    return converted


@lru_cache(maxsize=32)
def _space(profile: bytes) -> str:
    try:
        space = _opened(profile).profile.xcolor_space.strip()
    except OSError as error:
        raise ValueError("it is damaged") from error
    if space not in _MODES:
        raise ValueError(f"it describes {space}")
    return space


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """Kept, because making one costs more than converting a small photo; threads may share it."""
    return ImageCms.buildTransform(
        _opened(profile),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB") if profile == _LAB else io.BytesIO(profile))


@lru_cache(maxsize=32)
def is_srgb(profile: bytes) -> bool:
    """Whether a profile changes no colour by more than rounding: there are dozens of files that are called sRGB."""
    if _space(profile) != "RGB":
        return False
    levels = np.linspace(0, 255, 18).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    there = np.asarray(_converted(Image.fromarray(colors), profile)).astype(int)
    return bool(np.abs(there - colors).max() <= _SRGB_TOLERANCE)
