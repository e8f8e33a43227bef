"""How good a network is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepdream.checks import DEVICES, PRECISIONS, at_least, one_of
from deepdream.scenes.config import TTA


@dataclass
class EvaluateConfig:
    """conf/evaluate.yaml."""

    ckpt: Any
    root: str | None
    batch_size: int | None
    workers: int | None
    device: str
    precision: str
    tta: str
    seed: int

    def __post_init__(self) -> None:
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
        one_of("tta", self.tta, TTA)
        at_least("seed", self.seed, 0)
        names = self.ckpt if isinstance(self.ckpt, list) else [self.ckpt or ""]
        if not names or not all(isinstance(name, str) for name in names):  # OmegaConf has no type for "text or list"
            raise ValueError(f"ckpt is {self.ckpt!r}; it must be a path, or a list of paths: ckpt=[a.ckpt,b.ckpt]")

    @property
    def checkpoints(self) -> list[str | None]:
        """The checkpoints as a list; [None] where the newest is meant."""
        return list(self.ckpt) if isinstance(self.ckpt, list) else [self.ckpt]
