"""Whether weights and input fit a network, told from its computation on two photos of scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from deepdream.images import SAMPLES, read_sample
from deepdream.models.network import Network

# Deviation of a map's mean from the running mean of its batch norm, in running standard deviations; the median over
# channels, of the worst batch norm. EfficientNet-Lite0 with its own weights has 0.55. With any two layers of one shape
# exchanged it has 1.7 or more (14 exchanges, two photos).
MOST_DEVIATION = 1.2
NEARLY_UNIFORM = 0.95  # entropy of the predictions, as a share of the largest: a network that sees nothing


def photos(network: Network) -> Tensor:
    """A temple and a flower, as the evaluation shows them to `network`: float32 (2, 3, S, S) in [0, 1]."""
    return torch.stack([network.preprocess(read_sample(name)) for name in SAMPLES])


def statistics_agree(network: Network) -> bool:
    """Whether each batch norm's running statistics describe what reaches it; False without any batch norm.

    In a network whose weights are at the wrong places they do not: a weight in one layer changes the maps of the next.
    """
    deviations: list[float] = []

    def compare(norm: nn.Module, inputs: Any, _: Any) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        if norm.running_mean is None or norm.running_var is None:
            return
        mean = inputs[0].mean(dim=(0, 2, 3))
        off = (mean - norm.running_mean).abs() / (norm.running_var + norm.eps).sqrt()
        deviations.append(float(off.median()))

    norms = [module for module in network.model.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(compare) for norm in norms]
    try:
        network.predict(photos(network))
    finally:
        for hook in hooks:
            hook.remove()
    return bool(deviations) and max(deviations) <= MOST_DEVIATION


def sees_nothing(network: Network) -> bool:
    """Whether the predictions of both photos are nearly uniform over the classes."""
    probabilities = network.predict(photos(network))
    entropy = -(probabilities * probabilities.clamp_min(1e-12).log()).sum(dim=1)
    return bool((entropy > NEARLY_UNIFORM * math.log(max(2, len(network.classes)))).all())
