"""Attribution methods that send the score back by rules of their own: AttributionContext -> evidence per pixel, (H, W).

Each rule keeps what a step of the network computes and replaces how its gradient is computed; input times gradient is
then the attribution. A rule belongs to a function that is called (`TorchFunctionMode`), not to a module: it holds for
modules that run several times, for activations that are no modules, for residual sums and for networks that torch.fx
cannot trace, and no hook is set.

Not Captum's: its DeepLift refuses a ReLU that runs twice, as in torchvision's ResNets, and does not add up where a max
pooling stands beside an activation; its LRP counts both branches of a residual sum in full.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from deepdream.acceleration import fold_batch_norm
from deepdream.explaining.config import METHODS
from deepdream.explaining.context import AttributionContext
from deepdream.explaining.gradient_methods import over_channels

# Activations of one argument, by the name of their function in torch, torch.nn.functional and torch.Tensor.
ACTIVATIONS = {"relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"}
ACTIVATIONS |= {"sigmoid", "tanh", "hardswish", "hardsigmoid", "hardtanh"}


@METHODS.register("DeepLIFT", "how the pixels add up to the logit (exactly)", "1 pass", is_grainy=True)
def deep_lift(context: AttributionContext) -> Tensor:
    """DeepLIFT with the rescale rule (Shrikumar et al. 2017), against the mean colour.

    The attribution adds up to the gain of the logit over an image of mean colour, exactly up to rounding. Products of
    two activations share their change as in SHAP; a softmax inside the network has its gradient.
    """
    leaf = context.leaf()
    with _Rescale():
        score = context.scorer(torch.cat([leaf, torch.zeros_like(leaf)]))[0]
    (multiplier,) = torch.autograd.grad(score, leaf)
    return over_channels(context.image * multiplier)


@METHODS.register("LRP", "which pixels the logit is made of, layer by layer", "3 passes", is_grainy=True)
def lrp(context: AttributionContext) -> Tensor:
    """Layer-wise relevance propagation (Bach et al. 2015): epsilon rule in linear layers, gamma in convolutions.

    The gamma rule (Montavon et al. 2019, for inputs of any sign Andeol et al. 2021) favours contributions of the
    output's own sign by config.lrp_gamma. Batch norms are folded into convolutions first. Relevance is conserved but
    for the share of the biases: without biases the attribution adds up to the logit. The epsilon is only that of
    rounding. For convolutional networks: attention and layer norms have their gradient.
    """
    model = copy.deepcopy(context.scorer)
    fold_batch_norm(model)
    leaf = context.leaf()
    with _Relevance(context.config.lrp_gamma):
        score = model(leaf)[0]
    (gradient,) = torch.autograd.grad(score, leaf)
    return over_channels(context.image * gradient)


class _Rules(TorchFunctionMode, ABC):
    """Inside, `apply` computes each function of PyTorch whose first argument depends on the image."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out_of_place = {key: value for key, value in (kwargs or {}).items() if key != "inplace"}
        if args and _is_active(args[0]):
            return self.apply(getattr(function, "__name__", ""), function, args, out_of_place)
        return function(*args, **out_of_place)

    @abstractmethod
    def apply(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of `function`, called `name`; never in place."""


class _Rescale(_Rules):
    """The rescale rule, for a batch of an image and its baseline; gradients are those of the image alone."""

    def apply(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`function`, by its rule where it has one."""
        if name in ACTIVATIONS:
            return _rescaled(args[0], function(*args, **kwargs))
        if name == "max_pool2d":
            pooled, index = F.max_pool2d(*args, **{**kwargs, "return_indices": True})
            # The winner of the image where that is larger, of the baseline elsewhere: its own change is as large.
            image, baseline = pooled.chunk(2)
            of_image, of_baseline = index.chunk(2)
            winner = torch.where(image >= baseline, of_image, of_baseline).flatten(2)
            won = args[0].flatten(2).gather(2, torch.cat([winner, winner])).view_as(pooled)
            return _rescaled(won, pooled)
        if name == "mul" and len(args) == 2 and _is_active(args[1]):
            product, means = function(*args), [_both_means(factor) for factor in args]
            return _instead(product, args[0] * means[1] + args[1] * means[0])
        return function(*args, **kwargs)


def _rescaled(x: Tensor, y: Tensor) -> Tensor:
    """`y` with the gradient of (change of y / change of x) * x, or its own where x hardly changes."""
    (image, baseline), (image_out, baseline_out) = x.chunk(2), y.chunk(2)
    change = (image - baseline).detach()
    is_tiny = change.abs() <= 1e3 * torch.finfo(x.dtype).tiny
    slope = ((image_out - baseline_out) / torch.where(is_tiny, 1, change)).detach()
    rescaled = torch.where(is_tiny, image_out, _instead(image_out, slope * image))
    return torch.cat([rescaled, baseline_out.detach()])


def _both_means(x: Tensor) -> Tensor:
    mean = (x[:1] + x[1:]).detach() / 2
    return torch.cat([mean, mean])


class _Relevance(_Rules):
    """The gamma rule for convolutions; activations and batch norms pass relevance on unchanged, gates get none."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self._gamma = gamma

    def apply(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`function`, by its rule where it has one."""
        if name == "mul" and len(args) == 2 and _is_active(args[1]):
            gate, signal = sorted(args, key=Tensor.numel)  # as Arras et al. 2017 do in an LSTM
            return function(gate.detach(), signal)
        y = function(*args, **kwargs)
        if name in ACTIVATIONS or name == "batch_norm":
            return _shared_out(y, args[0])
        if name == "conv2d":
            return _shared_out(y, self._favoured(y, function, *args, **kwargs))
        return y

    def _favoured(
        self,
        y: Tensor,
        convolve: Callable[..., Tensor],
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """The output of a convolution with its contributions of the sign of `y` enlarged by 1 + gamma."""
        above, below = x.relu(), (-x).relu()

        def enlarged(weights: Tensor, sign: int) -> Tensor:
            return weights + sign * self._gamma * (sign * weights).relu()

        def side(sign: int) -> Tensor:
            offset = None if bias is None else enlarged(bias, sign)
            contributions = convolve(above, enlarged(weight, sign), offset, *args, **kwargs)
            if bool(below.any()):
                contributions = contributions - convolve(below, enlarged(weight, -sign), None, *args, **kwargs)
            return contributions

        return torch.where(y > 0, side(1), side(-1))


def _shared_out(y: Tensor, contributions: Tensor) -> Tensor:
    """`y` with the gradient of `contributions`, scaled so that these add up to `y`."""
    is_tiny = contributions.abs() <= 1e3 * torch.finfo(y.dtype).tiny
    scale = torch.where(is_tiny, 0, y / torch.where(is_tiny, 1, contributions)).detach()
    return _instead(y, scale * contributions)


def _instead(value: Tensor, surrogate: Tensor) -> Tensor:
    """`value`, with the gradient of `surrogate`."""
    return surrogate + (value - surrogate).detach()


def _is_active(x: Any) -> bool:
    """Whether `x` depends on the image; parameters do not."""
    return isinstance(x, Tensor) and x.requires_grad
