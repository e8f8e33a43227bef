"""Read and resize image files.

Every file is treated as untrusted: its size is checked before its pixels are decoded, and whatever is wrong with it
is said in one line that names the file.
"""

from __future__ import annotations

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
from PIL import Image, ImageFile, UnidentifiedImageError

if TYPE_CHECKING:  # what only reads files does without torch, its seconds and its 600 MB
    import torch
    from torch import Tensor

SAMPLES = ("china", "flower")
MAX_FILE_PIXELS = 178_000_000  # just under the size that Pillow itself refuses, 2 * Image.MAX_IMAGE_PIXELS
MAX_PIXELS = 100_000_000  # of a picture made here, which a network then has to look at

# The kinds of files that are read. Pillow knows thirty more; one of them, EPS, is a program, for which it starts an
# interpreter: that must not happen to a file only because it lies in a folder of photos.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA")

# How to turn a picture upright, by its EXIF orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """A picture and what its file held.

    image: upright, 8-bit RGB. size: width and height as stored. mode, format: as Pillow calls them.
    share: of the rows that were there. truncated: whether the file ended too soon; a progressive JPEG may then still
        have all of its rows, in less detail.
    """

    image: Image.Image
    size: tuple[int, int]
    mode: str
    format: str
    share: float
    truncated: bool


def read_image(path: str | Path) -> Image.Image:
    """The picture in a file: upright, 8-bit RGB, fully decoded.

    Transparent parts are laid over white, 16-bit and float greys are scaled to 8 bits, and of an animation the first
    frame is taken. Nothing of the file's metadata stays with the picture.

    Raises FileNotFoundError, IsADirectoryError or PermissionError where there is no file to read, and ValueError for
    one that is empty, no picture, damaged, truncated, or larger than MAX_FILE_PIXELS; all in one line.
    """
    return decode(path).image


def decode(path: str | Path, *, least: float = 1.0, shorter_side: int | None = None) -> Decoded:
    """What `read_image` reads, and what the file held.

    least: of a truncated picture the rows that are there are returned, if they are at least this share of all.
    shorter_side: lets a JPEG be decoded at a half, a quarter or an eighth of its size, which is quicker, as long as its
        shorter side keeps as many pixels.

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
                raise ValueError(f"truncated: {share:.0%} of its rows are there") from None
        orientation = _orientation(file)  # after load(), which turns a TIFF upright by itself
        picture = _to_rgb(image)
    picture.info = {}
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
    return Decoded(picture, size, mode, kind, share, truncated)


def read_sample(name: str = "china") -> Image.Image:
    """A photo that comes with scikit-learn, 640x427: one of SAMPLES. Raises ValueError for another name."""
    if name not in SAMPLES:
        raise ValueError(f"there is no sample photo {name!r}; there are {', '.join(SAMPLES)}")
    from sklearn.datasets import load_sample_image  # a second to import, and few runs need it

    return Image.fromarray(load_sample_image(f"{name}.jpg"))


def noise_image(height: int, width: int, seed: int) -> Image.Image:
    """Colour noise around mid-grey, close to Gaussian: mean 127.5, standard deviation 26.

    Each value is the mean of eight random bytes. Only whole numbers take part, so a seed gives the same picture on
    every machine. Raises ValueError for a side under 1 and for more than MAX_PIXELS.
    """
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"noise of {width}x{height} pixels cannot be made; it needs 1 to {MAX_PIXELS:,} pixels")
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 4, dtype=np.uint16)  # 4 of 8: rounds the division
    for _ in range(8):
        total += rng.integers(0, 256, size=total.shape, dtype=np.uint8)
    return Image.fromarray((total // 8).astype(np.uint8))


def resize_to_width(image: Image.Image, width: int) -> Image.Image:
    """The picture as RGB, `width` pixels wide and as high as its proportions say: int(H * (width / W)), 1 or more.

    Cubic convolution with a = -0.75 and no antialiasing, rounded to uint8: what OpenCV's INTER_CUBIC computes, and so
    what pytorch-deepdream dreams on. Raises ValueError for a width under 1 and for a result over MAX_PIXELS.
    """
    if width < 1:
        raise ValueError(f"a picture cannot be resized to width {width}; it must be 1 or more, for example 600")
    height = max(1, int(image.height * (width / image.width)))
    if width * height > MAX_PIXELS:
        most = max(1, math.isqrt(MAX_PIXELS * image.width // image.height))
        raise ValueError(
            f"the picture is {image.width}x{image.height}; resized to width {width} it would be {width}x{height}, "
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
    """The picture as a (3, H, W) tensor in [0, 1], on the CPU. Anything but RGB is converted to RGB first."""
    import torch

    values = torch.from_numpy(np.array(image.convert("RGB")))  # (H, W, 3) uint8
    return values.permute(2, 0, 1).contiguous().to(dtype or torch.float32).div_(255)


def to_image(picture: Tensor) -> Image.Image:
    """The RGB picture of a floating-point (3, H, W) tensor in [0, 1], rounded half up; what lies outside is clamped.

    Raises ValueError for another shape or dtype, and for NaN.
    """
    if picture.ndim != 3 or picture.shape[0] != 3 or 0 in picture.shape or not picture.is_floating_point():
        raise ValueError(f"a picture is a floating-point tensor (3, H, W); this is {picture.dtype} {(*picture.shape,)}")
    picture = picture.detach().cpu()
    if picture.isnan().any():
        raise ValueError("the picture holds NaN and cannot be shown; the computation before it went wrong")
    # In float64, where 255 x + 0.5 is exact for a float32 x and no value just under a half is rounded up.
    values = picture.double().mul(255).add_(0.5).floor_().clamp_(0, 255).byte()
    return Image.fromarray(values.permute(1, 2, 0).contiguous().numpy())


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(images - mean) / std of images (..., 3, H, W), float in [0, 1]; in their dtype, on their device."""
    mean_, std_ = _per_channel(mean, images), _per_channel(std, images)
    return (images - mean_) / std_


def denormalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """The inverse of `normalize`, not clipped."""
    return images * _per_channel(std, images) + _per_channel(mean, images)


def _per_channel(values: Sequence[float], like: Tensor) -> Tensor:
    """One value a colour channel, (3, 1, 1), in the dtype and on the device of `like`."""
    import torch

    return torch.tensor(list(values), dtype=like.dtype, device=like.device).view(3, 1, 1)


@contextmanager
def opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """The file's header, within MAX_FILE_PIXELS. What Pillow raises inside `with` becomes one line about the file."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; name one picture in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{path} is a pipe or a device, which could keep us waiting for ever; name a file")
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(_missing(path)) from error
    except OSError as error:
        raise type(error)(f"{path} cannot be opened ({reason(error)}); check the name and its permissions") from error
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata; what matters is raised
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
                f"{path} is not a picture of a kind that can be read, or only the start of one; save it as JPEG or PNG"
            ) from error
        except Exception as error:  # Pillow's decoders answer a damaged file with a dozen kinds of exception
            raise ValueError(
                f"{path} is damaged, truncated or of a rare kind ({reason(error)}); "
                "get the file again, or save it as JPEG or PNG"
            ) from error


@cache
def _readable() -> tuple[str, ...]:
    """FORMATS, as far as this Pillow knows them: AVIF came late."""
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


def _rows_there(file: ImageFile.ImageFile) -> tuple[Image.Image, float]:
    """The rows of a truncated picture that are there, and their share of all. What is missing has one flat colour."""
    if file.info.get("progressive") and file.fp is not None:
        # Each pass of a progressive JPEG goes over the whole picture: an end mark lays those together that are there.
        file.fp.seek(0)
        file = Image.open(io.BytesIO(file.fp.read() + b"\xff\xd9"))
        file.load()
    file.tile = []  # nothing is left to decode: what is there is the picture
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


def _orientation(image: Image.Image) -> object:
    """The EXIF orientation, 1 to 8 in a sound file; None where there is none."""
    try:
        return image.getexif().get(0x0112)
    except Exception:  # broken EXIF is no reason to refuse the picture
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    """A new 8-bit RGB picture; see `read_image` for what becomes of other modes."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _grey_to_8_bits(image).convert("RGB")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image.convert("RGB")


def _grey_to_8_bits(image: Image.Image) -> Image.Image:
    """A grey picture of integers or floats, scaled from the range it was most likely stored in.

    Integers: 0 to 65535. Floats: 0 to 1, 255 or 65535, the least that holds them all. Values outside: their own range.
    """
    values = np.array(image, dtype=np.float64)  # (H, W)
    values[~np.isfinite(values)] = 0
    low, high = values.min(), values.max()
    ceilings = [top for top in ((1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)) if high <= top]
    values = values / ceilings[0] if low >= 0 and ceilings else (values - low) / ((high - low) or 1.0)
    return Image.fromarray(np.floor(values * 255 + 0.5).astype(np.uint8))


def reason(error: Exception) -> str:
    """What an exception says, in one line and without an errno or a path."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
