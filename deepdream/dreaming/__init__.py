"""DeepDream: make more of what a network sees in a picture.

Five independent parts, joined by the Dreamer's loop and by a small YAML: what is looked at (`taps`, `selection`), what
to make more of (`objectives`, `comparisons`), what is done to the gradient (`silence`, `gradients`, `pyramid`), at
which scales (`octaves`, `tiles`), and how the picture is held and moved (`canvas`, `fourier`, `moves`, `steppers`).
"""

from deepdream.config import DreamConfig
from deepdream.dreaming.comparisons import content, diversity, guide, style
from deepdream.dreaming.dreamer import Dreamer, StepReport
from deepdream.dreaming.objectives import (
    Objective,
    channel,
    direction,
    half_sum_square,
    l2,
    logit,
    mean,
    mean_square,
    total_variation,
    unit,
)
from deepdream.dreaming.taps import Layer, list_layers

__all__ = [
    "DreamConfig",
    "Dreamer",
    "Layer",
    "Objective",
    "StepReport",
    "channel",
    "content",
    "direction",
    "diversity",
    "guide",
    "half_sum_square",
    "l2",
    "list_layers",
    "logit",
    "mean",
    "mean_square",
    "style",
    "total_variation",
    "unit",
]
