"""Build the configured optimizer: parameter groups, fused steps, learning rates by batch size and by layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch import nn
from torch.optim import Optimizer

from deepdream.training.config import TrainConfig
from deepdream.training.layer_groups import NORMS, layer_indices

MakeOptimizer = Callable[..., Optimizer]

LR_SCALE = "lr_scale"  # timm's name

BATCH_OF_LR = 256  # images per step for which `optimizer.lr` is given with scale_lr=true (Goyal et al. 2017)


def build_optimizer(
    make: MakeOptimizer,
    model: nn.Module,
    *,
    decay_norm_and_bias: bool,
    layer_decay: float | None = None,
    fused: bool = True,
) -> Optimizer:
    """The optimizer that `make` builds from parameter groups: any class of torch.optim, as a partial.

    decay_norm_and_bias: False keeps weight decay off batch norms and biases (He et al. 2019, "Bag of Tricks").
    layer_decay: factor of the learning rate from a layer to the one before it; the head has the whole rate (Clark et
        al. 2020, "ELECTRA"; for images Bao et al. 2021, "BEiT"). None: one rate for all.
    fused: one kernel per step, where optimizer and device support it and `make` does not set it.

    Raises ValueError, in one line, for values that the optimizer refuses.
    """
    groups = parameter_groups(model, decay_norm_and_bias=decay_norm_and_bias, layer_decay=layer_decay)
    try:
        optimizer = _made(make, groups, fused=fused)
    except (TypeError, ValueError) as error:
        raise ValueError(f"optimizer: {error}") from error
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * group.get(LR_SCALE, 1.0)
    return optimizer


def parameter_groups(
    model: nn.Module, *, decay_norm_and_bias: bool, layer_decay: float | None = None
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: weights, and without decay biases, the gamma and beta of norms, and what the
    network itself names (`no_weight_decay` of timm's transformers).

    decay_norm_and_bias: True gives all of them weight decay.
    layer_decay: each layer has groups of its own, with `lr_scale` = layer_decay ** (layers above it), as in timm. The
        head comes first: the first group has the configured learning rate.
    Groups are chosen by name and module type.
    """
    named = getattr(model, "no_weight_decay", None)
    no_decay: set[str] = set(named()) if callable(named) else set()
    layers = {} if layer_decay is None else layer_indices(model)
    last = max(layers.values(), default=0)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        place, _, own_name = name.rpartition(".")
        is_spared = own_name == "bias" or isinstance(model.get_submodule(place), NORMS) or name in no_decay
        is_spared = is_spared and not decay_norm_and_bias
        above = last - layers.get(name, last)
        group = groups.setdefault((above, is_spared), {"params": []})
        group["params"].append(parameter)
        if is_spared:
            group["weight_decay"] = 0.0
        if not decay_norm_and_bias:
            group["name"] = "norm_and_bias" if is_spared else "weights"
        if layer_decay is not None:
            group[LR_SCALE] = layer_decay**above
            group["name"] = f"layer{last - above}" + ("_norm_and_bias" if is_spared else "")
    return [groups[key] for key in sorted(groups)]


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


def _made(make: MakeOptimizer, groups: list[dict[str, Any]], *, fused: bool) -> Optimizer:
    if fused and _may_fuse(make):
        with suppress(RuntimeError):  # this device has no such kernel
            return make(groups, fused=True)
    return make(groups)


def _may_fuse(make: MakeOptimizer) -> bool:
    given = getattr(make, "keywords", {})  # of a functools.partial
    chosen = {"fused", "foreach", "capturable", "differentiable"} & {key for key, value in given.items() if value}
    return "fused" in inspect.signature(make).parameters and "fused" not in given and not chosen
