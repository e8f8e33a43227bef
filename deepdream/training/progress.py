"""What a run says of itself while it goes on."""

from __future__ import annotations

import logging
import time

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from deepdream.training.classifier import SPLITS

log = logging.getLogger(__name__)


class EpochLine(pl.Callback):
    """One line of figures an epoch, on the console and in the log file."""

    def __init__(self) -> None:
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what the epoch came to."""
        figures = trainer.callback_metrics
        parts = [f"epoch {trainer.current_epoch + 1:>{len(str(trainer.max_epochs))}}/{trainer.max_epochs}"]
        parts += [f"{key} {figures[key]:.3f}" for key in ("train/loss", "val/loss") if key in figures]
        parts += [f"{key} {100 * figures[key]:.1f}%" for key in ("val/accuracy", "test/accuracy") if key in figures]
        _say("  ".join([*parts, f"{time.monotonic() - self._start:.0f} s"]))


class OverlaidCurves(pl.Callback):
    """Train, val and test over one another, in TensorBoard's CUSTOM SCALARS tab."""

    @rank_zero_only
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the layout of the tab."""
        charts = {
            metric: ["Multiline", [f"{split}/{metric}" for split in SPLITS]]
            for metric in ("accuracy", "loss", "mean_class_accuracy", "top5_accuracy")
        }
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_custom_scalars({"train, val and test": charts})


@rank_zero_only
def _say(line: str) -> None:
    log.info(line)
    print(line, flush=True)
