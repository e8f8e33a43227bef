from __future__ import annotations

import numpy as np
import pytest
import torch

from deepdream.dreaming.comparisons import content, diversity, gram, guide, style
from deepdream.dreaming.objectives import Seen


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
    value = guide(similarity).at("a")(Seen(MAPS, guide=GUIDE))
    np.testing.assert_allclose(value.numpy(), expected)


def test_the_gradient_of_the_guide_is_its_matching_feature():
    x = MAPS["a"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(guide().at("a")(Seen({"a": x}, guide=GUIDE)).sum(), x)
    y = GUIDE["a"].flatten(2)[0]
    best = (MAPS["a"].flatten(2).transpose(1, 2) @ y).argmax(dim=2)
    torch.testing.assert_close(gradient.flatten(2), y.t()[best].transpose(1, 2))


def test_gram_is_the_mean_product_of_channels():
    a = MAPS["a"].numpy().reshape(2, 3, -1)
    np.testing.assert_allclose(gram(MAPS["a"]).numpy(), np.einsum("ncp,ndp->ncd", a, a) / 20)


def test_style_and_content_are_at_their_best_where_nothing_differs():
    same = Seen({"a": GUIDE["a"]}, guide=GUIDE, content={"a": GUIDE["a"]})
    other = Seen({"a": GUIDE["a"] + 0.3}, guide=GUIDE, content={"a": GUIDE["a"]})
    for objective in (style.at("a"), content.at("a")):
        assert objective(same).item() == 0
        assert objective(other).item() < -0.01


def test_style_does_not_ask_where_something_is():
    shuffled = GUIDE["a"].flatten(2)[:, :, torch.randperm(12, generator=torch.Generator().manual_seed(0))]
    assert style.at("a")(Seen({"a": shuffled.view(1, 3, 6, 2)}, guide=GUIDE)).item() == pytest.approx(0, abs=1e-12)


def test_pictures_that_are_alike_are_not_diverse():
    alike, different = MAPS["a"][:1].repeat(3, 1, 1, 1), noise(3, 3, 4, 5, seed=4)
    assert diversity.at("a")({"a": alike}).tolist() == pytest.approx([-2, -2, -2])
    assert (diversity.at("a")({"a": different}) > -1.99).all()
