"""Stop a run between two batches on Ctrl-C, and on SIGTERM and SIGUSR1, which clusters send before they end a job."""

from __future__ import annotations

import signal
from typing import Any

import pytorch_lightning as pl

from deepdream.console import command_line

# Windows has no SIGUSR1.
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name)]


class StopOnSignal(pl.Callback):
    """Ends the process between two batches with exit status 128 + the signal: 143, 138, or 130 after Ctrl-C.

    A second Ctrl-C ends it at once. The first must not: Python ignores a KeyboardInterrupt that is raised while an
    object is deleted or a process forks, and training would continue.
    Nothing is saved at that moment: the last epoch was saved at its end, and a resumed run repeats the epoch that was
    cut short. This replaces Lightning's own handlers, which save in the middle of a step and call `scontrol`.
    Processes that Lightning has started for other devices get the signal from rank 0.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the handlers; Lightning restores the earlier ones at the end of the run."""

        def note(number: int, frame: Any) -> None:
            if number == signal.SIGINT == self._received:
                raise KeyboardInterrupt(how_to_resume(trainer))
            # A terminal sends Ctrl-C to every process by itself.
            if self._received is None and number != signal.SIGINT and trainer.strategy.launcher is not None:
                trainer.strategy.launcher.kill(number)
            self._received = signal.Signals(number)

        for number in SIGNALS:
            signal.signal(number, note)

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop here, where a signal has arrived."""
        self._stop(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop here, where a signal has arrived."""
        self._stop(trainer)

    def on_validation_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Stop here, where a signal has arrived."""
        self._stop(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before the evaluation, where a signal has arrived."""
        self._stop(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Where another process stopped first, this one fails to reach it; that is no error."""
        if not isinstance(exception, SystemExit | KeyboardInterrupt):
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        if self._received is None:
            return
        if self._received == signal.SIGINT:
            raise KeyboardInterrupt(how_to_resume(trainer))
        if trainer.is_global_zero:
            print(f"stopped by {self._received.name}; {how_to_resume(trainer)}", flush=True)
        raise SystemExit(128 + self._received)


def how_to_resume(trainer: pl.Trainer) -> str:
    """How many epochs of a stopped run are saved, and the command that resumes it."""
    kept = f"{trainer.current_epoch} of {trainer.max_epochs} epochs are kept"
    return f"{kept}: {command_line('train', f'resume={trainer.default_root_dir}')}"
