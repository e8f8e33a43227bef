"""Checkpoint files: one per k epochs, disk space for them, and the score of the best one after a folder was moved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

COPIES = 4  # of the weights in a checkpoint, at most: themselves, two moments of the optimizer, their EMA
FILES = 3  # best.ckpt, last.ckpt, and one that is being written
TRIAL = ".space_for_checkpoints"


class EpochCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, but `{epoch}` in a file name counts from 1, as the epochs on the console do."""

    def format_checkpoint_name(self, metrics: dict[str, Tensor], *args: Any, **kwargs: Any) -> str:
        """The path of a checkpoint; `metrics` holds Lightning's epoch, from 0."""
        return super().format_checkpoint_name({**metrics, "epoch": metrics["epoch"] + 1}, *args, **kwargs)


class RelocatedCheckpoints(pl.Callback):
    """Keeps the score of the best checkpoint where the folder of a resumed run was moved, renamed or copied.

    Lightning drops the score of another folder. It would then take the next epoch for the best, or remove the best
    checkpoint of the run that this one is a copy of.
    """

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Before the callbacks load their state, replace its paths by today's, where the files exist there."""
        for callback in trainer.checkpoint_callbacks:
            if not isinstance(callback, ModelCheckpoint) or callback.dirpath is None:
                continue
            state, here = checkpoint["callbacks"].get(callback.state_key), Path(callback.dirpath)
            if (
                state
                and state["dirpath"] != callback.dirpath
                and (here / Path(state["best_model_path"]).name).is_file()
            ):
                checkpoint["callbacks"][callback.state_key] = _relocated(state, here)


def _relocated(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The state of a ModelCheckpoint that keeps its files in `folder`."""
    paths = ("best_model_path", "kth_best_model_path", "last_model_path")
    relocated = {key: str(folder / Path(state[key]).name) if state[key] else "" for key in paths}
    best = {str(folder / Path(path).name): score for path, score in state["best_k_models"].items()}
    return {**state, **relocated, "dirpath": str(folder), "best_k_models": best}


class CheckpointSpace(pl.Callback):
    """Fails before the first epoch where best.ckpt and last.ckpt cannot be written or the disk has no space for them.

    folder: of the checkpoints.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Allocate the space, and free it. Raises OSError."""
        if trainer.is_global_zero:
            weights = sum(value.numel() * value.element_size() for value in pl_module.state_dict().values())
            require_allocation(self._folder, FILES * COPIES * weights)


def require_allocation(folder: Path, size: int) -> None:
    """Raise OSError, in one line, where `size` bytes cannot be written into `folder`.

    The bytes are allocated for a moment, so that quotas count. Without posix_fallocate (not Linux) one byte is tried.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / TRIAL
    try:
        with trial.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, max(1, size))
            else:
                file.write(b"0")
    except OSError as error:
        raise OSError(
            f"{folder} has no space for {size / 1e6:.0f} MB of checkpoints ({error.strerror}); make room, or choose "
            "another folder with hydra.run.dir=FOLDER"
        ) from error
    finally:
        trial.unlink(missing_ok=True)
