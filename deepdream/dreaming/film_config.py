"""The settings of a film and the keyframes that change them on the way; imports neither torch nor Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deepdream.checks import above, at_least, between, finite, fraction, one_of
from deepdream.key_kinds import PATH
from deepdream.registry import Registry
from deepdream.schema import among, did_you_mean

FILMS = Registry(
    "film.kind",
    {
        "zoom": "deepdream.dreaming.films:zoom",
        "video": "deepdream.dreaming.films:video",
        "morph": "deepdream.dreaming.films:morph",
        "checkpoints": "deepdream.dreaming.films:checkpoints",
    },
)
FPS_RANGE = (0.1, 240.0)
LOOPED = ("zoom", "morph")  # kinds whose last frame can lead to the first
INTERPOLATIONS = ("linear", "smooth")
# What film.keys may change: of the film, by its kind, and of the dream.
KEYED = {"zoom": ("zoom", "rotate", "pan", "blend"), "video": ("blend",), "morph": (), "checkpoints": ()}
FADED = ("layers", "target")  # the objectives of two keyframes are mixed
ROUNDED = ("octaves", "steps", "jitter")  # whole numbers
KEYED_OF_DREAM = (
    *FADED,
    *ROUNDED,
    "step_size",
    "sigma",
    "band",
    "contrast",
    "preserve",
    "color",
    "noise",
    "decay",
    "octave_scale",
)


@dataclass
class FilmConfig:
    """conf/film: how the frames of a film follow from one another."""

    kind: str
    frames: int | None
    fps: float | None
    zoom: float
    rotate: float
    pan: list[float]
    blend: float
    run: str | None = field(metadata=PATH)
    # Younger than the others: films of earlier versions lack them.
    loop: bool = False
    keys: Any = None  # {key: {frame: value}}; OmegaConf has no type for it
    interpolation: str = "linear"
    music: str | None = field(default=None, metadata=PATH)
    onset_strength: float = 2.0
    loudness_zoom: float = 1.0

    def __post_init__(self) -> None:
        if self.kind != "none":
            FILMS.check(self.kind)
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
        one_of("film.interpolation", self.interpolation, INTERPOLATIONS)
        at_least("film.onset_strength", self.onset_strength, 0)
        at_least("film.loudness_zoom", self.loudness_zoom, 0)
        self._check_combinations()
        for key, points in self.keyframes().items():
            for value in points.values() if key in KEYED[self.kind] else ():
                replace(self, keys=None, **{key: value})
        if self.frames is not None:
            self.check_key_frames(self.frames)

    def _check_combinations(self) -> None:
        if self.kind == "checkpoints" and self.run is None:
            raise ValueError("film=checkpoints needs a run folder; name it with film.run=outputs/<date>/<time>")
        if self.kind != "checkpoints" and self.run is not None:
            raise ValueError(f"film.run={self.run} belongs to film=checkpoints; leave one of them out")
        if self.loop and self.kind not in LOOPED:
            raise ValueError(f"film.loop=true closes {' and '.join(f'film={kind}' for kind in LOOPED)}; leave it out")
        for key, value in {"keys": self.keys, "music": self.music}.items():
            if value and self.kind == "none":
                raise ValueError(f"film.{key} belongs to a film; choose one, for example film=zoom")

    def keyframes(self) -> dict[str, dict[int, Any]]:
        """The values that `keys` gives to each key, by frame, in ascending order.

        Raises ValueError for an unknown key, for a frame that is no frame number, and for a value of another type.
        """
        if not isinstance(self.keys or {}, Mapping):
            raise ValueError(f"film.keys is {self.keys!r}; write values by key and frame: {{zoom: {{0: 1.02}}}}")
        found = {}
        for key, points in (self.keys or {}).items():
            known = (*KEYED[self.kind], *(each for each in KEYED_OF_DREAM if self.kind != "morph" or each != "layers"))
            if key not in known:
                raise ValueError(f"film.keys has {key!r}{did_you_mean(key, known) or among(known)}")
            if not isinstance(points, Mapping) or not points:
                raise ValueError(f"film.keys.{key} is {points!r}; write values by frame: {{{key}: {{0: {points!r}}}}}")
            found[key] = dict(sorted((_frame(key, at), _value(key, value)) for at, value in points.items()))
        if set(FADED) <= found.keys():
            raise ValueError("film.keys has layers and target, and one film fades only one of them; leave one out")
        return found

    def check_key_frames(self, count: int) -> None:
        """Raises ValueError for a keyframe that a film of `count` frames does not reach."""
        for key, points in self.keyframes().items():
            if max(points) >= count:
                raise ValueError(
                    f"film.keys.{key} has frame {max(points)}, and the film has frames 0 to {count - 1}; "
                    f"set film.frames={max(points) + 1} or more"
                )


def dreams_at_keys(keyframes: Mapping[str, Mapping[int, Any]]) -> Iterator[dict[str, Any]]:
    """The keys of the dream that film.keys sets, a value at a time."""
    for key, points in keyframes.items():
        if key in KEYED_OF_DREAM:
            yield from ({key: value} for value in points.values())


def _frame(key: str, at: Any) -> int:
    text = str(at)  # a JSON file has texts for keys
    if not text.isdecimal():
        raise ValueError(f"film.keys.{key} has frame {at!r}; it must be a whole number, 0 or more")
    return int(text)


def _value(key: str, value: Any) -> Any:
    """`value` of keyframe `key` in the type of that key."""
    name = f"a value of film.keys.{key}"
    if key == "layers":
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not value or not all(isinstance(layer, str) for layer in value):
            raise ValueError(f"{name} is {value!r}; it must be a list of layers")
    elif key == "target":
        value = str(value)
    elif key == "pan":
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError(f"{name} is {value!r}; it must be two numbers: pixels down and right a frame")
        for each in value:
            _check_number(name, each)
    else:
        _check_number(name, value)
        if key in ROUNDED and value != int(value):
            raise ValueError(f"{name} is {value}; it must be a whole number")
    return value


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; it must be a number")
    finite(name, value)
