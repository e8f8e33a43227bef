from __future__ import annotations

import torch

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.preservation import Anchor, weaken_color
from deepdream.dreaming.pyramid import blur
from tests.dreaming.networks import photo, small_network

PER_UNIT = torch.full((1, 3, 1, 1), 255.0, dtype=torch.float64)


def vivid(**overrides) -> torch.Tensor:
    """A dream of noise around a photo, without the width that the preset asks for."""
    values = {"layers": ["3"], "width": None, "octaves": 2, "device": "cpu", "precision": "fp32", **overrides}
    return Dreamer(small_network(), DreamConfig.preset("vivid", **values))(photo(80, 100))


def test_the_more_is_kept_the_closer_the_dream_is_to_the_photo():
    distances = [(vivid(keep=keep, tone=1.0) - photo(80, 100)).abs().mean().item() for keep in (0.0, 0.4, 0.8, 1.0)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.04
    assert distances[-1] < 1e-6


def test_light_and_large_forms_are_kept_first():
    base = photo(60, 60, pictures=1) * 255
    fine = 20 * torch.randn(1, 3, 60, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fine = fine - blur(fine, 8)
    anchor = Anchor(base, PER_UNIT, keep=0.5, band=8)
    lifted, grained = anchor(base + 20) - base, anchor(base + fine) - base
    assert lifted.abs().mean() < 0.55 * 20
    assert grained.abs().mean() > 0.85 * fine.abs().mean()


def test_less_color_leaves_more_of_the_photos_colours():
    added = [vivid(color=color, tone=1.0) - photo(80, 100) for color in (0.0, 0.5, 1.0)]
    colour = [(a - a.mean(dim=0)).abs().mean().item() for a in added]
    assert colour[0] < 0.3 * colour[2]  # where black and white are met, a grey step changes the colour
    assert colour[0] < colour[1] < colour[2]


def test_a_weakened_gradient_keeps_its_light():
    g = torch.randn(1, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weak = weaken_color(g, PER_UNIT, 0.25)
    torch.testing.assert_close(weak.mean(dim=1), g.mean(dim=1))
    torch.testing.assert_close(weak - weak.mean(dim=1, keepdim=True), 0.25 * (g - g.mean(dim=1, keepdim=True)))
    assert torch.equal(weaken_color(g, PER_UNIT, 0.0)[:, 0], weaken_color(g, PER_UNIT, 0.0)[:, 1])
