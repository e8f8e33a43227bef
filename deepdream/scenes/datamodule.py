"""SceneDataModule: from a data set in the official layout to batches for training, validation and test."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from deepdream.config import AugmentConfig, RoomsConfig, UrlConfig
from deepdream.images import read_image
from deepdream.scenes.augment import Transform, evaluation_transform, normalize, seeded, training_transform
from deepdream.scenes.lists import SceneLists, read_lists
from deepdream.scenes.mit_indoor import arrive
from deepdream.scenes.rooms import write_rooms

Batch = tuple[Tensor, Tensor]


class Pictures(Dataset[tuple[Tensor, int]]):
    """Pictures and their labels. An item is asked for as (epoch, index), from which all its random draws follow."""

    def __init__(self, lists: SceneLists, entries: Sequence[str], transform: Transform, seed: int) -> None:
        self.paths = [lists.images / entry for entry in entries]
        self.labels = [lists.label(entry) for entry in entries]
        self._transform = transform
        self._seed = seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        """The picture as uint8 (3, H, W), and its label."""
        epoch, index = key
        picture = read_image(self.paths[index])
        return seeded(self._transform, picture, self._seed, epoch, index), self.labels[index]


class EpochSampler(DistributedSampler[tuple[int, int]]):
    """The share of one process of an epoch, as (epoch, index).

    Shuffled, every process has equally many, so that none waits for another at the end of an epoch; what is left
    over is left out, another part each epoch. In order, nothing is left out and nothing counts twice.
    It is a DistributedSampler so that Lightning tells it the epoch and does not put a sampler of its own in its place.
    """

    def __init__(self, pictures: Pictures, *, seed: int, shuffle: bool, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(pictures, world_size, rank, shuffle, seed)
        self._length = len(pictures)

    def __len__(self) -> int:
        if self.shuffle:
            return self._length // self.num_replicas
        return len(range(self.rank, self._length, self.num_replicas))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self._length)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self._length)
        share = order[self.rank :: self.num_replicas][: len(self)]
        return iter([(self.epoch, int(index)) for index in share])


class SceneDataModule(pl.LightningDataModule):
    """Batches of a data set in the official layout of MIT Indoor Scenes.

    root: folder with Images/, TrainImages.txt and TestImages.txt.
    rooms: drawn into `root` first, where given.
    download: fetch MIT Indoor Scenes into `root` first, where it is new or empty; url says where from (None: official).
    val_per_class: training pictures of each class that are held out, by a seeded draw, to choose the checkpoint.
    image_size, resize: evaluation brings the shorter side to `resize` and cuts the centre of `image_size` pixels;
        training crops at random to `image_size`.
    batch_size: per process. workers: loading processes per training process; -1 shares out the cores.

    Batches are (pictures, labels): float32 (N, 3, image_size, image_size), normalised, channels-last, once they are
    on the device; int64 (N,). Validation sees two loaders, val and test: test is only drawn in the curves.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        image_size: int = 128,
        resize: int = 146,
        augment: AugmentConfig | None = None,
        val_per_class: int = 8,
        batch_size: int = 64,
        workers: int = -1,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        train_list: str = "TrainImages.txt",
        test_list: str = "TestImages.txt",
        rooms: RoomsConfig | None = None,
        download: bool = False,
        url: UrlConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.root = Path(root)
        self.image_size = image_size
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.batch_size = batch_size
        self._workers = workers
        self._val_per_class = val_per_class
        self._list_names = (train_list, test_list)
        self._rooms = rooms
        self._download = download
        self._url = url
        self._seed = seed
        self._evaluation = evaluation_transform(image_size, resize)
        self._training = self._evaluation
        if augment is not None:
            self._training = training_transform(image_size, augment)
        self._splits: dict[str, Pictures] | None = None
        self._classes: tuple[str, ...] = ()
        self.fingerprint = ""

    @property
    def classes(self) -> list[str]:
        """The classes that the lists name, sorted."""
        self.setup()
        return list(self._classes)

    def split(self, name: str) -> Pictures:
        """The pictures of "train", "val" or "test"."""
        self.setup()
        assert self._splits is not None
        return self._splits[name]

    def prepare_data(self) -> None:
        """Draw the rooms, or fetch MIT Indoor Scenes, where that was asked for."""
        if self._rooms is None:
            if self._download:
                arrive(self.root, self._url)
            return
        with Progress(transient=True, disable=not Console().is_terminal) as progress:
            task = progress.add_task("drawing rooms", total=None)
            write_rooms(
                self.root,
                train_per_class=self._rooms.train_per_class,
                test_per_class=self._rooms.test_per_class,
                size=self._rooms.size,
                seed=self._rooms.seed,
                on_picture=lambda done, total: progress.update(task, completed=done, total=total),
            )

    def setup(self, stage: str | None = None) -> None:
        """Read the lists and hold out the validation pictures."""
        if self._splits is not None:
            return
        train_list, test_list = self._list_names
        lists = read_lists(self.root, train_list=train_list, test_list=test_list)
        train, val = hold_out(lists, self._val_per_class, self._seed)
        self._classes = lists.classes
        self.fingerprint = _fingerprint(train, val, lists.test)
        self._splits = {
            "train": Pictures(lists, train, self._training, self._seed),
            "val": Pictures(lists, val, self._evaluation, self._seed),
            "test": Pictures(lists, lists.test, self._evaluation, self._seed),
        }

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled and augmented; incomplete batches are left out unless there is no other."""
        return self._loader("train", shuffle=True, sharded=True)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """The held-out pictures, and the test pictures."""
        return [self._loader(name, shuffle=False, sharded=True) for name in ("val", "test")]

    def test_dataloader(self) -> DataLoader[Any]:
        """The test pictures."""
        return self._loader("test", shuffle=False, sharded=True)

    def whole_loader(self, name: str) -> DataLoader[Any]:
        """A split in order, each picture once, whole in this process however many there are."""
        return self._loader(name, shuffle=False, sharded=False)

    def on_after_batch_transfer(self, batch: Batch | Tensor, dataloader_idx: int) -> Batch | Tensor:
        """Normalise on the device."""
        if isinstance(batch, Tensor):  # the example of the model summary, which is no batch of ours
            return batch
        images, labels = batch
        return normalize(images, self.mean, self.std), labels

    def _loader(self, name: str, *, shuffle: bool, sharded: bool) -> DataLoader[Any]:
        pictures = self.split(name)
        trainer = self.trainer if sharded else None
        sampler = EpochSampler(
            pictures,
            seed=self._seed,
            shuffle=shuffle,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )
        workers = self._worker_count()
        return DataLoader(
            pictures,
            self.batch_size,
            sampler=sampler,
            drop_last=shuffle and len(sampler) >= self.batch_size,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0 and shuffle,
        )

    def _worker_count(self) -> int:
        if self._workers >= 0:
            return self._workers
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        processes = self.trainer.num_devices if self.trainer else 1
        return max(1, min(8, cores // processes))


def hold_out(lists: SceneLists, per_class: int, seed: int) -> tuple[list[str], list[str]]:
    """The training list without, and only, `per_class` pictures of each class, drawn from (seed, class).

    Raises ValueError where a class would have no training picture left.
    """
    train: list[str] = []
    val: list[str] = []
    for number, name in enumerate(lists.classes):
        entries = [entry for entry in lists.train if entry.partition("/")[0] == name]
        if len(entries) <= per_class:
            raise ValueError(
                f"data.val_per_class is {per_class}, but class {name} has only {len(entries)} training pictures"
            )
        held = set(np.random.default_rng([seed, number]).choice(len(entries), per_class, replace=False).tolist())
        train += [entry for i, entry in enumerate(entries) if i not in held]
        val += [entry for i, entry in enumerate(entries) if i in held]
    return train, val


def _fingerprint(*splits: Sequence[str]) -> str:
    """A hash of which picture is in which split."""
    return hashlib.sha256("\n\n".join("\n".join(sorted(split)) for split in splits).encode()).hexdigest()[:16]
