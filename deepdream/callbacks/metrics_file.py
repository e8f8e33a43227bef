"""metrics.csv: the figures of a run, one row an epoch."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from deepdream.files import write_atomically
from deepdream.training.classifier import EVALUATED

Row = dict[str, float]

FIRST = ("epoch", "step", "lr")


class MetricsFile(pl.Callback):
    """Writes `path`: epoch (from 0), step (optimizer steps so far), lr (of the next step), and what was logged.

    The rows are part of each checkpoint. A run that goes on from one writes its rows first, so that nothing of an epoch
    that is done again stands there twice, and the file is the one of a run that was never interrupted.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._rows: list[Row] = []
        self._validated = False

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take note that this epoch has figures of validation."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row. Callbacks that save checkpoints come after this one."""
        row: Row = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        if trainer.optimizers:
            row["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        row |= {key: float(value) for key, value in trainer.callback_metrics.items() if self._is_new(key)}
        self._rows.append(row)
        self._validated = False
        if trainer.is_global_zero:
            write_atomically(self._path, self._as_csv().encode())

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after those rows."""
        self._rows = list(state_dict["rows"])

    def _is_new(self, key: str) -> bool:
        """Not a figure that an earlier epoch left, nor a rate that was last noted at some step."""
        evaluated = key.partition("/")[0] in EVALUATED
        return not key.startswith("lr-") and (self._validated or not evaluated)

    def _as_csv(self) -> str:
        keys = {key for row in self._rows for key in row}
        columns = [key for key in FIRST if key in keys] + sorted(keys.difference(FIRST))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        return text.getvalue()
