"""DeepDream: make more of what a network sees in a picture.

Four independent parts, each in its file, joined by the Dreamer's loop: what to make more of (`taps`, `objectives`),
what is done to the gradient (`gradients`), at which scales (`octaves`), and how the picture is held (`canvas`).
"""

from deepdream.config import DreamConfig
from deepdream.dreaming.dreamer import Dreamer, StepReport
from deepdream.dreaming.taps import Layer, list_layers

__all__ = ["DreamConfig", "Dreamer", "Layer", "StepReport", "list_layers"]
