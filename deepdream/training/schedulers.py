"""Learning rates over a run."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float = 1.0,
    final_fraction: float = 0.0,
) -> LambdaLR:
    """A linear rise over `warmup_epochs`, then half a cosine down to `final_fraction` of the learning rate.

    Stepped once per optimizer step. The warmup is at most a fifth of the run, so that a trial of one epoch learns.
    Source: Goyal et al. 2017 (warmup), Loshchilov & Hutter 2016 (cosine).
    """
    warmup_steps = min(round(warmup_epochs * steps_per_epoch), total_steps // 5)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final_fraction + (1 - final_fraction) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)


def constant(optimizer: Optimizer, *, total_steps: int, steps_per_epoch: int) -> LambdaLR:
    """The learning rate as it is."""
    return LambdaLR(optimizer, lambda step: 1.0)
