"""A film of dreams."""

from __future__ import annotations

from dataclasses import dataclass

from deepdream.checks import above, at_least, between, finite, fraction, one_of

FPS_RANGE = (0.1, 240.0)
KINDS = ("none", "zoom", "video", "morph", "checkpoints")


@dataclass
class FilmConfig:
    """conf/film: how one dream follows another."""

    kind: str
    frames: int | None
    fps: float | None
    zoom: float
    rotate: float
    pan: list[float]
    blend: float
    run: str | None

    def __post_init__(self) -> None:
        one_of("film.kind", self.kind, KINDS)
        if self.frames is not None:
            at_least("film.frames", self.frames, 1)
        if self.fps is not None:
            between("film.fps", self.fps, *FPS_RANGE)
        above("film.zoom", self.zoom, 0)
        finite("film.rotate", self.rotate)
        fraction("film.blend", self.blend)
        if len(self.pan) != 2:
            raise ValueError(f"film.pan is {list(self.pan)}; it must be two numbers: pixels down and right a frame")
        for value in self.pan:
            finite("film.pan", value)
