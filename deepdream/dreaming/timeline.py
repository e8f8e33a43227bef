"""What a film's settings are at each frame: between keyframes, and with the music."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.dreamer import Dreamer
from deepdream.dreaming.film_config import FADED, KEYED, ROUNDED, FilmConfig
from deepdream.dreaming.objectives import Objective

Levels = Callable[
    [int], tuple[float, float]
]  # number of a frame -> onset strength and loudness of the music, in [0, 1]
LEAST_STEP = 1e-6  # a step size must be more than 0


def frame_count(config: DreamConfig, film: FilmConfig) -> int:
    """Frames of a film of one image, where the film itself does not end sooner."""
    if film.frames is not None:
        return film.frames
    return 12 * len(config.layers) if film.kind == "morph" else 30


class Timeline:
    """The Dreamer and the settings of a film at each frame.

    image: what the objectives of keyed layers are measured on, so that each has the same weight; called when needed.
    levels: of the music, if there is any.

    Raises ValueError for keyed layers and classes that the network lacks.
    """

    def __init__(
        self,
        dreamer: Dreamer,
        film: FilmConfig,
        image: Callable[[], Tensor],
        *,
        guide: Tensor | None = None,
        levels: Levels | None = None,
    ) -> None:
        self._dreamer, self._film, self._image, self._guide, self._levels = dreamer, film, image, guide, levels
        self.count = frame_count(dreamer.config, film)
        period = self.count if film.loop else None
        smooth = film.interpolation == "smooth"
        self._tracks = {key: Track(points, period, smooth) for key, points in film.keyframes().items()}
        self._faded = next((key for key in FADED if key in self._tracks), None)
        self._variants = [
            dreamer.with_config(dataclasses.replace(dreamer.config, **{key: value}))
            for key in filter(None, [self._faded])
            for value in self._tracks[key].values
        ]
        self._made: tuple[Any, Dreamer] | None = None

    def film(self, number: int) -> FilmConfig:
        """The film's settings at frame `number`; in a loop, the frame after the last one is the first."""
        values = {key: track.number(number) for key, track in self._tracks.items() if key in KEYED[self._film.kind]}
        film = dataclasses.replace(self._film, keys=None, **values)
        if self._levels is None:
            return film
        _, loudness = self._levels(number % self.count if film.loop else number)
        return dataclasses.replace(film, zoom=film.zoom ** (1 + film.loudness_zoom * loudness))

    def dreamer(self, number: int, *, on_dream: bool = False) -> Dreamer:
        """The Dreamer of frame `number`.

        on_dream: the frame begins with the last dream; its steps are 1 - blend as long, and it keeps that dream's
        contrast.
        """
        config = dataclasses.replace(self._dreamer.config, **self._of_dream(number))
        longer = 1 - self.film(number).blend if on_dream else 1.0
        if self._levels is not None:
            longer *= 1 + self._film.onset_strength * self._levels(number)[0]
        config = dataclasses.replace(config, step_size=config.step_size * longer or LEAST_STEP)
        if on_dream:
            config = dataclasses.replace(config, contrast=1.0)
        place = self._tracks[self._faded].place(number) if self._faded else 0.0
        if self._made is None or self._made[0] != (config, place):
            dreamer = self._dreamer.with_objective(faded(self._objectives, place)) if self._faded else self._dreamer
            self._made = (config, place), dreamer.with_config(config)
        return self._made[1]

    def _of_dream(self, number: int) -> dict[str, Any]:
        found = {}
        for key, track in self._tracks.items():
            if key not in KEYED[self._film.kind] and key != self._faded:
                found[key] = round(track.number(number)) if key in ROUNDED else track.number(number)
        return found

    @cached_property
    def _objectives(self) -> list[Objective]:
        if self._faded == "layers":
            return equally_weighted(self._variants, self._image(), guide=self._guide)
        return [variant.objective for variant in self._variants]


class Track:
    """The values that a key has at some frames, and between them.

    points: value by frame, in ascending order. period: frames after which they repeat; without one, the first value
    stands before the first point and the last one after the last. smooth: it comes to rest at each point.
    """

    def __init__(self, points: Mapping[int, Any], period: int | None, smooth: bool) -> None:
        self._frames, self.values = list(points), list(points.values())
        self._period, self._smooth = period, smooth
        if period is not None:
            self._frames.append(self._frames[0] + period)
            self.values.append(self.values[0])

    def place(self, number: int) -> float:
        """Where among `values` frame `number` lies: 1.25 is a quarter of the way from the second to the third."""
        frames = self._frames
        if self._period is not None:
            number = frames[0] + (number - frames[0]) % self._period
        index = bisect_right(frames, number) - 1
        if index < 0 or index == len(frames) - 1:
            return float(max(index, 0))
        share = (number - frames[index]) / (frames[index + 1] - frames[index])
        return index + (share * share * (3 - 2 * share) if self._smooth else share)

    def number(self, number: int) -> Any:
        """The value at frame `number`: a number, or a list of them."""
        place = self.place(number)
        index = int(place)
        before, share = self.values[index], place - index
        if share == 0:
            return before
        after = self.values[index + 1]
        if isinstance(before, list):
            return [(1 - share) * a + share * b for a, b in zip(before, after, strict=True)]
        return (1 - share) * before + share * after


def equally_weighted(dreamers: Sequence[Dreamer], image: Tensor, *, guide: Tensor | None = None) -> list[Objective]:
    """The objectives of some Dreamers, each divided by its value for `image` (3, H, W)."""
    return [1 / max(1e-12, abs(one.measure(image, guide=guide))) * one.objective for one in dreamers]


def faded(objectives: Sequence[Objective], place: float) -> Objective:
    """The objective at `place` among some: at 1.25 three quarters of the second and one of the third."""
    index = min(int(place), len(objectives) - 2) if len(objectives) > 1 else 0
    share = place - index
    objective = (1 - share) * objectives[index]
    return objective + share * objectives[index + 1] if share > 0 else objective
