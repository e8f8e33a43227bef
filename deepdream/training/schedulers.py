"""Learning-rate schedulers, and how the Trainer steps the configured one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import LRSchedulerConfigType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from deepdream.training.optimizers import LR_SCALE
from deepdream.training.targets import configured_partial


def warmup_cosine(
    optimizer: Optimizer,
    *,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float = 1.0,
    final_fraction: float = 0.0,
) -> LambdaLR:
    """A linear rise over `warmup_epochs`, then half a cosine down to `final_fraction` of the learning rate.

    Stepped once per optimizer step. The warmup takes at most 20 % of the run, so that a run of one epoch learns.
    Source: Goyal et al. 2017 (warmup), Loshchilov & Hutter 2016 (cosine).
    """
    warmup_steps = min(round(warmup_epochs * steps_per_epoch), total_steps // 5)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final_fraction + (1 - final_fraction) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)


def constant(optimizer: Optimizer) -> LambdaLR:
    """A constant learning rate."""
    return LambdaLR(optimizer, lambda step: 1.0)


def steps_per_epoch(trainer: pl.Trainer) -> int:
    """Optimizer steps per epoch. The training loader must be set up, as it is from `configure_optimizers` on."""
    return max(1, math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches))


def build_scheduler(config: Mapping[str, Any], optimizer: Optimizer, trainer: pl.Trainer) -> LRSchedulerConfigType:
    """The scheduler that `config` names, any of torch.optim.lr_scheduler or a function of an optimizer.

    One that takes `total_steps` (ours, OneCycleLR) gets it, `steps_per_epoch` too where it takes that, and is stepped
    once per optimizer step; any other (StepLR) once per epoch. ReduceLROnPlateau is stepped in epochs with validation,
    on val/loss, or with mode=max on val/accuracy.
    Raises ValueError, in one line, for arguments that the scheduler does not take.
    """
    trainer.fit_loop.setup_data()  # the loader, whose length is needed here
    total_steps = int(trainer.estimated_stepping_batches)
    make: Any = configured_partial("scheduler", config)
    parameters = inspect.signature(make).parameters
    lengths = {"total_steps": total_steps, "steps_per_epoch": steps_per_epoch(trainer)}
    try:
        scheduler = make(optimizer, **{k: v for k, v in lengths.items() if k in parameters and k not in make.keywords})
    except (TypeError, ValueError) as error:
        raise ValueError(f"scheduler: {error}") from error
    _require_layer_rates(config, optimizer)
    if "total_steps" in parameters:
        return {"scheduler": scheduler, "interval": "step"}
    # Once per epoch, at its last batch: Lightning's interval="epoch" comes after the checkpoint of the epoch is saved,
    # and a resumed run would be one scheduler step behind.
    stepped: LRSchedulerConfigType = {
        "scheduler": scheduler,
        "interval": "step",
        "frequency": int(trainer.num_training_batches),
    }
    if isinstance(scheduler, ReduceLROnPlateau):
        if trainer.limit_val_batches == 0:
            raise ValueError("scheduler ReduceLROnPlateau needs validation, and trainer.limit_val_batches is 0")
        stepped["strict"] = False  # nothing to monitor before the first validation
        stepped["monitor"] = "val/accuracy" if scheduler.mode == "max" else "val/loss"
    return stepped


def _require_layer_rates(config: Mapping[str, Any], optimizer: Optimizer) -> None:
    """Raise ValueError where the scheduler has set one learning rate for all layers, as OneCycleLR does."""
    rates = [group["lr"] / group.get(LR_SCALE, 1.0) for group in optimizer.param_groups]
    if not all(math.isclose(rate, rates[0], rel_tol=1e-6) for rate in rates):
        raise ValueError(
            f"scheduler is {config['_target_']}, which sets one learning rate for all layers; optimizer.layer_decay "
            "needs one for each: choose another scheduler, such as cosine, or optimizer.layer_decay=null"
        )
