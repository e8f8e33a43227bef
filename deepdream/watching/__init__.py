"""Callbacks that show a run from within."""

from deepdream.watching.dreams import DreamWatch
from deepdream.watching.first_batch import FirstBatch
from deepdream.watching.maps import GradCAMWatch
from deepdream.watching.speed import Speed

__all__ = ["DreamWatch", "FirstBatch", "GradCAMWatch", "Speed"]
