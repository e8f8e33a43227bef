"""A picture of the network every so many epochs, and a film of them at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.strategies import FSDPStrategy
from pytorch_lightning.utilities import rank_zero_only

from deepdream.loggers import log_image
from deepdream.models import Network
from deepdream.training import SceneClassifier

FRAME_MS = 600
LAST_FRAME_MS = 2400


class Album(pl.Callback, ABC):
    """Every `every` epochs, and before the first, `picture`: in TensorBoard, and as PNG in `folder`.

    name: of the picture in TensorBoard (watching/<name>), and of the film, <name>.gif, that is made at the end.
    Training goes on with the same numbers as without it. Of several processes, the first one makes the pictures while
    the others wait.
    """

    def __init__(self, folder: str | Path, *, every: int, name: str) -> None:
        self._folder = Path(folder)
        self._every = every
        self._name = name

    @abstractmethod
    def picture(self, network: Network, epoch: int) -> Image.Image:
        """What `network` shows after `epoch` epochs. It is the one in training: it must be left as it is."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Raises ValueError, in one line, for a network that no process holds whole."""
        if isinstance(trainer.strategy, FSDPStrategy):
            raise ValueError(
                f"{type(self).__name__} needs the whole network in one process; leave it out of the callbacks, or "
                "choose trainer.strategy=ddp"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A network that knows nothing; not where a run goes on."""
        if trainer.current_epoch == 0:
            self._show(trainer, pl_module, epoch=0)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The weights that were validated: the average, where there is one."""
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
            film = self._folder / f"{self._name}.gif"
            frames[0].save(film, save_all=True, append_images=frames[1:], duration=durations, loop=0)

    @rank_zero_only
    def _show(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        assert isinstance(pl_module, SceneClassifier)
        known = pl_module.hparams
        source = "the network in training"
        network = Network(pl_module.model, known["classes"], known["mean"], known["std"], known["image_size"], source)
        picture = self.picture(network, epoch)
        self._folder.mkdir(parents=True, exist_ok=True)
        picture.save(self._folder / f"epoch_{epoch:04d}.png")
        log_image(trainer.loggers, f"callbacks/{self._name}", picture, trainer.global_step)
