"""Clips: the films to dream on. Each frame has its own time; a clip is a film file, an animation or images in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

from PIL import Image

from deepdream.image_formats import opened
from deepdream.images import over_white, read_image

# Browsers show for 100 ms what is to be shown for up to 10 ms (most often 0, "as fast as possible").
SHORTEST, USUAL = 10, 100


@dataclass(frozen=True)
class FilmFrame:
    """An RGB image of a film, shown from `time` to `end`: seconds since the film's first frame."""

    image: Image.Image
    time: Fraction
    end: Fraction


class Clip(ABC):
    """A film to read.

    rate: frames per second, the best guess where their times are uneven. start: the time of the first frame on the
    file's own clock, in seconds, known when it was read. is_video: whether its colours are those of SDR video rather
    than sRGB, known then too. notes: what was changed or is missing, in words, complete when the last frame was read.
    """

    rate: Fraction

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = Fraction(0)
        self.is_video = False
        self.notes: list[str] = []

    @abstractmethod
    def _timed(self) -> Iterator[tuple[Image.Image, Fraction, Fraction]]:
        """Each image (RGB, or RGBA), its time, which grows, and how long it is shown if it is the last."""

    def frames(self) -> Iterator[FilmFrame]:
        """The frames in order, all of the first one's size; what is transparent is white.

        A frame of another size is scaled to fit, between black bars where it has another shape.
        """
        last: tuple[Image.Image, Fraction, Fraction] | None = None
        size: tuple[int, int] | None = None
        for image, time, shown in self._timed():
            if last is not None:
                yield FilmFrame(last[0], last[1], time)
            if image.mode == "RGBA":
                image = self._over_white(image)
            if size is not None and image.size != size:
                self._note("its size changes; all frames have the first one's, {}x{}".format(*size))
                image = _fitted(image, size)
            size = image.size
            last = image, time, shown
        if last is not None:
            yield FilmFrame(last[0], last[1], last[1] + last[2])

    def _over_white(self, image: Image.Image) -> Image.Image:
        if image.getchannel("A").getextrema()[0] != 255:
            self._note("its transparent parts are white in the film")
        return over_white(image)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class Animation(Clip):
    """A GIF, APNG, WebP or AVIF file of several images, each shown for a time of its own.

    Raises ValueError where there is only one, and what `deepdream.image_formats.opened` raises.
    """

    FORMATS = ("GIF", "PNG", "WEBP", "AVIF")  # by Pillow's names

    def __init__(self, path: Path, image_format: str) -> None:
        super().__init__(path)
        with opened(path) as file:  # a JPEG or TIFF of several images is no film
            if image_format not in self.FORMATS or getattr(file, "n_frames", 1) - _first(file) < 2:
                raise ValueError(f"{path} is a still image; film=video dreams a film, film=zoom makes one of a photo")
            file.seek(_first(file))
            self.rate = 1 / _shown(file)

    def _timed(self) -> Iterator[tuple[Image.Image, Fraction, Fraction]]:
        time = Fraction(0)
        with opened(self.path) as file:
            for number in range(_first(file), getattr(file, "n_frames", 1)):
                file.seek(number)
                shown = _shown(file)
                yield file.convert("RGBA" if file.has_transparency_data else "RGB"), time, shown
                time += shown


def _first(file: Image.Image) -> int:
    """The number of the animation's first image: an APNG may hold another one for where animations are not shown."""
    return 1 if file.info.get("default_image") else 0


def _shown(file: Image.Image) -> Fraction:
    """For how many seconds the image at hand is shown."""
    file.load()  # a WebP tells only then
    milliseconds = Fraction(file.info.get("duration") or 0)
    return (milliseconds if milliseconds > SHORTEST else Fraction(USUAL)) / 1000


class ImageSequence(Clip):
    """Image files, one for each frame, at an even rate."""

    def __init__(self, paths: Sequence[Path], rate: Fraction) -> None:
        super().__init__(paths[0].parent)
        self.paths = paths
        self.rate = rate

    def _timed(self) -> Iterator[tuple[Image.Image, Fraction, Fraction]]:
        for number, path in enumerate(self.paths):
            yield read_image(path), number / self.rate, 1 / self.rate


def at_rate(frames: Iterator[FilmFrame], rate: Fraction) -> Iterator[FilmFrame]:
    """Of `frames`, those that a viewer sees who looks `rate` times a second; each from the tick at which it is seen.

    The film keeps its speed, and loses the frames that no tick falls on.
    """
    for frame in frames:
        first, after = ceil(frame.time * rate), ceil(frame.end * rate)
        if first < after:
            yield FilmFrame(frame.image, first / rate, after / rate)


def _fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    scale = min(size[0] / image.width, size[1] / image.height)
    width, height = (max(1, min(most, round(side * scale))) for side, most in zip(image.size, size, strict=True))
    canvas = Image.new("RGB", size)
    canvas.paste(
        image.resize((width, height), Image.Resampling.LANCZOS), ((size[0] - width) // 2, (size[1] - height) // 2)
    )
    return canvas
