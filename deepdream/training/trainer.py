"""From the checked config to a Lightning Trainer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.loggers import Logger
from rich.console import Console

from deepdream.hardware import best_device, has_fast_bf16
from deepdream.training.checkpoint_io import AtomicCheckpointIO
from deepdream.training.config import TrainerConfig

NOT_WARNED = (
    r"The '\w+_dataloader' does not have many workers",  # data.workers is chosen by the cores
    r"Experiment logs directory .* exists and is not empty",  # the run folder, which Hydra has made
    r"Checkpoint directory .* exists and is not empty",  # of a run that goes on
    r"Precision .* is not supported by the model summary",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own
    r"`ModelCheckpoint\(monitor='val/accuracy'\)` could not find",  # in an epoch without validation
    r"The number of training batches \(\d+\) is smaller than the logging interval",
)


def build_trainer(
    config: TrainerConfig, folder: Path, callbacks: Sequence[pl.Callback], loggers: Sequence[Logger]
) -> pl.Trainer:
    """The Trainer of conf/trainer, working in `folder`.

    Raises ValueError, in one line, for what Lightning does not accept.
    """
    arguments = {field.name: getattr(config, field.name) for field in fields(config)}
    del arguments["compile"]  # of the network
    arguments |= arguments.pop("extra")
    plugins = arguments.pop("plugins", [])
    if config.precision == "auto":
        arguments["precision"] = mixed_precision(config.accelerator)
    bar = config.enable_progress_bar and Console().is_terminal
    arguments["enable_progress_bar"] = bar
    arguments.setdefault("enable_model_summary", False)  # the summary is a callback of conf/callbacks
    try:
        return pl.Trainer(
            default_root_dir=folder,
            callbacks=[*callbacks, RichProgressBar(leave=False)] if bar else list(callbacks),
            logger=list(loggers),
            plugins=[AtomicCheckpointIO(), *plugins],
            use_distributed_sampler=False,  # SceneDataModule shares out the pictures itself, exactly
            **arguments,
        )
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise ValueError(f"trainer: {' '.join(str(error).split())}") from error


def mixed_precision(accelerator: str) -> str:
    """Lightning's name of the fastest precision that trains safely on this machine."""
    names = {"gpu": "cuda"}
    device = best_device(names.get(accelerator, accelerator))
    if has_fast_bf16(device):
        return "bf16-mixed"
    return "16-mixed" if device.type == "cuda" else "32-true"


def quiet_lightning() -> None:
    """Leave out Lightning's notices of what it found; its warnings stay, but those that do not apply here."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NOT_WARNED:
        warnings.filterwarnings("ignore", message)
