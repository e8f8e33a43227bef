"""Where in a few held-out pictures the network sees their class, while it learns."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor

from deepdream.callbacks.image_logger import Album
from deepdream.explaining import grad_cam, overlay
from deepdream.images import to_image
from deepdream.models import Network
from deepdream.plots import contact_sheet
from deepdream.scenes import SceneDataModule

SIDE = 160  # pixels of each picture on the sheet


class GradCAMWatch(Album):
    """The Grad-CAM of a few validation pictures for their true class, with the network's answer, every so many epochs.

    pictures: how many, spread evenly over the classes; the same in every epoch, and after a resume.
    """

    def __init__(self, folder: str | Path, *, every: int, pictures: int = 6) -> None:
        super().__init__(folder, every=every, name="gradcam")
        self._count = pictures
        self._shown: list[tuple[Tensor, int]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the pictures."""
        data = getattr(trainer, "datamodule", None)
        if trainer.is_global_zero and isinstance(data, SceneDataModule):
            split = data.split("val")
            places = np.linspace(0, len(split), min(self._count, len(split)), endpoint=False, dtype=int)
            views = [split[0, int(place)] for place in places]  # in the order of the classes
            self._shown = [(view.float() / 255, label) for view, label in views]
        super().on_train_start(trainer, pl_module)

    def picture(self, network: Network, epoch: int) -> Image.Image:
        """The pictures, and beneath each its map and the answer."""
        with torch.inference_mode(False):
            network = replace(network, model=copy.deepcopy(network.model).eval())  # hooks go to the copy, uncompiled
        photos = [to_image(view) for view, _ in self._shown]
        maps, answers = [], []
        for photo, (view, label) in zip(photos, self._shown, strict=True):
            maps.append(overlay(photo, grad_cam(network, view, label).cpu()))
            probabilities = network.predict(view)
            answer = int(probabilities.argmax())
            answers.append(f"{network.class_name(answer)} {probabilities[answer]:.0%}")
        truths = [network.class_name(label) for _, label in self._shown]
        title = f"Grad-CAM for the true class, after {epoch} epochs" if epoch else "Grad-CAM before training"
        return contact_sheet([*photos, *maps], [*truths, *answers], columns=len(photos), size=SIDE, title=title)
