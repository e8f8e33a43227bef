"""What several benchmarks measure with: the clock, and a network whose speed is that of a trained one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torchvision
from torch import nn

if TYPE_CHECKING:
    from deepdream.models import Network

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def seconds(run: Callable[[], object]) -> float:
    start = now()
    run()
    return now() - start


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def random_network(architecture: str = "resnet50") -> Network:
    """A network of torchvision with random weights, and batch norms that know them: activations of an ordinary size.

    Without the latter they shrink from block to block to subnormal numbers, which are slow.
    """
    from deepdream.models import Network  # not above: in a peer's process `deepdream` is the peer's module

    torch.manual_seed(0)
    model = getattr(torchvision.models, architecture)()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 224, 224))
    return Network(model.eval().requires_grad_(False), [str(i) for i in range(1000)], MEAN, STD, 224, "random")
