"""The dream of one photo, made during training."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from deepdream.callbacks.image_logger import ImageLogger
from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.images import SAMPLES, read_image, read_sample, resize_to_width, to_image, to_tensor
from deepdream.models import Network


class DreamLogger(ImageLogger):
    """The dream of a photo, every so many epochs.

    photo: a file, or one of the samples. layers, preset: as for dream.py; None are the layers of the preset.
    width: of the dream, in pixels.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int,
        photo: str = "china",
        layers: list[str] | None = None,
        preset: str = "gordic",
        width: int = 320,
    ) -> None:
        super().__init__(folder, every=every, name="dream")
        named = {"layers": list(layers)} if layers else {}
        self._dream = DreamConfig.preset(preset, width=width, **named)
        image = read_sample(photo) if photo in SAMPLES else read_image(photo)
        self._photo = to_tensor(resize_to_width(image, width))

    def render(self, network: Network, epoch: int) -> Image.Image:
        """The dream; the Dreamer copies the network."""
        return to_image(Dreamer(network, self._dream, precision="fp32")(self._photo))
