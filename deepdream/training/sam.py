"""Sharpness-aware minimisation (SAM): step by the gradient at the highest loss nearby, towards flat minima.

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


def sharpness_aware(closure: Callable[[], Any], model: nn.Module, rho: float) -> Any:
    """Run `closure` at the weights and at the nearby point of highest loss; leave the gradient of the second.

    closure: zeroes the gradients of `model`, then runs forward and backward over one batch; the same each time.
    rho: distance to the nearby point, L2 norm over all the weights.

    The weights are restored bit for bit. All this happens inside the optimizer's step, around the closure: mixed
    precision, clipping and the step itself meet only the second gradient. The nearby point does not depend on the
    gradient's scale, so the scaled loss of float16 needs no special treatment. With several processes, the first
    gradient is the average over all of them; in the paper each process takes its own. The second pass does not change
    the running statistics of batch norms. Returns what the first call of `closure` returned.
    """
    result = closure()
    with _uphill(model.parameters(), rho), keep_running_statistics(model):
        closure()
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
