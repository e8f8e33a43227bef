"""The typed schema of everything in conf/, checked before any work starts.

Each dataclass is one group of conf/: it gives the keys their types and ranges, the YAML gives them their values
and explains them. No field has a default, so a value is written in one place only. This module imports neither
torch nor Lightning: a misspelt key is answered before either is loaded.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, Self, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

T = TypeVar("T")


def closest(name: str, names: Iterable[str], *, count: int = 3) -> list[str]:
    """The `count` names most like `name`, for an error message; all of them where none is alike."""
    known = list(names)
    return difflib.get_close_matches(name, known, n=count, cutoff=0.4) or known


def _one_of(key: str, value: object, allowed: Iterable[str]) -> None:
    names = list(allowed)
    if value not in names:
        raise ValueError(f"{key} is {value!r}; it must be one of {', '.join(names)}")


def _at_least(key: str, value: float, low: float) -> None:
    if not value >= low:
        raise ValueError(f"{key} is {value}; it must be {low} or more")


def _above(key: str, value: float, low: float) -> None:
    if not value > low:
        raise ValueError(f"{key} is {value}; it must be more than {low}")


def _fraction(key: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{key} is {value}; it must be between 0 and 1")


def _number(key: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is {value!r}; it must be a number")
    _at_least(key, value, 0)


@dataclass
class RoomsConfig:
    """How many rooms are drawn, and how large (conf/data/rooms.yaml)."""

    train_per_class: int
    test_per_class: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        _at_least("data.rooms.train_per_class", self.train_per_class, 2)
        _at_least("data.rooms.test_per_class", self.test_per_class, 1)
        _at_least("data.rooms.size", self.size, 32)
        _at_least("data.rooms.seed", self.seed, 0)


@dataclass
class DataConfig:
    """conf/data: which photos, and how they become batches."""

    root: str
    train_list: str
    test_list: str
    rooms: RoomsConfig | None
    val_per_class: int
    image_size: int
    resize: int
    mean: list[float]
    std: list[float]
    batch_size: int
    workers: int

    def __post_init__(self) -> None:
        _at_least("data.val_per_class", self.val_per_class, 1)
        _at_least("data.image_size", self.image_size, 16)
        _at_least("data.batch_size", self.batch_size, 1)
        _at_least("data.workers", self.workers, -1)
        if self.resize < self.image_size:
            raise ValueError(
                f"data.resize is {self.resize}; it must be data.image_size ({self.image_size}) or more, "
                "because the centre crop is cut from the resized picture"
            )
        for key, values in (("data.mean", self.mean), ("data.std", self.std)):
            if len(values) != 3:
                raise ValueError(f"{key} has {len(values)} values; it needs three, for red, green and blue")
        for value in self.std:
            _above("data.std", value, 0)


@dataclass
class ModelConfig:
    """conf/model: the keyword arguments of `deepdream.models.ResNet`."""

    depth: int
    blocks: list[int] | None
    block: str | None
    zero_init_residual: bool


@dataclass
class AugmentConfig:
    """conf/augment: what happens to a training picture before the network sees it."""

    crop_scale: list[float]
    crop_ratio: list[float]
    flip: float
    brightness: float
    saturation: float
    hue: float
    grayscale: float

    def __post_init__(self) -> None:
        for key, values in (("augment.crop_scale", self.crop_scale), ("augment.crop_ratio", self.crop_ratio)):
            if len(values) != 2 or not 0 < values[0] <= values[1]:
                raise ValueError(f"{key} is {list(values)}; it must be two numbers above 0, the smaller first")
        if self.crop_scale[1] > 1:
            raise ValueError(f"augment.crop_scale is {list(self.crop_scale)}; no crop is larger than the picture, 1.0")
        for key in ("flip", "brightness", "saturation", "grayscale"):
            _fraction(f"augment.{key}", getattr(self, key))
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"augment.hue is {self.hue}; it must be between 0 and 0.5, half the colour circle")


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
    enable_progress_bar: bool
    extra: dict[str, Any]

    def __post_init__(self) -> None:
        self.devices = self._checked_devices()
        _at_least("trainer.max_epochs", self.max_epochs, 1)
        _at_least("trainer.num_nodes", self.num_nodes, 1)
        _at_least("trainer.accumulate_grad_batches", self.accumulate_grad_batches, 1)
        _at_least("trainer.check_val_every_n_epoch", self.check_val_every_n_epoch, 1)
        _at_least("trainer.log_every_n_steps", self.log_every_n_steps, 1)
        for key in ("limit_train_batches", "limit_val_batches"):  # OmegaConf has no type for "int or float"
            _number(f"trainer.{key}", getattr(self, key))
        if self.gradient_clip_val is not None:
            _above("trainer.gradient_clip_val", self.gradient_clip_val, 0)

    def _checked_devices(self) -> int | str | list[int]:
        devices = self.devices
        indices = isinstance(devices, list) and devices and all(type(d) is int and d >= 0 for d in devices)
        if devices == "auto" or indices or (type(devices) is int and (devices >= 1 or devices == -1)):
            return devices  # type: ignore[no-any-return]  # OmegaConf has no type for "int, str or list"
        raise ValueError(
            f"trainer.devices is {devices!r}; it must be a number of devices (2), -1 for all, auto, or a list ([0,1])"
        )


@dataclass
class TrainConfig:
    """conf/train.yaml."""

    seed: int
    data: DataConfig
    model: ModelConfig
    augment: AugmentConfig
    label_smoothing: float
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    trainer: TrainerConfig
    callbacks: dict[str, Any]
    logger: dict[str, Any]
    evaluate: bool

    def __post_init__(self) -> None:
        _at_least("seed", self.seed, 0)
        _fraction("label_smoothing", self.label_smoothing)
        for key in ("lr", "weight_decay"):
            _number(f"optimizer.{key}", self.optimizer.get(key, 0.0))
        for group in ("optimizer", "schedule"):
            if "_target_" not in getattr(self, group):
                raise ValueError(f"{group}._target_ is missing; it names the class or function to build")


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
            _at_least("dream.width", self.width, 1)
        _one_of("dream.objective", self.objective, ("mean_square", "half_sum_square"))
        _at_least("dream.octaves", self.octaves, 1)
        _above("dream.octave_scale", self.octave_scale, 1)
        _one_of("dream.carry", self.carry, ("picture", "detail"))
        _at_least("dream.steps", self.steps, 1)
        _above("dream.step_size", self.step_size, 0)
        _one_of("dream.space", self.space, ("normalized", "pixels"))
        _at_least("dream.jitter", self.jitter, 0)
        _one_of("dream.smoothing", self.smoothing, ("cascade", "none"))
        _above("dream.sigma", self.sigma, 0)
        _one_of("dream.normalize", self.normalize, ("std", "mean_abs", "none"))
        _one_of("dream.precision", self.precision, PRECISIONS)
        _one_of("dream.device", self.device, DEVICES)

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
        _at_least("seed", self.seed, 0)


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
        _one_of("device", self.device, DEVICES)
        _one_of("precision", self.precision, PRECISIONS)


def typed(schema: type[T], *layers: Any) -> T:
    """`layers` merged, the later over the earlier, as a checked instance of the dataclass `schema`.

    Raises ValueError, in one line, for an unknown key, a value of the wrong type, or one out of range.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), *layers)
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise ValueError(one_line(error)) from error


def one_line(error: OmegaConfBaseException) -> str:
    """An OmegaConf or Hydra error as one line that names the full key."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type=")))
    key = getattr(error, "full_key", None)
    return f"{key}: {text}" if key and key not in text else text
