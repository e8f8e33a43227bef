"""A split as a data set, and the order in which a process visits it.

Every random draw follows from (seed, epoch, index), which the sampler hands out: it is the same for any number of
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
from deepdream.scenes.config import AugmentConfig
from deepdream.scenes.image_cache import DecodedImageCache
from deepdream.scenes.integrity import MIN_SHARE
from deepdream.scenes.layout import SceneLists
from deepdream.scenes.transforms import BatchDraws, Transform, call_seeded, color_matrix, has_color_jitter

Key = tuple[int, int]  # (epoch, index); an index alone with trainer.overfit_batches, which replaces EpochSampler


class SceneDataset(Dataset[tuple[Tensor, int]]):
    """The images of a split and their labels.

    cache: the decoded images, `rows` the row of each image in it; without a cache the files are read each time.
    on_device: what the device adds to the augmentation of a batch, whose draws the batches then carry.
    """

    def __init__(
        self,
        lists: SceneLists,
        entries: Sequence[str],
        transform: Transform,
        seed: int,
        *,
        cache: DecodedImageCache | None = None,
        rows: Sequence[int] = (),
        on_device: AugmentConfig | None = None,
    ) -> None:
        self.paths: list[Path] = [lists.images / entry for entry in entries]
        self.labels: list[int] = [lists.label(entry) for entry in entries]
        self._transform = transform
        self._seed = seed
        self._cache = cache
        self._rows = rows
        self._on_device = on_device

    def __len__(self) -> int:
        return len(self.paths)

    def raw(self, index: int) -> Tensor:
        """The image before any transform, from the cache or the file: uint8 (3, H, W)."""
        if self._cache is not None:
            return self._cache[self._rows[index]]
        return pil_to_tensor(decode(self.paths[index], least=MIN_SHARE).image)  # type: ignore[no-any-return]

    def __getitem__(self, key: Key | int) -> tuple[Tensor, int]:
        """The transformed image, uint8 (3, S, S), and its label. key: (epoch, index), or the index alone in epoch 0."""
        epoch, index = _epoch_and_index(key)
        return call_seeded((self._seed, epoch, index), self._transform, self.raw(index)), self.labels[index]

    def __getitems__(self, keys: Sequence[Key | int]) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, BatchDraws]:
        """A whole batch: uint8 (N, 3, S, S), int64 (N,), and with on_device the draws for the device."""
        images, labels = zip(*(self[key] for key in keys), strict=True)
        batch = torch.stack(images), torch.tensor(labels)
        return batch if self._on_device is None else (*batch, self._draws(keys, self._on_device))

    def _draws(self, keys: Sequence[Key | int], augment: AugmentConfig) -> BatchDraws:
        # The last number separates these draws from those of the image's own transform.
        seeds = [(self._seed, *_epoch_and_index(key)) for key in keys]
        colors = None
        if has_color_jitter(augment):
            matrices = [color_matrix(augment, np.random.default_rng((*seed, 2))) for seed in seeds]
            colors = torch.from_numpy(np.stack(matrices))
        return BatchDraws(colors, seed=(*seeds[0], 1))  # the first image is in one batch per epoch


def _epoch_and_index(key: Key | int) -> Key:
    """Samplers other than ours hand out plain indices: Lightning's, with overfit_batches, always the same ones."""
    return key if isinstance(key, tuple) else (0, key)


class EpochSampler(DistributedSampler[Key]):
    """The share of one process of an epoch, as (epoch, index).

    Shuffled, every process gets the same number of images, so that none waits for another at the end of an epoch; the
    remainder is dropped, a different one each epoch. In order, every image is visited exactly once.
    It derives from DistributedSampler so that Lightning sets its epoch and does not replace it.
    """

    def __init__(self, dataset: SceneDataset, *, seed: int, shuffle: bool, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(dataset, world_size, rank, shuffle, seed)
        self._length = len(dataset)

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
