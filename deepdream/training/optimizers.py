"""Build the configured optimizer: parameter groups, fused steps, scaled learning rate."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from hydra.utils import instantiate
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from deepdream.schema import did_you_mean
from deepdream.training.config import TrainConfig

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)

MakeOptimizer = Callable[..., Optimizer]

BATCH_OF_LR = 256  # images per step for which `optimizer.lr` is given with scale_lr=true (Goyal et al. 2017)


def configured_partial(key: str, config: Mapping[str, Any]) -> Callable[..., Any]:
    """The callable that `config["_target_"]` names, with the other entries as keyword arguments (functools.partial).

    key: the configuration key of `config`, for error messages.
    Raises ValueError, in one line, where the callable does not take one of the arguments.
    """
    make: Any = instantiate(dict(config), _partial_=True)
    parameters = inspect.signature(make.func).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = [] if takes_any else [name for name in make.keywords if name not in parameters]
    if unknown:
        near = did_you_mean(unknown[0], parameters) if len(unknown) == 1 else ""
        remedy = " ".join(f"~{key}.{name}" for name in unknown)
        raise ValueError(
            f"{config['_target_']} takes no argument {', '.join(f'`{name}`' for name in unknown)}{near or '.'} "
            f"Remove what it does not take: {remedy}"
        )
    return make  # type: ignore[no-any-return]


def build_optimizer(
    make: MakeOptimizer, model: nn.Module, *, decay_norm_and_bias: bool, fused: bool = True
) -> Optimizer:
    """The optimizer that `make` builds from parameter groups: any class of torch.optim, as a partial.

    decay_norm_and_bias: False keeps weight decay off batch norms and biases (He et al. 2019, "Bag of Tricks").
    fused: one kernel per step, where optimizer and device support it and `make` does not set it.

    Raises ValueError, in one line, for values that the optimizer refuses.
    """
    groups = parameter_groups(model, decay_norm_and_bias=decay_norm_and_bias)
    try:
        if fused and _may_fuse(make):
            with suppress(RuntimeError):  # this device has no such kernel
                return make(groups, fused=True)
        return make(groups)
    except (TypeError, ValueError) as error:
        raise ValueError(f"optimizer: {error}") from error


def parameter_groups(model: nn.Module, *, decay_norm_and_bias: bool) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: weights, and without decay biases and the gamma and beta of norms.

    decay_norm_and_bias: True puts all of them into one group.
    Groups are chosen by name and module type, not by dimension: FSDP flattens every parameter.
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


def learning_rate(config: TrainConfig, *, world_size: int) -> float | None:
    """The learning rate that the optimizer starts from: `optimizer.lr`, scaled with scale_lr=true to the batch size.

    world_size: training processes. None where the configuration names no rate.
    """
    lr: float | None = config.optimizer.get("lr")
    if lr is None or not config.scale_lr:
        return lr
    return scaled_lr(lr, config.data.batch_size * config.trainer.accumulate_grad_batches * world_size)


def scaled_lr(lr: float, images: int) -> float:
    """The learning rate for `images` per step (over all processes), given the rate `lr` for 256.

    >>> scaled_lr(0.1, 64)
    0.025
    """
    return lr * images / BATCH_OF_LR


def _may_fuse(make: MakeOptimizer) -> bool:
    given = getattr(make, "keywords", {})  # of a functools.partial
    chosen = {"fused", "foreach", "capturable", "differentiable"} & {key for key, value in given.items() if value}
    return "fused" in inspect.signature(make).parameters and "fused" not in given and not chosen
