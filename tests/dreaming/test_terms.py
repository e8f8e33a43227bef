from __future__ import annotations

import numpy as np
import pytest
import torch

from deepdream.dreaming.objectives import Activations
from deepdream.dreaming.terms import (
    channel,
    content,
    direction,
    diversity,
    each_channel,
    gram,
    guide,
    half_sum_square,
    l2,
    mean,
    mean_square,
    style,
    total_variation,
    unit,
)

FEATURES = {
    "a": torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    "b": torch.randn(2, 6, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
}


def test_mean_square_is_the_mean_over_layers_of_each_image():
    expected = [(FEATURES["a"][i].pow(2).mean() + FEATURES["b"][i].pow(2).mean()) / 2 for i in range(2)]
    torch.testing.assert_close(mean_square(FEATURES), torch.stack(expected))


def test_half_sum_square_is_the_sum_over_layers_of_each_image():
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
        value = objective(Activations({"a": a}, dtype=torch.float32))
        found.append((value.detach(), *torch.autograd.grad(value.sum(), a)))
    (value, gradient), (expected_value, expected_gradient) = found
    torch.testing.assert_close(value, expected_value, rtol=1e-4, atol=0)  # in bfloat16: 4e-3
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient.float(), expected_gradient, rtol=2**-7, atol=0)


def test_channel_and_unit_read_what_they_name():
    torch.testing.assert_close(channel("b:4")(FEATURES), FEATURES["b"][:, 4].mean(dim=(1, 2)))
    torch.testing.assert_close(unit("a:1@3,2")(FEATURES), FEATURES["a"][:, 1, 3, 2])
    with pytest.raises(ValueError, match="names no channel"):
        channel("b")
    with pytest.raises(ValueError, match="names no unit"):
        unit("b:4")


def test_each_image_has_its_own_channel():
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


def test_penalties_look_at_the_image():
    image = torch.rand(2, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x = image.numpy()
    tv = [abs(np.diff(p, axis=1)).mean() + abs(np.diff(p, axis=2)).mean() for p in x]
    torch.testing.assert_close(total_variation(Activations({}, image)), torch.tensor(tv, dtype=torch.float64))
    torch.testing.assert_close(l2(Activations({}, image)), (image - 0.5).square().mean(dim=(1, 2, 3)))
    with pytest.raises(ValueError, match="needs the image itself"):
        l2(FEATURES)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


MAPS, GUIDE = {"a": noise(2, 3, 4, 5)}, {"a": noise(1, 3, 6, 2, seed=1)}


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_the_guide_is_followed_by_the_best_match_at_every_position(similarity):
    expected = []
    y = GUIDE["a"].numpy().reshape(3, -1)
    for x in MAPS["a"].numpy().reshape(2, 3, -1):
        if similarity == "cosine":
            x, y = x / np.linalg.norm(x, axis=0), y / np.linalg.norm(y, axis=0)
        expected.append((x.T @ y).max(axis=1).sum())
    value = guide(similarity).at("a")(Activations(MAPS, guide=GUIDE))
    np.testing.assert_allclose(value.numpy(), expected)


def test_the_gradient_of_the_guide_is_its_matching_feature():
    x = MAPS["a"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(guide().at("a")(Activations({"a": x}, guide=GUIDE)).sum(), x)
    y = GUIDE["a"].flatten(2)[0]
    best = (MAPS["a"].flatten(2).transpose(1, 2) @ y).argmax(dim=2)
    torch.testing.assert_close(gradient.flatten(2), y.t()[best].transpose(1, 2))


def test_gram_is_the_mean_product_of_channels():
    a = MAPS["a"].numpy().reshape(2, 3, -1)
    np.testing.assert_allclose(gram(MAPS["a"]).numpy(), np.einsum("ncp,ndp->ncd", a, a) / 20)


def test_style_and_content_are_at_their_best_where_nothing_differs():
    same = Activations({"a": GUIDE["a"]}, guide=GUIDE, content={"a": GUIDE["a"]})
    other = Activations({"a": GUIDE["a"] + 0.3}, guide=GUIDE, content={"a": GUIDE["a"]})
    for objective in (style.at("a"), content.at("a")):
        assert objective(same).item() == 0
        assert objective(other).item() < -0.01


def test_style_does_not_ask_where_something_is():
    shuffled = GUIDE["a"].flatten(2)[:, :, torch.randperm(12, generator=torch.Generator().manual_seed(0))]
    assert style.at("a")(Activations({"a": shuffled.view(1, 3, 6, 2)}, guide=GUIDE)).item() == pytest.approx(
        0, abs=1e-12
    )


def test_images_that_are_alike_are_not_diverse():
    alike, different = MAPS["a"][:1].repeat(3, 1, 1, 1), noise(3, 3, 4, 5, seed=4)
    assert diversity.at("a")({"a": alike}).tolist() == pytest.approx([-2, -2, -2])
    assert (diversity.at("a")({"a": different}) > -1.99).all()
