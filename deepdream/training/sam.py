"""Sharpness-aware minimisation: step by the gradient of where the loss is highest nearby, into a wide valley.

Source: Foret et al. 2021, "Sharpness-Aware Minimization for Efficiently Improving Generalization", L2 norm.
A step takes two forward and two backward passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from deepdream.training.batch_statistics import keep_running_statistics

TINY = 1e-12


def sharpness_aware(closure: Callable[[], Any], again: Callable[[], Any], model: nn.Module, rho: float) -> Any:
    """Run `closure` at the weights, then `again` at the nearby point of highest loss, and leave the gradient of there.

    closure, again: each empties the gradients of `model`, then runs forward and backward over the same batch.
    rho: how far away the point is, L2 norm over all the weights.

    The weights are afterwards what they were, to the bit. All this goes around the closure, inside the optimizer's
    step: mixed precision, clipping and the step itself see nothing but the second gradient. The way to the nearby point
    does not depend on the gradient's scale, so a scaled loss (float16) needs no care. With several processes the first
    gradient is already averaged over all of them, where the paper lets each take its own. The second pass does not
    count in the running statistics of batch norm. Returns what the first call of `closure` returned.
    """
    result = closure()
    with _uphill(model.parameters(), rho), keep_running_statistics(model):
        again()
    return result


@contextmanager
@torch.no_grad()
def _uphill(parameters: Iterable[nn.Parameter], rho: float) -> Iterator[None]:
    """Move the weights by `rho` along their gradient (L2 norm over all of them) while the context is open."""
    moved = [parameter for parameter in parameters if parameter.grad is not None]
    before = [parameter.detach().clone() for parameter in moved]
    gradients: list[Tensor] = [parameter.grad for parameter in moved if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    for parameter, gradient in zip(moved, gradients, strict=True):
        parameter.add_(gradient * (rho / (norm + TINY)))
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter, value in zip(moved, before, strict=True):
            parameter.copy_(value)
