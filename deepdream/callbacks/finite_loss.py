"""Stop a run whose loss is infinite or NaN, and keep its last good checkpoint."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

NEVER = 2**62


class FiniteLoss(pl.Callback):
    """Stops a run at the first loss that is infinite or NaN, with an error that names the step.

    check_every: steps between two looks at the device. The device itself keeps the first such step, which is read
        every `check_every` steps and at the end of the epoch's training, before validation and thus before anything is
        saved. No other step waits for the device.

    Kept beside EarlyStopping(check_finite=True), which reads the mean loss of the epoch: it does not know the step, and
    ends the run in good order, with a checkpoint of the broken weights.
    """

    def __init__(self, *, check_every: int) -> None:
        self._check_every = check_every
        self._first: Tensor | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """No such step yet."""
        self._first = torch.tensor(NEVER, device=pl_module.device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the step where its loss is not finite. Raises ValueError, in one line."""
        assert self._first is not None
        step = trainer.fit_loop.total_batch_idx
        self._first = torch.where(torch.isfinite(outputs["loss"]), self._first, self._first.clamp(max=step))
        if trainer.is_last_batch or (step + 1) % self._check_every == 0:
            self._check(trainer, epoch_start=step - batch_idx)

    def _check(self, trainer: pl.Trainer, *, epoch_start: int) -> None:
        """All processes check at the same step, the same value. epoch_start: the step of the epoch's first batch."""
        assert self._first is not None
        first = int(trainer.strategy.reduce(self._first.clone(), reduce_op="min"))
        if first == NEVER:
            return
        kept = f"{trainer.current_epoch} epochs are kept" if trainer.current_epoch else "no epoch was finished"
        raise ValueError(
            f"the loss is not finite at step {first + 1} (batch {first - epoch_start + 1} of epoch "
            f"{trainer.current_epoch + 1}); {kept}; try a smaller optimizer.lr, or trainer.gradient_clip_val=1"
        )
