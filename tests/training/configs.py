"""Configurations and data of training, for tests."""

from __future__ import annotations

from deepdream.scenes import SceneDataModule
from deepdream.schema import compose
from deepdream.training import SceneClassifier
from deepdream.training.config import TrainConfig


def train_config(*overrides: str) -> TrainConfig:
    """conf/train.yaml with `overrides`, checked, outside of a run."""
    config = compose("train", ["output_dir=here", *overrides])
    assert isinstance(config, TrainConfig)
    return config


def classifier_of(data: SceneDataModule, *overrides: str) -> SceneClassifier:
    """A ResNet-10 for the classes and the image size of `data`, with lr 0.05 and no weight decay."""
    size = [f"data.image_size={data.image_size}", f"data.resize={data.image_size}"]
    plain = ["model=resnet10", "optimizer.lr=0.05", "optimizer.weight_decay=0", "optimizer.nesterov=false"]
    return SceneClassifier(train_config(*size, *plain, *overrides), data.classes)
