"""Forward passes that normalise by the batch and do not change running statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def keep_running_statistics(model: nn.Module) -> Iterator[None]:
    """While the context is open, batch norms in training mode do not update their running mean and variance.

    They still normalise by the batch. For passes over perturbed images or weights.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
