from __future__ import annotations

import numpy as np
import pytest
import torch

from deepdream.dreaming.objectives import (
    Seen,
    channel,
    direction,
    each_channel,
    half_sum_square,
    l2,
    mean,
    mean_square,
    total_variation,
    unit,
)

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


@pytest.mark.parametrize("objective", [mean_square, half_sum_square, mean, channel("a:1"), unit("a:2@9,3")])
def test_maps_in_low_precision_are_summed_in_full(objective):
    """Of a map in bfloat16 the value is that of the same numbers in float32, and the gradient is in bfloat16."""
    drawn = torch.randn(2, 3, 300, 400, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    found = []
    for a in (drawn, drawn.float()):
        a = a.contiguous(memory_format=torch.channels_last).requires_grad_()
        value = objective(Seen({"a": a}, dtype=torch.float32))
        found.append((value.detach(), *torch.autograd.grad(value.sum(), a)))
    (value, gradient), (expected_value, expected_gradient) = found
    torch.testing.assert_close(value, expected_value, rtol=1e-4, atol=0)  # in bfloat16: 4e-3
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient.float(), expected_gradient, rtol=2**-7, atol=0)


def test_objectives_add_up_with_weights():
    a, b = mean_square.at("a"), mean.at("b:2")
    combined = a + 0.5 * b - 2 * a
    torch.testing.assert_close(combined(FEATURES), 0.5 * b(FEATURES) - a(FEATURES))
    torch.testing.assert_close((-combined)(FEATURES), -combined(FEATURES))
    assert combined.layers == ["a", "b"]


def test_a_layer_has_its_weight():
    weighted = mean_square.at("2*a", "-1*b")
    expected = (2 * mean_square.at("a")(FEATURES) - mean_square.at("b")(FEATURES)) / 2
    torch.testing.assert_close(weighted(FEATURES), expected)


def test_only_terms_that_name_no_layer_take_those_of_the_dream():
    both = (mean_square + mean.at("b")).at("a")
    torch.testing.assert_close(both(FEATURES), mean_square.at("a")(FEATURES) + mean.at("b")(FEATURES))


def test_channel_and_unit_read_what_they_name():
    torch.testing.assert_close(channel("b:4")(FEATURES), FEATURES["b"][:, 4].mean(dim=(1, 2)))
    torch.testing.assert_close(unit("a:1@3,2")(FEATURES), FEATURES["a"][:, 1, 3, 2])
    with pytest.raises(ValueError, match="names no channel"):
        channel("b")
    with pytest.raises(ValueError, match="names no unit"):
        unit("b:4")


def test_each_picture_has_its_own_channel():
    torch.testing.assert_close(
        each_channel("b", [5, 0])(FEATURES),
        torch.stack([FEATURES["b"][0, 5].mean(), FEATURES["b"][1, 0].mean()]),
    )


def test_a_direction_without_cosine_is_the_mean_dot_product():
    v = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    dot = torch.einsum("nchw,c->nhw", FEATURES["a"], v).mean(dim=(1, 2))
    torch.testing.assert_close(direction("a", v, cosine_power=0)(FEATURES), dot)
    with pytest.raises(ValueError, match="the direction has 3 numbers; b has 6 channels"):
        direction("b", v)(FEATURES)


def test_penalties_look_at_the_picture():
    picture = torch.rand(2, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x = picture.numpy()
    tv = [abs(np.diff(p, axis=1)).mean() + abs(np.diff(p, axis=2)).mean() for p in x]
    torch.testing.assert_close(total_variation(Seen({}, picture)), torch.tensor(tv, dtype=torch.float64))
    torch.testing.assert_close(l2(Seen({}, picture)), (picture - 0.5).square().mean(dim=(1, 2, 3)))
    with pytest.raises(ValueError, match="looks at the picture itself"):
        l2(FEATURES)
