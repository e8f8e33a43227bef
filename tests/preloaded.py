"""Imported by the process of tests/forks.py before it forks: the modules of all commands."""

import gc
from importlib import import_module

from deepdream.schema import compose
from tests.forks import COMMANDS

gc.disable()  # what is imported stays: looking through it again and again takes an eighth of the time
for name in (
    *COMMANDS.values(),
    "captum.attr",
    "deepdream.callbacks.dreams",
    "deepdream.callbacks.gradcam",
    "deepdream.callbacks.progress",
    "deepdream.callbacks.speed",
    "deepdream.callbacks.ema",
    "deepdream.callbacks.first_batch",
    "deepdream.callbacks.metrics_file",
    "deepdream.dreaming.channel_grid",
    "deepdream.dreaming.films",
    "deepdream.dreaming.report",
    "deepdream.evaluating.evaluation",
    "deepdream.evaluating.report",
    "deepdream.explaining.panels",
    "deepdream.explaining.ranking",
    "deepdream.models.loading",
    "deepdream.scenes.datamodule",
    "deepdream.scenes.data_plots",
    "deepdream.training.classifier",
    "deepdream.training.trainer",
    "matplotlib.pyplot",
    "sklearn.manifold",
    "torch.utils.tensorboard",
):
    import_module(name)
for app in ("train", "dream"):  # the first composition imports, and ANTLR learns its grammars as it parses
    compose(app)
gc.freeze()  # and a fork that looked through it would copy its pages
gc.enable()
