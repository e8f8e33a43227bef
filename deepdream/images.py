"""Read and resize image files; images to tensors and back.

Every file is untrusted: its size is checked before its pixels are decoded, and every error is one line that names the
file.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:  # reading files works without torch, which takes seconds and 600 MB to import
    import torch
    from torch import Tensor

SAMPLES = ("china", "flower")
MAX_FILE_PIXELS = 178_000_000  # just under the size that Pillow itself refuses, 2 * Image.MAX_IMAGE_PIXELS
MAX_PIXELS = 100_000_000  # of an image made here

# The formats that are read, by Pillow's names, and the suffixes of their files. Pillow reads thirty more; for one of
# them, EPS, it starts an interpreter: that must not happen only because a file lies in a folder of photos.
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
}
IMAGE_SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)  # in lower case


@dataclass(frozen=True)
class Decoded:
    """An image and the properties of its file.

    image: upright, 8-bit RGB. size: width and height as stored. mode, format: Pillow's names.
    share: fraction of the rows that the file holds. truncated: whether the file ends too early; a progressive JPEG may
        then still hold all of its rows, in less detail.
    """

    image: Image.Image
    size: tuple[int, int]
    mode: str
    format: str
    share: float
    truncated: bool


def read_image(path: str | Path) -> Image.Image:
    """The image in a file: upright, 8-bit RGB, fully decoded, without metadata.

    Transparency is composited over white, 16-bit and float grey is scaled to 8 bits, and an animation gives its first
    frame.

    Raises FileNotFoundError, IsADirectoryError or PermissionError where there is no file to read, and ValueError for
    one that is empty, not an image, damaged, truncated, or larger than MAX_FILE_PIXELS; each in one line.
    """
    return decode(path).image


def decode(path: str | Path, *, least: float = 1.0, shorter_side: int | None = None) -> Decoded:
    """The image that `read_image` reads, and the properties of its file.

    least: accept a truncated file that holds at least this fraction of the rows; the image then has only those.
    shorter_side: decode a JPEG at 1/2, 1/4 or 1/8 of its size, which is faster, while its shorter side keeps at least
        this many pixels.

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
        rgb = _to_rgb(image)
        rgb.info = {}
        with contextlib.suppress(Exception):  # broken EXIF is no reason to refuse the image
            # After load(), which turns a TIFF upright by itself; of the file, because not every conversion keeps EXIF.
            rgb.getexif()[ExifTags.Base.Orientation] = file.getexif()[ExifTags.Base.Orientation]
        ImageOps.exif_transpose(rgb, in_place=True)
    return Decoded(rgb, size, mode, kind, share, truncated)


def read_sample(name: str = "china") -> Image.Image:
    """A photo bundled with scikit-learn, 640x427: one of SAMPLES. Raises ValueError for another name."""
    if name not in SAMPLES:
        raise ValueError(f"there is no sample photo {name!r}; it must be one of {', '.join(SAMPLES)}")
    from sklearn.datasets import load_sample_image  # takes a second to import, and few runs need it

    return Image.fromarray(load_sample_image(f"{name}.jpg"))


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
    """The image as RGB, `width` pixels wide, its aspect ratio kept: int(H * (width / W)) pixels high, at least 1.

    Cubic convolution with a = -0.75 and no antialiasing, rounded to uint8: what OpenCV's INTER_CUBIC computes, and so
    what pytorch-deepdream dreams on. Raises ValueError for a width under 1 and for a result over MAX_PIXELS.
    """
    if width < 1:
        raise ValueError(f"an image cannot be resized to width {width}; it must be 1 or more, for example 600")
    height = max(1, int(image.height * (width / image.width)))
    if width * height > MAX_PIXELS:
        most = max(1, math.isqrt(MAX_PIXELS * image.width // image.height))
        raise ValueError(
            f"the image is {image.width}x{image.height}; resized to width {width} it would be {width}x{height}, "
            f"over {MAX_PIXELS:,} pixels; choose dream.width={most} or less"
        )
    image = image.convert("RGB")
    if (width, height) == image.size:
        return image
    import torch
    import torch.nn.functional as F

    # In float32: on uint8, PyTorch computes another cubic, with a = -0.5.
    values = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()  # (1, 3, H, W) in [0, 255]
    values = F.interpolate(values, size=(height, width), mode="bicubic", align_corners=False)
    values = values.add_(0.5).floor_().clamp_(0, 255).to(torch.uint8)
    return Image.fromarray(values[0].permute(1, 2, 0).contiguous().numpy())


def to_tensor(image: Image.Image, dtype: torch.dtype | None = None) -> Tensor:
    """The image as a (3, H, W) tensor in [0, 1], float32 or `dtype`, on the CPU. Other modes are converted to RGB."""
    import torch

    values = torch.from_numpy(np.array(image.convert("RGB")))  # (H, W, 3) uint8
    return values.permute(2, 0, 1).contiguous().to(dtype or torch.float32).div_(255)


def to_image(image: Tensor) -> Image.Image:
    """The RGB image of a floating-point (3, H, W) tensor in [0, 1], clamped and rounded half up.

    Raises ValueError for another shape or dtype, and for NaN.
    """
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape or not image.is_floating_point():
        raise ValueError(f"an image is a floating-point tensor (3, H, W); this is {image.dtype} {(*image.shape,)}")
    image = image.detach().cpu()
    if image.isnan().any():
        raise ValueError("the image holds NaN; the computation that made it diverged")
    # In float64, where 255 x + 0.5 is exact for a float32 x and no value just under a half is rounded up.
    values = image.double().mul(255).add_(0.5).floor_().clamp_(0, 255).byte()
    return Image.fromarray(values.permute(1, 2, 0).contiguous().numpy())


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


@contextmanager
def opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """The file with its header read, within MAX_FILE_PIXELS. Pillow's errors inside `with` become one-line errors."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; name one image in it")
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would wait for its writer
        raise ValueError(f"{path} is not a regular file")
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(_missing(path)) from error
    except OSError as error:
        raise type(error)(f"{path} cannot be opened ({reason(error)}); check the name and its permissions") from error
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata; errors are raised
        if os.fstat(file.fileno()).st_size == 0:
            raise ValueError(f"{path} is empty (0 bytes); get the file again")
        try:
            with Image.open(file, formats=_readable()) as image:
                pixels = image.width * image.height
                if pixels > MAX_FILE_PIXELS:
                    raise Image.DecompressionBombError(
                        f"Image size ({pixels} pixels) exceeds limit of {MAX_FILE_PIXELS} pixels"
                    )
                yield image
        except Image.DecompressionBombError as error:
            too_large = reason(error).partition(",")[0]
            raise ValueError(f"{path} is too large to open ({too_large}); scale it down first") from error
        except UnidentifiedImageError as error:
            raise ValueError(
                f"{path} is not an image of a supported format, or only the start of one; save it as JPEG or PNG"
            ) from error
        except Exception as error:  # Pillow's decoders raise a dozen kinds of exception for a damaged file
            raise ValueError(
                f"{path} is damaged, truncated or of a rare variant ({reason(error)}); "
                "get the file again, or save it as JPEG or PNG"
            ) from error


@cache
def _readable() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow reads: old ones lack AVIF."""
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


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


def _missing(path: Path) -> str:
    """Why there is no file at `path`, with the names in its folder that are close to it."""
    try:
        names = [name for name in os.listdir(path.parent) if name != path.name]
    except OSError:
        return f"there is no file {path}: {path.parent} is not a folder that can be read; check the path"
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(path.name.lower(), lowered, n=3, cutoff=0.7)
    hint = f"close names there: {', '.join(lowered[name] for name in close)}" if close else "check the path"
    return f"there is no file {path}; {hint}"


def _to_rgb(image: Image.Image) -> Image.Image:
    """A new 8-bit RGB image; `read_image` documents the conversion of other modes."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _grey_to_8_bits(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


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


def reason(error: Exception) -> str:
    """The message of an exception in one line, without an errno or a path."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
