"""Optimizers: how the params of an image move along their gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

GradientClosure = Callable[[Tensor], tuple[Tensor, Tensor]]  # params -> their gradient, and the objective (N,)


class Optimizer(Protocol):
    """Takes the steps of one octave."""

    def __init__(self, step_size: float) -> None: ...

    def step(self, params: Tensor, closure: GradientClosure) -> tuple[Tensor, Tensor]:
        """The params after a step, and the objective before it."""


class GradientAscent:
    """Adds `step_size` times the gradient."""

    def __init__(self, step_size: float) -> None:
        self._step_size = step_size

    def step(self, params: Tensor, closure: GradientClosure) -> tuple[Tensor, Tensor]:
        """One step."""
        gradient, objective = closure(params)
        return torch.add(params, gradient, alpha=self._step_size), objective


class Adam:
    """torch's Adam. Source: Kingma & Ba (2015)."""

    def __init__(self, step_size: float) -> None:
        self._step_size = step_size
        self._optimizer: torch.optim.Optimizer | None = None
        self._params = torch.empty(0)

    def step(self, params: Tensor, closure: GradientClosure) -> tuple[Tensor, Tensor]:
        """One step."""
        if self._optimizer is None:
            self._params = params.detach().clone(memory_format=torch.contiguous_format)
            self._optimizer = torch.optim.Adam([self._params], lr=self._step_size, maximize=True)
        self._params.copy_(params)
        self._params.grad, objective = closure(params)
        self._optimizer.step()
        return self._params.clone(), objective


class Lbfgs:
    """torch's L-BFGS, one iteration per step, with the curvature of the last ten; `step_size` is its lr.

    The objective is scaled so that its first gradient has mean absolute value 1: torch forgets curvature below 1e-10.
    """

    def __init__(self, step_size: float) -> None:
        self._step_size = step_size
        self._optimizer: torch.optim.LBFGS | None = None
        self._params = torch.empty(0)
        self._scale = torch.ones(())

    def step(self, params: Tensor, closure: GradientClosure) -> tuple[Tensor, Tensor]:
        """One iteration."""
        if self._optimizer is None:
            self._params = params.detach().clone(memory_format=torch.contiguous_format)
            self._optimizer = torch.optim.LBFGS(
                [self._params], lr=self._step_size, max_iter=1, history_size=10, tolerance_grad=0, tolerance_change=0
            )
            size = closure(params)[0].abs().mean()
            self._scale = torch.where(size > 0, 1 / size, 1.0)
        self._params.copy_(params)
        objectives: list[Tensor] = []

        def loss() -> Tensor:
            gradient, objective = closure(self._params)
            self._params.grad = -self._scale * gradient.contiguous()
            objectives.append(objective)
            return -self._scale * objective.sum()

        self._optimizer.step(loss)  # type: ignore[no-untyped-call]
        return self._params.clone(), objectives[0]
