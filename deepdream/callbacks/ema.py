"""WeightAverage: the moving average of the weights is what is validated, saved and handed on."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import FSDPStrategy
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

NETWORK = "model"  # the network's name in a SceneClassifier
PREFIX = f"{NETWORK}."
RAW = "current_model_state"  # the weights in training, in a checkpoint; as in Lightning's WeightAveraging


class WeightAverage(pl.Callback):
    """An exponential moving average of the network's weights and running statistics, one update a step.

    half_life_epochs: after so many epochs a step counts half as much as the newest.

    At step t the old average counts for (1 + t) / (10 + t) at most, so that its random start is soon forgotten and a
    short run is not hurt. The running statistics of batch norm are averaged like the weights; counters are copied.

    Validation sees the average, and so does everyone after the run. A checkpoint's `state_dict` holds the average,
    which `load_network` opens; the weights in training are in `current_model_state`, from which a run goes on.

    Lightning's own EMAWeightAveraging does the same but for three points: it reads a counter back from the device at
    each step, knows no half-life, and averages the integer counters of batch norm.
    """

    def __init__(self, half_life_epochs: float) -> None:
        self._half_life_epochs = half_life_epochs
        self._decay = 0.0
        self._kept: dict[str, Tensor] | None = None  # the average; while the network shows it, the weights in training
        self._steps = 0
        self._shows_average = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse what cannot be averaged."""
        if isinstance(trainer.strategy, FSDPStrategy):
            raise ValueError(
                "average.half_life_epochs needs the whole network on each device; choose trainer.strategy=ddp, or null"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from the weights as they are, or from those of the checkpoint that is resumed."""
        steps_per_epoch = int(trainer.estimated_stepping_batches) / (trainer.max_epochs or 1)
        self._show(pl_module, average=False)
        self._decay = 0.5 ** (1 / (self._half_life_epochs * max(1, steps_per_epoch)))
        self._steps = trainer.global_step
        now = _weights(pl_module)
        start = self._kept or now
        self._kept = {key: start[key].detach().to(value.device, copy=True) for key, value in now.items()}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take the new weights in, where the optimizer has made a step."""
        if trainer.global_step == self._steps or self._kept is None:
            return
        self._steps = trainer.global_step
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        now = _weights(pl_module)
        averaged = [key for key, value in now.items() if value.is_floating_point()]
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        update([self._kept[key] for key in averaged], [now[key] for key in averaged], self._steps)
        for key, value in now.items():
            if not value.is_floating_point():
                self._kept[key].copy_(value)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate the average."""
        self._show(pl_module, average=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on with the weights in training."""
        if trainer.state.fn == TrainerFn.FITTING:
            self._show(pl_module, average=False)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the average in the network."""
        self._show(pl_module, average=True)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """The average as `state_dict`, the weights in training beside it."""
        if self._kept is None:
            return
        shown = checkpoint["state_dict"]
        kept = {**shown, **{PREFIX + key: value for key, value in self._kept.items()}}
        checkpoint["state_dict"], checkpoint[RAW] = (shown, kept) if self._shows_average else (kept, shown)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take both up again; a checkpoint without an average starts one at its weights."""
        if RAW not in checkpoint:
            return
        self._kept = {
            key.removeprefix(PREFIX): value.clone()
            for key, value in checkpoint["state_dict"].items()
            if key.startswith(PREFIX)
        }
        pl_module.load_state_dict(checkpoint[RAW])

    @torch.no_grad()
    def _show(self, pl_module: pl.LightningModule, *, average: bool) -> None:
        """Have the network hold the average, or the weights in training; the others are kept here."""
        if self._kept is None or self._shows_average == average:
            return
        for key, value in _weights(pl_module).items():
            shown = value.clone()
            value.copy_(self._kept[key])
            self._kept[key].copy_(shown)
        self._shows_average = average


def _weights(pl_module: pl.LightningModule) -> dict[str, Tensor]:
    """The network's own tensors by name, without those of the metrics."""
    return pl_module.get_submodule(NETWORK).state_dict()
