"""Read and resize images; images to tensors and back."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, ImageOps

from deepdream.bit_depth import decode_16_bits
from deepdream.color_profiles import is_srgb, plain_rgb, to_srgb
from deepdream.image_formats import opened

if TYPE_CHECKING:  # reading files works without torch, which takes seconds and 600 MB to import
    import torch
    from torch import Tensor

SAMPLES = ("china", "flower")
MAX_PIXELS = 100_000_000  # of an image made here
ROWS = 256  # rounded at once: in float64 a whole panorama takes gigabytes

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]  # (H, W, 3), or (H, W, 4) with straight alpha

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """An image and the properties of its file.

    image: upright, 8-bit sRGB, in mode RGB; RGBA where its transparency was asked for.
    size: width and height as stored. mode, format: Pillow's names.
    profile_fault: why the colour profile of the file was ignored; "" where there is none, or where it was applied.
    share: fraction of the rows that the file holds. truncated: whether the file ends too early; a progressive JPEG may
        then still hold all of its rows, in less detail.
    """

    image: Image.Image
    size: tuple[int, int]
    mode: str
    format: str
    share: float
    truncated: bool
    profile_fault: str = ""


def read_image(path: str | Path) -> Image.Image:
    """The image in a file: upright, 8-bit sRGB, fully decoded, without metadata.

    Its colour profile is applied; one that cannot be used is ignored, and a line is logged. Transparency is composited
    over white, 16-bit and float grey is scaled to 8 bits, and an animation gives its first frame.

    Raises FileNotFoundError, IsADirectoryError or PermissionError where there is no file to read, and ValueError for
    one that is empty, not an image, damaged, truncated, or larger than MAX_FILE_PIXELS; each in one line.
    """
    decoded = decode(path)
    _log_fault(path, decoded.profile_fault)
    return decoded.image


def read_pixels(path: str | Path, *, bits: int = 8) -> Pixels:
    """The image in a file as `read_image` reads it, with its transparency, and with 16 bits where it has them.

    bits: 8 gives uint8; 16 gives uint16, to which an image of fewer bits is scaled. The result is (H, W, 4) where some
    of the image is transparent: alpha as stored, and white where alpha is 0, whatever colour the file hides there.
    """
    pixels = _read_16_bits(Path(path)) if bits == 16 else None
    if pixels is None:
        decoded = decode(path, transparent=True)
        _log_fault(path, decoded.profile_fault)
        pixels = np.array(decoded.image)
        if bits == 16:
            pixels = pixels.astype(np.uint16) * 257
    if pixels.shape[2] == 4:
        top = np.iinfo(pixels.dtype).max
        if (pixels[..., 3] == top).all():
            return pixels[..., :3].copy()
        pixels[pixels[..., 3] == 0, :3] = top
    return pixels


def has_profile_or_alpha(path: str | Path) -> bool:
    """Whether a file is transparent or has a colour profile other than sRGB; False where it cannot be read."""
    try:
        with opened(Path(path)) as file:
            profile = file.info.get("icc_profile")
            return file.has_transparency_data or bool(profile and not is_srgb(profile))
    except (OSError, ValueError):
        return False


def _log_fault(path: str | Path, profile_fault: str) -> None:
    if profile_fault:
        log.warning(f"{path}: its colour profile is ignored ({profile_fault})")


def _read_16_bits(path: Path) -> Pixels | None:
    """None where the file has fewer bits."""
    with opened(path) as file:
        pixels = decode_16_bits(file, file.info.get("icc_profile"))
        if pixels is None:
            return None
        exif = _orientation(file) if file.format == "PNG" else None  # a TIFF is upright
        file.load()  # checks that nothing is missing
        channels = [Image.fromarray(channel) for channel in pixels.transpose(2, 0, 1)]
        return np.stack([np.asarray(_upright(channel, exif), np.uint16) for channel in channels], axis=2)


def decode(
    path: str | Path, *, least: float = 1.0, shorter_side: int | None = None, transparent: bool = False
) -> Decoded:
    """The image that `read_image` reads, and the properties of its file.

    least: accept a truncated file that holds at least this fraction of the rows; the image then has only those.
    shorter_side: decode a JPEG at 1/2, 1/4 or 1/8 of its size, which is faster, while its shorter side keeps at least
        this many pixels.
    transparent: return an image with transparency as RGBA.

    Raises what `read_image` raises.
    """
    path = Path(path)
    with opened(path) as file:
        size, mode, kind = file.size, file.mode, file.format or ""
        if shorter_side is not None:
            file.draft(file.mode, (shorter_side, shorter_side))  # only JPEGs can
        image: Image.Image = file
        share, truncated = 1.0, False
        try:
            file.load()
        except OSError:
            if least >= 1:
                raise
            image, share = _rows_there(file)
            truncated = True
            if share < least:
                raise ValueError(f"truncated: it holds {share:.0%} of its rows") from None
        rgb, profile_fault = _in_srgb(image, file.info.get("icc_profile"))
        if not transparent:
            rgb = over_white(rgb)
        rgb.info = {}
        # After load(), which turns a TIFF upright by itself; of the file, because not every conversion keeps EXIF.
        rgb = _upright(rgb, _orientation(file))
    return Decoded(rgb, size, mode, kind, share, truncated, profile_fault)


def read_sample(name: str = "china") -> Image.Image:
    """A photo bundled with scikit-learn, 640x427: one of SAMPLES. Raises ValueError for another name."""
    if name not in SAMPLES:
        raise ValueError(f"there is no sample photo {name!r}; it must be one of {', '.join(SAMPLES)}")
    package = importlib.util.find_spec("sklearn")  # not imported: that takes seconds
    assert package is not None
    assert package.submodule_search_locations is not None
    with Image.open(Path(package.submodule_search_locations[0], "datasets", "images", f"{name}.jpg")) as photo:
        return photo.convert("RGB")


def noise_image(height: int, width: int, seed: int) -> Image.Image:
    """Colour noise around mid-grey, close to Gaussian: mean 127.5, standard deviation 26.

    Each value is the mean of eight random bytes, in integer arithmetic: a seed gives the same image on every machine.
    Raises ValueError for a side under 1 and for more than MAX_PIXELS.
    """
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"noise of {width}x{height} pixels cannot be made; it needs 1 to {MAX_PIXELS:,} pixels")
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 4, dtype=np.uint16)  # 4 of 8: rounds the division
    for _ in range(8):
        total += rng.integers(0, 256, size=total.shape, dtype=np.uint8)
    return Image.fromarray((total // 8).astype(np.uint8))


def resize_to_width(image: Image.Image, width: int) -> Image.Image:
    """The image as RGB, resized as `resize_pixels` does. Raises what that raises."""
    return Image.fromarray(resize_pixels(np.array(image.convert("RGB")), width))


def resize_pixels(pixels: Pixels, width: int) -> Pixels:
    """The image `width` pixels wide, its aspect ratio kept: int(H * (width / W)) pixels high, at least 1.

    Cubic convolution with a = -0.75 and no antialiasing, rounded to integers: what OpenCV's INTER_CUBIC computes, and
    so what pytorch-deepdream dreams on. What is transparent lends its colours to no neighbour. Raises ValueError for a
    width under 1 and for a result over MAX_PIXELS.
    """
    before = (pixels.shape[1], pixels.shape[0])
    if width < 1:
        raise ValueError(f"an image cannot be resized to width {width}; it must be 1 or more, for example 600")
    height = max(1, int(before[1] * (width / before[0])))
    if width * height > MAX_PIXELS:
        most = max(1, math.isqrt(MAX_PIXELS * before[0] // before[1]))
        raise ValueError(
            f"the image is {before[0]}x{before[1]}; resized to width {width} it would be {width}x{height}, "
            f"over {MAX_PIXELS:,} pixels; choose dream.width={most} or less"
        )
    if (width, height) == before:
        return pixels
    import torch
    import torch.nn.functional as F

    top = np.iinfo(pixels.dtype).max
    # In float32: on uint8, PyTorch computes another cubic, with a = -0.5.
    values = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]  # (1, C, H, W) in [0, top]
    if values.shape[1] == 4:  # premultiplied
        values = torch.cat([values[:, :3] * values[:, 3:] / top, values[:, 3:]], dim=1)
    values = F.interpolate(values, size=(height, width), mode="bicubic", align_corners=False)
    if values.shape[1] == 4:
        alpha = values[:, 3:].add(0.5).floor_().clamp_(0, top)
        colors = torch.where(alpha > 0, values[:, :3] * top / values[:, 3:].clamp_min(0.5), top)
        values = torch.cat([colors, alpha], dim=1)
    values = values.add_(0.5).floor_().clamp_(0, top)
    return np.ascontiguousarray(values[0].permute(1, 2, 0).numpy().astype(pixels.dtype))


def to_tensor(image: Image.Image | Pixels, dtype: torch.dtype | None = None) -> Tensor:
    """The image as a (3, H, W) tensor in [0, 1], float32 or `dtype`, on the CPU; of pixels with alpha (4, H, W).

    An image of another mode is converted to RGB.
    """
    import torch

    pixels = np.array(image.convert("RGB")) if isinstance(image, Image.Image) else image
    values = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
    return values.to(dtype or torch.float32).div_(np.iinfo(pixels.dtype).max)


def to_image(image: Tensor) -> Image.Image:
    """The RGB image of a floating-point (3, H, W) tensor in [0, 1], clamped and rounded half up.

    Raises ValueError for another shape or dtype, and for NaN.
    """
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"an image is a floating-point tensor (3, H, W); this is {image.dtype} {(*image.shape,)}")
    return Image.fromarray(to_pixels(image))


def to_pixels(image: Tensor, *, bits: int = 8) -> Pixels:
    """The pixels of a floating-point tensor (3, H, W), or (4, H, W) with alpha, in [0, 1], as `to_image` rounds them.

    bits: per channel, 8 or 16. Raises what `to_image` raises.
    """
    if image.ndim != 3 or image.shape[0] not in (3, 4) or 0 in image.shape or not image.is_floating_point():
        raise ValueError(f"an image is a floating-point tensor (3, H, W); this is {image.dtype} {(*image.shape,)}")
    image = image.detach().cpu()
    if image.isnan().any():
        raise ValueError("the image holds NaN; the computation that made it diverged")
    top = 2**bits - 1
    channels, height, width = image.shape
    pixels = np.empty((height, width, channels), np.uint8 if bits == 8 else np.uint16)
    for first in range(0, height, ROWS):
        # In float64, where 255 x + 0.5 is exact for a float32 x and no value just under a half is rounded up.
        rows = image[:, first : first + ROWS].double().mul(top).add_(0.5).floor_().clamp_(0, top)
        pixels[first : first + ROWS] = rows.permute(1, 2, 0).numpy()
    return pixels


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(images - mean) / std of images (..., 3, H, W), float in [0, 1]; in their dtype, on their device."""
    mean_, std_ = _per_channel(mean, images), _per_channel(std, images)
    return (images - mean_) / std_


def denormalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """The inverse of `normalize`, not clipped."""
    return images * _per_channel(std, images) + _per_channel(mean, images)


def _per_channel(values: Sequence[float], like: Tensor) -> Tensor:
    """One value per colour channel, (3, 1, 1), in the dtype and on the device of `like`."""
    import torch

    return torch.tensor(list(values), dtype=like.dtype, device=like.device).view(3, 1, 1)


def _rows_there(file: ImageFile.ImageFile) -> tuple[Image.Image, float]:
    """The rows that a truncated file holds, and their fraction of all. Missing rows have one flat colour."""
    if file.info.get("progressive") and file.fp is not None:
        # Each scan of a progressive JPEG covers the whole image: an end marker makes libjpeg use those that are there.
        file.fp.seek(0)
        file = Image.open(io.BytesIO(file.fp.read() + b"\xff\xd9"))
        file.load()
    file.tile = []  # nothing is left to decode
    values = np.asarray(file).reshape(file.height, file.width, -1)
    there = np.flatnonzero((values != values[-1, -1]).any(axis=(1, 2)))
    if not len(there):
        return file, 0.0
    last = int(there[-1]) + 1
    first = int(np.flatnonzero(values[:last].any(axis=(1, 2)))[0])  # a BMP begins at the bottom and lacks its top
    return file.crop((0, first, file.width, last)), (last - first) / file.height


def _in_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """The image in 8-bit sRGB, mode RGB or RGBA; and why its profile was ignored, or ""."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = _grey_to_8_bits(image)
    try:
        return to_srgb(image, profile), ""
    except ValueError as error:
        return plain_rgb(image), str(error)


def _orientation(file: Image.Image) -> int | None:
    with contextlib.suppress(Exception):  # broken EXIF is no reason to refuse the image
        return file.getexif().get(ExifTags.Base.Orientation)
    return None


def _upright(image: Image.Image, orientation: int | None) -> Image.Image:
    """The image, changed in place, as a viewer shows it."""
    with contextlib.suppress(Exception):  # of an orientation that is no number
        image.getexif()[ExifTags.Base.Orientation] = orientation
    ImageOps.exif_transpose(image, in_place=True)
    return image


def over_white(image: Image.Image) -> Image.Image:
    """An image in mode RGB or RGBA as RGB, composited over white."""
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _grey_to_8_bits(image: Image.Image) -> Image.Image:
    """A grey image of integers or floats, scaled to 0..255 from the range it was most likely stored in.

    Integers: 0 to 65535. Floats: 0 to 1, 255 or 65535, the smallest that holds them. Else: minimum to maximum.
    """
    values = np.array(image, dtype=np.float64)  # (H, W)
    values[~np.isfinite(values)] = 0
    low, high = values.min(), values.max()
    ceilings = [top for top in ((1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)) if high <= top]
    values = values / ceilings[0] if low >= 0 and ceilings else (values - low) / ((high - low) or 1.0)
    return Image.fromarray(np.floor(values * 255 + 0.5).astype(np.uint8))
