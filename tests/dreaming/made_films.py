"""Films of known content, written with PyAV: quadrants of known colours, times, sound with one click."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

# Red and blue in the luma of a matrix, as the Recommendations print them.
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
COLORS = {"red": (220, 40, 30), "green": (30, 180, 60), "blue": (40, 60, 200), "white": (235, 235, 235)}
SIZE = (64, 48)
RATE = 48_000


def quadrants(size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) in uint8: red and green above, blue and white below."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    for color, (row, column) in zip(COLORS.values(), [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        rows = slice(row * height // 2, (row + 1) * height // 2)
        image[rows, column * width // 2 : (column + 1) * width // 2] = color
    return image


def as_yuv(rgb: np.ndarray, matrix: int, *, full: bool, bits: int = 8) -> np.ndarray:
    """(3, H, W): Y, Cb and Cr of R'G'B' (H, W, 3) in [0, 1], by the equations of ITU-R BT.601, BT.709 and BT.2020."""
    red, blue = LUMA[matrix]
    r, g, b = np.moveaxis(rgb.astype(float), 2, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    unit = 2 ** (bits - 8)
    top = 2**bits - 1
    values = [y * top, cb * top + 128 * unit, cr * top + 128 * unit]
    if not full:
        values = [(219 * y + 16) * unit, (224 * cb + 128) * unit, (224 * cr + 128) * unit]
    return np.stack(values).round().clip(0, top).astype(np.uint8 if bits == 8 else np.uint16)


def write(
    path: Path,
    images: Sequence[np.ndarray] | None = None,
    *,
    times: Sequence[Fraction] = (Fraction(0), Fraction(1, 10), Fraction(2, 10), Fraction(3, 10)),
    codec: str = "libx264",
    pix_fmt: str = "yuv444p",
    turned: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    matrix: int = 6,
    full: bool = False,
    tags: tuple[int, int, int] = (2, 2, 2),
    sound: str | None = None,
    click: Fraction = Fraction(1, 10),
    sound_from: Fraction = Fraction(0),
    options: dict[str, str] | None = None,
    **container: Any,
) -> Path:
    """A film whose frame n is shown from times[n] to times[n + 1].

    images: (H, W, 3) in uint8, in R'G'B'; as YUV (3, H, W) where they have 3 rows; (H, W, 4) are stored as they are.
    matrix, full: what they are stored with. tags: matrix, primaries and transfer as the film states them.
    turned: the display matrix, nine numbers. sound: a codec; it holds silence with a click at `click` seconds,
    and begins `sound_from` seconds after the images.
    """
    images = images or [quadrants()] * (len(times) - 1)
    ticks = Fraction(1, 30_000) if all(time * 30_000 % 1 == 0 for time in times) else Fraction(1, 24_000)
    with av.open(str(path), "w", **container) as out:
        stream: Any = out.add_stream(codec, rate=10, options={"crf": "1", **(options or {})})
        height, width = images[0].shape[:2] if images[0].shape[0] != 3 else images[0].shape[1:]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        context = stream.codec_context
        context.time_base = ticks if codec == "libx264" else Fraction(1, 1000)
        context.colorspace, context.color_primaries, context.color_trc = tags
        context.color_range = 2 if full else 1
        if turned is not None:
            stream.set_display_matrix(turned)
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        packets = list(_sound(out, sound, times[-1], click, sound_from))
        for number, image in enumerate(images):
            frame = _frame(image, pix_fmt, matrix, full)
            frame.colorspace, frame.color_range = context.colorspace, context.color_range
            frame.pts, frame.time_base = round(times[number] / context.time_base), context.time_base
            packets += stream.encode(frame)
        packets += stream.encode()
        lengths = {round(a / context.time_base): round((b - a) / context.time_base) for a, b in pairwise(times)}
        for packet in packets:
            if packet.stream is stream and packet.time_base == context.time_base:
                packet.duration = lengths.get(packet.pts, 0)
            out.mux(packet)
    return path


def _frame(image: np.ndarray, pix_fmt: str, matrix: int, full: bool) -> Any:
    if image.shape[-1] == 4:
        return av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pix_fmt)
    yuv = as_yuv(image / 255, matrix, full=full) if image.shape[-1] == 3 else image
    frame: Any = av.VideoFrame(yuv.shape[2], yuv.shape[1], pix_fmt)
    for plane, values in zip(frame.planes, yuv, strict=True):
        step = (values.shape[0] // plane.height, values.shape[1] // plane.width)
        values = values[:: step[0], :: step[1]]
        rows = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
        rows[:, : values.shape[1]] = values
        plane.update(rows.tobytes())
    return frame


def _sound(out: Any, codec: str | None, end: Fraction, click: Fraction, late: Fraction) -> list[Any]:
    """The packets of a sound of `codec` in `out`: silence, and at `click` seconds a tone of 20 ms."""
    if codec is None:
        return []
    stream = out.add_stream(codec, rate=RATE, layout="mono")
    stream.bit_rate = 64_000
    wave = np.zeros(int(end * RATE), np.float32)
    start = int(click * RATE)
    wave[start : start + RATE // 50] = 0.8 * np.sin(np.arange(len(wave[start : start + RATE // 50])) * 0.2)
    resampler = av.AudioResampler(stream.codec_context.format, "mono", RATE, frame_size=stream.codec_context.frame_size)
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    packets = []
    for part in [*resampler.resample(frame), *resampler.resample(None), None]:
        packets += stream.encode(part)
    for packet in packets:
        packet.pts += round(late / packet.time_base)
        packet.dts = packet.pts
    return packets


def heard_click(path: Path) -> float:
    """When the click of the film's sound is heard, in seconds since its first image."""
    with av.open(str(path)) as container:
        start = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        found = [(frame.time, frame.to_ndarray(), frame.sample_rate) for frame in container.decode(audio=0)]
    best = max(found, key=lambda part: float(np.abs(part[1].astype(float)).max()))
    at = int(np.argmax(np.abs(best[1].astype(float)[0]) > 0.4 * np.abs(best[1].astype(float)).max()))
    return float(best[0]) + at / best[2] - start
