"""The dream of one photo while the network learns."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.images import SAMPLES, read_image, read_sample, resize_to_width, to_image, to_tensor
from deepdream.models import Network
from deepdream.training import SceneClassifier

FRAME_MS = 600
LAST_FRAME_MS = 2400


class DreamWatch(pl.Callback):
    """Every `every` epochs, and before the first, the dream of a photo: in TensorBoard, and as PNG in `folder`.

    photo: a file, or one of the samples. layers, preset: as for dream.py. width: of the picture, in pixels.
    At the end dream.gif shows how the dream changed. The dream is made in float32, and training goes on with the same
    numbers as without it. Of several processes, the first dreams while the others wait.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int,
        photo: str = "china",
        layers: list[str] | None = None,
        preset: str = "gordic",
        width: int = 320,
    ) -> None:
        self._folder = Path(folder)
        self._every = every
        self._dream = DreamConfig.preset(preset, layers=list(layers or ["layer3"]), width=width, precision="fp32")
        image = read_sample(photo) if photo in SAMPLES else read_image(photo)
        self._photo = to_tensor(resize_to_width(image, width))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The dream of a network that knows nothing; not where a run goes on."""
        if trainer.current_epoch == 0:
            self._show(trainer, pl_module, epoch=0)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Dream with the weights that were validated: the average, where there is one."""
        epoch = trainer.current_epoch + 1
        if not trainer.sanity_checking and epoch % self._every == 0:
            self._show(trainer, pl_module, epoch=epoch)

    @rank_zero_only
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Join the pictures, those from before a resume too."""
        paths = sorted(self._folder.glob("epoch_*.png"))
        frames = [Image.open(path).convert("RGB") for path in paths]
        if frames:
            durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
            frames[0].save(
                self._folder / "dream.gif", save_all=True, append_images=frames[1:], duration=durations, loop=0
            )

    @rank_zero_only
    def _show(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        assert isinstance(pl_module, SceneClassifier)
        picture = to_image(self._dreamt(pl_module))
        self._folder.mkdir(parents=True, exist_ok=True)
        picture.save(self._folder / f"epoch_{epoch:04d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("watching/dream", to_tensor(picture), trainer.global_step)

    def _dreamt(self, classifier: SceneClassifier) -> Tensor:
        """The dream of the network as it is now, which the Dreamer copies."""
        known = classifier.hparams
        network = Network(
            classifier.model,
            known["classes"],
            known["mean"],
            known["std"],
            known["image_size"],
            "the network in training",
        )
        return Dreamer(network, self._dream)(self._photo)
