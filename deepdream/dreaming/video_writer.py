"""Write films: H.264 in an MP4, in BT.709 with every colour tag, and GIF."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from heapq import merge
from itertools import pairwise
from math import lcm
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from deepdream.dreaming.video_color import ACCURATE, BT709, LIMITED, SRGB
from deepdream.dreaming.video_sound import Sound
from deepdream.files import atomic_path
from deepdream.images import read_image
from deepdream.provenance import PROVENANCE_KEY

FILMS = (".mp4", ".gif")
GIF_TICKS = 100  # a second
GIF_SHORTEST = 2  # ticks: browsers show what is to be shown for less for 10
GIF_LONGEST = 65_535  # ticks
GIF_SIDE = 65_535
TICKS = 90_000  # a second, where the times of the frames have no smaller common clock
MOST_TICKS = 1_000_000


def even_times(count: int, fps: float) -> list[Fraction]:
    """The times of `count` frames at `fps` a second, in seconds, and the end."""
    rate = Fraction(fps).limit_denominator(1001)
    return [number / rate for number in range(count + 1)]


def check_film(path: Path, size: tuple[int, int], fps: float) -> None:
    """Raises ValueError for a film of frames of `size` (width, height) at `fps` that could not be written to `path`."""
    kind = path.suffix.lower()
    if kind not in FILMS:
        raise ValueError(f"output is {path}; a film must end in {' or '.join(FILMS)}")
    if path.is_dir():
        raise ValueError(f"output is {path}, which is a folder; name a file in it, for example {path}/dream.mp4")
    if kind == ".gif":
        most = GIF_TICKS / GIF_SHORTEST
        if fps > most * 1.01:
            raise ValueError(
                f"a GIF shows at most {most:g} frames a second, not {fps:g}; set film.fps={most:g}, or write an .mp4"
            )
        if max(size) > GIF_SIDE:
            raise ValueError(f"a GIF has at most {GIF_SIDE:,} pixels a side, not {max(size):,}; write an .mp4")
        return
    try:
        if min(size) < 2:
            raise ValueError("a side needs 2 pixels")
        with av.open(io.BytesIO(), "w", format="mp4") as out:
            stream = _stream(out, size, even_times(1, fps), is_video=False)
            for packet in [*stream.encode(_frame(Image.new("RGB", size), stream, 0)), *stream.encode()]:
                out.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(
            f"frames of {size[0]}x{size[1]} cannot be written as H.264 ({why}); set dream.width, or write a .gif"
        ) from error


def write_film(
    frames: Sequence[Path],
    path: Path,
    *,
    times: Sequence[Fraction],
    sound: Sound | None = None,
    is_video: bool = False,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write the images in `frames` as a film: .mp4 (H.264, with `sound`), or .gif.

    times: when each frame is first shown, in seconds, beginning with 0 and growing; and the end of the film.
    is_video: tag the transfer of the colours as BT.709 rather than sRGB, for frames that come from an SDR video.

    A side that is odd loses its last pixel in an MP4. `provenance` goes into the comment. Raises OSError or ValueError
    where the film cannot be written.
    """
    comment = "" if provenance is None else f"{PROVENANCE_KEY} {json.dumps(provenance, sort_keys=True, default=str)}"
    try:
        with atomic_path(path) as partial:
            if path.suffix.lower() == ".gif":
                _write_gif(frames, partial, times, comment)
            else:
                _write_mp4(frames, partial, times, sound, is_video, comment)
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be written as a film ({error.strerror})") from error
    return path


def _write_gif(frames: Sequence[Path], path: Path, times: Sequence[Fraction], comment: str) -> None:
    first, *rest = [read_image(frame).quantize(method=Image.Quantize.MEDIANCUT) for frame in frames]
    delays = [ticks * 1000 // GIF_TICKS for ticks in gif_delays(times)]
    first.save(path, save_all=True, append_images=rest, duration=delays, loop=0, comment=comment.encode("ascii"))


def gif_delays(times: Sequence[Fraction]) -> list[int]:
    """For how many hundredths of a second a GIF shows each frame: rounded so that the errors do not add up."""
    delays, now = [], 0
    for after in times[1:]:
        delay = min(max(round(after * GIF_TICKS) - now, GIF_SHORTEST), GIF_LONGEST)
        delays.append(delay)
        now += delay
    return delays


def _write_mp4(
    frames: Sequence[Path], path: Path, times: Sequence[Fraction], sound: Sound | None, is_video: bool, comment: str
) -> None:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        out.metadata["comment"] = comment
        stream = _stream(out, read_image(frames[0]).size, times, is_video=is_video)
        streams = [_encoded(frames, times, stream)]
        if sound is not None:
            streams.append(_playable(sound.packets(out)))
        for packet in merge(*streams, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)


def _playable(packets: Iterator[Any]) -> Iterator[Any]:
    """The packets of a sound up to one that cannot be read: no reason to lose the film that was dreamed."""
    try:
        yield from packets
    except (av.FFmpegError, ValueError) as error:
        print(f"note: the sound ends early ({error})")


def _stream(out: Any, size: tuple[int, int], times: Sequence[Fraction], *, is_video: bool) -> Any:
    """A new H.264 stream of the container `out`."""
    rate = ((len(times) - 1) / times[-1]).limit_denominator(1001)
    # No B-frames: with them an MP4 cannot say for how long its last frame is shown.
    stream = out.add_stream("libx264", rate=rate, options={"crf": "17", "bf": "0"})
    stream.width, stream.height = (side // 2 * 2 for side in size)
    stream.pix_fmt = "yuv420p"
    ticks = lcm(*(time.denominator for time in times))
    stream.codec_context.time_base = Fraction(1, ticks if ticks <= MOST_TICKS else TICKS)
    stream.codec_context.colorspace = stream.codec_context.color_primaries = BT709
    stream.codec_context.color_trc = BT709 if is_video else SRGB
    stream.codec_context.color_range = LIMITED
    return stream


def _encoded(frames: Sequence[Path], times: Sequence[Fraction], stream: Any) -> Iterator[Any]:
    base = stream.codec_context.time_base
    ticks = [round(time / base) for time in times]
    shown = {now: after - now for now, after in pairwise(ticks)}
    for name, tick in zip(frames, shown, strict=True):
        for packet in stream.encode(_frame(read_image(name), stream, tick)):
            packet.duration = shown[packet.pts]
            yield packet
    for packet in stream.encode():
        packet.duration = shown[packet.pts]
        yield packet


def _frame(image: Image.Image, stream: Any, tick: int) -> Any:
    """`image` as a frame of `stream`, shown from `tick` on."""
    rgb: Any = av.VideoFrame.from_ndarray(np.asarray(image.crop((0, 0, stream.width, stream.height))), format="rgb24")
    frame = rgb.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation=ACCURATE)
    frame.pts, frame.time_base = tick, stream.codec_context.time_base
    return frame
