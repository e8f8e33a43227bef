"""Run a network with the output of one layer replaced."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepdream.models.layers import Layer

TOLERANCE = 1e-3  # of the logits, relative to the largest: rounding differs with the number of images


def run_replaced(model: nn.Module, layer: Layer, output: Tensor, images: Tensor) -> Tensor:
    """The output of `model` for `images` where the module of `layer` returns `output`."""
    module = model.get_submodule(layer.name)
    # A copy: a ReLU behind the layer may write into it.
    handle = module.register_forward_hook(lambda module, inputs, own: output.to(own, copy=True))
    try:
        found: Tensor = model(images)
    finally:
        handle.remove()
    return found


@torch.no_grad()
def output_and_logits(model: nn.Module, layer: Layer, images: Tensor) -> tuple[Tensor, Tensor]:
    """What the module of `layer` returns for `images`, and the output of `model`."""
    outputs: list[Tensor] = []
    module = model.get_submodule(layer.name)
    handle = module.register_forward_hook(lambda module, inputs, own: outputs.append(own.clone()))
    try:
        logits: Tensor = model(images)
    finally:
        handle.remove()
    return outputs[-1], logits


@torch.no_grad()
def passes_all(model: nn.Module, layer: Layer, images: Tensor, output: Tensor, logits: Tensor) -> bool:
    """Whether the logits depend on the output of `layer` alone: no way leads around it, as in a residual block.

    Then `run_replaced` needs only one image, whatever it shows, for any number of outputs: what is before the layer
    runs once. output, logits: those of `images` (N, 3, H, W).
    """
    try:
        found = run_replaced(model, layer, output, torch.zeros_like(images[:1]))
    except RuntimeError:  # one map and N maps meet in a concatenation
        return False
    return found.shape == logits.shape and bool((found - logits).abs().amax() <= TOLERANCE * logits.abs().amax())
