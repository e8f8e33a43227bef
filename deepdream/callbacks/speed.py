"""Log how fast a run is, and how long it waits for data."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer


class Speed(pl.Callback):
    """Logs images per second, data wait and gradient norm to every logger, every `every` steps.

    speed/images_per_second: over all processes, since the last value, within one epoch.
    speed/data_wait: fraction of that time in which this process waited for its next batch, 0 to 1.
    gradient/norm: L2 norm of the gradient of the step, before clipping; not with gradient_norm=False.

    Only the processor's clock is read. Work on a GPU runs ahead of it: only the steps that log wait for the device,
    to read back the norm.
    Kept beside ThroughputMonitor, which does not measure the data wait.
    """

    def __init__(self, *, every: int, gradient_norm: bool = True) -> None:
        self._every = every
        self._gradient_norm = gradient_norm
        self._norm: Tensor | None = None
        self._start = self._last = self._waited = 0.0  # seconds
        self._images = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restart the clock: validation and saving do not count."""
        self._restart()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count the wait for this batch, and its images."""
        self._waited += time.perf_counter() - self._last
        self._images += len(batch[0])

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Compute the norm, where it will be logged."""
        if self._gradient_norm and self._logs(trainer):
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            self._norm = torch.nn.utils.get_total_norm(gradients)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log, every `every` steps."""
        if self._logs(trainer):
            elapsed = time.perf_counter() - self._start
            metrics = {
                "speed/images_per_second": self._images * trainer.world_size / elapsed,
                "speed/data_wait": self._waited / elapsed,
            }
            if self._norm is not None:
                metrics["gradient/norm"] = float(self._norm)
            for logger in trainer.loggers:
                logger.log_metrics(metrics, step=trainer.global_step - 1)
            self._restart()
        self._last = time.perf_counter()

    def _logs(self, trainer: pl.Trainer) -> bool:
        return (trainer.fit_loop.total_batch_idx + 1) % self._every == 0

    def _restart(self) -> None:
        self._start = self._last = time.perf_counter()
        self._waited = 0.0
        self._images = 0
        self._norm = None
