from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.microscope import concept_crops, concept_importance, find_concepts, total_sobol
from deepdream.microscope.concepts import crops_of
from deepdream.models import Network


def ishigami(x: np.ndarray) -> np.ndarray:
    a, b, c = np.pi * (2 * x - 1)
    return np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)


def g_function(x: np.ndarray, weights: tuple[float, ...] = (0, 1, 4.5, 9)) -> np.ndarray:
    return np.prod([(np.abs(4 * value - 2) + w) / (1 + w) for value, w in zip(x, weights, strict=True)], axis=0)


def total_of_g(weights: tuple[float, ...] = (0, 1, 4.5, 9)) -> list[float]:
    """In closed form: Saltelli et al., "Global Sensitivity Analysis: The Primer" (2008)."""
    parts = np.array([1 / (3 * (1 + w) ** 2) for w in weights])
    whole = np.prod(1 + parts) - 1
    return [v * np.prod(np.delete(1 + parts, i)) / whole for i, v in enumerate(parts)]


@pytest.mark.parametrize(
    ("function", "inputs", "known"),
    [(ishigami, 3, [0.5576, 0.4424, 0.2437]), (g_function, 4, total_of_g())],
    ids=["ishigami", "g"],
)
def test_total_sobol_indices_of_functions_with_a_known_answer(function, inputs, known) -> None:
    np.testing.assert_allclose(total_sobol(function, inputs, designs=4096), known, atol=0.02)


def test_no_input_of_a_constant_function_matters() -> None:
    assert total_sobol(lambda x: np.ones(x.shape[1]), 3).tolist() == [0, 0, 0]


class Colours(nn.Module):
    """Its layer has six channels: three that fire for red, three for green. The logit of class 0 reads the red ones."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 6, 1, bias=False), nn.ReLU())
        red = torch.tensor([[1.0], [2.0], [3.0], [0.0], [0.0], [0.0]])
        green = torch.tensor([[0.0], [0.0], [0.0], [3.0], [1.0], [2.0]])
        self.layer[0].weight.data = torch.cat([red, green, torch.zeros(6, 1)], dim=1)[:, :, None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.layer(x).mean(dim=(2, 3))
        return torch.stack([maps[:, :3].sum(dim=1), maps[:, 3:].sum(dim=1)], dim=1)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(Colours().eval(), ["red", "green"], (0, 0, 0), (1, 1, 1), 32, source="colours")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Patches of red and green, each in its own strength; no blue."""
    draw = torch.Generator().manual_seed(0)
    strength = torch.rand(4, 3, 6, 6, generator=draw)
    is_red = (torch.rand(4, 1, 6, 6, generator=draw) < 0.5).float()
    patches = strength * torch.cat([is_red, 1 - is_red, torch.zeros_like(is_red)], dim=1)
    return patches.repeat_interleave(10, dim=2).repeat_interleave(10, dim=3)


def test_concepts_are_the_directions_that_the_images_are_made_of(network, images) -> None:
    concepts = find_concepts(network, "layer", images, count=2, crop_side=10)
    unit = concepts.directions / np.linalg.norm(concepts.directions, axis=1, keepdims=True)
    red = int(unit[0, 0] < unit[0, 3])  # the concept with the channels of red
    np.testing.assert_allclose(unit[red], np.array([1, 2, 3, 0, 0, 0]) / 14**0.5, atol=0.02)
    np.testing.assert_allclose(unit[1 - red], np.array([0, 0, 0, 3, 1, 2]) / 14**0.5, atol=0.02)

    best = concept_crops(concepts, images, red, crop_side=10, count=3)
    assert (best[:, 0].mean() > 4 * best[:, 1].mean()).item()

    importance = concept_importance(network, concepts, images, 0, designs=64)
    assert importance[red] == pytest.approx(1, abs=0.15)  # the logit of red depends on nothing else
    assert importance[1 - red] == pytest.approx(0, abs=0.02)

    config = DreamConfig.preset("gordic", layers=["layer"], octaves=1, steps=20, smoothing="none")
    dream = Dreamer(network, config, objective=concepts.objective(red), precision="fp32")(torch.full((3, 32, 32), 0.5))
    reddest = dream.mean(dim=(1, 2))
    assert reddest[0] > 0.9 > 0.1 > reddest[1]


def test_concepts_are_the_same_with_the_same_seed(network, images) -> None:
    first, second = (find_concepts(network, "layer", images, count=2, crop_side=10, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.directions, second.directions)


def test_crops_overlap_and_come_image_by_image() -> None:
    images = torch.arange(2.0)[:, None, None, None].expand(2, 3, 26, 26)
    crops = crops_of(images, 10)
    assert crops.shape == (18, 3, 10, 10)  # at 0, 8 and 16
    assert crops[:9].eq(0).all()
    assert crops[9:].eq(1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"count": 500}, "crops for 500"), ({"crop_side": 99}, "larger"), ({"layer": "layer.0"}, "ReLU")],
)
def test_what_cannot_be_factorised_is_one_line(network, images, arguments, message) -> None:
    if arguments.get("layer"):
        images = -images
    with pytest.raises(ValueError, match=message):
        find_concepts(network, arguments.pop("layer", "layer"), images, **arguments)


def test_a_layer_that_a_shortcut_leads_around_has_no_importance(network, images) -> None:
    class Shortcut(Colours):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + x.mean(dim=(2, 3))[:, :2]

    around = Network(Shortcut().eval(), ["red", "green"], (0, 0, 0), (1, 1, 1), 32, source="shortcut")
    concepts = find_concepts(around, "layer", images, count=2, crop_side=10)
    with pytest.raises(ValueError, match="a way leads around layer"):
        concept_importance(around, concepts, images, 0)
