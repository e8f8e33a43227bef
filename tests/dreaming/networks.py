"""Networks to dream with, small and fixed."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from deepdream.models import Network
from tests.reference.dreams import SmallNetwork

MEAN, STD = (0.48, 0.45, 0.40), (0.23, 0.22, 0.21)


def wrap(model: nn.Module, image_size: int = 32) -> Network:
    return Network(model.eval(), ["a", "b"], MEAN, STD, image_size, "test")


def small_network(seed: int = 0) -> Network:
    """tests.reference.dreams.SmallNetwork in PyTorch; its layers are called "1" and "3"."""
    reference = SmallNetwork(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=True),
    ).double()
    for conv, weight, bias in (
        (model[0], reference.weight1, reference.bias1),
        (model[2], reference.weight2, reference.bias2),
    ):
        conv.weight.data.copy_(torch.from_numpy(weight))
        conv.bias.data.copy_(torch.from_numpy(bias))
    return wrap(model)


def resnet18() -> Network:
    """torchvision's, with seeded weights and the batch statistics of seeded noise."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torchvision.models.resnet18()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the running statistics are then those of these images
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
        with torch.no_grad():
            model.train()(torch.randn(4, 3, 64, 64))
    return wrap(model, 64)


def photo(height: int, width: int, *, seed: int = 0, images: int | None = None) -> torch.Tensor:
    """Smooth coloured noise in [0, 1], float64: (3, H, W), or (N, 3, H, W) where `images` is given."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(images or 1, 3, height // 6 + 2, width // 6 + 2, generator=generator, dtype=torch.float64)
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0.02, 0.98)
    return smooth if images else smooth[0]
