"""A callback that a test gives to `train.py`: it ends the process at a chosen moment."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class KillAt(pl.Callback):
    """Sends `signal` to its own process at the `moment` ("batch", "validation" or "saving") of an epoch (from 0)."""

    def __init__(self, moment: str, epoch: int, signal: str = "SIGKILL") -> None:
        self._moment = moment
        self._epoch = epoch
        self._signal = signal

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._end_at("batch", trainer, now=batch_idx == 1)

    def on_validation_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self._end_at("validation", trainer, now=not trainer.sanity_checking)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if self._moment == "saving" and trainer.current_epoch == self._epoch:
            checkpoint["deadly"] = _Deadly(self._signal)

    def _end_at(self, moment: str, trainer: pl.Trainer, *, now: bool) -> None:
        if now and moment == self._moment and trainer.current_epoch == self._epoch:
            os.kill(os.getpid(), getattr(signal, self._signal))


class _Deadly:
    """Whoever pickles this, with the file already open, is killed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> tuple[type, tuple[str]]:
        os.kill(os.getpid(), getattr(signal, self._name))
        return _Deadly, (self._name,)


class KillSweep(pl.Callback):
    """Kills its whole process group, a sweep, once at each of `moments` ("JOB MOMENT EPOCH"), noted in `record`."""

    def __init__(self, moments: list[str], record: str) -> None:
        self._moments, self._record = moments, Path(record)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._end_at("batch", trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._end_at("validation", trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._end_at("end", trainer)

    def _end_at(self, moment: str, trainer: pl.Trainer) -> None:
        now = f"{Path(trainer.default_root_dir).name} {moment} {trainer.current_epoch}"
        done = self._record.read_text().splitlines() if self._record.exists() else []
        if now in self._moments and now not in done:
            with self._record.open("a") as file:
                file.write(f"{now}\n")
            os.killpg(0, signal.SIGKILL)


class Explode(pl.Callback):
    """Makes the weights infinite before the third batch of an epoch."""

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 2:
            pl_module.model.fc.weight.data.fill_(float("inf"))


class InterruptWhileDeleting(pl.Callback):
    """Sends Ctrl-C's signal while Python deletes an object: what is raised there, Python ignores."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 1:
            _Interrupting()


class _Interrupting:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(1000))  # the signal is handled between two instructions, and before this object is gone
