"""A film of dreams."""

from __future__ import annotations

from dataclasses import dataclass

from deepdream.config.checks import above, at_least, fraction, one_of

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
            above("film.fps", self.fps, 0)
        above("film.zoom", self.zoom, 0)
        fraction("film.blend", self.blend)
        if len(self.pan) != 2:
            raise ValueError(f"film.pan is {list(self.pan)}; it must be two numbers: pixels down and right a frame")
