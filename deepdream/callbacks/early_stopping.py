"""EarlyStopping for runs that go on."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping


class PatientStopping(EarlyStopping):
    """Lightning's EarlyStopping, but a run that goes on has the patience of its configuration, not of its checkpoint,
    and one that had lost it trains no further.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on waiting where the run was."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before the first epoch, where the last one was already the end."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True
