"""One step of gradient ascent on a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deepdream.config import DreamConfig
from deepdream.dreaming.canvas import CANVASES
from deepdream.dreaming.frozen import frozen_copy
from deepdream.dreaming.gradients import NORMALIZATIONS, GaussianCascade
from deepdream.dreaming.objectives import OBJECTIVES
from deepdream.dreaming.taps import Layer, Taps
from deepdream.models import Network

Shift = tuple[int, int]  # down, right


class Ascent:
    """Everything that a step needs, in one number format.

    The picture, the objective and what is done to the gradient are in `dtype` (float32 or float64); the network
    computes in `network_dtype`.
    """

    def __init__(
        self,
        network: Network,
        layers: list[Layer],
        config: DreamConfig,
        dtype: torch.dtype,
        network_dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.canvas = CANVASES[config.space](network.mean, network.std, dtype, device)
        self.taps = Taps(frozen_copy(network.model, network_dtype, device, [layer.name for layer in layers]), layers)
        self.dtype = dtype
        self._network_dtype = network_dtype
        self._objective = OBJECTIVES[config.objective]
        self._cascade = (
            GaussianCascade(config.steps, config.sigma, dtype, device) if config.smoothing == "cascade" else None
        )
        self._normalize = NORMALIZATIONS[config.normalize]
        self._step_size = config.step_size

    def step(self, held: Tensor, step: int, shift: Shift) -> tuple[Tensor, Tensor]:
        """One step from `held` (N, 3, H, W): what is held after it, and the objective before it, (N,).

        step: counted from 0 within the octave. shift: by which the picture is rolled, and afterwards rolled back.
        """
        down, right = shift
        rolled = _roll(held, (down, right))
        gradient, objective = self._gradient(rolled)
        if self._cascade is not None:
            gradient = self._cascade(gradient, step)
        moved = self.canvas.clamp(torch.add(rolled, self._normalize(gradient), alpha=self._step_size))
        return _roll(moved, (-down, -right)), objective

    def _gradient(self, held: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the objective at `held`, and the objective.

        The chain is cut at the taps, so that the objective is summed in `dtype` whatever the network computes in.
        """
        held = held.detach().requires_grad_()
        with torch.enable_grad():
            x = self.canvas.network_input(held)
            features = self.taps.run(x.to(self._network_dtype, memory_format=torch.channels_last))
            cut = {name: a.detach().to(self.dtype).requires_grad_() for name, a in features.items()}
            objective = self._objective(cut)
            at_taps = torch.autograd.grad(objective.sum(), list(cut.values()))
        # The gradient of a mean over a million activations lies below what float16 can hold.
        scale = _peak(at_taps) if self._network_dtype == torch.float16 else None
        seeds = [(g if scale is None else g / scale).to(self._network_dtype) for g in at_taps]
        (gradient,) = torch.autograd.grad(list(features.values()), held, seeds)
        return gradient if scale is None else gradient * scale, objective.detach()


def _peak(gradients: Sequence[Tensor]) -> Tensor:
    """The largest absolute value of each picture's gradients (N, ...), and 1 where they are zero: (N, 1, 1, 1)."""
    peaks = torch.stack([g.abs().amax(dim=(1, 2, 3), keepdim=True) for g in gradients]).amax(dim=0)
    return torch.where(peaks > 0, peaks, 1.0)


def _roll(x: Tensor, shift: Shift) -> Tensor:
    return x if shift == (0, 0) else torch.roll(x, shift, dims=(2, 3))
