"""Build the Lightning Trainer from conf/trainer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.loggers.logger import DummyLogger
from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler
from rich.console import Console

from deepdream.hardware import best_device, has_fast_bf16
from deepdream.training.checkpoint_io import AtomicCheckpointIO
from deepdream.training.config import TrainerConfig

# Arguments of pl.Trainer that are no keys of conf/trainer: `build_trainer` sets them.
SET_HERE = ("default_root_dir", "callbacks", "logger", "plugins", "use_distributed_sampler")
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}  # the names of all commands -> Lightning's
PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}
PROFILE = "profile"  # in the names of a profiler's files

QUIET = (
    "pytorch_lightning",
    "lightning_fabric",
    "torch.utils.cpp_extension",  # torch.compile on a CPU: "No CUDA runtime is found, using CUDA_HOME=..."
)
NOT_WARNED = (
    r"The '\w+_dataloader' does not have many workers",  # data.workers is chosen by the cores
    r"Experiment logs directory .* exists and is not empty",  # the run folder, which Hydra has made
    r"Checkpoint directory .* exists and is not empty",  # of a resumed run
    r"Precision .* is not supported by the model summary",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own
    r"`ModelCheckpoint\(monitor='val/accuracy'\)` could not find",  # in an epoch without validation
    r"ReduceLROnPlateau conditioned on metric val/\w+ which is not available",  # before the first validation
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    r"Found \d+ module\(s\) in eval mode at the start of training",  # frozen batch norms
    r"You requested to overfit but enabled \w+ dataloader shuffling",  # trainer.overfit_batches: as intended
)


def build_trainer(
    config: TrainerConfig,
    folder: Path,
    callbacks: Sequence[pl.Callback],
    loggers: Sequence[Logger],
    *,
    shards_loaders: bool = False,
) -> pl.Trainer:
    """The Trainer of conf/trainer, working in `folder`.

    shards_loaders: give each of several processes its share of a loader; a SceneDataModule does so itself.

    Raises ValueError, in one line, for what Lightning does not accept.
    """
    arguments: dict[str, Any] = {field.name: getattr(config, field.name) for field in fields(config)}
    del arguments["compile"]  # of the network
    bar = config.enable_progress_bar and Console().is_terminal
    arguments["enable_progress_bar"] = bar
    try:
        arguments["precision"] = lightning_precision(config.precision, config.accelerator)
        if config.profiler in PROFILERS:  # otherwise the report would go to Lightning's log, which is silent
            arguments["profiler"] = PROFILERS[config.profiler](dirpath=folder, filename=PROFILE)
        return pl.Trainer(
            default_root_dir=folder,
            callbacks=[*callbacks, RichProgressBar(leave=False)] if bar else list(callbacks),
            logger=list(loggers) or DummyLogger(),  # LearningRateMonitor requires a logger
            plugins=[AtomicCheckpointIO()],
            use_distributed_sampler=shards_loaders,
            **arguments,
        )
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise ValueError(f"trainer: {' '.join(str(error).split())}") from error


def lightning_precision(precision: str, accelerator: str = "auto") -> str:
    """Lightning's name of `precision`: auto, fp32, bf16, fp16, or a name of Lightning's own, which stays.

    auto: the fastest mixed precision that trains safely on this machine.
    """
    if precision != "auto":
        return PRECISIONS.get(precision, precision)
    device = best_device("auto" if accelerator == "gpu" else accelerator)
    if has_fast_bf16(device):
        return PRECISIONS["bf16"]
    return PRECISIONS["fp16" if device.type == "cuda" else "fp32"]


def quiet_lightning() -> None:
    """Suppress informational messages of Lightning and torch, and warnings that do not apply to this project."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR if name.startswith("torch.") else logging.WARNING)
    for message in NOT_WARNED:
        warnings.filterwarnings("ignore", message)
