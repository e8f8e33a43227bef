"""Photos become a network."""

from deepdream.training.classifier import SceneClassifier
from deepdream.training.trainer import build_trainer, quiet_lightning

__all__ = ["SceneClassifier", "build_trainer", "quiet_lightning"]
