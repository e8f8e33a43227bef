"""One photo examined: what the network answers, how sure it is, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from deepdream.explaining.confidence import attribution_confidence
from deepdream.explaining.config import CHEAP_CHECKS, ExplainConfig
from deepdream.explaining.explanation import Explanation, explain
from deepdream.models import Network

# Where a network does not say how it was evaluated: torchvision's ratio.
RESIZE_OVER_CROP = 256 / 224


@dataclass(frozen=True)
class Examination:
    """All that a panel shows.

    photo: what the network was shown, at the photo's own resolution. probabilities: float32 (classes,).
    confidence: attribution-based, in [0, 1]; see `attribution_confidence`.
    before: the probabilities of the photo that a dream was made from, where there is one.
    """

    name: str
    photo: Image.Image
    classes: Sequence[str]
    probabilities: Tensor
    confidence: float
    explanations: list[Explanation]
    before: Tensor | None = None

    @property
    def answer(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]


def examine(
    network: Network,
    photo: Image.Image,
    *,
    name: str,
    methods: Sequence[str],
    target: str | int | None = None,
    checks: Sequence[str] = CHEAP_CHECKS,
    crop: bool = True,
    before: Image.Image | None = None,
    config: ExplainConfig | None = None,
    seed: int = 0,
    on_method: Callable[[str], object] | None = None,
) -> Examination:
    """Explain what `network` sees in a photo, with its confidence. Arguments as of `explain`.

    crop: show the network what an evaluation would, the centre of the photo; else all of it.
    before: the photo that `photo` is a dream of. Raises what `explain` raises.
    """
    image = network.preprocess(photo, crop=crop)
    explanations = explain(
        network, image, methods, target, checks=checks, config=config, seed=seed, on_method=on_method
    )

    return Examination(
        name,
        network.cropped(photo) if crop else photo,
        network.classes,
        network.predict(image),
        attribution_confidence(network, image, config=config, seed=seed),
        explanations,
        None if before is None else network.predict(network.preprocess(before, crop=crop)),
    )


def overlay(photo: Image.Image, heatmap: Tensor, *, colormap: str = "inferno") -> Image.Image:
    """The heat map (h, w) in [0, 1] over the photo in grey: the more evidence, the more colour."""
    import matplotlib as mpl

    values = Image.fromarray(heatmap.numpy().astype(np.float32)).resize(photo.size, Image.Resampling.BICUBIC)
    heat = np.asarray(values).clip(0, 1)[..., None]  # (H, W, 1)
    colour = mpl.colormaps[colormap](heat[..., 0])[..., :3]
    grey = np.asarray(photo.convert("L"), dtype=np.float32)[..., None] / 255
    opacity = 0.35 + 0.5 * heat
    mixed = (1 - opacity) * grey + opacity * colour
    return Image.fromarray((mixed * 255 + 0.5).astype(np.uint8))
