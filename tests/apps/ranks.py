"""A callback that a test gives to `train.py`: do all processes hold the same weights?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch


class SameWeights(pl.Callback):
    """Writes "<processes> <largest difference of a weight between them>" into `path` after the last step."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        weights = torch.cat([parameter.detach().flatten() for parameter in pl_module.model.parameters()])
        highest, lowest = (trainer.strategy.reduce(weights.clone(), reduce_op=op) for op in ("max", "min"))
        if trainer.is_global_zero:
            self._path.write_text(f"{trainer.world_size} {(highest - lowest).max().item()}")


class WhatEachTrained(pl.Callback):
    """Each process writes "<learning rate> <folder>" into rank_<number>.txt in its run folder."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rate = trainer.optimizers[0].param_groups[0]["initial_lr"]
        folder = Path(trainer.default_root_dir).resolve()
        (folder / f"rank_{trainer.global_rank}.txt").write_text(f"{rate} {folder}")


class Pictures(pl.Callback):
    """Each process writes "<pictures trained on> <pictures validated with>" of the run into pictures_<number>.txt."""

    def __init__(self) -> None:
        self._trained = self._validated = 0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._trained += len(batch[0])

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, *args: Any
    ) -> None:
        self._validated += 0 if trainer.sanity_checking else len(batch[0])

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        path = Path(trainer.default_root_dir) / f"pictures_{trainer.global_rank}.txt"
        path.write_text(f"{self._trained} {self._validated}")
