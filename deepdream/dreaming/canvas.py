"""Canvases: in which units a picture is held, and stepped, while it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Canvas(Protocol):
    """How a picture is held. All tensors are (N, 3, H, W); every method returns a new one."""

    def encode(self, image: Tensor) -> Tensor:
        """What is held, from a picture in [0, 1]."""

    def decode(self, held: Tensor) -> Tensor:
        """The picture in [0, 1], from what is held."""

    def network_input(self, held: Tensor) -> Tensor:
        """What the network is given: (picture - mean) / std. Differentiable."""

    def clamp(self, held: Tensor) -> Tensor:
        """The nearest that a picture in [0, 1] can be held as."""


class NormalizedCanvas:
    """Holds (picture - mean) / std, as pytorch-deepdream does: a step moves each colour in units of its std."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype, device: torch.device) -> None:
        self._mean = _per_colour(mean, dtype, device)
        self._std = _per_colour(std, dtype, device)
        self._low = -self._mean / self._std
        self._high = (1 - self._mean) / self._std

    def encode(self, image: Tensor) -> Tensor:
        """(image - mean) / std."""
        return (image - self._mean) / self._std

    def decode(self, held: Tensor) -> Tensor:
        """The inverse of `encode`, clipped to [0, 1]."""
        return (held * self._std + self._mean).clamp(0, 1)

    def network_input(self, held: Tensor) -> Tensor:
        """What is held, as it is."""
        return held

    def clamp(self, held: Tensor) -> Tensor:
        """Each colour between its black and its white."""
        return held.clamp(self._low, self._high)


class PixelCanvas:
    """Holds 0..255, as the original notebook does. The gradient passes through the division by std.

    The original holds 0..255 minus the mean: the same steps and bounds, moved by a constant.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype, device: torch.device) -> None:
        self._mean = _per_colour(mean, dtype, device)
        self._std = _per_colour(std, dtype, device)

    def encode(self, image: Tensor) -> Tensor:
        """255 image."""
        return image * 255

    def decode(self, held: Tensor) -> Tensor:
        """The inverse of `encode`, clipped to [0, 1]."""
        return (held / 255).clamp(0, 1)

    def network_input(self, held: Tensor) -> Tensor:
        """(held / 255 - mean) / std."""
        return (held / 255 - self._mean) / self._std

    def clamp(self, held: Tensor) -> Tensor:
        """Between 0 and 255."""
        return held.clamp(0, 255)


def _per_colour(values: Sequence[float], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(list(values), dtype=dtype, device=device).view(1, 3, 1, 1)


CANVASES: dict[str, Callable[[Sequence[float], Sequence[float], torch.dtype, torch.device], Canvas]] = {
    "normalized": NormalizedCanvas,
    "pixels": PixelCanvas,
}
