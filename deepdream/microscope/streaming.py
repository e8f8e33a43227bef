"""One streaming pass over the images: statistics of every channel of the chosen layers, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from deepdream.acceleration import accelerated_copy
from deepdream.files import atomic_path
from deepdream.microscope.channel_statistics import ChannelStatistics, response
from deepdream.microscope.image_set import Batch
from deepdream.models import Layer, Network
from deepdream.models.taps import LOGITS, Taps
from deepdream.scenes.transforms import normalize_uint8

SAVE_EVERY = 20.0  # seconds between two saved states


@dataclass(frozen=True)
class Pass:
    """What the pass found. layers: the statistics of each layer by its name, all over the same images.

    samples: the indices of the images whose activations are kept. skipped: those of the unreadable images.
    """

    layers: dict[str, ChannelStatistics]
    samples: npt.NDArray[np.int64]
    skipped: list[int]


def sample_indices(count: int, most: int) -> npt.NDArray[np.int64]:
    """At most `most` of `count` images, evenly spread; all where there are no more."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


class StreamingPass:
    """The pass over the images of one network.

    labels: of each image; -1 for one of unknown class, which counts for the class that is predicted.
    state: the file in which the pass is kept, so that a killed one continues; a state with another `fingerprint` is
        ignored. None keeps nothing.
    """

    def __init__(
        self,
        network: Network,
        layers: Sequence[Layer],
        labels: Sequence[int],
        *,
        samples: npt.NDArray[np.int64],
        state: Path | None = None,
        fingerprint: str = "",
    ) -> None:
        self._network = network
        self._layers = list(layers)
        self._labels = torch.tensor(list(labels), dtype=torch.int64)
        self._state = state
        self._fingerprint = fingerprint
        self.done = 0
        classes = len(network.classes)
        statistics = {layer.name: ChannelStatistics(layer.channels, classes, samples) for layer in layers}
        self.found = Pass(statistics, samples, [])
        self._restore()

    @torch.inference_mode()
    def run(
        self,
        batches: Iterable[Batch],
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        on_batch: Callable[[int], None] | None = None,
    ) -> Pass:
        """Take in the batches from the image `done` on. on_batch: called with the number of images done so far."""
        names = [layer.name for layer in self._layers]
        model = accelerated_copy(self._network.model, dtype, device, names)
        saved = time.monotonic()
        with Taps(model, self._layers, logits=True) as taps:
            for batch in batches:
                images = normalize_uint8(batch.images.to(device), self._network.mean, self._network.std)
                self._update(batch, taps.run(images.to(dtype, memory_format=torch.channels_last)))
                self.done = batch.first + len(batch.images)
                if on_batch is not None:
                    on_batch(self.done)
                if self._state is not None and time.monotonic() - saved > SAVE_EVERY:
                    self._save()
                    saved = time.monotonic()
        if self._state is not None:
            self._save()
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

    def _save(self) -> None:
        assert self._state is not None
        arrays: dict[str, npt.NDArray[Any]] = {
            f"{number}/{name}": array
            for number, layer in enumerate(self._layers)
            for name, array in self.found.layers[layer.name].arrays.items()
        }
        arrays["fingerprint"] = np.array([self._fingerprint])
        arrays["done"] = np.array([self.done])
        arrays["skipped"] = np.array(self.found.skipped, dtype=np.int64)
        with atomic_path(self._state) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def _restore(self) -> None:
        if self._state is None or not self._state.is_file():
            return
        with np.load(self._state, allow_pickle=False) as saved:
            if str(saved["fingerprint"][0]) != self._fingerprint:
                return
            for number, layer in enumerate(self._layers):
                statistics = self.found.layers[layer.name]
                statistics.restore({name: saved[f"{number}/{name}"] for name in statistics.arrays})
            self.done = int(saved["done"][0])
            self.found.skipped.extend(saved["skipped"].tolist())
