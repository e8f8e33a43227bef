"""Configuration of the data: which photos, how they become batches, and how training images are augmented."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Self

from deepdream.checks import above, addresses, at_least, finite, fraction
from deepdream.key_kinds import PATH, PATHS
from deepdream.schema import preset

TTA = ("none", "flip", "multicrop")


@dataclass
class RoomsConfig:
    """How many synthetic rooms are rendered, how large, and with which shortcut (conf/data/rooms.yaml)."""

    train_per_class: int
    test_per_class: int
    size: int
    seed: int
    shortcut: str | None
    shortcut_share: float

    def __post_init__(self) -> None:
        fraction("data.rooms.shortcut_share", self.shortcut_share)
        at_least("data.rooms.train_per_class", self.train_per_class, 2)
        at_least("data.rooms.test_per_class", self.test_per_class, 1)
        at_least("data.rooms.size", self.size, 32)
        at_least("data.rooms.seed", self.seed, 0)


@dataclass
class UrlConfig:
    """A public data set: its addresses and their expected content (conf/data/mit_indoor.yaml explains each key)."""

    name: str
    size: str
    file: str
    folder: str
    archive: list[str]
    checksum: str | None
    train_list: list[str] | None
    test_list: list[str] | None
    train_sha256: str | None
    test_sha256: str | None
    classes: int | None
    images: int | None

    def __post_init__(self) -> None:
        for key in ("file", "folder"):
            name = getattr(self, key)
            if PurePath(name).name != name:
                raise ValueError(f"data.url.{key} is {name!r}; it must be a name without a path")
        for key in ("archive", "train_list", "test_list"):
            if key == "archive" or getattr(self, key) is not None:
                addresses(f"data.url.{key}", getattr(self, key))
        for key in ("train_sha256", "test_sha256"):
            digest = getattr(self, key)
            if digest is not None and not re.fullmatch("[0-9a-f]{64}", digest):
                raise ValueError(f"data.url.{key} is {digest!r}; it must be 64 digits of 0-9 and a-f, or null")
        if self.checksum is not None and not re.fullmatch("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", self.checksum):
            raise ValueError(f"data.url.checksum is {self.checksum!r}; it must be sha256:DIGITS, md5:DIGITS or null")
        for key in ("classes", "images"):
            if getattr(self, key) is not None:
                at_least(f"data.url.{key}", getattr(self, key), 1)


@dataclass
class DataConfig:
    """conf/data: which photos, and how they become batches. Make one with `DataConfig.preset`.

    The YAML explains each key; conf/data/mit_indoor.yaml holds the defaults.
    """

    root: str = field(metadata=PATH)
    download: bool
    url: UrlConfig | None
    train_list: str | None = field(metadata=PATH)
    test_list: str | None = field(metadata=PATH)
    allow_missing: bool
    test_share: float
    class_depth: int | None
    class_names: dict[str, str] | None
    rooms: RoomsConfig | None
    against: list[str] = field(metadata=PATHS)
    drop_duplicates: bool
    balance: bool
    val_per_class: int
    image_size: int
    resize: int
    cache_images: bool
    cache_image_size: int | None
    cache_dir: str = field(metadata=PATH)
    mean: list[float]
    std: list[float]
    batch_size: int
    workers: int

    def __post_init__(self) -> None:
        if (self.train_list is None) != (self.test_list is None):
            raise ValueError("data.train_list and data.test_list belong together: name both, or none (class folders)")
        if not 0 < self.test_share < 1:
            raise ValueError(f"data.test_share is {self.test_share}; it must be more than 0 and less than 1")
        if self.class_depth is not None:
            at_least("data.class_depth", self.class_depth, 1)
        at_least("data.val_per_class", self.val_per_class, 1)
        at_least("data.image_size", self.image_size, 16)
        at_least("data.batch_size", self.batch_size, 1)
        at_least("data.workers", self.workers, -1)
        if self.resize < self.image_size:
            raise ValueError(
                f"data.resize is {self.resize}; it must be data.image_size ({self.image_size}) or more, "
                "because the centre crop is cut from the resized image"
            )
        if self.cache_image_size is not None and self.cache_image_size < self.resize:
            raise ValueError(
                f"data.cache_image_size is {self.cache_image_size}; it must be data.resize ({self.resize}) or more, "
                "because evaluation reads its images from the cache"
            )
        for key, values in (("data.mean", self.mean), ("data.std", self.std)):
            if len(values) != 3:
                raise ValueError(f"{key} has {len(values)} values; it needs three, for red, green and blue")
        for value in self.mean:
            finite("data.mean", value)
        for value in self.std:
            above("data.std", value, 0)

    @classmethod
    def preset(cls, name: str = "mit_indoor", **overrides: Any) -> Self:
        """conf/data/<name>.yaml with keys overridden: the defaults of the command line.

        >>> DataConfig.preset("rooms", batch_size=8).image_size
        96

        Raises ValueError for an unknown preset or key, and for a value out of range.
        """
        return preset(cls, "data", name, overrides)


@dataclass
class AugmentConfig:
    """conf/augment: how training images are augmented. Make one with `AugmentConfig.preset`.

    The YAML explains each key; conf/augment/plain.yaml holds the defaults.
    """

    crop_scale: list[float]
    crop_size: int | None
    crop_ratio: list[float]
    flip: float
    brightness: float
    saturation: float
    hue: float
    grayscale: float
    trivial_augment: bool
    erase: float
    cutmix_alpha: float
    mixup_alpha: float
    mix_probability: float

    def __post_init__(self) -> None:
        for key, values in (("augment.crop_scale", self.crop_scale), ("augment.crop_ratio", self.crop_ratio)):
            if len(values) != 2 or not 0 < values[0] <= values[1]:
                raise ValueError(f"{key} is {list(values)}; it must be two numbers above 0, the smaller first")
        if self.crop_size is not None:
            at_least("augment.crop_size", self.crop_size, 16)
        if self.crop_scale[1] > 1:
            raise ValueError(f"augment.crop_scale is {list(self.crop_scale)}; no crop is larger than the image, 1.0")
        for key in ("flip", "brightness", "saturation", "grayscale", "erase", "mix_probability"):
            fraction(f"augment.{key}", getattr(self, key))
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"augment.hue is {self.hue}; it must be between 0 and 0.5, half the colour circle")
        for key in ("cutmix_alpha", "mixup_alpha"):
            at_least(f"augment.{key}", getattr(self, key), 0)

    @classmethod
    def preset(cls, name: str = "plain", **overrides: Any) -> Self:
        """conf/augment/<name>.yaml with keys overridden: the defaults of the command line.

        >>> AugmentConfig.preset("strong", erase=0.0).mix_probability
        0.5

        Raises ValueError for an unknown preset or key, and for a value out of range.
        """
        return preset(cls, "augment", name, overrides)


@dataclass
class DataAppConfig:
    """conf/data.yaml: `python -m deepdream data`."""

    data: DataConfig
    augment: AugmentConfig
    plots: bool
    output: str = field(metadata=PATH)
