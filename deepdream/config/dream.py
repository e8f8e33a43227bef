"""A dream, whole."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, Self

from omegaconf import OmegaConf

from deepdream.config.checks import DEVICES, PRECISIONS, above, at_least, one_of
from deepdream.config.schema import closest, typed


@dataclass
class DreamConfig:
    """conf/dream: one dream, whole. Make one with `DreamConfig.preset`."""

    layers: list[str]
    objective: str
    width: int | None
    octaves: int
    octave_scale: float
    carry: str
    steps: int
    step_size: float
    space: str
    jitter: int
    smoothing: str
    sigma: float
    normalize: str
    precision: str
    device: str
    list_layers: bool

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("dream.layers is empty; name at least one, for example dream.layers=[layer3]")
        if self.width is not None:
            at_least("dream.width", self.width, 1)
        one_of("dream.objective", self.objective, ("mean_square", "half_sum_square"))
        at_least("dream.octaves", self.octaves, 1)
        above("dream.octave_scale", self.octave_scale, 1)
        one_of("dream.carry", self.carry, ("picture", "detail"))
        at_least("dream.steps", self.steps, 1)
        above("dream.step_size", self.step_size, 0)
        one_of("dream.space", self.space, ("normalized", "pixels"))
        at_least("dream.jitter", self.jitter, 0)
        one_of("dream.smoothing", self.smoothing, ("cascade", "none"))
        above("dream.sigma", self.sigma, 0)
        one_of("dream.normalize", self.normalize, ("std", "mean_abs", "none"))
        one_of("dream.precision", self.precision, PRECISIONS)
        one_of("dream.device", self.device, DEVICES)

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Self:
        """The dream of conf/dream/<name>.yaml, with keys overridden.

        >>> DreamConfig.preset("gordic", layers=["layer4"], steps=5).octaves
        4

        Raises ValueError for a preset or key that does not exist, and for a value out of its range.
        """
        presets = {p.name.removesuffix(".yaml"): p for p in (files("deepdream.conf") / "dream").iterdir()}
        if name not in presets:
            raise ValueError(f"there is no preset {name!r}; there are {', '.join(sorted(presets))}")
        known = [field.name for field in fields(cls)]
        for key in overrides:
            if key not in known:
                raise ValueError(f"DreamConfig has no key {key!r}; close ones are {', '.join(closest(key, known))}")
        return typed(cls, OmegaConf.create(presets[name].read_text(encoding="utf-8")), overrides)


@dataclass
class DreamAppConfig:
    """conf/dream.yaml."""

    ckpt: str | None
    image: str | None
    output: str | None
    seed: int
    dream: DreamConfig

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0)
