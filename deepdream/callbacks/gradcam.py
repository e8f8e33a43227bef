"""Log the Grad-CAM maps of a few validation images during training."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor

from deepdream.callbacks.image_logger import ImageLogger
from deepdream.explaining import grad_cam, overlay
from deepdream.images import to_image
from deepdream.models import Network
from deepdream.plots import contact_sheet
from deepdream.scenes import SceneDataModule

SIDE = 160  # pixels of each image on the sheet


class GradCAMLogger(ImageLogger):
    """Grad-CAM maps of validation images for their true class, with the prediction, every `every` epochs.

    images: how many, spread evenly over the classes; the same in every epoch, and after a resume.
    """

    def __init__(self, folder: str | Path, *, every: int, images: int = 6) -> None:
        super().__init__(folder, every=every, name="gradcam")
        self._count = images
        self._samples: list[tuple[Tensor, int]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the images."""
        data = getattr(trainer, "datamodule", None)
        if trainer.is_global_zero and isinstance(data, SceneDataModule):
            split = data.split("val")
            indices = np.linspace(0, len(split), min(self._count, len(split)), endpoint=False, dtype=int)
            samples = [split[0, int(index)] for index in indices]  # in the order of the classes
            self._samples = [(image.float() / 255, label) for image, label in samples]
        super().on_train_start(trainer, pl_module)

    def render(self, network: Network, epoch: int) -> Image.Image:
        """A contact sheet: the images, and beneath each its map and the prediction."""
        with torch.inference_mode(False):
            network = replace(network, model=copy.deepcopy(network.model).eval())  # hooks go to the copy, uncompiled
        images = [to_image(image) for image, _ in self._samples]
        maps, predictions = [], []
        for shown, (image, label) in zip(images, self._samples, strict=True):
            maps.append(overlay(shown, grad_cam(network, image, label).cpu()))
            probabilities = network.predict(image)
            predicted = int(probabilities.argmax())
            predictions.append(f"{network.class_name(predicted)} {probabilities[predicted]:.0%}")
        labels = [network.class_name(label) for _, label in self._samples]
        title = f"Grad-CAM for the true class, after {epoch} epochs" if epoch else "Grad-CAM before training"
        return contact_sheet([*images, *maps], [*labels, *predictions], columns=len(images), size=SIDE, title=title)
