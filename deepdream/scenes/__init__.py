"""Where pictures come from."""

from deepdream.scenes.datamodule import SceneDataModule

__all__ = ["SceneDataModule"]
