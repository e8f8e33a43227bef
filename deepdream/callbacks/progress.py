"""Progress of a run: the network at the start, a line of metrics per epoch, overlaid curves in TensorBoard."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichModelSummary
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.model_summary.model_summary import get_human_readable_count
from rich.console import Console
from rich.table import Table

from deepdream.training.classifier import METRICS, SPLITS

log = logging.getLogger(__name__)


class NetworkSummary(RichModelSummary):
    """A table of the network's stages: parameters, operations for one image, and output sizes."""

    COLUMNS = ("Name", "Type", "Params", "FLOPs", "Out sizes")

    def __init__(self) -> None:
        super().__init__(max_depth=2)

    @staticmethod
    def summarize(summary_data: list[tuple[str, list[str]]], total_parameters: int, *args: Any, **kwargs: Any) -> None:
        """Print one table; Lightning's own adds counts that are the same for every run."""
        columns = dict(summary_data)
        table = Table(title=f"{get_human_readable_count(total_parameters)} parameters", title_justify="left")
        for name in NetworkSummary.COLUMNS:
            table.add_column(name, justify="left" if name in ("Name", "Type") else "right", no_wrap=True)
        for row in zip(*(columns[name] for name in NetworkSummary.COLUMNS), strict=True):
            if row[0].startswith("model"):  # the rest are metrics, which have no parameters
                table.add_row(*row)
        Console().print(table)


class EpochLine(pl.Callback):
    """One line of metrics per epoch, on the console and in the log file."""

    def __init__(self) -> None:
        self._start = 0.0
        self._is_validated = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.monotonic()
        self._is_validated = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note that this epoch was validated: otherwise Lightning keeps the metrics of an earlier one."""
        self._is_validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the line."""
        metrics = {
            key: value for key, value in trainer.callback_metrics.items() if self._is_validated or key == "train/loss"
        }
        parts = [f"epoch {trainer.current_epoch + 1:>{len(str(trainer.max_epochs))}}/{trainer.max_epochs}"]
        parts += [f"{key} {metrics[key]:.3f}" for key in ("train/loss", "val/loss") if key in metrics]
        parts += [f"{key} {100 * metrics[key]:.1f}%" for key in ("val/accuracy", "test/accuracy") if key in metrics]
        _print_and_log("  ".join([*parts, f"{time.monotonic() - self._start:.0f} s"]))


class OverlaidCurves(pl.Callback):
    """Charts of train, val and test over one another, in TensorBoard's CUSTOM SCALARS tab."""

    @rank_zero_only
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the layout of the tab, which other loggers do not have."""
        charts = {metric: ["Multiline", [f"{split}/{metric}" for split in SPLITS]] for metric in METRICS}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_custom_scalars({"train, val and test": charts})


@rank_zero_only
def _print_and_log(line: str) -> None:
    log.info(line)
    print(line, flush=True)
