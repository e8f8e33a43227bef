"""SceneDataModule: from a data set in the official layout to batches for training, validation and test."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import signal
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.data import DataLoader

from deepdream.hardware import cores
from deepdream.rooms.dataset import write_rooms
from deepdream.scenes.config import AugmentConfig, DataConfig, RoomsConfig, UrlConfig
from deepdream.scenes.dataset import EpochSampler, Pictures
from deepdream.scenes.image_cache import Prepared, prepare
from deepdream.scenes.integrity import Finding, in_words
from deepdream.scenes.layout import SceneLists, read_lists
from deepdream.scenes.mit_indoor import arrive
from deepdream.scenes.transforms import Mixing, evaluation_transform, mixing, normalize, seeded, training_transform

Batch = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Sequence[int]]


class SceneDataModule(pl.LightningDataModule):
    """Batches of a data set in the official layout of MIT Indoor Scenes.

    root: folder with Images/, TrainImages.txt and TestImages.txt.
    rooms: drawn into `root` first, where given.
    download: fetch MIT Indoor Scenes into `root` first, where it is new or empty; url says where from (None: official).
    val_per_class: training pictures of each class that are held out, by a seeded draw, to choose the checkpoint.
    image_size, resize: evaluation brings the shorter side to `resize` and cuts the centre of `image_size` pixels;
        training crops at random, to `augment.crop_size` pixels or to `image_size`.
    store: keep the pictures decoded in `cache`, their shorter side `store_size` pixels (None: 1.14 times `image_size`,
        rounded up to 32, and `resize` or more); see `deepdream.scenes.image_cache`.
    batch_size: per process. workers: loading processes per training process; -1 chooses by the machine.

    Batches are (pictures, labels): float32 (N, 3, image_size, image_size), normalised, channels-last, once they are
    on the device; int64 (N,), or where CutMix or MixUp is on the shares of the classes, float32 (N, classes).
    Validation sees two loaders, val and test: test is only drawn in the curves.
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
        store: bool = True,
        store_size: int | None = None,
        cache: str | Path = "data/cache",
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
        self._resize = resize
        self._augment = augment
        self._workers = workers
        self._val_per_class = val_per_class
        self._list_names = (train_list, test_list)
        self._rooms = rooms
        self._download = download
        self._url = url
        self._seed = seed
        self._cache = Path(cache)
        self._store_side = (store_size or max(resize, _rounded_up(1.14 * image_size, 32))) if store else None
        self._prepared: Prepared | None = None

    @classmethod
    def from_config(cls, config: DataConfig, *, augment: AugmentConfig | None = None, seed: int = 0) -> Self:
        """As conf/data says."""
        arguments = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        return cls(arguments.pop("root"), **arguments, augment=augment, seed=seed)

    @property
    def classes(self) -> list[str]:
        """The classes that the lists name, sorted."""
        return list(self._lists.classes)

    @property
    def findings(self) -> list[Finding]:
        """What each listed file turned out to be, train first."""
        return self._prepare().findings

    @property
    def fingerprint(self) -> str:
        """A hash of which picture is in which split."""
        splits = (sorted(self._entries[name]) for name in ("train", "val", "test"))
        return hashlib.sha256("\n\n".join("\n".join(split) for split in splits).encode()).hexdigest()[:16]

    def split(self, name: str, *, tta: str = "none") -> Pictures:
        """The pictures of "train", "val" or "test". tta: see `evaluation_transform`; not of "train"."""
        prepared = self._prepare()
        transform = evaluation_transform(self.image_size, self._resize, tta)
        training = name == "train" and self._augment is not None
        if training:
            assert self._augment is not None
            transform = training_transform(self.image_size, self._augment)
        entries = self._entries[name]
        place = {finding.path: row for row, finding in enumerate(prepared.findings)}
        return Pictures(
            self._lists,
            entries,
            transform,
            self._seed,
            store=prepared.store,
            rows=[place[entry] for entry in entries],
            with_keys=training and self._mixing is not None,
        )

    def prepare_data(self) -> None:
        """Draw the rooms or fetch the photos, where that was asked for; decode each once. Quick where all is there."""
        if self._rooms is not None:
            with _progress("drawing rooms") as (progress, task):
                write_rooms(
                    self.root,
                    train_per_class=self._rooms.train_per_class,
                    test_per_class=self._rooms.test_per_class,
                    size=self._rooms.size,
                    seed=self._rooms.seed,
                    on_picture=lambda done, total: progress.update(task, completed=done, total=total, visible=True),
                )
        elif self._download:
            arrive(self.root, self._url)
        self._prepare()

    def setup(self, stage: str | None = None) -> None:
        """Read the lists, find the decoded pictures, hold out those for validation."""
        _ = self._entries

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled and augmented; incomplete batches are left out unless there is no other."""
        return self._loader(self.split("train"), shuffle=True, sharded=True)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """The held-out pictures, and the test pictures."""
        return [self._loader(self.split(name), shuffle=False, sharded=True) for name in ("val", "test")]

    def test_dataloader(self) -> DataLoader[Any]:
        """The test pictures."""
        return self._loader(self.split("test"), shuffle=False, sharded=True)

    def whole_loader(self, name: str, *, tta: str = "none") -> DataLoader[Any]:
        """A split in order, each picture once, whole in this process however many there are.

        tta: with "flip" or "multicrop" the pictures are (N, V, 3, image_size, image_size), V views of each.
        """
        return self._loader(self.split(name, tta=tta), shuffle=False, sharded=False)

    def on_after_batch_transfer(self, batch: Batch | Tensor, dataloader_idx: int) -> Batch | Tensor:
        """Normalise, and mix where that is on, on the device."""
        if isinstance(batch, Tensor):  # the example of the model summary, which is no batch of ours
            return batch
        images, labels, *key = batch
        images = normalize(images, self.mean, self.std)
        if key and self._mixing is not None:
            images, labels = seeded(key[0], self._mixing, images, labels)
        return images, labels

    @cached_property
    def _mixing(self) -> Mixing | None:
        return mixing(self._augment, len(self.classes)) if self._augment is not None else None

    @cached_property
    def _lists(self) -> SceneLists:
        """The lists without the pictures that cannot be used."""
        lists = self._read_lists()
        used = {finding.path for finding in self.findings if finding.used}
        train, test = (tuple(entry for entry in entries if entry in used) for entries in (lists.train, lists.test))
        return dataclasses.replace(lists, train=train, test=test)

    @cached_property
    def _entries(self) -> dict[str, list[str]]:
        """The pictures of each split."""
        train, val = hold_out(self._lists, self._val_per_class, self._seed)
        return {"train": train, "val": val, "test": list(self._lists.test)}

    def _read_lists(self) -> SceneLists:
        train_list, test_list = self._list_names
        return read_lists(self.root, train_list=train_list, test_list=test_list)

    def _prepare(self) -> Prepared:
        """Scan, and decode into the store, where that has not been done."""
        if self._prepared is None:
            with _progress("decoding pictures once" if self._store_side else "looking at each picture") as (bar, task):
                self._prepared = prepare(
                    self._read_lists(),
                    cache=self._cache,
                    shorter_side=self._store_side,
                    on_picture=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
                    on_wait=lambda folder: _say(f"another process is preparing {folder}; waiting for it"),
                )
            if words := in_words(self._prepared.findings):
                _say(f"of {len(self._prepared.findings)} pictures {words}: see {self._prepared.folder / 'scan.csv'}")
        return self._prepared

    def _loader(self, pictures: Pictures, *, shuffle: bool, sharded: bool) -> DataLoader[Any]:
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
            collate_fn=_as_it_is,  # Pictures hands out whole batches
            num_workers=workers,
            worker_init_fn=_leave_ctrl_c,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0 and shuffle,
        )

    def _worker_count(self) -> int:
        if self._workers >= 0:
            return self._workers
        if not torch.cuda.is_available():
            return 1  # the network needs the cores more
        processes = self.trainer.num_devices if self.trainer else 1
        return max(1, min(8, cores() // processes))


def _leave_ctrl_c(worker: int) -> None:
    """A terminal sends Ctrl-C to every process; the one that trains ends those that load."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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


def _rounded_up(value: float, multiple: int) -> int:
    return multiple * math.ceil(value / multiple)


def _as_it_is(batch: Any) -> Any:
    return batch


@contextlib.contextmanager
def _progress(description: str) -> Iterator[tuple[Progress, TaskID]]:
    """A bar that appears with the first step; nothing where the output is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not Console().is_terminal) as progress:
        yield progress, progress.add_task(description, total=None, visible=False)


@rank_zero_only
def _say(line: str) -> None:
    """Of several processes that are one run, the first speaks."""
    print(line, flush=True)
