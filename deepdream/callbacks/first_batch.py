"""Log the first training batch, as the network gets it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from deepdream.loggers import log_image
from deepdream.scenes import SceneDataModule
from deepdream.scenes.data_plots import batch_sheet


class FirstBatch(pl.Callback):
    """Logs a contact sheet of the first training batch with its labels, once per run, as data/first_batch."""

    @rank_zero_only
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Log the sheet."""
        data = getattr(trainer, "datamodule", None)
        if trainer.global_step > 0 or batch_idx > 0 or not isinstance(data, SceneDataModule):
            return
        images, labels = batch
        sheet = batch_sheet(images, labels, data.classes, mean=data.mean, std=data.std)
        log_image(trainer.loggers, "data/first_batch", sheet)
