"""Ctrl-C, and SIGTERM and SIGUSR1, which a cluster sends before it takes a machine away, end a run that can go on."""

from __future__ import annotations

import signal
from typing import Any

import pytorch_lightning as pl

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class StopOnSignal(pl.Callback):
    """Ends the process between two batches, with status 128 and the signal's number: 143, 138, or 130 after Ctrl-C.

    A second Ctrl-C ends it at once. The first must not: Python ignores a KeyboardInterrupt that is raised while an
    object is deleted or a process forks, and the run would train on.
    Nothing is saved then: the end of the last epoch was, and the epoch that is cut short is done again by the run that
    goes on. It takes the place of Lightning's own handlers, which save in the middle of a step and call `scontrol`.
    A process that Lightning has started for another device gets the signal from the first.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen; Lightning puts back at the end of the run what was there before."""

        def note(number: int, frame: Any) -> None:
            if number == signal.SIGINT == self._received:
                raise KeyboardInterrupt(how_to_go_on(trainer))
            # A terminal sends Ctrl-C to every process by itself.
            if self._received is None and number != signal.SIGINT and trainer.strategy.launcher is not None:
                trainer.strategy.launcher.kill(number)
            self._received = signal.Signals(number)

        for number in SIGNALS:
            signal.signal(number, note)

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop here, if it was asked for."""
        self._stop(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop here, if it was asked for."""
        self._stop(trainer)

    def on_validation_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop here, if it was asked for."""
        self._stop(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before the evaluation, if it was asked for."""
        self._stop(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Where another process was quicker to stop, this one fails to reach it: that is no error."""
        if not isinstance(exception, SystemExit | KeyboardInterrupt):
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        if self._received is None:
            return
        if self._received == signal.SIGINT:
            raise KeyboardInterrupt(how_to_go_on(trainer))
        if trainer.is_global_zero:
            print(f"stopped by {self._received.name}; {how_to_go_on(trainer)}", flush=True)
        raise SystemExit(128 + self._received)


def how_to_go_on(trainer: pl.Trainer) -> str:
    """What is kept of a run that was stopped, and the command that goes on with it."""
    kept = f"{trainer.current_epoch} of {trainer.max_epochs} epochs are kept"
    return f"{kept}: python train.py resume={trainer.default_root_dir}"
