"""Attributions against masks of the user's own: where an object is, or what a person would look at."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from deepdream.models import Network


def network_mask(network: Network, mask: Image.Image, size: tuple[int, int], *, crop: bool = True) -> Tensor:
    """A mask as the network sees it, bool (h, w): its light pixels, cropped and resized as the image of that size.

    size: (width, height) of the image. Raises ValueError for a mask of another size and for one without light pixels.
    """
    if mask.size != size:
        raise ValueError(
            f"the mask is {mask.width}x{mask.height}; it must have the size of its image, {size[0]}x{size[1]}"
        )
    seen = network.preprocess(mask.convert("L").convert("RGB"), crop=crop)[0] > 0.5
    if not seen.any():
        raise ValueError(
            "the mask has no light pixels in the part of the image that the network sees; white marks objects"
        )
    return seen


def mask_scores(attribution: Tensor, mask: Tensor) -> dict[str, float]:
    """How much of the evidence is inside a mask (H, W), both in [0, 1].

    mass_accuracy: the share of the positive evidence inside (Arras et al. 2022). pointing: 1 if the peak is inside,
    else 0 (Zhang et al. 2016). A map without evidence has what chance would give, the mask's share of the image.
    """
    evidence = attribution.clamp(min=0).double()
    if not evidence.any():
        evidence = torch.ones_like(evidence)
    inside = mask.numpy()
    values = evidence.numpy()
    return {
        "mass_accuracy": float(values[inside].sum() / values.sum()),
        "pointing": float(np.mean(inside[values == values.max()])),
    }
