"""The colours of decoded frames as sRGB, and the tags of the colours that we write.

A frame has four tags, numbered as in ITU-T H.273: matrix, primaries, transfer, range. Where a film has none, the size
tells the matrix (BT.709 from 1280 pixels or 577 lines on, else BT.601), the primaries are BT.709 and the range is
limited: what players assume.

Transfers of SDR films (BT.709 and its kin) are read as sRGB, as browsers do. PQ and HLG are light: the reference white
of 203 nits (ITU-R BT.2408) becomes white, and brighter light is rolled off by the curve of ITU-R BT.2390 up to PEAK
nits, which clip at white too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from av.video.reformatter import Interpolation
from PIL import Image

BT709, UNSPECIFIED, BT601, YCGCO, BT2020 = 1, 2, 6, 8, 9  # matrices
BT2020_CONSTANT_LUMINANCE, CHROMA_DERIVED = 10, 12
LIMITED, FULL = 1, 2  # ranges, by FFmpeg's numbers
SRGB, LINEAR, PQ, HLG = 13, 8, 16, 18  # transfers
SDR_VIDEO = (1, UNSPECIFIED, 6, 14, 15)  # BT.709, none, BT.601, BT.2020

# The share of red and of blue in the luma of a matrix.
LUMA = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}
LUMA[BT2020] = (0.2627, 0.0593)

# Chromaticities (x, y) of red, green and blue, by H.273; the white is D65, ours too.
PRIMARIES = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),  # NTSC 1953
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),  # BT.601, 625 lines
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),  # BT.601, 525 lines
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),  # SMPTE 240M
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # DCI-P3; its white becomes ours
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),  # EBU 3213
}
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
D65 = (0.3127, 0.3290)

WHITE = 203.0  # nits of reference white
PEAK = 1000.0  # nits: the nominal peak of HLG, and the usual mastering display of PQ
LEVELS = 65536
ACCURATE = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class Color:
    """The tags of a frame, unspecified ones filled in. matrix: None for a frame in RGB or grey."""

    matrix: int | None
    primaries: int
    transfer: int
    range: int

    @property
    def is_srgb(self) -> bool:
        """Whether its RGB values are read as sRGB unchanged."""
        return self.primaries not in PRIMARIES and self.transfer not in (LINEAR, PQ, HLG)

    @property
    def is_hdr(self) -> bool:
        """Whether its values are light up to PEAK nits."""
        return self.transfer in (PQ, HLG)


def color_of(frame: Any, codec: Any) -> Color:
    """The tags of a frame (av.VideoFrame) of the codec context `codec`.

    Raises ValueError for a matrix that cannot be converted, such as ICtCp.
    """
    primaries, transfer = int(codec.color_primaries), int(codec.color_trc)
    if transfer in (PQ, HLG) and primaries == UNSPECIFIED:
        primaries = BT2020
    is_full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    return Color(_matrix(frame, primaries, transfer), primaries, transfer, FULL if is_full else LIMITED)


def _matrix(frame: Any, primaries: int, transfer: int) -> int | None:
    matrix = int(frame.colorspace)
    if frame.format.is_rgb or frame.format.has_palette or len(frame.format.components) < 3:
        return None
    if matrix == BT2020_CONSTANT_LUMINANCE:  # nearly the same, and nobody writes it
        return BT2020
    if matrix == CHROMA_DERIVED:
        return BT2020 if primaries == BT2020 else BT709
    if matrix in (0, UNSPECIFIED, 3):  # 0 is RGB, which the frame is not
        is_hd = frame.width >= 1280 or frame.height > 576
        return BT2020 if transfer in (PQ, HLG) else BT709 if is_hd else BT601
    if matrix not in LUMA and matrix != YCGCO:
        raise ValueError(f"its colour matrix (number {matrix} of H.273) is not supported; save it with BT.709")
    return matrix


def to_srgb(frame: Any, color: Color) -> Image.Image:
    """A frame (av.VideoFrame) as RGB, or RGBA where its format has transparency, in sRGB, 8 bits a channel."""
    has_alpha = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
    if color.matrix is not None:
        frame.colorspace, frame.color_range = color.matrix, color.range
    if color.is_srgb and color.matrix != YCGCO:
        rgb = frame.reformat(format="rgba" if has_alpha else "rgb24", interpolation=ACCURATE)
        return Image.fromarray(rgb.to_ndarray())
    values, alpha = _rgb(frame, color)
    srgb = values * 255 + 0.5 if color.is_srgb else _encoded(_light(values, color))
    image = Image.fromarray(srgb.astype(np.uint8))
    if has_alpha:
        image.putalpha(Image.fromarray(alpha))
    return image


def _rgb(frame: Any, color: Color) -> tuple[np.ndarray, np.ndarray]:
    """RGB values (H, W, 3) in [0, 1], not linear, and alpha (H, W) in uint8.

    The matrix is ours: that of swscale is exact to 8 bits only.
    """
    if color.matrix is None:
        values = frame.reformat(format="rgba64le").to_ndarray()
        return values[..., :3] / np.float32(65535), (values[..., 3] >> 8).astype(np.uint8)
    bits = frame.format.components[0].bits
    values = frame.reformat(format="yuva444p16le", interpolation=ACCURATE).to_ndarray()  # (H, W, 4), `bits` at the top
    yuv = values[..., :3] / np.float32(256)
    if color.range == FULL:
        yuv = (yuv - np.array([0, 128, 128], np.float32)) / np.float32(256 - 2.0 ** (8 - bits))
    else:
        yuv = (yuv - np.array([16, 128, 128], np.float32)) / np.array([219, 224, 224], np.float32)
    return (yuv @ from_yuv(color.matrix).T).clip(0, 1), (values[..., 3] >> 8).astype(np.uint8)


@cache
def from_yuv(matrix: int) -> np.ndarray:
    """(3, 3) in float32: from Y in [0, 1] and both differences in [-0.5, 0.5] to R, G, B in [0, 1]."""
    if matrix == YCGCO:
        return np.array([[1, -1, 1], [1, 1, 0], [1, -1, -1]], np.float32)
    red, blue = LUMA[matrix]
    green = 1 - red - blue
    u, v = 2 * (1 - blue), 2 * (1 - red)
    return np.array([[1, 0, v], [1, -u * blue / green, -v * red / green], [1, u, 0]], np.float32)


def _light(values: np.ndarray, color: Color) -> np.ndarray:
    """Linear light of sRGB's primaries, 1 is white; of values (H, W, 3) in [0, 1]."""
    light = _decoding(color.transfer)[(values * (LEVELS - 1) + 0.5).astype(np.uint16)]
    if color.transfer == HLG:  # the OOTF of BT.2100: system gamma 1.2 at 1,000 nits
        light *= (light @ np.array([0.2627, 0.6780, 0.0593], np.float32))[..., None] ** 0.2 * np.float32(PEAK / WHITE)
    if color.is_hdr:
        brightest = light.max(axis=2, keepdims=True)  # one factor for all three channels keeps the hue
        light *= rolled_off(brightest) / np.maximum(brightest, 1e-6)
    if color.primaries in PRIMARIES:
        light = light @ to_srgb_primaries(color.primaries).astype(np.float32).T
    return light


@cache
def _decoding(transfer: int) -> np.ndarray:
    """Linear light of each 16-bit value: 1 is white; of HLG, the light of the scene in [0, 1]."""
    value = np.arange(LEVELS) / (LEVELS - 1)
    if transfer == PQ:
        light = pq_to_nits(value) / WHITE
    elif transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
    elif transfer == LINEAR:
        light = value
    else:
        light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _encoded(light: np.ndarray) -> np.ndarray:
    """8-bit sRGB of linear light; what lies outside [0, 1] is clipped."""
    return _srgb_encoding()[(light.clip(0, 1) * (LEVELS - 1) + 0.5).astype(np.uint16)]


@cache
def _srgb_encoding() -> np.ndarray:
    light = np.arange(LEVELS) / (LEVELS - 1)
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (value * 255 + 0.5).astype(np.uint8)


def rolled_off(light: np.ndarray) -> np.ndarray:
    """Light up to PEAK as light up to white, both in units of white: the curve of ITU-R BT.2390-10, 5.4.1."""
    peak = nits_to_pq(np.array(PEAK))
    top = nits_to_pq(np.array(WHITE)) / peak
    knee = 1.5 * top - 0.5
    value = np.minimum(nits_to_pq(light * WHITE) / peak, 1)
    t = (value - knee) / (1 - knee)
    curve = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    return np.where(value < knee, light, pq_to_nits(curve * peak) / WHITE).astype(np.float32)


PQ_M1, PQ_M2, PQ_C1, PQ_C2, PQ_C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128


def pq_to_nits(value: np.ndarray) -> np.ndarray:
    """The EOTF of SMPTE ST 2084: values in [0, 1] to light up to 10,000 nits."""
    power = np.maximum(value, 0) ** (1 / PQ_M2)
    nits: np.ndarray = 10_000 * (np.maximum(power - PQ_C1, 0) / (PQ_C2 - PQ_C3 * power)) ** (1 / PQ_M1)
    return nits


def nits_to_pq(nits: np.ndarray) -> np.ndarray:
    """The inverse of `pq_to_nits`."""
    power = np.maximum(nits / 10_000, 0) ** PQ_M1
    value: np.ndarray = ((PQ_C1 + PQ_C2 * power) / (1 + PQ_C3 * power)) ** PQ_M2
    return value


def to_srgb_primaries(primaries: int) -> np.ndarray:
    """The matrix (3, 3) from linear light of some PRIMARIES to that of sRGB's."""
    matrix: np.ndarray = np.linalg.inv(_to_xyz(SRGB_PRIMARIES)) @ _to_xyz(PRIMARIES[primaries])
    return matrix


def _to_xyz(chromaticities: tuple[tuple[float, float], ...]) -> np.ndarray:
    columns = np.array([_xyz(x, y) for x, y in chromaticities]).T
    return columns * np.linalg.solve(columns, _xyz(*D65))


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])
