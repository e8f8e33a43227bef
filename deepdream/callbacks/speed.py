"""How fast a run goes, and what it waits for."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.strategies import FSDPStrategy
from torch import Tensor
from torch.optim import Optimizer


class Speed(pl.Callback):
    """Into TensorBoard, every `log_every_n_steps` of the Trainer: pictures a second, data wait, gradient norm.

    speed/pictures_per_second: of all processes together, over the steps since the last figure, in one epoch.
    speed/data_wait: share of that time in which this process waited for its next batch, 0 to 1.
    gradient/norm: L2 norm of the gradient of the step, before clipping; gradient_norm=False and FSDP leave it out.

    Only the clock of the processor is read. On a GPU, work runs ahead of it: nothing waits but the steps at which
    figures are written, where the norm is read back.
    """

    def __init__(self, *, every: int, gradient_norm: bool = True) -> None:
        self._every = every
        self._gradient_norm = gradient_norm
        self._norm: Tensor | None = None
        self._start = self._last = self._waited = 0.0  # seconds
        self._pictures = 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """FSDP leaves each process only its part of the gradient."""
        self._gradient_norm = self._gradient_norm and not isinstance(trainer.strategy, FSDPStrategy)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation and saving are not part of the time."""
        self._begin()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The batch is here."""
        self._waited += time.perf_counter() - self._last
        self._pictures += len(batch[0])

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Compute the norm, where it will be written."""
        if self._gradient_norm and self._writes(trainer):
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            self._norm = torch.nn.utils.get_total_norm(gradients)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write, at every so many steps."""
        if self._writes(trainer):
            elapsed = time.perf_counter() - self._start
            figures = {
                "speed/pictures_per_second": self._pictures * trainer.world_size / elapsed,
                "speed/data_wait": self._waited / elapsed,
            }
            if self._norm is not None:
                figures["gradient/norm"] = float(self._norm)
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.log_metrics(figures, step=trainer.global_step - 1)
            self._begin()
        self._last = time.perf_counter()

    def _writes(self, trainer: pl.Trainer) -> bool:
        return (trainer.fit_loop.total_batch_idx + 1) % self._every == 0

    def _begin(self) -> None:
        self._start = self._last = time.perf_counter()
        self._waited = 0.0
        self._pictures = 0
        self._norm = None
