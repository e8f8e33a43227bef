"""The settings of a dream, and the registries of what they can name; imports neither torch nor Hydra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from deepdream.checks import DEVICES, PRECISIONS, above, at_least, between, finite, fraction, one_of, paths
from deepdream.dreaming.film_config import FilmConfig, dreams_at_keys
from deepdream.key_kinds import NAME, OUTPUT, PATH, PATHS
from deepdream.models.config import WeightsConfig
from deepdream.registry import OpenRegistry, Registry
from deepdream.schema import preset

OBJECTIVES: OpenRegistry[[], None] = OpenRegistry("OBJECTIVES", "dream.objective", "deepdream.dreaming", lambda: None)
PARAMETERIZATIONS = Registry(
    "dream.parameterization",
    {
        "normalized": "deepdream.dreaming.parameterization:NormalizedImage",
        "pixels": "deepdream.dreaming.parameterization:PixelImage",
        "fourier": "deepdream.dreaming.parameterization:FourierImage",
        "phase": "deepdream.dreaming.parameterization:PhaseImage",
    },
)
OPTIMIZERS = Registry(
    "dream.optimizer",
    {
        "ascent": "deepdream.dreaming.optimizers:GradientAscent",
        "adam": "deepdream.dreaming.optimizers:Adam",
        "lbfgs": "deepdream.dreaming.optimizers:Lbfgs",
    },
)
SMOOTHINGS = Registry(
    "dream.smoothing",
    {
        "cascade": "deepdream.dreaming.gradients:gaussian_cascade",
        "laplacian": "deepdream.dreaming.gradients:laplacian",
        "band": "deepdream.dreaming.gradients:band",
        "none": "deepdream.dreaming.gradients:unsmoothed",
    },
)
NORMALIZATIONS = Registry(
    "dream.normalize",
    {
        "std": "deepdream.dreaming.gradients:unit_std",
        "mean_abs": "deepdream.dreaming.gradients:unit_mean_abs",
        "none": "deepdream.dreaming.gradients:unchanged",
        "rms": "deepdream.dreaming.gradients:unit_rms",
        "local": "deepdream.dreaming.gradients:LocalRms",
    },
)
OCTAVE_MODES = Registry(
    "dream.octave_mode",
    {
        "resize_image": "deepdream.dreaming.octaves:ResizeImage",
        "add_detail": "deepdream.dreaming.octaves:AddDetail",
    },
)
PIXELS = ("normalized", "pixels")  # parameterizations whose params are the pixels themselves

# Upper bounds of the values whose cost grows from the first step on: a digit too many fails at once.
AT_MOST = {"octaves": 30, "crops": 1024, "sigma": 10_000, "band": 10_000}

MODES = ("image", "channels", "layers")
CHANNELS = 12  # images in a channel grid where `channels` is null
LEAST_MAX_PIXELS = 10_000


@dataclass
class DreamConfig:
    """conf/dream: the settings of a dream. Make one with `DreamConfig.preset`."""

    layers: list[str]
    objective: Any  # a name, {name: weight}, or a list of {term, weight, layers, ...}
    target: str | None = field(metadata=NAME)
    similarity: str
    width: int | None
    octaves: int
    octave_scale: float
    octave_mode: str
    steps: int
    parameterization: str
    init: str
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
    contrast: float
    preserve: float
    band: float
    color: float
    # Younger than the others: images of earlier versions lack them.
    crop_spread: float | None = None
    transparency: float | None = None
    bits: int | None = None
    jitter_sampling: str = "random"
    spectral_clip: float | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("dream.layers is empty; name at least one, for example dream.layers=[layer3]")
        self.terms()
        PARAMETERIZATIONS.check(self.parameterization)
        OCTAVE_MODES.check(self.octave_mode)
        OPTIMIZERS.check(self.optimizer)
        SMOOTHINGS.check(self.smoothing)
        NORMALIZATIONS.check(self.normalize)
        one_of("dream.similarity", self.similarity, ("dot", "cosine"))
        one_of("dream.init", self.init, ("image", "noise"))
        one_of("dream.jitter_sampling", self.jitter_sampling, ("random", "stratified"))
        for key, low in {"octaves": 1, "steps": 1, "jitter": 0, "pad": 0, "crops": 0}.items():
            at_least(f"dream.{key}", getattr(self, key), low)
        for key, high in AT_MOST.items():
            between(f"dream.{key}", getattr(self, key), 0, high)
        if self.bits not in (None, 8, 16):
            raise ValueError(f"dream.bits is {self.bits}; it must be 8 or 16")
        if self.width is not None:
            at_least("dream.width", self.width, 1)
        for key in ("decay", "rotate", "noise"):
            at_least(f"dream.{key}", getattr(self, key), 0)
        if self.crop_spread is not None:
            above("dream.crop_spread", self.crop_spread, 0)
        if self.spectral_clip is not None:
            above("dream.spectral_clip", self.spectral_clip, 0)
        if self.transparency is not None:
            fraction("dream.transparency", self.transparency)
        above("dream.octave_scale", self.octave_scale, 1)
        for key in ("step_size", "sigma", "band", "crop_size"):
            above(f"dream.{key}", getattr(self, key), 0)
        for key in ("contrast", "preserve", "color", "scale", "crop_size"):
            fraction(f"dream.{key}", getattr(self, key))
        self._check_combinations()

    def _check_combinations(self) -> None:
        name = self.parameterization
        if name not in PIXELS and self.preserve > 0:
            raise ValueError(f"dream.preserve works on pixels; with dream.parameterization={name} leave it at 0")
        if name not in PIXELS and self.optimizer == "lbfgs":
            raise ValueError(f"dream.optimizer=lbfgs works on pixels; with dream.parameterization={name} take adam")
        if name in PIXELS and self.init == "noise":
            raise ValueError(
                f"dream.init=noise needs dream.parameterization=fourier or phase; with {name} take image=noise"
            )

    def terms(self) -> list[dict[str, Any]]:
        """The objective as a list of {term, weight, ...}. Raises ValueError for one in another form."""
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
        """The preset conf/dream/<name>.yaml, with keys overridden.

        >>> DreamConfig.preset("gordic", layers=["layer4"], steps=5).octaves
        4

        Raises ValueError for an unknown preset or key, and for a value out of its range.
        """
        return preset(cls, "dream", name, overrides)


def _term(entry: Any) -> dict[str, Any]:
    """One term of dream.objective, its weight filled in."""
    if not isinstance(entry, Mapping) or "term" not in entry:
        raise ValueError(f"dream.objective has {entry!r}; a term is written {{term: mean_square, weight: 1.0}}")
    OBJECTIVES.check(str(entry["term"]))
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
class DreamAppConfig(WeightsConfig):
    """conf/dream.yaml."""

    ckpt: str | None = field(metadata=PATH)
    image: Any = field(metadata=PATHS)  # str, list[str] or None
    guide: str | None = field(metadata=PATH)
    mask: str | None = field(metadata=PATH)
    output: str | None = field(metadata=OUTPUT)
    mode: str
    channels: int | None
    seed: int
    reproduce: str | None = field(metadata=PATH)
    report: bool
    device: str
    precision: str
    compile: bool
    max_pixels: int | None
    devices: int
    dream: DreamConfig
    film: FilmConfig
    logger: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    overwrite: bool = False

    def __post_init__(self) -> None:
        paths("image", self.image)
        one_of("mode", self.mode, MODES)
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
        at_least("seed", self.seed, 0)
        at_least("devices", self.devices, 1)
        if self.channels is not None:
            at_least("channels", self.channels, 1)
        if self.max_pixels is not None:
            at_least("max_pixels", self.max_pixels, LEAST_MAX_PIXELS)
        for values in dreams_at_keys(self.film.keyframes()):
            replace(self.dream, **values)
        self._check_combinations()

    def _check_combinations(self) -> None:
        """Raises ValueError for two keys that contradict each other, and for one that nothing would read."""
        if "target" in self.film.keyframes() and all(term["term"] != "logit" for term in self.dream.terms()):
            raise ValueError("film.keys.target is the class of the objective logit; add dream=class")
        if self.channels is not None and self.mode != "channels":
            raise ValueError(f"channels={self.channels} needs mode=channels; mode is {self.mode}")
        given: dict[str, Any] = {
            "film": self.film.kind if self.film.kind != "none" else None,
            "output": self.output,
            "image": self.image,
            "guide": self.guide,
            "mask": self.mask,
            "report": self.report or None,
            "dream.bits": self.dream.bits if self.dream.bits != 8 else None,
        }
        unread = {"channels": ("film", "guide", "mask", "report", "dream.bits"), "layers": tuple(given), "image": ()}[
            self.mode
        ]
        at_odds, does = f"mode={self.mode}", "dreams a grid" if self.mode == "channels" else "only prints a table"
        if self.mode == "image" and given["film"] is not None:
            unread, at_odds, does = ("mask", "report", "dream.bits"), f"film={self.film.kind}", "makes a film"
        for key in unread:
            if given[key] is not None:
                value = str(given[key]).lower() if key == "report" else given[key]
                raise ValueError(f"{at_odds} {does} and does not use {key}={value}; leave one of them out")
