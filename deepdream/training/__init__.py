"""Photos become a network."""

from deepdream.training.averaging import WeightAverage
from deepdream.training.checkpoints import MovedCheckpoints, RoomForCheckpoints
from deepdream.training.classifier import SceneClassifier
from deepdream.training.draws import SeededSteps
from deepdream.training.early_stopping import PatientStopping
from deepdream.training.finite_loss import FiniteLoss
from deepdream.training.metrics_file import MetricsFile
from deepdream.training.optimizers import scaled_lr
from deepdream.training.signals import StopOnSignal, how_to_go_on
from deepdream.training.trainer import build_trainer, quiet_lightning

__all__ = [
    "FiniteLoss",
    "MetricsFile",
    "MovedCheckpoints",
    "PatientStopping",
    "RoomForCheckpoints",
    "SceneClassifier",
    "SeededSteps",
    "StopOnSignal",
    "WeightAverage",
    "build_trainer",
    "how_to_go_on",
    "quiet_lightning",
    "scaled_lr",
]
