"""How good a network is."""

from __future__ import annotations

from dataclasses import dataclass

from deepdream.config.checks import DEVICES, PRECISIONS, one_of


@dataclass
class EvaluateConfig:
    """conf/evaluate.yaml."""

    ckpt: str | None
    root: str | None
    batch_size: int | None
    workers: int | None
    device: str
    precision: str

    def __post_init__(self) -> None:
        one_of("device", self.device, DEVICES)
        one_of("precision", self.precision, PRECISIONS)
