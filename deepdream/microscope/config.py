"""The configuration of a microscope; without torch, so that a misspelled key is answered at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from deepdream.checks import DEVICES, PRECISIONS, above, at_least, one_of
from deepdream.key_kinds import OUTPUT, PATH
from deepdream.models.config import WeightsConfig


@dataclass(kw_only=True)
class MicroscopeOptions:
    """How a microscope is made; conf/microscope.yaml has the same defaults, and explains each key."""

    layers: list[str] = field(default_factory=lambda: ["75%", "100%"])
    pages: int = 1000
    batch_size: int = 32
    workers: int = 1
    visualizations: int = 2
    preset: str = "visualize"
    side: int | None = None
    steps: int = 64
    removals: int = 8
    concepts: int = 5
    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers is empty; name at least one, for example layers=[layer4]")
        none_or_more = ("workers", "visualizations", "removals", "concepts")
        for key, low in {"pages": 9, "batch_size": 1, **dict.fromkeys(none_or_more, 0)}.items():
            at_least(key, getattr(self, key), low)
        above("steps", self.steps, 0)
        if self.side is not None:
            at_least("side", self.side, 32)
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)


@dataclass(kw_only=True)
class MicroscopeConfig(WeightsConfig, MicroscopeOptions):
    """conf/microscope.yaml."""

    ckpt: str = field(metadata=PATH)
    images: str | None = field(metadata=PATH)
    root: str | None = field(metadata=PATH)
    output: str | None = field(metadata=OUTPUT)
    test: bool
    judge: str = field(metadata=PATH)
