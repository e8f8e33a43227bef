"""SceneDataModule: from a data set in the official layout to batches for training, validation and test."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import signal
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader

from deepdream.console import progress_bar
from deepdream.hardware import cores
from deepdream.rooms import write_rooms
from deepdream.scenes.config import AugmentConfig, DataConfig
from deepdream.scenes.dataset import EpochSampler, SceneDataset
from deepdream.scenes.image_cache import RECORDS, PreparedCache, prepare_cache
from deepdream.scenes.integrity import ImageRecord, summarize
from deepdream.scenes.layout import SceneLists, read_lists
from deepdream.scenes.mit_indoor import ensure_mit_indoor
from deepdream.scenes.transforms import (
    BatchDraws,
    Mixing,
    call_seeded,
    evaluation_transform,
    has_color_jitter,
    mixing,
    normalize_uint8,
    training_transform,
)

Batch = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, BatchDraws]

_print_on_rank_zero = rank_zero_only(partial(print, flush=True))


class SceneDataModule(pl.LightningDataModule):
    """Batches of a data set in the official layout of MIT Indoor Scenes.

    config: which photos, their size and batches; `DataConfig.preset` has the defaults of the command line.
    augment: augmentation of training images; None trains on the centre crops of evaluation.
    seed: of the validation split, the order, and the augmentation.

    Batches are (images, labels): float32 (N, 3, image_size, image_size), normalised, channels-last, once they are on
    the device; int64 (N,), or with CutMix or MixUp soft labels, float32 (N, classes).
    Validation has two loaders, val and test: test accuracy is plotted but never used for model selection.

    >>> data = SceneDataModule(DataConfig.preset("rooms", batch_size=8), AugmentConfig.preset("strong"), seed=1)
    >>> data.image_size, data.batch_size
    (96, 8)
    """

    def __init__(self, config: DataConfig, augment: AugmentConfig | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self.root = Path(config.root)
        self.image_size = config.image_size
        self.mean = tuple(config.mean)
        self.std = tuple(config.std)
        self.batch_size = config.batch_size
        self._config = config
        self._augment = augment
        self._seed = seed
        self._prepared: PreparedCache | None = None

    @property
    def classes(self) -> list[str]:
        """The classes that the lists name, sorted."""
        return list(self._lists.classes)

    @property
    def records(self) -> list[ImageRecord]:
        """The integrity record of each listed file, train first."""
        return self._prepare().records

    @property
    def fingerprint(self) -> str:
        """A hash of the images in each split."""
        splits = (sorted(self._entries[name]) for name in ("train", "val", "test"))
        return hashlib.sha256("\n\n".join("\n".join(split) for split in splits).encode()).hexdigest()[:16]

    def split(self, name: str, *, tta: str = "none") -> SceneDataset:
        """The images of "train", "val" or "test". tta: see `evaluation_transform`; ignored for augmented "train"."""
        prepared = self._prepare()
        transform = evaluation_transform(self.image_size, self._config.resize, tta)
        augmented = name == "train" and self._augment is not None
        if augmented:
            assert self._augment is not None
            transform = training_transform(self.image_size, self._augment)
        entries = self._entries[name]
        rows = {record.path: row for row, record in enumerate(prepared.records)}
        return SceneDataset(
            self._lists,
            entries,
            transform,
            self._seed,
            cache=prepared.images,
            rows=[rows[entry] for entry in entries],
            on_device=self._augment if augmented and self._finishes_on_device else None,
        )

    def prepare_data(self) -> None:
        """Render the rooms or download the photos if the config asks for it; decode each image once.

        Returns quickly where all of that is done.
        """
        if self._config.rooms is not None:
            with progress_bar("rendering rooms") as on_progress:
                write_rooms(self.root, **dataclasses.asdict(self._config.rooms), on_progress=on_progress)
        elif self._config.download:
            ensure_mit_indoor(self.root, self._config.url)
        self._prepare()

    def setup(self, stage: str | None = None) -> None:
        """Read the lists, find the decoded images, hold out the validation images."""
        _ = self._entries

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled and augmented; an incomplete batch is dropped unless it is the only one."""
        return self._loader(self.split("train"), shuffle=True, sharded=True)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """The held-out images, and the test images."""
        return [self._loader(self.split(name), shuffle=False, sharded=True) for name in ("val", "test")]

    def test_dataloader(self) -> DataLoader[Any]:
        """The test images."""
        return self._loader(self.split("test"), shuffle=False, sharded=True)

    def whole_loader(self, name: str, *, tta: str = "none") -> DataLoader[Any]:
        """A split in order, each image once, all of it in this process even in a distributed run.

        tta: with "flip" or "multicrop" the images are (N, V, 3, image_size, image_size), V views of each.
        """
        return self._loader(self.split(name, tta=tta), shuffle=False, sharded=False)

    def on_after_batch_transfer(self, batch: Batch | Tensor, dataloader_idx: int) -> Batch | Tensor:
        """Colour jitter, normalisation, CutMix and MixUp, on the device."""
        if isinstance(batch, Tensor):  # the example input of Lightning's model summary
            return batch
        images, labels, *rest = batch
        if not rest:
            return normalize_uint8(images, self.mean, self.std), labels
        colors, seed = rest[0]
        images = normalize_uint8(images, self.mean, self.std, colors)
        if self._mixing is not None:
            images, labels = call_seeded(seed, self._mixing, images, labels)
        return images, labels

    @property
    def _finishes_on_device(self) -> bool:
        """Whether training images are augmented further on the device."""
        return self._augment is not None and (has_color_jitter(self._augment) or self._mixing is not None)

    @cached_property
    def _mixing(self) -> Mixing | None:
        return mixing(self._augment, len(self.classes)) if self._augment is not None else None

    @cached_property
    def _lists(self) -> SceneLists:
        """The lists without the skipped images."""
        lists = self._read_lists()
        used = {record.path for record in self.records if record.used}
        train, test = (tuple(entry for entry in entries if entry in used) for entries in (lists.train, lists.test))
        return dataclasses.replace(lists, train=train, test=test)

    @cached_property
    def _entries(self) -> dict[str, list[str]]:
        """The images of each split, as `class/file`."""
        train, val = hold_out(self._lists, self._config.val_per_class, self._seed)
        return {"train": train, "val": val, "test": list(self._lists.test)}

    def _read_lists(self) -> SceneLists:
        return read_lists(self.root, train_list=self._config.train_list, test_list=self._config.test_list)

    def _prepare(self) -> PreparedCache:
        """Check every image and fill the cache, unless that has been done."""
        if self._prepared is None:
            side = cached_side(self._config)
            with progress_bar("decoding images" if side else "checking images") as on_progress:
                self._prepared = prepare_cache(
                    self._read_lists(),
                    cache_dir=Path(self._config.cache_dir),
                    shorter_side=side,
                    on_progress=on_progress,
                    on_wait=lambda folder: _print_on_rank_zero(f"waiting for another process that prepares {folder}"),
                )
            if summary := summarize(self._prepared.records):
                table = self._prepared.folder / RECORDS
                _print_on_rank_zero(f"{summary} of {len(self._prepared.records)} images: see {table}")
        return self._prepared

    def _loader(self, dataset: SceneDataset, *, shuffle: bool, sharded: bool) -> DataLoader[Any]:
        trainer = self.trainer if sharded else None
        sampler = EpochSampler(
            dataset,
            seed=self._seed,
            shuffle=shuffle,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )
        workers = self._worker_count()
        return DataLoader(
            dataset,
            self.batch_size,
            sampler=sampler,
            drop_last=shuffle and len(sampler) >= self.batch_size,
            collate_fn=_unchanged,  # SceneDataset returns whole batches
            num_workers=workers,
            worker_init_fn=_ignore_ctrl_c,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0 and shuffle,
        )

    def _worker_count(self) -> int:
        if self._config.workers >= 0:
            return self._config.workers
        if not torch.cuda.is_available():
            return 1  # the network needs the other cores
        processes = self.trainer.num_devices if self.trainer else 1
        return max(1, min(8, cores() // processes))


def cached_side(config: DataConfig) -> int | None:
    """The shorter side of the cached images in pixels; None where `cache_images` is off.

    By default 1.14 times `image_size`, rounded up to a multiple of 32, and at least `resize`.
    """
    if not config.cache_images:
        return None
    return config.cache_image_size or max(config.resize, 32 * math.ceil(1.14 * config.image_size / 32))


def hold_out(lists: SceneLists, per_class: int, seed: int) -> tuple[list[str], list[str]]:
    """The training list split in two: without, and only, `per_class` images of each class, drawn from (seed, class).

    Raises ValueError where a class would have no training image left.
    """
    train: list[str] = []
    val: list[str] = []
    for number, name in enumerate(lists.classes):
        entries = [entry for entry in lists.train if entry.partition("/")[0] == name]
        if len(entries) <= per_class:
            raise ValueError(
                f"data.val_per_class is {per_class}, but class {name} has only {len(entries)} training images"
            )
        held = set(np.random.default_rng([seed, number]).choice(len(entries), per_class, replace=False).tolist())
        train += [entry for i, entry in enumerate(entries) if i not in held]
        val += [entry for i, entry in enumerate(entries) if i in held]
    return train, val


def _ignore_ctrl_c(worker: int) -> None:
    """A terminal sends Ctrl-C to every process; the training process ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _unchanged(batch: Any) -> Any:
    return batch
