"""Images with 16 bits per channel, which Pillow rounds to 8: read with OpenCV, written with OpenCV and tifffile."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo, putchunk

from deepdream.color_profiles import is_srgb

Deep = npt.NDArray[np.uint16]
Linear = npt.NDArray[np.float32]

TOP = 65535
_PNG_HEADER = 33  # bytes of the signature and of IHDR, after which other chunks may stand
_UNSIGNED, _ASSOCIATED = 1, 1  # values of the TIFF tags SampleFormat and ExtraSamples


def decode_16_bits(file: ImageFile.ImageFile, profile: bytes | None) -> Deep | None:
    """The pixels of a PNG or TIFF with 16 bits per channel, in sRGB: (H, W, 3), or (H, W, 4) with straight alpha.

    A TIFF is upright, which OpenCV sees to; a PNG is as stored. None for another file, for a rare variant of TIFF, and
    for a colour profile that is more than a matrix and curves: those are read with 8 bits.
    """
    if file.format not in ("PNG", "TIFF") or file.fp is None:
        return None
    place = file.fp.tell()
    file.fp.seek(0)
    data = np.frombuffer(file.fp.read(), np.uint8)
    file.fp.seek(place)  # where Pillow goes on
    if not (data[24] == 16 if file.format == "PNG" else _has_16_bits(file)):  # of a PNG, in its first chunk
        return None
    import cv2  # takes half a second to import

    try:
        found: Any = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if found is None or found.dtype != np.uint16 or sorted(found.shape[:2]) != sorted(file.size):
        return None
    if found.ndim == 2:
        found = found[..., None].repeat(3, axis=2)
    found = found[..., [2, 1, 0, 3][: found.shape[2]]]  # OpenCV's order is BGR
    if found.shape[2] == 4 and file.format == "TIFF" and _tag(file, ExifTags.Base.ExtraSamples) == _ASSOCIATED:
        found[..., :3] = np.minimum(found[..., :3] * (TOP / np.maximum(found[..., 3:], 1)) + 0.5, TOP)
    if profile and not is_srgb(profile):
        try:
            found[..., :3] = _matrix_to_srgb(found[..., :3], profile)
        except (ValueError, struct.error, OSError):
            return None
    return np.ascontiguousarray(found)


def _has_16_bits(file: ImageFile.ImageFile) -> bool:
    """Whether a TIFF is grey or RGB, in unsigned integers of 16 bits."""
    tags = (ExifTags.Base.BitsPerSample, ExifTags.Base.SampleFormat, ExifTags.Base.PhotometricInterpretation)
    bits, kind, photometric = (_tag(file, tag) for tag in tags)
    return bits == 16 and kind in (None, _UNSIGNED) and photometric in (1, 2)  # grey, RGB


def _tag(file: ImageFile.ImageFile, tag: int) -> Any:
    """The value of a TIFF tag, of the first channel where each has one."""
    value = getattr(file, "tag_v2", {}).get(tag)
    return value[0] if isinstance(value, tuple) and value else value


def _matrix_to_srgb(pixels: Deep, profile: bytes) -> Deep:
    """Colours (H, W, 3) of a profile of curves and a matrix in sRGB, clipped; Pillow's lcms converts 8 bits only.

    ICC.1:2022, annex F.3. Raises ValueError for another kind of profile.
    """
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    if opened.xcolor_space.strip() == "GRAY":
        linear = np.take(_curve(profile, b"kTRC"), pixels)
    else:
        linear = np.stack([_curve(profile, b"%cTRC" % c)[pixels[..., i]] for i, c in enumerate(b"rgb")], axis=-1)
        srgb: Any = ImageCms.createProfile("sRGB")
        linear = linear @ np.linalg.solve(_colorants(srgb), _colorants(opened)).T.astype(np.float32)
    linear = linear.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    return np.floor(encoded * TOP + 0.5).astype(np.uint16)


def _colorants(profile: Any) -> npt.NDArray[np.float64]:
    """The matrix of a profile from linear RGB to XYZ at D50, (3, 3)."""
    found = (profile.red_colorant, profile.green_colorant, profile.blue_colorant)
    if None in found:
        raise ValueError("the profile has no matrix")
    return np.array([xyz for xyz, _ in found]).T


@lru_cache(maxsize=16)
def _curve(profile: bytes, name: bytes) -> Linear:
    """The linear value of each of the 65,536 levels of a channel."""
    (count,) = struct.unpack_from(">I", profile, 128)
    places = dict(struct.unpack_from(">4sI", profile, 132 + 12 * i) for i in range(min(count, 100)))
    if name not in places:
        raise ValueError(f"the profile has no curve {name!r}")
    start, levels = places[name], np.linspace(0, 1, TOP + 1)
    kind, number = struct.unpack_from(">4s4xI", profile, start)
    if kind == b"curv":
        if number == 0:
            return levels.astype(np.float32)
        table = np.frombuffer(profile, ">u2", count=number, offset=start + 12)
        if number == 1:
            return np.asarray(levels ** (table[0] / 256), np.float32)
        return np.interp(levels, np.linspace(0, 1, number), table / TOP).astype(np.float32)
    function = number >> 16
    if kind != b"para" or function > 4:
        raise ValueError(f"the curve {name!r} of the profile is of an unknown kind")
    values = [each / 65536 for each in struct.unpack_from(f">{(1, 3, 4, 5, 7)[function]}i", profile, start + 12)]
    # Table 68: (a x + b)^g + e from d on, c x + f below it.
    g, a, b, c, d, e, f = values + [0.0] * (7 - len(values))
    if function == 0:
        a = 1.0
    elif function in (1, 2):  # d is where the power begins, and the third value is the offset of both parts
        c, d, e, f = 0.0, -b / a, c, c
    return np.asarray(np.where(levels >= d, (a * levels + b).clip(0) ** g + e, c * levels + f), np.float32)


def write_png_16(file: BinaryIO, pixels: Deep, chunks: PngInfo) -> None:
    """Write (H, W, 3 or 4) as a PNG with `chunks` after its header."""
    import cv2

    _, encoded = cv2.imencode(".png", pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])
    data = encoded.tobytes()
    file.write(data[:_PNG_HEADER])
    for name, content, *_ in chunks.chunks:
        putchunk(file, name, content)
    file.write(data[_PNG_HEADER:])


def write_tiff(file: BinaryIO, pixels: npt.NDArray[Any], description: str) -> None:
    """Write (H, W), or (H, W, 3 or 4), uint8 or uint16, as a TIFF: compressed without loss, alpha not premultiplied."""
    import tifffile

    is_gray = pixels.ndim == 2
    tifffile.imwrite(
        file,
        pixels,
        photometric="minisblack" if is_gray else "rgb",
        extrasamples=["unassalpha"] if not is_gray and pixels.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        description=description or None,
        metadata=None,
        software=False,
    )
