"""Training: the whole of conf/train.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepdream.checks import above, at_least, fraction, number, one_of
from deepdream.models.config import ModelConfig
from deepdream.scenes.config import AugmentConfig, DataConfig

LOSSES = ("cross_entropy", "bce", "cosine")


@dataclass
class TrainerConfig:
    """conf/trainer: the arguments of `pytorch_lightning.Trainer`."""

    max_epochs: int
    accelerator: str
    devices: Any
    num_nodes: int
    strategy: str
    precision: str
    accumulate_grad_batches: int
    gradient_clip_val: float | None
    limit_train_batches: Any
    limit_val_batches: Any
    check_val_every_n_epoch: int
    log_every_n_steps: int
    sync_batchnorm: bool
    deterministic: bool
    benchmark: bool
    compile: bool
    enable_progress_bar: bool
    extra: dict[str, Any]

    def __post_init__(self) -> None:
        self.devices = self._checked_devices()
        at_least("trainer.max_epochs", self.max_epochs, 1)
        at_least("trainer.num_nodes", self.num_nodes, 1)
        at_least("trainer.accumulate_grad_batches", self.accumulate_grad_batches, 1)
        at_least("trainer.check_val_every_n_epoch", self.check_val_every_n_epoch, 1)
        at_least("trainer.log_every_n_steps", self.log_every_n_steps, 1)
        for key in ("limit_train_batches", "limit_val_batches"):  # OmegaConf has no type for "int or float"
            number(f"trainer.{key}", getattr(self, key))
        if self.gradient_clip_val is not None:
            above("trainer.gradient_clip_val", self.gradient_clip_val, 0)

    def _checked_devices(self) -> int | str | list[int]:
        devices = self.devices
        indices = isinstance(devices, list) and devices and all(type(d) is int and d >= 0 for d in devices)
        if devices == "auto" or indices or (type(devices) is int and (devices >= 1 or devices == -1)):
            return devices  # type: ignore[no-any-return]  # OmegaConf has no type for "int, str or list"
        raise ValueError(
            f"trainer.devices is {devices!r}; it must be a number of devices (2), -1 for all, auto, or a list ([0,1])"
        )


@dataclass
class AverageConfig:
    """average: the moving average of the weights."""

    half_life_epochs: float | None

    def __post_init__(self) -> None:
        if self.half_life_epochs is not None:
            above("average.half_life_epochs", self.half_life_epochs, 0)


@dataclass
class ProgressiveConfig:
    """progressive: smaller training pictures at the beginning."""

    start: float | None
    until: float

    def __post_init__(self) -> None:
        fraction("progressive.until", self.until)
        if self.start is not None:
            above("progressive.start", self.start, 0)
            fraction("progressive.start", self.start)


@dataclass
class TrainConfig:
    """conf/train.yaml."""

    resume: str | None
    seed: int
    data: DataConfig
    model: ModelConfig
    augment: AugmentConfig
    loss: str
    label_smoothing: float
    optimizer: dict[str, Any]
    scale_lr: bool
    decay_norm_and_bias: bool
    sam_rho: float | None
    adversary: float | None
    average: AverageConfig
    progressive: ProgressiveConfig
    schedule: dict[str, Any]
    trainer: TrainerConfig
    callbacks: dict[str, Any]
    logger: dict[str, Any]
    evaluate: bool

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0)
        one_of("loss", self.loss, LOSSES)
        fraction("label_smoothing", self.label_smoothing)
        for key in ("sam_rho", "adversary"):
            if getattr(self, key) is not None:
                above(key, getattr(self, key), 0)
        if self.sam_rho is not None and self.trainer.accumulate_grad_batches > 1:
            raise ValueError(
                f"sam_rho is {self.sam_rho} and trainer.accumulate_grad_batches is "
                f"{self.trainer.accumulate_grad_batches}; a sharpness-aware step needs its whole batch at once, so "
                "one of the two must be off (sam_rho=null, or 1)"
            )
        if self.model.head == "wise":
            for key, value in (
                ("progressive.start", self.progressive.start),
                ("augment.crop_size", self.augment.crop_size),
            ):
                if value is not None:
                    raise ValueError(
                        f"{key} is {value} and model.head is wise, which needs pictures of one size; one of the two "
                        f"must be off ({key}=null, or model.head=average)"
                    )
        if self.trainer.strategy.startswith("fsdp"):
            self._check_sharded()
        for key in ("lr", "weight_decay"):
            number(f"optimizer.{key}", self.optimizer.get(key, 0.0))
        if self.scale_lr and "lr" not in self.optimizer:
            raise ValueError("scale_lr is true and optimizer.lr is missing; give the rate for 256 pictures a step")
        for group in ("optimizer", "schedule"):
            if "_target_" not in getattr(self, group):
                raise ValueError(f"{group}._target_ is missing; it names the class or function to build")

    def _check_sharded(self) -> None:
        whole = {
            "sam_rho": self.sam_rho,
            "average.half_life_epochs": self.average.half_life_epochs,
            "trainer.gradient_clip_val": self.trainer.gradient_clip_val,
        }
        for key, value in whole.items():
            if value is not None:
                raise ValueError(
                    f"{key} is {value}, which needs the whole network on each device, and trainer.strategy is "
                    f"{self.trainer.strategy}, which shards it; choose {key}=null, or trainer.strategy=ddp"
                )
