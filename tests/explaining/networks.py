"""Networks to explain, small and fixed."""

from __future__ import annotations

import copy
from functools import cache

import torch
from torch import Tensor, nn

from deepdream.models import Network, ResNet
from tests.dreaming.networks import MEAN, STD, photo

CLASSES = ["bar", "bedroom", "kitchen", "library"]


def small_resnet(seed: int = 0, *, size: int = 64) -> Network:
    """A ResNet-10 with seeded weights, batch statistics of seeded images, and predictions that differ."""
    return copy.deepcopy(_small_resnet(seed, size))


@cache
def _small_resnet(seed: int, size: int) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ResNet(10, len(CLASSES), zero_init_residual=False)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the running statistics are then the mean over all batches
        with torch.no_grad():
            model.train()(torch.cat([scene(size, seed=i)[None] for i in range(8)]) * 4 - 2)
            model.fc.weight.mul_(4)
    return Network(model.eval(), CLASSES, MEAN, STD, size, "test")


def scene(size: int = 64, *, seed: int = 0) -> Tensor:
    """Smooth coloured noise in [0, 1], float32 (3, size, size)."""
    return photo(size, size, seed=seed).float()


class PatchReader(nn.Module):
    """The probability of "yes" is 0.1 + 0.8 times the mean of one patch of an image in [0, 1]."""

    def __init__(self, top: int = 8, left: int = 16, side: int = 8) -> None:
        super().__init__()
        self.rows, self.columns = slice(top, top + side), slice(left, left + side)

    def forward(self, images: Tensor) -> Tensor:
        yes = 0.1 + 0.8 * images[:, :, self.rows, self.columns].mean(dim=(1, 2, 3))
        return torch.stack([1 - yes, yes], dim=1).log()


def patch_network() -> Network:
    """PatchReader as a Network that normalises nothing: the mean colour, which hides pixels, is then black."""
    return Network(PatchReader(), ["no", "yes"], (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 32, "patch")


def patch_map(size: int = 32) -> Tensor:
    """1 on the patch that PatchReader reads, 0 elsewhere: (size, size)."""
    reader = PatchReader()
    truth = torch.zeros(size, size)
    truth[reader.rows, reader.columns] = 1
    return truth
