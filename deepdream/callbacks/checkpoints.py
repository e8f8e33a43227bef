"""Checkpoints on the disk: where they are, and room for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

COPIES = 4  # of the weights in a checkpoint, at most: themselves, two moments of the optimizer, their average
FILES = 3  # best.ckpt, last.ckpt, and one that is being written
TRIAL = ".room_for_checkpoints"


class MovedCheckpoints(pl.Callback):
    """A run whose folder was moved or renamed knows its best checkpoint still; Lightning drops the score of another
    folder, and would then take the next epoch for the best, or remove the best of a run that this one is a copy of.
    """

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Before the callbacks get their state: the places in it become those of now, where the files are there."""
        for callback in trainer.checkpoint_callbacks:
            if not isinstance(callback, ModelCheckpoint) or callback.dirpath is None:
                continue
            state, here = checkpoint["callbacks"].get(callback.state_key), Path(callback.dirpath)
            if (
                state
                and state["dirpath"] != callback.dirpath
                and (here / Path(state["best_model_path"]).name).is_file()
            ):
                checkpoint["callbacks"][callback.state_key] = _moved(state, here)


def _moved(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The state of a ModelCheckpoint that keeps its files in `folder`."""
    places = ("best_model_path", "kth_best_model_path", "last_model_path")
    moved = {key: str(folder / Path(state[key]).name) if state[key] else "" for key in places}
    best = {str(folder / Path(path).name): score for path, score in state["best_k_models"].items()}
    return {**state, **moved, "dirpath": str(folder), "best_k_models": best}


class RoomForCheckpoints(pl.Callback):
    """Says before the first epoch where the checkpoints of a run cannot be written, or have no room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the room, and give it back; before FSDP shards the weights. Raises OSError."""
        if trainer.is_global_zero:
            weights = sum(value.numel() * value.element_size() for value in pl_module.state_dict().values())
            require_room(self._folder, FILES * COPIES * weights)


def require_room(folder: Path, size: int) -> None:
    """Raises OSError, in one line, where `size` bytes cannot be written into `folder`.

    The room is taken for a moment, so quotas count. Without posix_fallocate (not Linux) only a byte is tried.
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
            f"{folder} must take {size / 1e6:.0f} MB of checkpoints, and does not ({error.strerror}); make room, or "
            "choose another place with hydra.run.dir=FOLDER"
        ) from error
    finally:
        trial.unlink(missing_ok=True)
