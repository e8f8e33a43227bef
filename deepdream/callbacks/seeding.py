"""Seed torch's generators at every training step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch


class StepSeeding(pl.Callback):
    """Makes dropout, stochastic depth and adversarial training draw from (seed, epoch, batch, rank) alone.

    A resumed run thus needs no state of a generator. Nothing here waits for the device.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators of all devices for this batch."""
        key = np.random.SeedSequence([self._seed, trainer.current_epoch, batch_idx, trainer.global_rank])
        torch.manual_seed(int(key.generate_state(1, np.uint64)[0] >> np.uint64(1)))
