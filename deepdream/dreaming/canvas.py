"""Canvases: in which units a picture is held, and stepped, while it changes. Fourier canvases are in `fourier`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Canvas(Protocol):
    """How a picture is held. A view is the picture in the canvas's own units, (N, 3, H, W); every method returns a
    new tensor.
    """

    per_unit: Tensor  # by how much a view changes where the picture changes from 0 to 1: (1, 3, 1, 1)

    def encode(self, image: Tensor) -> Tensor:
        """What is held, from a picture in [0, 1], (N, 3, H, W)."""

    def decode(self, held: Tensor) -> Tensor:
        """The picture in [0, 1], from what is held."""

    def view(self, held: Tensor) -> Tensor:
        """The picture in the canvas's units, from what is held. Differentiable."""

    def picture(self, view: Tensor) -> Tensor:
        """A view as a picture in [0, 1], unclipped. Differentiable."""

    def network_input(self, view: Tensor) -> Tensor:
        """What the network is given: (picture - mean) / std. Differentiable."""

    def clamp(self, held: Tensor) -> Tensor:
        """The nearest that a picture in [0, 1] can be held as."""


class PlainCanvas(ABC):
    """Holds the picture itself, in some unit."""

    @abstractmethod
    def picture(self, view: Tensor) -> Tensor:
        """The inverse of `encode`."""

    def decode(self, held: Tensor) -> Tensor:
        """The inverse of `encode`, clipped to [0, 1]."""
        return self.picture(held).clamp(0, 1)

    def view(self, held: Tensor) -> Tensor:
        """What is held, as it is."""
        return held


class NormalizedCanvas(PlainCanvas):
    """Holds (picture - mean) / std, as pytorch-deepdream does: a step moves each colour in units of its std."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype, device: torch.device) -> None:
        self._mean = per_colour(mean, dtype, device)
        self._std = per_colour(std, dtype, device)
        self._low = -self._mean / self._std
        self._high = (1 - self._mean) / self._std
        self.per_unit = 1 / self._std

    def encode(self, image: Tensor) -> Tensor:
        """(image - mean) / std."""
        return (image - self._mean) / self._std

    def picture(self, view: Tensor) -> Tensor:
        """The inverse of `encode`."""
        return view * self._std + self._mean

    def network_input(self, view: Tensor) -> Tensor:
        """What is held, as it is."""
        return view

    def clamp(self, held: Tensor) -> Tensor:
        """Each colour between its black and its white."""
        return held.clamp(self._low, self._high)


class PixelCanvas(PlainCanvas):
    """Holds 0..255, as the original notebook does. The gradient passes through the division by std.

    The original holds 0..255 minus the mean: the same steps and bounds, moved by a constant.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype, device: torch.device) -> None:
        self._mean = per_colour(mean, dtype, device)
        self._std = per_colour(std, dtype, device)
        self.per_unit = torch.full_like(self._std, 255)

    def encode(self, image: Tensor) -> Tensor:
        """255 image."""
        return image * 255

    def picture(self, view: Tensor) -> Tensor:
        """The inverse of `encode`."""
        return view / 255

    def network_input(self, view: Tensor) -> Tensor:
        """(view / 255 - mean) / std."""
        return (view / 255 - self._mean) / self._std

    def clamp(self, held: Tensor) -> Tensor:
        """Between 0 and 255."""
        return held.clamp(0, 255)


def per_colour(values: Sequence[float], dtype: torch.dtype, device: torch.device) -> Tensor:
    """One value for each colour, (1, 3, 1, 1)."""
    return torch.tensor(list(values), dtype=dtype, device=device).view(1, 3, 1, 1)


CANVASES: dict[str, type[NormalizedCanvas] | type[PixelCanvas]] = {
    "normalized": NormalizedCanvas,
    "pixels": PixelCanvas,
}
