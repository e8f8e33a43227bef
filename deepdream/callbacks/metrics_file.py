"""metrics.csv: the metrics of a run, one row per epoch."""

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
    """Writes `path`: epoch (from 0), step (optimizer steps so far), lr (of the next step), and the logged metrics.

    The rows are part of each checkpoint. A resumed run writes the rows of its checkpoint first, so that the file is
    byte for byte that of an uninterrupted run; CSVLogger would repeat the epoch that was cut short.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._rows: list[Row] = []
        self._validated = False

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note that this epoch was validated."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row. Lightning calls callbacks that save checkpoints after this one."""
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
        """Continue after the rows of the checkpoint."""
        self._rows = list(state_dict["rows"])

    def _is_new(self, key: str) -> bool:
        """Whether the metric is of this epoch: not left by an earlier one, nor the learning rate of a single step."""
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
