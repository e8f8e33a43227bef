"""Read film files with FFmpeg: every frame upright, with square pixels, in sRGB, at its time."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.sidedata.sidedata import Type
from PIL import Image

from deepdream.dreaming.clips import Animation, Clip
from deepdream.dreaming.film_config import FPS_RANGE
from deepdream.dreaming.video_color import SDR_VIDEO, color_of, to_srgb
from deepdream.image_formats import opened
from deepdream.provenance import MAX_PROVENANCE, PROVENANCE_KEY

# Formats of films that are read. FFmpeg also knows play lists and scripts, which make it open other files and URLs.
FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,rm,ivf,yuv4mpegpipe"
MAX_FRAME_PIXELS = 36_000_000  # 8K has 33 million; decoding keeps a dozen frames in memory
USUAL_FPS = Fraction(25)
WIDEST_PIXEL = 10  # a pixel aspect beyond this is a mistake of the file
JUMP = 1  # a time that is so many seconds before the last one is of another clock: films were joined end to end
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders skip the transparency of WebM

# How to turn an image whose display matrix is (a b; c d): by the signs of a, b, c, d.
TURNS = {
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


def open_clip(path: Path) -> Clip:
    """The film in a file: of FORMATS, or a GIF, APNG, WebP or AVIF animation.

    Raises FileNotFoundError where there is no file, and ValueError for one that is no film, is damaged, or has frames
    of more than MAX_FRAME_PIXELS. Reading its frames raises ValueError where none can be decoded.
    """
    image_format = _image_format(path)
    return VideoFile(path) if image_format is None else Animation(path, image_format)


def _image_format(path: Path) -> str | None:
    """The format of an image file, by Pillow's name; None for a file of another kind."""
    try:
        with opened(path) as image:
            return image.format
    except (OSError, ValueError):
        return None


class VideoFile(Clip):
    """A film in a container of FORMATS."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with opened_film(path) as container:
            stream = container.streams.best("video")
            guess = stream.average_rate or stream.guessed_rate or USUAL_FPS
        self.rate = guess if FPS_RANGE[0] <= guess <= FPS_RANGE[1] else USUAL_FPS

    def _timed(self) -> Iterator[tuple[Image.Image, Fraction, Fraction]]:
        clock = Clock(1 / self.rate)
        with opened_film(self.path) as container:
            stream = container.streams.best("video")
            aspect = stream.sample_aspect_ratio
            for frame in _deinterlaced(self._decoded(container, stream)):
                first, time = clock.last is None, clock(_seconds(frame))
                try:
                    color = color_of(frame, stream.codec_context)
                except ValueError as error:
                    raise ValueError(f"{self.path} cannot be read: {error}") from error
                if first:
                    self.start = time
                    self.is_video = color.transfer in SDR_VIDEO and not frame.format.is_rgb
                if color.is_hdr:
                    self._note("its HDR colours became sRGB (docs/dreams.md)")
                image = _upright(_square(to_srgb(frame, color), aspect), frame)
                yield image, time - self.start, (frame.duration or 0) * frame.time_base or clock.step

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """The frames that can be decoded; what is damaged is skipped, and counted in a note.

        Raises av.FFmpegError where there is none.
        """
        decoder = _decoder(stream)
        found, damaged, failure = False, 0, None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:  # the file ends within a packet
                packet, failure, damaged = None, error, damaged + 1
            if packet is None:
                break
            try:
                for frame in decoder.decode(packet):
                    found = True
                    yield frame
            except av.EOFError:
                break
            except av.FFmpegError as error:
                failure, damaged = error, damaged + 1
        if not found:
            raise failure or ValueError(f"{self.path} has no frames in it")
        if damaged:
            self._note(f"it is damaged or cut short; {damaged} of its packets were skipped")


class Clock:
    """Makes the times of a stream grow: times that are missing, repeated, or begin again where files were joined."""

    def __init__(self, step: Fraction) -> None:
        self.step = step  # seconds: the usual time between two frames
        self.last: Fraction | None = None
        self._shift = Fraction(0)

    def __call__(self, time: Fraction | None) -> Fraction:
        """The time of the next frame."""
        if self.last is None:
            self.last = time or Fraction(0)
            return self.last
        if time is None:
            time = self.last + self.step - self._shift
        if time + self._shift <= self.last - JUMP:
            self._shift = self.last + self.step - time
        time += self._shift
        self.last = time if time > self.last else self.last + self.step / 2
        return self.last


def _seconds(frame: Any) -> Fraction | None:
    return None if frame.pts is None or not frame.time_base else frame.pts * frame.time_base


def _decoder(stream: Any) -> Any:
    """What decodes `stream`, transparency and all."""
    codec = stream.codec_context
    name = ALPHA_DECODERS.get(codec.name)
    if name is None or stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return codec
    decoder: Any = av.CodecContext.create(name, "r")
    decoder.extradata = codec.extradata
    return decoder


def _deinterlaced(frames: Iterator[Any]) -> Iterator[Any]:
    """`frames`, in which interlaced ones (of camcorders and television) are whole images, by FFmpeg's bwdif."""
    graph, made_for = None, None
    for frame in frames:
        layout = frame.width, frame.height, frame.format.name
        if graph is not None and layout != made_for:
            yield from pulled(graph, None)
            graph = None
        if graph is None and frame.interlaced_frame:
            graph, made_for = av.filter.Graph(), layout
            size = {"width": frame.width, "height": frame.height}
            source = graph.add_buffer(**size, format=frame.format, time_base=frame.time_base)
            bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
            graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
        if graph is None:
            yield frame
        else:
            yield from pulled(graph, frame)
    if graph is not None:
        yield from pulled(graph, None)


def pulled(graph: Any, frame: Any) -> Iterator[Any]:
    """The frames that come out of a filter graph when `frame` goes in; None is the end."""
    graph.push(frame)
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _square(image: Image.Image, aspect: Fraction | None) -> Image.Image:
    """`image`, whose pixels are `aspect` times as wide as high, enlarged along one side to square pixels."""
    if not aspect or aspect == 1 or not 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL:
        return image
    width = max(image.width, round(image.width * aspect))
    height = max(image.height, round(image.height / aspect))
    if width * height > MAX_FRAME_PIXELS:
        raise ValueError(
            f"with square pixels the frames would be {width}x{height}; {MAX_FRAME_PIXELS:,} pixels are allowed"
        )
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _upright(image: Image.Image, frame: Any) -> Image.Image:
    """`image` as the display matrix of its frame asks; an angle between is rounded to a quarter turn."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return image
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        turn = TURNS.get((_sign(a), 0, 0, _sign(d)))
    else:
        turn = TURNS.get((0, _sign(b), _sign(c), 0))
    return image if turn is None else image.transpose(turn)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def read_film_provenance(path: Path) -> dict[str, Any]:
    """The provenance that `write_film` stored in the comment of an MP4: plain data, to be checked before use.

    Raises what `open_clip` raises, and ValueError where there is none.
    """
    with opened_film(path) as container:
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


@contextmanager
def opened_film(path: Path) -> Iterator[Any]:
    """The container (av.container.InputContainer) of a film; FFmpeg's errors inside `with` become one-line errors."""
    with opened_media(path, FORMATS, "film", "MP4") as container:
        stream: Any = container.streams.best("video")
        if stream is None or stream.disposition & av.stream.Disposition.attached_pic:  # a cover is no film
            raise ValueError(f"{path} has no images in it; name a film, or a photo with film=none")
        codec = stream.codec_context
        if codec.width * codec.height > MAX_FRAME_PIXELS:
            raise ValueError(
                f"the frames of {path} are {codec.width}x{codec.height}; {MAX_FRAME_PIXELS:,} pixels are allowed"
            )
        codec.options = {"max_pixels": str(MAX_FRAME_PIXELS)}  # for a size that changes within the film
        yield container


@contextmanager
def opened_media(path: Path, formats: str, kind: str, better: str) -> Iterator[Any]:
    """The container of a file in one of `formats`. kind: film or sound; better: a format to save it in; for errors."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no {kind} {path}; check the path")
    try:
        # "file:", because FFmpeg reads the text before a colon in a name as a protocol.
        with av.open(f"file:{path}", options={"format_whitelist": formats}) as container:
            yield container
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read as a {kind} ({error.strerror}); save it as {better}") from error
