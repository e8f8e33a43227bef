"""Taps: read chosen layers of any network and stop its forward pass after the deepest; redirect a ReLU's gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from deepdream.models.layers import Layer


class _AllTapped(BaseException):
    """Ends a forward pass. Not an Exception, so that no `except Exception` inside a network catches it."""


class Taps:
    """Reads the outputs of `layers` of `model`; while the context is open, the model carries hooks.

    with Taps(model, layers) as taps:
        features = taps.run(x)  # {"layer2": (N, C, H, W), "layer3": ...}

    logits: run the whole network, and return its logits (N, classes) too, under "logits".
    """

    def __init__(self, model: nn.Module, layers: list[Layer], *, logits: bool = False) -> None:
        self._model = model
        self._logits = logits
        self._layers = layers
        self._handles: list[RemovableHandle] = []
        self._remaining: dict[str, int] = {}
        self._features: dict[str, Tensor] = {}

    def __enter__(self) -> Self:
        for layer in self._layers:
            module = self._model.get_submodule(layer.name)
            self._handles.append(module.register_forward_hook(self._reader(layer.name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The tapped feature maps for the network's input `x`. Modules behind the deepest tap are not run."""
        self._remaining = {layer.name: layer.calls for layer in self._layers}
        self._features = {}
        logits = None
        if self._layers or self._logits:
            with suppress(_AllTapped):
                logits = self._model(x)
        features, self._features = self._features, {}
        if self._logits and logits is not None:
            features["logits"] = logits
        missing = [layer.name for layer in self._layers if layer.name not in features]
        if missing:
            raise RuntimeError(f"the forward pass did not reach {', '.join(missing)}; it did in the probing pass")
        return features

    def _reader(self, name: str) -> Any:
        def read(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
            self._remaining[name] -= 1
            if self._remaining[name] > 0:
                return None
            self._features[name] = output
            if not self._logits and not any(count > 0 for count in self._remaining.values()):
                raise _AllTapped
            return output.clone()  # what follows may change its input in place, and must not change what was read

        return read


def relus(model: nn.Module, layers: Iterable[Layer]) -> list[str]:
    """The names of every ReLU in `layers`; a fused ReLU has no gradient of its own to redirect."""
    tapped = [model.get_submodule(layer.name) for layer in layers]
    inside = {part for layer in tapped for part in layer.modules() if isinstance(part, nn.ReLU)}
    return [name for name, module in model.named_modules() if module in inside]


def redirect_relu_gradient(feature_map: Tensor) -> None:
    """Let increasing gradients pass the ReLU that made `feature_map` (N, C, H, W), for images where it stops all.

    An image with an active unit keeps its gradient. Source: lucid, misc/redirected_relu_grad.py. Departs from it: for
    the tapped ReLU alone and at any step, where lucid does so for all of them, in the first sixteen steps.
    """
    made_by = feature_map.grad_fn
    if made_by is not None and made_by.name() == "ReluBackward0":
        made_by.register_hook(_redirected)


def _redirected(passed: Sequence[Tensor], arrived: Sequence[Tensor]) -> tuple[Tensor]:
    """The gradient at the input of a ReLU, from what autograd lets pass and what arrived at its output."""
    largest = torch.linalg.vector_norm(passed[0], float("inf"), dim=(1, 2, 3), keepdim=True)
    return (torch.where(largest == 0, arrived[0].clamp_min(0), passed[0]),)
