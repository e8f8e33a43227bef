"""A dream, whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from deepdream.checks import DEVICES, PRECISIONS, above, at_least, between, finite, fraction, one_of
from deepdream.dreaming.film_config import FilmConfig
from deepdream.schema import preset

TERMS = (
    "mean_square",
    "half_sum_square",
    "mean",
    "channel",
    "unit",
    "direction",
    "logit",
    "guide",
    "style",
    "content",
    "diversity",
    "total_variation",
    "l2",
)
# What takes time or memory from the start, so that a number with a digit too many is answered at once.
AT_MOST = {"octaves": 30, "crops": 1024, "sigma": 10_000, "band": 10_000}
CHOICES = {
    "similarity": ("dot", "cosine"),
    "carry": ("picture", "detail"),
    "space": ("normalized", "pixels", "fourier", "phase"),
    "start": ("picture", "noise"),
    "optimizer": ("ascent", "adam", "lbfgs"),
    "smoothing": ("cascade", "laplacian", "band", "none"),
    "normalize": ("std", "mean_abs", "none", "rms", "local"),
    "precision": PRECISIONS,
    "device": DEVICES,
}


@dataclass
class DreamConfig:
    """conf/dream: one dream, whole. Make one with `DreamConfig.preset`."""

    layers: list[str]
    objective: Any  # a name, {name: weight}, or a list of {term, weight, layers, ...}
    target: str | None
    similarity: str
    width: int | None
    octaves: int
    octave_scale: float
    carry: str
    steps: int
    max_pixels: int | None
    space: str
    start: str
    decay: float
    optimizer: str
    step_size: float
    jitter: int
    pad: int
    scale: float
    rotate: float
    crops: int
    crop_size: float
    noise: float
    smoothing: str
    sigma: float
    normalize: str
    tone: float
    keep: float
    band: float
    color: float
    sheet: int
    precision: str
    device: str
    compile: bool
    list_layers: bool

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("dream.layers is empty; name at least one, for example dream.layers=[layer3]")
        self.terms()
        for key, allowed in CHOICES.items():
            one_of(f"dream.{key}", getattr(self, key), allowed)
        for key, low in {"octaves": 1, "steps": 1, "jitter": 0, "pad": 0, "crops": 0, "sheet": 0}.items():
            at_least(f"dream.{key}", getattr(self, key), low)
        for key, high in AT_MOST.items():
            between(f"dream.{key}", getattr(self, key), 0, high)
        for key, low in {"width": 1, "max_pixels": 10_000}.items():
            if getattr(self, key) is not None:
                at_least(f"dream.{key}", getattr(self, key), low)
        for key in ("decay", "rotate", "noise"):
            at_least(f"dream.{key}", getattr(self, key), 0)
        above("dream.octave_scale", self.octave_scale, 1)
        for key in ("step_size", "sigma", "band", "crop_size"):
            above(f"dream.{key}", getattr(self, key), 0)
        for key in ("tone", "keep", "color", "scale", "crop_size"):
            fraction(f"dream.{key}", getattr(self, key))
        self._check_together()

    def _check_together(self) -> None:
        pixels = self.space in ("normalized", "pixels")
        if not pixels and self.keep > 0:
            raise ValueError(f"dream.keep works on pixels; with dream.space={self.space} leave it at 0")
        if self.optimizer == "lbfgs" and not pixels:
            raise ValueError(f"dream.optimizer=lbfgs works on pixels; with dream.space={self.space} take adam")
        names = {entry["term"] for entry in self.terms()}
        moves = {"jitter": self.jitter, "scale": self.scale, "rotate": self.rotate, "crops": self.crops}
        moved = [key for key, value in moves.items() if value]
        if "content" in names and moved:
            raise ValueError(
                f"the objective content compares position by position; set {', '.join(f'dream.{k}=0' for k in moved)}"
            )

    def terms(self) -> list[dict[str, Any]]:
        """The objective as a list of {term, weight, ...}. Raises ValueError where it is not so written."""
        written = self.objective
        if isinstance(written, str):
            written = {written: 1.0}
        if isinstance(written, Mapping):
            written = [{"term": name, "weight": weight} for name, weight in written.items()]
        if not isinstance(written, list) or not written:
            raise ValueError(
                f"dream.objective is {self.objective!r}; it must be a name, {{name: weight, ...}} or a list of "
                "{term: name, weight: w, layers: [...]}"
            )
        return [_term(entry) for entry in written]

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Self:
        """The dream of conf/dream/<name>.yaml over that of conf/dream/engine/shared.yaml, with keys overridden.

        >>> DreamConfig.preset("gordic", layers=["layer4"], steps=5).octaves
        4

        Raises ValueError for a preset or key that does not exist, and for a value out of its range.
        """
        return preset(cls, "dream", name, overrides)


def _term(entry: Any) -> dict[str, Any]:
    """One summand of dream.objective, its weight filled in."""
    if not isinstance(entry, Mapping) or "term" not in entry:
        raise ValueError(f"dream.objective has {entry!r}; a term is written {{term: mean_square, weight: 1.0}}")
    one_of("dream.objective", entry["term"], TERMS)
    extra = sorted(set(entry) - {"term", "weight", "layers", "target", "vector"})
    if extra:
        raise ValueError(
            f"dream.objective: {entry['term']} has no key {extra[0]!r}; there are weight, layers, target, vector"
        )
    weight = entry.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError(f"dream.objective: the weight of {entry['term']} is {weight!r}; it must be a number")
    finite(f"dream.objective: the weight of {entry['term']}", weight)
    if entry["term"] == "direction" and not entry.get("vector"):
        raise ValueError("dream.objective: direction needs vector, one number for each channel of its layer")
    return {**entry, "weight": float(weight)}


@dataclass
class DreamAppConfig:
    """conf/dream.yaml."""

    ckpt: str | None
    image: str | None
    guide: str | None
    mask: str | None
    output: str | None
    seed: int
    again: str | None
    report: bool
    devices: int
    dream: DreamConfig
    film: FilmConfig

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0)
        at_least("devices", self.devices, 1)
