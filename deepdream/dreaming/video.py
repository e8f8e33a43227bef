"""Film files: read frames, write H.264 MP4 and GIF."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from deepdream.dreaming.config import FPS_RANGE
from deepdream.files import atomic_path
from deepdream.images import read_image
from deepdream.provenance import MAX_PROVENANCE, PROVENANCE_KEY

# Formats of films that are read. FFmpeg also knows play lists and scripts, which make it open other files and URLs.
FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif"
MAX_FRAME_PIXELS = 36_000_000  # 8K has 33 million; decoding keeps a dozen frames in memory
USUAL_FPS = 25.0


def frame_rate(path: Path) -> float:
    """Frames per second of a film; 25 where it states none, or one outside FPS_RANGE.

    Raises what `read_frames` raises.
    """
    with _opened(path) as container:
        rate = float(container.streams.video[0].average_rate or USUAL_FPS)
    return rate if FPS_RANGE[0] <= rate <= FPS_RANGE[1] else USUAL_FPS


def read_frames(path: Path) -> Iterator[Image.Image]:
    """The frames of a film, as RGB, in order.

    Raises FileNotFoundError where there is no file, and ValueError for one that is no film, is damaged, or has frames
    of more than MAX_FRAME_PIXELS.
    """
    with _opened(path) as container:
        for frame in container.decode(video=0):
            yield frame.to_image()


def read_film_provenance(path: Path) -> dict[str, Any]:
    """The provenance that `write_film` stored in the comment of an MP4: plain data, to be checked before use.

    Raises what `read_frames` raises, and ValueError where there is none.
    """
    with _opened(path) as container:
        comment = str(container.metadata.get("comment", ""))
    if len(comment) > MAX_PROVENANCE:
        raise ValueError(f"the configuration in {path} has {len(comment):,} characters; {MAX_PROVENANCE:,} are allowed")
    try:
        kept = json.loads(comment.removeprefix(f"{PROVENANCE_KEY} ")) if comment.startswith(PROVENANCE_KEY) else None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the configuration in {path} is not valid JSON ({error})") from error
    if not isinstance(kept, dict):
        raise ValueError(f"{path} holds no configuration; only a film as deepdream wrote it does")
    return kept


def write_film(
    frames: Sequence[Path],
    path: Path,
    *,
    fps: float,
    sound: Path | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write the images in `frames` as a film: .mp4 (H.264, with the sound of the film `sound`), or .gif.

    A side that is odd loses its last pixel in an MP4. `provenance` goes into the comment. Raises OSError or ValueError
    where the film cannot be written.
    """
    try:
        with atomic_path(path) as partial:
            if path.suffix.lower() == ".gif":
                _write_gif(frames, partial, fps, _comment(provenance))
            else:
                _write_mp4(frames, partial, fps, sound, _comment(provenance))
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be written as a film ({error.strerror})") from error
    return path


def _comment(provenance: Mapping[str, Any] | None) -> str:
    return "" if provenance is None else f"{PROVENANCE_KEY} {json.dumps(provenance, sort_keys=True, default=str)}"


def _write_gif(frames: Sequence[Path], path: Path, fps: float, comment: str) -> None:
    first, *rest = [read_image(frame).quantize(method=Image.Quantize.MEDIANCUT) for frame in frames]
    first.save(
        path, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0, comment=comment.encode("ascii")
    )


def _write_mp4(frames: Sequence[Path], path: Path, fps: float, sound: Path | None, comment: str) -> None:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        out.metadata["comment"] = comment
        stream: Any = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options={"crf": "17"})
        stream.pix_fmt = "yuv420p"
        first = read_image(frames[0])
        stream.width, stream.height = first.width // 2 * 2, first.height // 2 * 2
        packets = _sound(out, sound)
        for name in frames:
            image = read_image(name).crop((0, 0, stream.width, stream.height))
            frame: Any = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
        end = len(frames) / fps
        for packet in packets:
            if packet.dts is not None and float(packet.pts * packet.time_base) < end:
                out.mux(packet)


def _sound(out: Any, source: Path | None) -> list[Any]:
    """The sound of the film `source` as packets for a new stream of `out`; none where it has none."""
    if source is None:
        return []
    with _opened(source) as container:
        if not container.streams.audio:
            return []
        track = container.streams.audio[0]
        stream = out.add_stream_from_template(track)
        packets = [packet for packet in container.demux(track) if packet.dts is not None]
    for packet in packets:
        packet.stream = stream
    return packets


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no film {path}; check the path")
    try:
        # "file:", because FFmpeg reads the text before a colon in a name as a protocol.
        with av.open(f"file:{path}", options={"format_whitelist": FORMATS}) as container:
            if not container.streams.video:
                raise ValueError(f"{path} has no images in it; name a film, or a photo with film=none")
            codec = container.streams.video[0].codec_context
            if codec.width * codec.height > MAX_FRAME_PIXELS:
                raise ValueError(
                    f"the frames of {path} are {codec.width}x{codec.height}; {MAX_FRAME_PIXELS:,} pixels are allowed"
                )
            codec.options = {"max_pixels": str(MAX_FRAME_PIXELS)}  # for a size that changes within the film
            yield container
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read as a film ({error.strerror}); save it as MP4") from error
