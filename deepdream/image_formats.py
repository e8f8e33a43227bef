"""Which image files are read, and how one is opened: the one list of formats, for every command and data set.

Every file is untrusted: its size is checked before its pixels are decoded, and every error is one line that names the
file.
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePath
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from deepdream.distribution import install_extra

MAX_FILE_PIXELS = 178_000_000  # just under the size that Pillow itself refuses, 2 * Image.MAX_IMAGE_PIXELS

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
    "HEIF": (".heic", ".heif", ".hif"),
}
IMAGE_SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)  # in lower case

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
# Not read: the only package for Pillow decodes a whole image before its size can be checked.
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def is_image_name(name: str) -> bool:
    """Whether a file is taken for an image: by its suffix, in any case. Hidden files are not."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def unused_files(names: Iterable[str]) -> str:
    """How many of the files `names` are no images, by their suffixes: "5 files are not used: 3 .txt, 2 .cr2".

    Empty where all are images. Hidden files are not counted.
    """
    others = [PurePath(name) for name in names if not PurePath(name).name.startswith(".")]
    kinds = Counter(path.suffix.lower() or "without a suffix" for path in others if not is_image_name(path.name))
    if not kinds:
        return ""
    total = sum(kinds.values())
    in_order = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{count:,} {kind}" for kind, count in in_order)
    return f"{total:,} {'file is' if total == 1 else 'files are'} not used: {listed}"


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
        raise FileNotFoundError(why_missing(path)) from error
    except OSError as error:
        raise type(error)(f"{path} cannot be opened ({reason(error)}); check the name and its permissions") from error
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata; errors are raised
        if os.fstat(file.fileno()).st_size == 0:
            raise ValueError(f"{path} is empty (0 bytes); get the file again")
        formats = (*_readable(), *_optional_format(file, path))
        try:
            with Image.open(file, formats=formats) as image:
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
    """Those of FORMATS that this Pillow reads by itself: old ones lack AVIF."""
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN and kind != "HEIF")


def _optional_format(file: BinaryIO, path: Path) -> tuple[str, ...]:
    """HEIF for a file that begins as one, whatever its name; its package is imported at the first such file.

    Raises ValueError where the package is missing, and for JPEG XL.
    """
    start = file.read(12)
    file.seek(0)
    if start.startswith(_JPEG_XL):
        raise ValueError(f"{path} is a JPEG XL image, which is not read; save it as PNG")
    if start[4:8] != b"ftyp" or start[8:] not in _HEIF_BRANDS:
        return ()
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError as error:
        raise ValueError(
            f"{path} is a HEIC photo, which needs the package pillow-heif; `{install_extra('heif')}` brings it, or "
            "save it as JPEG"
        ) from error
    return ("HEIF",)


def why_missing(path: Path) -> str:
    """Why there is no file at `path`, with the names in its folder that are close to it."""
    try:
        names = [name for name in os.listdir(path.parent) if name != path.name]
    except OSError:
        return f"there is no file {path}: {path.parent} is not a folder that can be read; check the path"
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(path.name.lower(), lowered, n=3, cutoff=0.7)
    hint = f"close names there: {', '.join(lowered[name] for name in close)}" if close else "check the path"
    return f"there is no file {path}; {hint}"


def reason(error: Exception) -> str:
    """The message of an exception in one line, without an errno or a path."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
