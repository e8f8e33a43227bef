"""A split as a data set, and the order in which a process goes through it.

Every random draw follows from (seed, epoch, index), which the sampler hands out: it is the same whatever the number of
workers or processes, and after a resume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler
from torchvision.transforms.v2.functional import pil_to_tensor

from deepdream.images import decode
from deepdream.scenes.image_cache import Store
from deepdream.scenes.integrity import LEAST_SHARE
from deepdream.scenes.layout import SceneLists
from deepdream.scenes.transforms import Transform, seeded

Key = tuple[int, int]  # (epoch, index); an index alone with trainer.overfit_batches, which replaces EpochSampler


class Pictures(Dataset[tuple[Tensor, int]]):
    """Pictures and their labels.

    store: where they are kept decoded, and `rows` their places in it; without one the files are read each time.
    with_keys: batches carry the key of their own draws, for what happens to a whole batch on the device.
    """

    def __init__(
        self,
        lists: SceneLists,
        entries: Sequence[str],
        transform: Transform,
        seed: int,
        *,
        store: Store | None = None,
        rows: Sequence[int] = (),
        with_keys: bool = False,
    ) -> None:
        self.paths: list[Path] = [lists.images / entry for entry in entries]
        self.labels: list[int] = [lists.label(entry) for entry in entries]
        self._transform = transform
        self._seed = seed
        self._store = store
        self._rows = rows
        self._with_keys = with_keys

    def __len__(self) -> int:
        return len(self.paths)

    def raw(self, index: int) -> Tensor:
        """The picture as it is kept or stored: uint8 (3, H, W)."""
        if self._store is not None:
            return self._store[self._rows[index]]
        return pil_to_tensor(decode(self.paths[index], least=LEAST_SHARE).image)  # type: ignore[no-any-return]

    def __getitem__(self, key: Key | int) -> tuple[Tensor, int]:
        """The picture on its way to the network, as uint8, and its label. key: an index alone is of epoch 0."""
        epoch, index = (0, key) if isinstance(key, int) else key
        return seeded((self._seed, epoch, index), self._transform, self.raw(index)), self.labels[index]

    def __getitems__(self, keys: Sequence[Key | int]) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, tuple[int, ...]]:
        """A whole batch: uint8 (N, 3, S, S), int64 (N,), and with_keys the key of its own draws."""
        images, labels = zip(*(self[key] for key in keys), strict=True)
        batch = torch.stack(images), torch.tensor(labels)
        first = (0, keys[0]) if isinstance(keys[0], int) else keys[0]
        # The first picture stands in one batch an epoch; the 1 tells its draws from those of the picture itself.
        return (*batch, (self._seed, *first, 1)) if self._with_keys else batch


class EpochSampler(DistributedSampler[Key]):
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

    def __iter__(self) -> Iterator[Key]:
        order = np.arange(self._length)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self._length)
        share = order[self.rank :: self.num_replicas][: len(self)]
        return iter([(self.epoch, int(index)) for index in share])
