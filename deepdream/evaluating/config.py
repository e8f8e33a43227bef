"""The configuration of an evaluation; without torch, so that a misspelled key is answered at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deepdream.checks import DEVICES, PRECISIONS, at_least, one_of, paths
from deepdream.key_kinds import OUTPUT, PATH, PATHS
from deepdream.models.config import WeightsConfig
from deepdream.scenes.config import TTA


@dataclass(kw_only=True)
class EvaluationOptions:
    """How a network is evaluated; conf/evaluate.yaml has the same defaults.

    device: auto, cpu, cuda or mps. precision: auto, fp32, bf16 or fp16. tta: test-time augmentation, none, flip or
    multicrop. seed: of the bootstrap, of t-SNE, and of the sample of images that it shows.
    """

    device: str = "auto"
    precision: str = "auto"
    tta: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
        one_of("tta", self.tta, TTA)
        at_least("seed", self.seed, 0)


@dataclass(kw_only=True)
class EvaluateConfig(WeightsConfig, EvaluationOptions):
    """conf/evaluate.yaml."""

    ckpt: Any = field(metadata=PATHS)  # str, list[str] or None
    root: str | None = field(metadata=PATH)
    batch_size: int | None
    workers: int | None
    ckpt_data: str | None = None
    logger: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        paths("ckpt", self.ckpt)

    @property
    def checkpoints(self) -> list[str | None]:
        """The checkpoints as a list; [None] stands for the newest."""
        return list(self.ckpt) if isinstance(self.ckpt, list) else [self.ckpt]


PREDICTIONS = (".csv", ".json")


@dataclass(kw_only=True)
class PredictConfig(WeightsConfig):
    """conf/predict.yaml."""

    images: Any = field(metadata=PATHS)  # str or list[str]
    ckpt: str | None = field(metadata=PATH)
    output: str | None = field(metadata=OUTPUT)
    top_k: int
    batch_size: int
    workers: int
    devices: int
    device: str
    precision: str

    def __post_init__(self) -> None:
        paths("images", self.images)
        if self.output is not None and not self.output.lower().endswith(PREDICTIONS):
            raise ValueError(f"output is {self.output!r}; it must be a .csv or .json file")
        for key in ("top_k", "batch_size", "devices"):
            at_least(key, getattr(self, key), 1)
        at_least("workers", self.workers, 0)
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
