"""Steppers: how what is held moves along its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

Slope = Callable[[Tensor], tuple[Tensor, Tensor]]  # what is held -> its gradient, and the objective (N,)


class Stepper(Protocol):
    """Moves what is held, once a step. One is made for each octave."""

    def __call__(self, held: Tensor, slope: Slope) -> tuple[Tensor, Tensor]:
        """What is held after the step, and the objective before it."""


class Ascent:
    """`step_size` times the gradient."""

    def __init__(self, step_size: float) -> None:
        self._step_size = step_size

    def __call__(self, held: Tensor, slope: Slope) -> tuple[Tensor, Tensor]:
        """One step."""
        gradient, objective = slope(held)
        return torch.add(held, gradient, alpha=self._step_size), objective


class Adam:
    """torch's Adam. Source: Kingma & Ba (2015)."""

    def __init__(self, step_size: float) -> None:
        self._step_size = step_size
        self._optimizer: torch.optim.Optimizer | None = None
        self._held = torch.empty(0)

    def __call__(self, held: Tensor, slope: Slope) -> tuple[Tensor, Tensor]:
        """One step."""
        if self._optimizer is None:
            self._held = held.detach().clone(memory_format=torch.contiguous_format)
            self._optimizer = torch.optim.Adam([self._held], lr=self._step_size, maximize=True)
        self._held.copy_(held)
        self._held.grad, objective = slope(held)
        self._optimizer.step()
        return self._held.clone(), objective


class Lbfgs:
    """torch's L-BFGS, one iteration a step, the curvature of the last ten remembered; `step_size` is its lr.

    The objective is scaled so that its first gradient has mean absolute value 1: torch forgets curvature below 1e-10.
    """

    def __init__(self, step_size: float) -> None:
        self._step_size = step_size
        self._optimizer: torch.optim.LBFGS | None = None
        self._held = torch.empty(0)
        self._scale = torch.ones(())

    def __call__(self, held: Tensor, slope: Slope) -> tuple[Tensor, Tensor]:
        """One iteration."""
        if self._optimizer is None:
            self._held = held.detach().clone(memory_format=torch.contiguous_format)
            self._optimizer = torch.optim.LBFGS(
                [self._held], lr=self._step_size, max_iter=1, history_size=10, tolerance_grad=0, tolerance_change=0
            )
            size = slope(held)[0].abs().mean()
            self._scale = torch.where(size > 0, 1 / size, 1.0)
        self._held.copy_(held)
        objectives: list[Tensor] = []

        def closure() -> Tensor:
            gradient, objective = slope(self._held)
            self._held.grad = -self._scale * gradient.contiguous()
            objectives.append(objective)
            return -self._scale * objective.sum()

        self._optimizer.step(closure)  # type: ignore[no-untyped-call]
        return self._held.clone(), objectives[0]


STEPPERS: dict[str, Callable[[float], Stepper]] = {"ascent": Ascent, "adam": Adam, "lbfgs": Lbfgs}
