"""WeightEMA: an exponential moving average of the weights is validated, saved and used after training."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from deepdream.console import relative
from deepdream.training.schedulers import steps_per_epoch

NETWORK = "model"  # the network's name in a SceneClassifier
PREFIX = f"{NETWORK}."
RAW = "current_model_state"  # the weights in training, in a checkpoint; as in Lightning's WeightAveraging


class WeightEMA(pl.Callback):
    """Exponential moving average of the network's weights and running statistics, updated once per optimizer step.

    half_life_epochs: after so many epochs, a step's weights count half as much as the newest. None: no average.

    At step t the decay is at most (1 + t) / (10 + t), so that the random initial weights are soon forgotten and short
    runs are not hurt. The running statistics of batch norm are averaged like the weights; its counters are copied.

    Validation uses the average, and so does everything after the run. The `state_dict` of a checkpoint holds the
    average, which `load_network` opens; `current_model_state` holds the weights in training, for a resume.

    Kept beside Lightning's EMAWeightAveraging, which reads a counter back from the device at each step, has no
    half-life, and averages the integer counters of batch norm.
    """

    def __init__(self, half_life_epochs: float | None) -> None:
        self._half_life_epochs = half_life_epochs
        self._decay = 0.0
        self._kept: dict[str, Tensor] | None = None  # the average; while the network holds it, the weights in training
        self._steps = 0
        self._holds_average = False  # the network

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from the network's weights, or from the average of the resumed checkpoint."""
        if self._half_life_epochs is None:
            return
        self._swap(pl_module, average=False)
        self._decay = 0.5 ** (1 / (self._half_life_epochs * steps_per_epoch(trainer)))
        self._steps = trainer.global_step
        now = _weights(pl_module)
        start = self._kept or now
        self._kept = {key: start[key].detach().to(value.device, copy=True) for key, value in now.items()}

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Return to the weights in training after a validation.

        Not in on_validation_end: callbacks after this one would find the weights in training there, not those that
        were validated.
        """
        self._swap(pl_module, average=False)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the average, where the optimizer has made a step."""
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
        self._swap(pl_module, average=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the average in the network."""
        self._swap(pl_module, average=True)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the average as `state_dict`, and the weights in training beside it."""
        if self._kept is None:
            return
        held = checkpoint["state_dict"]
        kept = {**held, **{PREFIX + key: value for key, value in self._kept.items()}}
        checkpoint["state_dict"], checkpoint[RAW] = (held, kept) if self._holds_average else (kept, held)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Load both. A checkpoint without an average starts one at its weights.

        Raises ValueError, in one line, for a checkpoint with an average where the configuration has none.
        """
        if RAW not in checkpoint:
            return
        if self._half_life_epochs is None:
            folder = relative(trainer.default_root_dir)
            raise ValueError(
                f"ema.half_life_epochs is null, but {folder} was trained with an EMA of the weights; set the half-life "
                f"that it had, or start a new run with model.pretrained={folder}/checkpoints/best.ckpt"
            )
        self._kept = {
            key.removeprefix(PREFIX): value.clone()
            for key, value in checkpoint["state_dict"].items()
            if key.startswith(PREFIX)
        }
        pl_module.load_state_dict(checkpoint[RAW])

    @torch.no_grad()
    def _swap(self, pl_module: pl.LightningModule, *, average: bool) -> None:
        """Have the network hold the average, or the weights in training; the others are kept here."""
        if self._kept is None or self._holds_average == average:
            return
        for key, value in _weights(pl_module).items():
            held = value.clone()
            value.copy_(self._kept[key])
            self._kept[key].copy_(held)
        self._holds_average = average


def _weights(pl_module: pl.LightningModule) -> dict[str, Tensor]:
    """The network's own tensors by name, without those of the metrics."""
    return pl_module.get_submodule(NETWORK).state_dict()
