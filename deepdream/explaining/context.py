"""The question that every method answers: why does this model say this of this picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from deepdream.acceleration import accelerated_copy
from deepdream.explaining.config import ExplainConfig
from deepdream.hardware import best_dtype
from deepdream.models import Network

# The keys of ExplainConfig that say how many pictures a map costs, and the least of each with which it is still a map.
FEWEST = {"smoothgrad_samples": 1, "integrated_gradients_steps": 2, "lime_samples": 10, "kernel_shap_samples": 10}
MIN_SIDE = 16  # under it even a small network's stages have no map to speak of


@dataclass(frozen=True)
class Question:
    """Made by `ask`, and good as long as its context is open.

    model: in eval mode, its parameters without gradient, no activation in place.
    picture: the network's input, normalised, (1, 3, H, W), on the model's device.
    target: index of the class whose evidence is looked for.
    config: how the methods are set. seed: of every draw.
    """

    model: nn.Module
    picture: Tensor
    target: int
    config: ExplainConfig
    seed: int

    @torch.no_grad()
    def probability(self, pictures: Tensor) -> Tensor:
        """The target's probability, float32 (N,), of network inputs (N, 3, H, W)."""
        return self.probabilities(pictures)[:, self.target]

    @torch.no_grad()
    def probabilities(self, pictures: Tensor) -> Tensor:
        """Of all classes, float32 (N, classes); in config.precision, config.batch_size pictures at a time."""
        if len(pictures) == 1:
            alone: Tensor = self.model(pictures).float().softmax(dim=1)
            return alone
        model, dtype = self._swift
        logits = []
        for batch in torch.split(pictures.to(dtype), self.config.batch_size):
            logits.append(model(batch.contiguous(memory_format=torch.channels_last)).float())
        return torch.cat(logits).softmax(dim=1)

    def without_completeness(self) -> Question:
        """The same question, for integrated gradients of which the order counts, and not the sum: no more steps."""
        return replace(self, config=replace(self.config, completeness=sys.float_info.max))

    def for_comparison(self) -> Question:
        """The same question, for maps that are compared with one another only: with config.repeat_share of the samples.

        The draws stay those of the seed, so that they are the same in each.
        """
        config = self.without_completeness().config
        fewer = {key: max(FEWEST[key], round(config.repeat_share * getattr(config, key))) for key in FEWEST}
        stride = min(config.occlusion_window, config.occlusion_stride / config.repeat_share**0.5)
        return replace(self, config=replace(config, occlusion_stride=stride, **fewer))

    @cached_property
    def _swift(self) -> tuple[nn.Module, torch.dtype]:
        """A copy of the model for many forward passes, and its number format: batch norm folded, channels last."""
        dtype = self.picture.dtype
        if dtype == torch.float32:
            dtype = best_dtype(self.config.precision, self.picture.device)
        return accelerated_copy(self.model, dtype, self.picture.device), dtype


@contextmanager
def ask(
    network: Network, image: Tensor, target: str | int | None, *, config: ExplainConfig, seed: int = 0
) -> Iterator[Question]:
    """A Question about `image`, float (3, H, W) in [0, 1]; `target` None asks for the network's own answer.

    Gradients are on inside, also within torch.inference_mode and Lightning's validation. Afterwards the model is as
    it was, to its last flag. Raises ValueError for another shape, a side under MIN_SIDE and an unknown target.
    """
    _check(image)
    with torch.inference_mode(False), torch.enable_grad(), _ready(network.model):
        picture = network.model_input(image)
        if target is None:
            with torch.no_grad():
                index = int(network.model(picture).argmax(dim=1))
        else:
            index = network.class_index(target)
        yield Question(network.model, picture, index, config, seed)


def _check(image: Tensor) -> None:
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
        raise ValueError(
            f"an image to explain is a floating-point tensor (3, H, W); this is {image.dtype} {(*image.shape,)}"
        )
    height, width = image.shape[1:]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"the image is {width}x{height}; an explanation needs at least {MIN_SIDE} pixels a side")


@contextmanager
def _ready(model: nn.Module) -> Iterator[None]:
    """`model` in eval mode, without gradients of its parameters and without in-place activations; then as before."""
    training = {module: module.training for module in model.modules()}
    wants_gradient = {parameter: parameter.requires_grad for parameter in model.parameters()}
    in_place = [module for module in model.modules() if getattr(module, "inplace", False) is True]
    try:
        model.eval().requires_grad_(False)
        for module in in_place:  # a backward hook, as guided backpropagation sets, cannot stand on one
            module.inplace = False  # type: ignore[assignment]
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
        for parameter, wanted in wants_gradient.items():
            parameter.requires_grad_(wanted)
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]
