"""The configuration of training: conf/train.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deepdream.checks import above, at_least, fraction, number
from deepdream.key_kinds import PATH, PATHS, TYPED
from deepdream.models.config import ModelConfig, model_config
from deepdream.registry import OpenRegistry
from deepdream.scenes.config import AugmentConfig, DataConfig
from deepdream.schema import typed

LOSSES: OpenRegistry[[], None] = OpenRegistry("LOSSES", "loss", "deepdream.training", lambda: None)

# Keys of conf/optimizer that are about the layers of the network; all others are arguments of the optimizer.
LAYER_KEYS = ("freeze", "layer_decay")
TARGET = "_target_"


@dataclass
class TrainerConfig:
    """conf/trainer: the arguments of `pytorch_lightning.Trainer`, and `compile`.

    Missing are default_root_dir, callbacks, logger, plugins and use_distributed_sampler, which `build_trainer` sets.
    OmegaConf has no type for "int or float" and the like: such a key is Any, and Lightning checks its type.
    """

    accelerator: str
    devices: Any  # int, str or list[int]
    num_nodes: int
    strategy: str
    precision: str
    sync_batchnorm: bool
    max_epochs: int
    min_epochs: int | None
    max_steps: int
    min_steps: int | None
    max_time: Any  # str or dict[str, int]
    accumulate_grad_batches: int
    gradient_clip_val: float | None
    gradient_clip_algorithm: str | None
    deterministic: Any  # bool or "warn"
    benchmark: bool
    compile: bool
    limit_train_batches: Any  # int or float, as the four below
    limit_val_batches: Any
    limit_test_batches: Any
    limit_predict_batches: Any
    overfit_batches: Any
    fast_dev_run: Any  # bool or int
    check_val_every_n_epoch: int
    val_check_interval: Any  # int, float, str or dict[str, int]
    num_sanity_val_steps: int
    log_every_n_steps: int
    enable_checkpointing: bool
    enable_progress_bar: bool
    enable_model_summary: bool
    enable_autolog_hparams: bool
    inference_mode: bool
    profiler: str | None
    detect_anomaly: bool
    barebones: bool
    reload_dataloaders_every_n_epochs: int
    model_registry: str | None

    def __post_init__(self) -> None:
        self.devices = self._checked_devices()
        if self.strategy.startswith("fsdp"):
            raise ValueError(
                f"trainer.strategy is {self.strategy}, which shards the network; averages, images and checkpoints need "
                "it whole: choose ddp"
            )
        for key in ("max_epochs", "num_nodes", "accumulate_grad_batches", "check_val_every_n_epoch"):
            at_least(f"trainer.{key}", getattr(self, key), 1)
        at_least("trainer.log_every_n_steps", self.log_every_n_steps, 1)
        at_least("trainer.max_steps", self.max_steps, -1)
        for key in ("train", "val", "test", "predict"):
            number(f"trainer.limit_{key}_batches", getattr(self, f"limit_{key}_batches"))
        number("trainer.overfit_batches", self.overfit_batches)
        if self.gradient_clip_val is not None:
            above("trainer.gradient_clip_val", self.gradient_clip_val, 0)

    def _checked_devices(self) -> int | str | list[int]:
        devices = self.devices
        indices = isinstance(devices, list) and devices and all(type(d) is int and d >= 0 for d in devices)
        if devices == "auto" or indices or (type(devices) is int and (devices >= 1 or devices == -1)):
            return devices  # type: ignore[no-any-return]  # checked just now
        raise ValueError(
            f"trainer.devices is {devices!r}; it must be a number of devices (2), -1 for all, auto, or a list ([0,1])"
        )


@dataclass
class EMAConfig:
    """ema: the exponential moving average of the weights."""

    half_life_epochs: float | None

    def __post_init__(self) -> None:
        if self.half_life_epochs is not None:
            above("ema.half_life_epochs", self.half_life_epochs, 0)


@dataclass
class ProgressiveConfig:
    """progressive: smaller training images at the beginning."""

    start: float | None
    until: float

    def __post_init__(self) -> None:
        fraction("progressive.until", self.until)
        if self.start is not None:
            above("progressive.start", self.start, 0)
            fraction("progressive.start", self.start)


@dataclass
class DistillationConfig:
    """distillation: the probabilities of trained networks as a second target."""

    teachers: list[str] = field(metadata=PATHS)
    weight: float
    temperature: float

    def __post_init__(self) -> None:
        fraction("distillation.weight", self.weight)
        above("distillation.temperature", self.temperature, 0)


@dataclass
class OwnDataConfig:
    """A data module of the user's own (`data._target_`), and its images as a training must know them.

    image_size: side in pixels. mean, std: of red, green and blue, by which its batches are normalised.
    """

    target: str
    arguments: dict[str, Any]
    image_size: int
    mean: list[float]
    std: list[float]
    batch_size: int

    @property
    def record(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {TARGET: self.target, **self.arguments}


@dataclass
class TrainConfig:
    """conf/train.yaml. The file explains every key."""

    resume: str | None = field(metadata=PATH)
    seed: int
    output_dir: str = field(metadata=PATH)
    data: Any = field(
        metadata={TYPED: DataConfig}
    )  # becomes a DataConfig; with _target_ it stays a dictionary until the module is built: OwnDataConfig
    model: Any = field(metadata={TYPED: ModelConfig})  # becomes a ModelConfig or a ForeignModelConfig
    augment: AugmentConfig
    loss: Any  # a name of LOSSES, or a dictionary with _target_
    label_smoothing: float
    optimizer: dict[str, Any]
    scale_lr: bool
    decay_norm_and_bias: bool
    sam_rho: float | None
    adversarial_eps: float | None
    ema: EMAConfig
    progressive: ProgressiveConfig
    distillation: DistillationConfig
    scheduler: dict[str, Any]
    trainer: TrainerConfig
    callbacks: dict[str, Any]
    evaluate: bool
    logger: dict[str, Any] = field(default_factory=dict)  # logger=none has no entry
    tags: list[str] = field(default_factory=list)
    microscope: bool = False

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0)
        if TARGET not in self.data:
            self.data = typed(DataConfig, self.data, group="data")
        elif not isinstance(self.data[TARGET], str):
            raise ValueError(f"data._target_ is {self.data[TARGET]!r}; it must be a class, such as my.module.Class")
        if not isinstance(self.loss, dict):
            LOSSES.check(str(self.loss))
        fraction("label_smoothing", self.label_smoothing)
        for key in ("sam_rho", "adversarial_eps"):
            if getattr(self, key) is not None:
                above(key, getattr(self, key), 0)
        if self.sam_rho is not None and self.trainer.accumulate_grad_batches > 1:
            raise ValueError(
                f"sam_rho is {self.sam_rho} and trainer.accumulate_grad_batches is "
                f"{self.trainer.accumulate_grad_batches}; sharpness-aware steps do not work with accumulated "
                "gradients; choose sam_rho=null or trainer.accumulate_grad_batches=1"
            )
        self.model = model_config(self.model)
        if self.model.record.get("head") == "wise":
            self._check_one_image_size()
        for group in ("optimizer", "scheduler", "loss"):
            if isinstance(getattr(self, group), dict) and TARGET not in getattr(self, group):
                raise ValueError(f"{group}._target_ is missing; it names the class or function to build")
        self._check_layers()
        if self.optimizer[TARGET].endswith(".LBFGS"):
            raise ValueError(
                f"optimizer is {self.optimizer['_target_']}, which does not take the gradients of a channels-last "
                "network; choose another, such as sgd, adam or adamw"
            )
        for key in ("lr", "weight_decay"):
            number(f"optimizer.{key}", self.optimizer.get(key, 0.0))
        if self.scale_lr and "lr" not in self.optimizer:
            raise ValueError("scale_lr is true and optimizer.lr is missing; set the learning rate for a batch of 256")

    @property
    def loss_name(self) -> str:
        """The registered name of the loss, or its `_target_`."""
        return str(self.loss[TARGET] if isinstance(self.loss, dict) else self.loss)

    @property
    def freeze(self) -> list[str]:
        """optimizer.freeze: names of the parts of the network that do not train."""
        return list(self.optimizer.get("freeze") or [])

    @property
    def layer_decay(self) -> float | None:
        """optimizer.layer_decay: factor of the learning rate from a layer to the one before it; None for one rate."""
        return self.optimizer.get("layer_decay")

    @property
    def optimizer_arguments(self) -> dict[str, Any]:
        """`_target_` and the arguments of the optimizer."""
        return {key: value for key, value in self.optimizer.items() if key not in LAYER_KEYS}

    def _check_layers(self) -> None:
        names = self.optimizer.get("freeze")
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError(f"optimizer.freeze is {names!r}; it must be a list of names, such as [stem,layer1]")
        if self.layer_decay is not None:
            number("optimizer.layer_decay", self.layer_decay)
            above("optimizer.layer_decay", self.layer_decay, 0)
            fraction("optimizer.layer_decay", self.layer_decay)

    def _check_one_image_size(self) -> None:
        sizes = {"progressive.start": self.progressive.start, "augment.crop_size": self.augment.crop_size}
        for key, value in sizes.items():
            if value is not None:
                raise ValueError(
                    f"{key} is {value} and model.head is wise, which needs images of one size; choose {key}=null or "
                    "model.head=average"
                )
