"""The predictions of a network for photos without labels: as many as a folder holds, in constant memory each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from deepdream.evaluating.predictions import predict_batches
from deepdream.images import read_image
from deepdream.models import Network

Batch = tuple[list[int], list[Tensor], dict[int, str]]  # indices and images of the readable photos; faults of the rest


class TopClasses(NamedTuple):
    """The k most probable classes of N photos, the most probable one first.

    photos: int64 (N,), the photos by their index, in order. classes: int64 (N, k). probabilities: float32 (N, k).
    faults: why a photo was not read, by its index.
    """

    photos: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    faults: dict[int, str]

    def arrays(self, first: int) -> dict[str, npt.NDArray[Any]]:
        """All of it as arrays, for photos that are a part of a list, from the index `first` on."""
        return {
            "photos": self.photos + first,
            "classes": self.classes,
            "probabilities": self.probabilities,
            "unreadable": np.array(list(self.faults), np.int64) + first,
            "reasons": np.array(list(self.faults.values()), np.str_),
        }

    @classmethod
    def joined(cls, parts: Iterable[Mapping[str, npt.NDArray[Any]]]) -> TopClasses:
        """Those of a whole list, of the arrays of its parts."""
        every = list(parts)
        whole = {name: np.concatenate([arrays[name] for arrays in every]) for name in every[0]}
        faults = dict(zip(whole["unreadable"].tolist(), whole["reasons"].tolist(), strict=True))
        return cls(whole["photos"], whole["classes"], whole["probabilities"], faults)


class _Photos(Dataset[tuple[int, Tensor | str]]):
    """Photos as the evaluation shows them to the network, uint8 (3, S, S), or why one cannot be read."""

    def __init__(self, photos: Sequence[str], read: Callable[[str], Image.Image], network: Network) -> None:
        self._photos = photos
        self._read = read
        self._network = replace(network, model=nn.Identity())  # the loading processes need no weights

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> tuple[int, Tensor | str]:
        try:
            image = self._network.preprocess(self._read(self._photos[index]))
        except (OSError, ValueError) as error:
            return index, str(error)
        return index, (255 * image).round().to(torch.uint8)


def predict_photos(
    network: Network,
    photos: Sequence[str],
    *,
    top_k: int = 5,
    read: Callable[[str], Image.Image] = read_image,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    batch_size: int = 32,
    workers: int = 0,
    on_batch: Callable[[int], object] | None = None,
) -> TopClasses:
    """The `top_k` most probable classes of each photo; of all classes where there are fewer.

    photos: paths, or whatever `read` takes. dtype: of the forward pass. workers: loading processes.
    on_batch: called with the number of photos done so far. A photo that `read` refuses by OSError or ValueError is
    among the faults.
    """
    loader = DataLoader(_Photos(photos, read, network), batch_size, num_workers=workers, collate_fn=_collate)
    indices: list[int] = []
    faults: dict[int, str] = {}

    def images() -> Iterator[Tensor]:
        for found, batch, unreadable in loader:
            indices.extend(found)
            faults.update(unreadable)
            if batch:
                yield torch.stack(batch)
            if on_batch is not None:
                on_batch(len(indices) + len(faults))

    count = min(top_k, len(network.classes))
    classes, probabilities = [np.empty((0, count), np.int64)], [np.empty((0, count), np.float32)]
    for each in predict_batches(network, images(), device=device, dtype=dtype):
        order = np.argsort(-each, axis=1, kind="stable")[:, :count]  # stable: of equal classes the first, as argmax
        classes.append(order)
        probabilities.append(np.take_along_axis(each, order, axis=1))
    return TopClasses(np.array(indices, np.int64), np.concatenate(classes), np.concatenate(probabilities), faults)


def _collate(items: list[tuple[int, Tensor | str]]) -> Batch:
    readable = [(index, image) for index, image in items if isinstance(image, Tensor)]
    faults = {index: fault for index, fault in items if isinstance(fault, str)}
    return [index for index, _ in readable], [image for _, image in readable], faults
