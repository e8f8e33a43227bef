from __future__ import annotations

import torch

from deepdream.dreaming.objectives import half_sum_square, mean_square

FEATURES = {
    "a": torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    "b": torch.randn(2, 6, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
}


def test_mean_square_is_the_mean_over_layers_of_each_picture():
    expected = [(FEATURES["a"][i].pow(2).mean() + FEATURES["b"][i].pow(2).mean()) / 2 for i in range(2)]
    torch.testing.assert_close(mean_square(FEATURES), torch.stack(expected))


def test_half_sum_square_is_the_sum_over_layers_of_each_picture():
    expected = [(FEATURES["a"][i].pow(2).sum() + FEATURES["b"][i].pow(2).sum()) / 2 for i in range(2)]
    torch.testing.assert_close(half_sum_square(FEATURES), torch.stack(expected))


def test_the_gradient_of_half_sum_square_is_the_activation():
    a = FEATURES["a"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(half_sum_square({"a": a}).sum(), a)
    torch.testing.assert_close(gradient, FEATURES["a"])


def test_a_silent_layer_has_objective_and_gradient_zero():
    a = torch.zeros(1, 3, 4, 4, requires_grad=True)
    objective = mean_square({"a": a})
    (gradient,) = torch.autograd.grad(objective.sum(), a)
    assert objective.item() == 0
    assert torch.equal(gradient, torch.zeros_like(a))
