"""What a run says of itself while it goes on."""

from __future__ import annotations

import logging
import time

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

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


@rank_zero_only
def _say(line: str) -> None:
    log.info(line)
    print(line, flush=True)
