"""Forward passes that use a batch's statistics and leave no trace in the running ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def keep_running_statistics(model: nn.Module) -> Iterator[None]:
    """While the context is open, batch norms in training do not move their running mean and variance.

    They normalise by the batch as ever. For passes over pictures or weights that the network will not be used with.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
