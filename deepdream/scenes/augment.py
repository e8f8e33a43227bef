"""What happens to a picture on its way to the network.

In the workers, on uint8: a random crop and flip for training, a resize and centre crop for evaluation. On the
device, a batch at a time: normalisation and channels-last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

Transform = Callable[[Image.Image], Tensor]


def training_transform(
    image_size: int, *, crop_scale: Sequence[float], crop_ratio: Sequence[float], flip: float
) -> Transform:
    """Random resized crop (Szegedy et al. 2015) and horizontal flip: a PIL picture -> uint8 (3, image_size, image_size).

    crop_scale: smallest and largest share of the picture's area. crop_ratio: smallest and largest width over height.
    """
    return v2.Compose(  # type: ignore[no-any-return]
        [
            v2.RandomResizedCrop(image_size, tuple(crop_scale), tuple(crop_ratio), InterpolationMode.BILINEAR),
            v2.RandomHorizontalFlip(flip),
            v2.PILToTensor(),
        ]
    )


def evaluation_transform(image_size: int, resize: int) -> Transform:
    """Shorter side to `resize`, then the centre: a PIL picture -> uint8 (3, image_size, image_size)."""
    return v2.Compose(  # type: ignore[no-any-return]
        [v2.Resize(resize, InterpolationMode.BILINEAR), v2.CenterCrop(image_size), v2.PILToTensor()]
    )


def seeded(transform: Transform, picture: Image.Image, *key: int) -> Tensor:
    """`transform(picture)` with every draw a function of `key`; the caller's random state is left as it was."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return transform(picture)


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(x / 255 - mean) / std of uint8 pictures (N, 3, H, W), as float32 in channels-last order."""
    # One multiplication and one subtraction a value: x * (1 / (255 std)) - mean / std.
    scale = 1 / (255 * torch.tensor(std, device=images.device).view(1, 3, 1, 1))
    shift = torch.tensor(mean, device=images.device).view(1, 3, 1, 1) * 255 * scale
    return torch.addcmul(-shift, images.contiguous(memory_format=torch.channels_last).float(), scale)
