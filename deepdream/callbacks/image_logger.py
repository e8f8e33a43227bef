"""Log an image of the network every k epochs, and make a film of them at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.utilities import rank_zero_only

from deepdream.loggers import log_image
from deepdream.models import Network
from deepdream.training import SceneClassifier

FRAME_MS = 600
LAST_FRAME_MS = 2400


class ImageLogger(pl.Callback, ABC):
    """Renders an image before the first epoch and every `every` epochs; logs it, and writes it as PNG to `folder`.

    name: the tag is images/<name>, and the film that is made at the end <name>.gif.
    The numbers of the training do not change. With several processes, rank 0 renders while the others wait.
    """

    def __init__(self, folder: str | Path, *, every: int, name: str) -> None:
        self._folder = Path(folder)
        self._every = every
        self._name = name

    @abstractmethod
    def render(self, network: Network, epoch: int) -> Image.Image:
        """The image of `network` after `epoch` epochs. It must not change the network, which is in training."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the untrained network; not in a resumed run."""
        if trainer.current_epoch == 0:
            self._log(trainer, pl_module, epoch=0)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the weights that were validated: their EMA, where there is one."""
        epoch = trainer.current_epoch + 1
        if not trainer.sanity_checking and epoch % self._every == 0:
            self._log(trainer, pl_module, epoch=epoch)

    @rank_zero_only
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Join the images, with those from before a resume, to a film."""
        paths = sorted(self._folder.glob("epoch_*.png"))
        frames = [Image.open(path).convert("RGB") for path in paths]
        if frames:
            durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
            film = self._folder / f"{self._name}.gif"
            frames[0].save(film, save_all=True, append_images=frames[1:], duration=durations, loop=0)

    @rank_zero_only
    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        assert isinstance(pl_module, SceneClassifier)
        kept = pl_module.hparams
        source = "the network in training"
        network = Network(pl_module.model, kept["classes"], kept["mean"], kept["std"], kept["image_size"], source)
        image = self.render(network, epoch)
        self._folder.mkdir(parents=True, exist_ok=True)
        image.save(self._folder / f"epoch_{epoch:04d}.png")
        step = max(0, trainer.global_step - 1)  # the last one of the epoch: a resume drops later ones
        log_image(trainer.loggers, f"images/{self._name}", image, step)
