"""EarlyStopping that a resumed run can configure anew, and that tells why a run ended."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.utilities import rank_zero_only


class ResumableEarlyStopping(EarlyStopping):
    """Lightning's EarlyStopping with three differences.

    A resumed run has the patience of its configuration, not of its checkpoint; a run that was stopped early trains no
    further when it is resumed with the same patience; and one line tells why the run has ended.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._best_epoch = 0  # counted from 1

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Raises ValueError, in one line, where nothing will be monitored."""
        if trainer.limit_val_batches == 0:
            raise ValueError(f"early stopping monitors {self.monitor}, and trainer.limit_val_batches is 0")
        super().setup(trainer, pl_module, stage)

    def state_dict(self) -> dict[str, Any]:
        """Lightning's state, and the epoch of the best score."""
        return {**super().state_dict(), "best_epoch": self._best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue waiting where the run was, with the patience of the configuration."""
        super().load_state_dict({**state_dict, "patience": self.patience})
        self._best_epoch = state_dict.get("best_epoch", 0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before the first epoch, where the resumed run had already run out of patience."""
        if self._is_out_of_patience():
            trainer.should_stop = True

    @rank_zero_only
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print why training ended, where it ended early."""
        if self._is_out_of_patience():
            print(
                f"early stopping: {self.monitor} has not improved in {self.wait_count} validations; "
                f"best value {float(self.best_score):.3f} in epoch {self._best_epoch}",
                flush=True,
            )

    def _is_out_of_patience(self) -> bool:
        return self.wait_count >= max(1, self.patience)

    def _run_early_stopping_check(self, trainer: pl.Trainer) -> None:
        super()._run_early_stopping_check(trainer)
        if self.wait_count == 0:  # this validation was the best
            self._best_epoch = trainer.current_epoch + 1
