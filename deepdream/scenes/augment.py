"""What happens to a picture on its way to the network.

In the workers, on uint8: a random crop, flip and change of colour for training, a resize and centre crop for
evaluation. On the device, a batch at a time: normalisation and channels-last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2

from deepdream.config import AugmentConfig

Transform = Callable[[Image.Image], Tensor]


def training_transform(image_size: int, augment: AugmentConfig) -> Transform:
    """A random crop, flip and change of colour: a PIL picture -> uint8 (3, image_size, image_size).

    The crop is that of Szegedy et al. (2015). Parts that the config leaves at 0 take no time.
    """
    scale, ratio = tuple(augment.crop_scale), tuple(augment.crop_ratio)
    steps: list[nn.Module] = [
        v2.RandomResizedCrop(image_size, scale, ratio, InterpolationMode.BILINEAR),
        v2.RandomHorizontalFlip(augment.flip),
        v2.PILToTensor(),
    ]
    if augment.brightness or augment.saturation or augment.hue:
        steps.append(v2.ColorJitter(augment.brightness, saturation=augment.saturation, hue=augment.hue))
    if augment.grayscale:
        steps.append(v2.RandomGrayscale(augment.grayscale))
    return v2.Compose(steps)  # type: ignore[no-any-return]


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
