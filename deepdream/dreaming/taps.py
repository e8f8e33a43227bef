"""Taps: read chosen layers of any network, and stop its forward pass after the deepest of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from deepdream.models.layers import Layer


class _AllTapped(BaseException):
    """Ends a forward pass. Not an Exception, so that no `except Exception` inside a network takes it."""


class Taps:
    """Reads the outputs of `layers` of `model`; while the context is open, the model carries hooks.

    with Taps(model, layers) as taps:
        features = taps.run(x)  # {"layer2": (N, C, H, W), "layer3": ...}

    logits: run the whole network, and give its answer (N, classes) too, under "logits".
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
        answer = None
        if self._layers or self._logits:
            with suppress(_AllTapped):
                answer = self._model(x)
        features, self._features = self._features, {}
        if self._logits and answer is not None:
            features["logits"] = answer
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
