"""SceneDataModule: from a data set on the disk to batches for training, validation and test."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import signal
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

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
from deepdream.scenes.duplicates import Duplicate, find_duplicates
from deepdream.scenes.image_cache import RECORDS, PreparedCache, prepare_cache
from deepdream.scenes.integrity import ImageRecord, summarize
from deepdream.scenes.layout import read_data, read_images
from deepdream.scenes.public_data import ensure_downloaded
from deepdream.scenes.splits import SceneLists, describe_imbalance, hold_out
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
    """Batches of a data set: lists and images in the layout of MIT Indoor Scenes or MiniPlaces, or class folders.

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
        """The classes, in the order of their labels."""
        return list(self._lists.classes)

    @property
    def records(self) -> list[ImageRecord]:
        """The integrity record of each image, train first."""
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
            ensure_downloaded(self._config)
        self._prepare()

    def setup(self, stage: str | None = None) -> None:
        """Read the lists, find the decoded images, hold out the validation images."""
        _ = self._entries

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled and augmented; an incomplete batch is dropped unless it is the only one."""
        return self._sampled_loader("train", shuffle=True)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """The held-out images, and the test images."""
        return [self._sampled_loader(name) for name in ("val", "test")]

    def test_dataloader(self) -> DataLoader[Any]:
        """The test images."""
        return self._sampled_loader("test")

    def whole_loader(self, name: str, *, tta: str = "none", part: range | None = None) -> DataLoader[Any]:
        """A split in order, each image once, all of it in this process even in a distributed run.

        tta: with "flip" or "multicrop" the images are (N, V, 3, image_size, image_size), V views of each.
        part: the indices of some of the images.
        """
        dataset = self.split(name, tta=tta)
        return self._loader(dataset, range(len(dataset)) if part is None else part)

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
    def duplicates(self) -> list[Duplicate]:
        """The training images that nearly equal a test image, or one of `data.against`; see `find_duplicates`.

        Paths of test images are below the folder of the images, those of `data.against` absolute.
        """
        hashes = {record.path: record.hash for record in self.records}
        tests = {entry: hashes[entry] for entry in self._found.test}
        for source in self._config.against:
            images = read_images(Path(source))
            records = self._prepare_images(images, None).records
            tests |= {str(images.images.absolute() / record.path): record.hash for record in records}
        return find_duplicates({entry: hashes[entry] for entry in self._found.train}, tests)

    @property
    def images(self) -> Path:
        """The folder that the paths of images start from."""
        return self._found.images

    @cached_property
    def _found(self) -> SceneLists:
        return read_data(self._config)

    @cached_property
    def _lists(self) -> SceneLists:
        """What was found, without the skipped images, and with `drop_duplicates` without near-duplicates."""
        skipped = {record.path for record in self.records if not record.used}
        dropped = {pair.train for pair in self.duplicates} if self._config.drop_duplicates else set()
        found = self._found
        return dataclasses.replace(
            found,
            train=tuple(entry for entry in found.train if entry not in skipped | dropped),
            val=tuple(entry for entry in found.val if entry not in skipped),
            test=tuple(entry for entry in found.test if entry not in skipped),
        )

    @cached_property
    def _entries(self) -> dict[str, list[str]]:
        """The images of each split, by their paths below the folder of the images."""
        lists = self._lists
        train, val = list(lists.train), list(lists.val)
        if not val:
            train, val = hold_out(lists, self._config.val_per_class, self._seed)
        return {"train": train, "val": val, "test": list(lists.test)}

    def _prepare(self) -> PreparedCache:
        """Check every image and fill the cache, unless that has been done; then print what a user should know."""
        if self._prepared is None:
            self._prepared = self._prepare_images(self._found, cached_side(self._config))
            for line in self._notes():
                _print_on_rank_zero(line)
        return self._prepared

    def _prepare_images(self, images: SceneLists, shorter_side: int | None) -> PreparedCache:
        with progress_bar("decoding images" if shorter_side else "checking images") as on_progress:
            return prepare_cache(
                images,
                cache_dir=Path(self._config.cache_dir),
                shorter_side=shorter_side,
                on_progress=on_progress,
                on_wait=lambda folder: _print_on_rank_zero(f"waiting for another process that prepares {folder}"),
            )

    def _notes(self) -> Iterator[str]:
        yield from self._found.notes
        prepared = self._prepare()
        if summary := summarize(prepared.records):
            yield f"{summary} of {len(prepared.records)} images: see {prepared.folder / RECORDS}"
        if doubled := len({pair.train for pair in self.duplicates}):
            others = " or of data.against" if self._config.against else ""
            done = "they are left out" if self._config.drop_duplicates else "data.drop_duplicates=true leaves them out"
            yield f"{doubled:,} training images are near-duplicates of test images{others}; {done}"
        if (imbalance := describe_imbalance(self._lists)) and not self._config.balance:
            yield f"{imbalance}; data.balance=true shows each class equally often"

    def _sampled_loader(self, name: str, *, shuffle: bool = False) -> DataLoader[Any]:
        """A split as Lightning takes it, the share of this process in a distributed run."""
        dataset, trainer = self.split(name), self.trainer
        sampler = EpochSampler(
            dataset,
            seed=self._seed,
            shuffle=shuffle,
            balance=shuffle and self._config.balance,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )
        return self._loader(dataset, sampler, shuffle=shuffle)

    def _loader(
        self, dataset: SceneDataset, sampler: EpochSampler | range, *, shuffle: bool = False
    ) -> DataLoader[Any]:
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


def _ignore_ctrl_c(worker: int) -> None:
    """A terminal sends Ctrl-C to every process; the training process ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _unchanged(batch: Any) -> Any:
    return batch
