"""Feature visualisations of every channel of a layer, made in batches and kept in files, so that a run can resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from deepdream.dreaming import DreamConfig, Dreamer, visualize_channels
from deepdream.dreaming.terms import each_channel
from deepdream.files import atomic_path
from deepdream.images import to_image
from deepdream.microscope.config import MicroscopeOptions
from deepdream.models import Layer, Network

GROUP = 16  # channels that are dreamed together; always the same ones, so that a resumed run writes equal files
QUALITY = 86  # of JPEGs
PHOTO_SHARE = 3  # a dream on a photo takes one of so many steps
PHOTO = "photo"  # the kind of file of the dream on a photo, beside "0", "1" ...


class Visualizations:
    """The files folder/<layer>/<channel>-<kind>.jpg: `options.visualizations` from different seeds, one on a photo."""

    def __init__(self, network: Network, folder: Path, options: MicroscopeOptions) -> None:
        self._folder = folder
        self._options = options
        self.side = options.side or max(64, network.image_size // 2 // 16 * 16)
        self.config = DreamConfig.preset(
            options.preset,
            layers=[network.probe.layers[-1].name],
            steps=options.steps,
            width=self.side,
            jitter=max(2, self.side // 24),
            pad=max(2, self.side // 16),
        )
        self._dreamer = Dreamer(network, self.config, device=options.device, precision=options.precision)
        on_photo = DreamConfig.preset(
            "visualize",
            layers=self.config.layers,
            steps=max(1, options.steps // PHOTO_SHARE),
            init="image",
            jitter=2,
            pad=4,
            rotate=0,
        )
        self._on_photo = self._dreamer.with_config(on_photo)

    def path(self, layer: Layer, channel: int, kind: str) -> Path:
        """The file of one visualisation."""
        return self._folder / layer.name / f"{channel}-{kind}.jpg"

    def make(
        self, layer: Layer, photos: Callable[[list[int]], Tensor], on_progress: Callable[[int], None] | None = None
    ) -> None:
        """Make those files of `layer` that are missing.

        photos: the images (n, 3, side, side) in [0, 1] that the dreams of n channels start from.
        on_progress: called with the number of channels done so far.
        """
        kinds = [*map(str, range(self._options.visualizations)), *([PHOTO] if self._options.visualizations else [])]
        for first in range(0, layer.channels, GROUP):
            channels = list(range(first, min(layer.channels, first + GROUP)))
            for kind in kinds:
                if all(self.path(layer, channel, kind).is_file() for channel in channels):
                    continue
                if kind == PHOTO:
                    dreamer = self._on_photo.with_objective(each_channel(layer.name, channels))
                    images = dreamer(photos(channels), seed=0)
                else:
                    images = visualize_channels(self._dreamer, layer.name, channels, self.side, seed=int(kind))
                for channel, image in zip(channels, images, strict=True):
                    with atomic_path(self.path(layer, channel, kind)) as partial:
                        to_image(torch.nan_to_num(image)).save(partial, "JPEG", quality=QUALITY)
            if on_progress is not None:
                on_progress(channels[-1] + 1)
