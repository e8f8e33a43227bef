"""A callback that a test gives to `train.py`: do all processes hold the same weights?"""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
import torch


class SameWeights(pl.Callback):
    """Writes "<processes> <largest difference of a weight between them>" into `path` after the last step."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        weights = torch.cat([parameter.detach().flatten() for parameter in pl_module.model.parameters()])
        everyone = trainer.strategy.all_gather(weights)
        if trainer.is_global_zero:
            largest = (everyone - everyone[0]).abs().max().item()
            self._path.write_text(f"{len(everyone)} {largest}")


class WhatEachTrained(pl.Callback):
    """Each process writes "<learning rate> <folder>" into rank_<number>.txt in its run folder."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rate = trainer.optimizers[0].param_groups[0]["initial_lr"]
        folder = Path(trainer.default_root_dir).resolve()
        (folder / f"rank_{trainer.global_rank}.txt").write_text(f"{rate} {folder}")
