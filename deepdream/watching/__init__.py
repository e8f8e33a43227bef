"""Callbacks that show a run from within."""

from deepdream.watching.first_batch import FirstBatch

__all__ = ["FirstBatch"]
