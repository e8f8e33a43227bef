"""The attribution context: the model, the input and the target class that every method works on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from deepdream.acceleration import accelerated_copy
from deepdream.checks import PRECISIONS, one_of
from deepdream.explaining.config import ExplainConfig
from deepdream.hardware import best_dtype
from deepdream.models import Network
from deepdream.models.probing import InputSizes, evaluating

# The keys of ExplainConfig that set the number of images an attribution costs, and the least useful value of each.
FEWEST = {
    "smoothgrad_samples": 1,
    "gradient_shap_samples": 1,
    "integrated_gradients_steps": 2,
    "lime_samples": 10,
    "kernel_shap_samples": 10,
}
ANY_SUM = sys.float_info.max  # a completeness for which steps are never doubled
MIN_SIDE = 16  # pixels; in a smaller image even the stages of a small network have a map of one position


@dataclass(frozen=True)
class AttributionContext:
    """Made by `attribution_context`, and valid inside its block.

    network: whose model is `model`, or was before its weights were changed.
    model: in eval mode, its parameters without gradient, no activation in place. It takes images of any size: one that
        does not by itself resizes them first.
    image: the network's input, normalised, (1, 3, H, W), on the model's device.
    target: index of the class to attribute.
    against: index of the class to contrast it with; None attributes the target alone.
    black, white: their colours in the network's input, (1, 3, 1, 1).
    config: the settings of the methods. seed: of all sampling.
    precision: of `response`, `probability` and `probabilities` of several images: auto, fp32, bf16 or fp16. Gradients
        are always in the model's own.
    """

    network: Network
    model: nn.Module
    image: Tensor
    target: int
    config: ExplainConfig
    seed: int
    black: Tensor
    white: Tensor
    precision: str = "auto"
    against: int | None = None

    @property
    def scorer(self) -> nn.Module:
        """The model with one output for each image, (N,): what methods that use gradients attribute.

        It is the logit of the target; with `against` the target's logit minus that of the other class.
        """
        return _Scorer(self.model, self.target, self.against)

    def score(self, logits: Tensor) -> Tensor:
        """What `scorer` makes of logits (N, classes): (N,)."""
        return _score(logits, self.target, self.against)

    def leaf(self) -> Tensor:
        """The image as a leaf of the autograd graph, (1, 3, H, W)."""
        return self.image.detach().requires_grad_()

    @torch.no_grad()
    def scores(self, images: Tensor) -> Tensor:
        """What `scorer` computes, float32 (N,), of network inputs (N, 3, H, W); in `precision`, in batches."""
        return self.score(self._logits(images))

    def response(self, images: Tensor) -> Tensor:
        """What methods that perturb the image attribute, float32 (N,), of network inputs (N, 3, H, W).

        It is the probability of the target; with `against` the difference of the two logits.
        """
        return self.probability(images) if self.against is None else self.scores(images)

    def probability(self, images: Tensor) -> Tensor:
        """The probability of the target, float32 (N,), of network inputs (N, 3, H, W).

        With `against` it is the probability among these two classes, the sigmoid of the difference of their logits.
        """
        if self.against is not None:
            return self.scores(images).sigmoid()
        return self.probabilities(images)[:, self.target]

    def probabilities(self, images: Tensor) -> Tensor:
        """Of all classes, float32 (N, classes); in `precision`, config.batch_size images at a time."""
        return self._logits(images).softmax(dim=1)

    @torch.no_grad()
    def _logits(self, images: Tensor) -> Tensor:
        if len(images) == 1:
            alone: Tensor = self.model(images)
            return alone.float()
        model, dtype = self._fast_model
        logits = []
        for batch in torch.split(images.to(dtype), self.config.batch_size):
            logits.append(model(batch.contiguous(memory_format=torch.channels_last)).float())
        return torch.cat(logits)

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """Inside, sampling from torch's global generator follows from the seed; afterwards its state is restored."""
        device = self.image.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            yield

    def without_completeness(self) -> AttributionContext:
        """The same context for integrated gradients whose ranking matters, not their sum: steps are not doubled."""
        return replace(self, config=replace(self.config, completeness=ANY_SUM))

    def for_comparison(self) -> AttributionContext:
        """The same context for attributions that are only compared with each other: config.repeat_share of the samples.

        The seed stays, so that all of them have the same samples.
        """
        return replace(self, config=fewer_samples(self.config, self.config.repeat_share))

    @cached_property
    def _fast_model(self) -> tuple[nn.Module, torch.dtype]:
        """A copy of the model for many forward passes, and its dtype."""
        dtype = self.image.dtype
        if dtype == torch.float32:
            dtype = best_dtype(self.precision, self.image.device)
        return accelerated_copy(self.model, dtype, self.image.device), dtype


def fewer_samples(config: ExplainConfig, share: float) -> ExplainConfig:
    """The same settings with this share of the samples, for attributions that are only compared with each other."""
    fewer = {key: max(FEWEST[key], round(share * getattr(config, key))) for key in FEWEST}
    stride = min(config.occlusion_window, config.occlusion_stride / share**0.5)
    channels = share * config.score_cam_share
    precision = None if config.lime_precision is None else config.lime_precision / share**0.5
    return replace(
        config,
        completeness=ANY_SUM,
        lime_precision=precision,
        occlusion_stride=stride,
        score_cam_share=channels,
        **fewer,
    )


class _Scorer(nn.Module):
    def __init__(self, model: nn.Module, target: int, against: int | None) -> None:
        super().__init__()
        self.model, self.target, self.against = model, target, against

    def forward(self, images: Tensor) -> Tensor:
        return _score(self.model(images), self.target, self.against)


def _score(logits: Tensor, target: int, against: int | None) -> Tensor:
    """(N, classes) -> (N,)."""
    return logits[:, target] if against is None else logits[:, target] - logits[:, against]


@dataclass(frozen=True)
class Resize:
    """A forward pre-hook that resizes a network's input (N, 3, H, W); copies of the network keep it."""

    input_sizes: InputSizes

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The input in a size that the network takes."""
        return (self.input_sizes.fitted(inputs[0]), *inputs[1:])


@contextmanager
def attribution_context(
    network: Network,
    image: Tensor,
    target: str | int | None,
    *,
    against: str | int | None = None,
    config: ExplainConfig,
    precision: str = "auto",
    seed: int = 0,
) -> Iterator[AttributionContext]:
    """An AttributionContext for `image`, float (3, H, W) in [0, 1]; `target` None is the network's prediction.

    against: the class to contrast the target with. Gradients are on inside, also within torch.inference_mode and
    Lightning's validation. Afterwards the model is restored to its last flag. Raises ValueError for another shape, a
    side under MIN_SIDE, an unknown class, a class against itself and an unknown precision.
    """
    _check(image)
    one_of("precision", precision, PRECISIONS)
    with torch.inference_mode(False), torch.enable_grad(), _prepared(network, image):
        network_input = network.model_input(image, fit=False)
        if target is None:
            with torch.no_grad():
                index = int(network.model(network_input).argmax(dim=1))
        else:
            index = network.class_index(target)
        other = None if against is None else network.class_index(against)
        if other == index:
            what = "the prediction" if target is None else "target"
            raise ValueError(f"against is {against!r}, which is {what} too; give two different classes")
        black, white = (network.model_input(torch.full((3, 1, 1), value), fit=False) for value in (0.0, 1.0))
        yield AttributionContext(
            network, network.model, network_input, index, config, seed, black, white, precision, other
        )


def _check(image: Tensor) -> None:
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
        raise ValueError(
            f"an image to explain is a floating-point tensor (3, H, W); this is {image.dtype} {(*image.shape,)}"
        )
    height, width = image.shape[1:]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"the image is {width}x{height}; an explanation needs at least {MIN_SIDE} pixels a side")


@contextmanager
def _prepared(network: Network, image: Tensor) -> Iterator[None]:
    """The model in eval mode, without gradients of its parameters and without in-place activations; then restored.

    Inside, it resizes images to a size that it takes, where `image` has another than the network was made for.
    """
    model, is_usual = network.model, image.shape[1:] == (network.image_size, network.image_size)
    sizes = InputSizes() if is_usual else network.input_sizes
    wants_gradient = {parameter: parameter.requires_grad for parameter in model.parameters()}
    in_place = [module for module in model.modules() if getattr(module, "inplace", False) is True]
    resizing = model.register_forward_pre_hook(Resize(sizes)) if sizes != InputSizes() else None
    try:
        model.requires_grad_(False)
        for module in in_place:  # guided backpropagation needs backward hooks, which exclude in-place modules
            module.inplace = False  # type: ignore[assignment]
        with evaluating(model):
            yield
    finally:
        if resizing is not None:
            resizing.remove()
        for parameter, wanted in wants_gradient.items():
            parameter.requires_grad_(wanted)
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]
