"""One streaming pass over the images: statistics of every channel of the chosen layers, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from deepdream.acceleration import accelerated_copy
from deepdream.microscope.channel_statistics import ChannelStatistics, response
from deepdream.microscope.image_set import Batch
from deepdream.models import Layer, Network
from deepdream.models.taps import LOGITS, Taps
from deepdream.scenes.transforms import normalize_uint8


@dataclass(frozen=True)
class Pass:
    """What the pass found. layers: the statistics of each layer by its name, all over the same images.

    samples: the indices of the images whose activations are kept. skipped: those of the unreadable images.
    """

    layers: dict[str, ChannelStatistics]
    samples: npt.NDArray[np.int64]
    skipped: list[int]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as arrays, for a part of the images."""
        statistics = {
            f"{number}/{name}": array
            for number, layer in enumerate(self.layers.values())
            for name, array in layer.arrays.items()
        }
        return {**statistics, "samples": self.samples, "skipped": np.array(self.skipped, np.int64)}

    @classmethod
    def joined(cls, parts: Iterable[Mapping[str, npt.NDArray[Any]]], layers: Sequence[Layer], classes: int) -> Pass:
        """That of all images, from the arrays of parts that follow one another."""
        statistics = {layer.name: ChannelStatistics(layer.channels, classes, []) for layer in layers}
        samples, skipped = [], []
        for part in parts:
            for number, own in enumerate(statistics.values()):
                own.take_in({name: part[f"{number}/{name}"] for name in own.arrays})
            samples.append(part["samples"])
            skipped += part["skipped"].tolist()
        return cls(statistics, np.concatenate(samples), skipped)


def sample_indices(count: int, most: int) -> npt.NDArray[np.int64]:
    """At most `most` of `count` images, evenly spread; all where there are no more."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def accelerated_for(network: Network, layers: Sequence[Layer], dtype: torch.dtype, device: torch.device) -> nn.Module:
    """The copy of the network that a pass over these layers computes with."""
    return accelerated_copy(network.model, dtype, device, [layer.name for layer in layers])


class StreamingPass:
    """The pass over the images of one network, or over a part of them.

    labels: of each image; -1 for one of unknown class, which counts for the class that is predicted.
    samples: the indices of the images whose activations are kept.
    """

    def __init__(
        self, network: Network, layers: Sequence[Layer], labels: Sequence[int], *, samples: npt.NDArray[np.int64]
    ) -> None:
        self._network = network
        self._layers = list(layers)
        self._labels = torch.tensor(list(labels), dtype=torch.int64)
        classes = len(network.classes)
        statistics = {layer.name: ChannelStatistics(layer.channels, classes, samples) for layer in layers}
        self.found = Pass(statistics, samples, [])

    @torch.inference_mode()
    def run(
        self,
        batches: Iterable[Batch],
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        model: nn.Module | None = None,
        on_batch: Callable[[int], object] | None = None,
    ) -> Pass:
        """Take in the batches, in order. on_batch: called with the number of images done so far.

        model: the copy of the network that computes, where several parts share one (`accelerated_for`).
        """
        model = accelerated_for(self._network, self._layers, dtype, device) if model is None else model
        done = 0
        with Taps(model, self._layers, logits=True) as taps:
            for batch in batches:
                images = normalize_uint8(batch.images.to(device), self._network.mean, self._network.std)
                self._update(batch, taps.run(images.to(dtype, memory_format=torch.channels_last)))
                done += len(batch.images)
                if on_batch is not None:
                    on_batch(done)
        return self.found

    def _update(self, batch: Batch, features: Any) -> None:
        indices = torch.arange(batch.first, batch.first + len(batch.images))
        labels = self._labels[indices]
        labels = torch.where(labels < 0, features[LOGITS].argmax(dim=1).cpu(), labels)
        readable = batch.readable
        self.found.skipped.extend(indices[~readable].tolist())
        for layer in self._layers:
            maps = features[layer.name]
            found = response(maps if bool(readable.all()) else maps[readable.to(maps.device)])
            self.found.layers[layer.name].update(found, indices[readable], labels[readable])
