"""Photos become a network."""

from deepdream.training.averaging import WeightAverage
from deepdream.training.classifier import SceneClassifier
from deepdream.training.optimizers import scaled_lr
from deepdream.training.trainer import build_trainer, quiet_lightning

__all__ = ["SceneClassifier", "WeightAverage", "build_trainer", "quiet_lightning", "scaled_lr"]
