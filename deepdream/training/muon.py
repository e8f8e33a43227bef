"""Muon: the optimizer whose steps are orthogonal matrices.

Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon. PyTorch's Muon takes no convolutions, and timm's
iterates in bfloat16 on whole matrices. This one iterates in float32 on the product of a matrix with its transpose,
which is small for convolutions: less work, and fast on processors without bfloat16 too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.optimizer import Optimizer, ParamsT

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial that drives singular values towards 1 (Jordan et al.)
ITERATIONS = 5
RMS = 0.2  # of a step at learning rate 1, as of AdamW's (Liu et al. 2025, "Muon is Scalable for LLM Training")
TINY = 1e-7


class Muon(Optimizer):
    """Momentum, made orthogonal, for the weights of convolutions and linear layers; AdamW for all else, as norms.

    A weight is a matrix with a row for each output. All singular values of its step are near 1, so that each direction
    of the gradient counts as much as the strongest one. Steps have AdamW's size: learning rates of its order apply, up
    to ten times higher, and its weight decay.

    params: parameters, or groups of them.
    lr: learning rate, of AdamW's steps too.
    momentum: decay of the mean of the gradients.
    nesterov: step along the mean that already has the gradient once more.
    weight_decay: decoupled from the gradient, times `lr`.
    betas, eps: of AdamW.

    Raises ValueError for values out of range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.05,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
    ) -> None:
        for name, value, limit in (
            ("lr", lr, math.inf),
            ("weight_decay", weight_decay, math.inf),
            ("momentum", momentum, 1),
            ("betas[0]", betas[0], 1),
            ("betas[1]", betas[1], 1),
            ("eps", eps, math.inf),
        ):
            if not 0 <= value < limit:
                raise ValueError(
                    f"{name} is {value}; it must be 0 or more" + (f", below {limit}" if limit == 1 else "")
                )
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "nesterov": nesterov,
                "weight_decay": weight_decay,
                "betas": tuple(betas),
                "eps": eps,
            },
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step along the gradients; the loss that `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with _full_precision():
            for group in self.param_groups:
                trained = [parameter for parameter in group["params"] if parameter.grad is not None]
                for weight in filter(_is_matrix, trained):
                    self._step_matrix(weight, group)
                self._step_others([parameter for parameter in trained if not _is_matrix(parameter)], group)
        return loss

    def _step_matrix(self, weight: Tensor, group: dict[str, Any]) -> None:
        gradient = cast(Tensor, weight.grad)
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        mean = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        direction = (gradient.lerp(mean, group["momentum"]) if group["nesterov"] else mean).flatten(1)
        size = RMS * math.sqrt(max(direction.shape))  # an orthogonal matrix has an RMS of 1 / sqrt(its longer side)
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(orthogonal(direction).view(weight.shape), alpha=-group["lr"] * size)

    def _step_others(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["step"] = torch.tensor(0.0)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            parameters,
            [cast(Tensor, parameter.grad) for parameter in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix with the singular vectors of `matrix`, whose singular values are about 1 (0.7 to 1.2).

    matrix: [m, n]. Singular values below a thousandth of its Frobenius norm come out smaller. Matrix products must be
    float32, not TensorFloat-32.

    Each iteration is a polynomial of the matrix X, (a + b XX' + c (XX')^2) X. Only XX' is iterated: its powers commute,
    so the polynomials are multiplied first, and the matrix only at the end.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T.contiguous()
    a, b, c = COEFFICIENTS
    start = matrix.float()
    start = start / start.norm().clamp_min(TINY)
    gram = start @ start.T
    product = None
    for left in reversed(range(ITERATIONS)):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        gram = factor @ gram @ factor if left else gram
    return cast(Tensor, (product @ start).to(matrix.dtype))


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.ndim in (2, 4)


@contextmanager
def _full_precision() -> Iterator[None]:
    """No TensorFloat-32: errors of a thousandth would grow a thousandfold over the iterations."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
