"""From the config's optimizer to one around a network: which weights decay, how far a step goes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)

MakeOptimizer = Callable[..., Optimizer]

BATCH_OF_LR = 256  # pictures a step that a learning rate is given for, where it is to be scaled (Goyal et al. 2017)


def build_optimizer(
    make: MakeOptimizer, model: nn.Module, *, decay_norm_and_bias: bool, fused: bool = True
) -> Optimizer:
    """The optimizer that `make` builds from parameter groups and keywords: any of torch.optim, as a partial.

    decay_norm_and_bias: false keeps weight decay off batch norms and biases (He et al. 2019, "Bag of Tricks").
    fused: all of a step in one kernel, where the optimizer and the device have that and `make` does not say itself.
    """
    groups = parameter_groups(model, decay_norm_and_bias=decay_norm_and_bias)
    if fused and _may_fuse(make):
        with suppress(RuntimeError):  # this device has no such kernel
            return make(groups, fused=True)
    return make(groups)


def parameter_groups(model: nn.Module, *, decay_norm_and_bias: bool) -> list[dict[str, Any]]:
    """The parameters that decay; then, unless they shall, those that do not: biases, and gamma and beta of norms.

    They are told apart by name and module: FSDP gives all of them one dimension.
    """
    if decay_norm_and_bias:
        return [{"params": [parameter for parameter in model.parameters() if parameter.requires_grad]}]
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                (spared if name == "bias" or isinstance(module, NORMS) else decayed).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": decayed, "name": "weights"},
        {"params": spared, "name": "norm_and_bias", "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def scaled_lr(lr: float, pictures: int) -> float:
    """The learning rate for steps of `pictures` (of all processes together), where `lr` is meant for 256.

    >>> scaled_lr(0.1, 64)
    0.025
    """
    return lr * pictures / BATCH_OF_LR


def _may_fuse(make: MakeOptimizer) -> bool:
    given = getattr(make, "keywords", {})  # of a functools.partial
    chosen = {"fused", "foreach", "capturable", "differentiable"} & {key for key, value in given.items() if value}
    return "fused" in inspect.signature(make).parameters and "fused" not in given and not chosen
