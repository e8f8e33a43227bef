from __future__ import annotations

import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.gradients import blur
from deepdream.dreaming.preservation import Preservation, weaken_color
from tests.dreaming.networks import photo, small_network

PER_UNIT = torch.full((1, 3, 1, 1), 255.0, dtype=torch.float64)


def vivid(**overrides) -> torch.Tensor:
    """A dream of noise around a photo, without the width that the preset asks for."""
    values = {"layers": ["3"], "width": None, "octaves": 2, **overrides}
    return Dreamer(small_network(), DreamConfig.preset("vivid", **values), precision="fp32")(photo(80, 100))


def test_the_more_is_preserved_the_closer_the_dream_is_to_the_photo():
    distances = [
        (vivid(preserve=preserve, contrast=1.0) - photo(80, 100)).abs().mean().item()
        for preserve in (0.0, 0.4, 0.8, 1.0)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.04
    assert distances[-1] < 1e-6


def test_light_and_large_forms_are_preserved_first():
    base = photo(60, 60, images=1) * 255
    fine = 20 * torch.randn(1, 3, 60, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fine = fine - blur(fine, 8)
    preservation = Preservation(base, PER_UNIT, preserve=0.5, band=8)
    lifted, grained = preservation(base + 20) - base, preservation(base + fine) - base
    assert lifted.abs().mean() < 0.55 * 20
    assert grained.abs().mean() > 0.85 * fine.abs().mean()


def test_less_color_leaves_more_of_the_photos_colours():
    added = [vivid(color=color, contrast=1.0) - photo(80, 100) for color in (0.0, 0.5, 1.0)]
    colour = [(a - a.mean(dim=0)).abs().mean().item() for a in added]
    assert colour[0] < 0.3 * colour[2]  # where black and white are met, a grey step changes the colour
    assert colour[0] < colour[1] < colour[2]


def test_a_weakened_gradient_keeps_its_light():
    g = torch.randn(1, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weak = weaken_color(g, PER_UNIT, 0.25)
    torch.testing.assert_close(weak.mean(dim=1), g.mean(dim=1))
    torch.testing.assert_close(weak - weak.mean(dim=1, keepdim=True), 0.25 * (g - g.mean(dim=1, keepdim=True)))
    assert torch.equal(weaken_color(g, PER_UNIT, 0.0)[:, 0], weaken_color(g, PER_UNIT, 0.0)[:, 1])


def inceptionism() -> Dreamer:
    return Dreamer(small_network(), DreamConfig.preset("inceptionism", layers=["3"], octaves=2, steps=3))


def test_a_mask_keeps_the_dream_where_it_is_white():
    image = photo(48, 64)
    mask = torch.zeros(48, 64, dtype=torch.float64)
    mask[:, 40:] = 1
    change = (inceptionism()(image, mask=mask) - image).abs().mean(dim=(0, 1))
    assert change[:32].max() < 1e-9
    assert change[48:].mean() > 0.01


def test_a_mask_of_ones_changes_nothing_and_one_of_zeros_returns_the_image():
    image, dreamer = photo(48, 64), inceptionism()
    torch.testing.assert_close(dreamer(image, mask=torch.ones(5, 9).double()), dreamer(image))
    torch.testing.assert_close(dreamer(image, mask=torch.zeros(5, 9).double()), image)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(3, 4, 5, 6), "must be float"),
        (torch.ones(4, 5, dtype=torch.uint8), "must be float"),
        (torch.full((4, 5), 2.0), r"must be in \[0, 1\]"),
        (torch.ones(2, 4, 5), "there are 2 masks for 1 images"),
    ],
)
def test_a_mask_is_checked(mask, message):
    with pytest.raises(ValueError, match=message):
        inceptionism()(photo(48, 64), mask=mask)


def sharpness(image: torch.Tensor) -> float:
    """Mean |difference| of neighbouring pixels, on a scale of 0 to 255."""
    return 255 * (image[..., 1:] - image[..., :-1]).abs().mean().item()


@pytest.mark.parametrize("preset", ["gordic", "vivid", "inceptionism", "style", "class", "maco"])
def test_the_image_outside_the_mask_stays_the_photo_in_every_preset(resnet, preset):
    """gordic resizes the dreamed image, vivid lowers its contrast, class and maco dream in the spectrum."""
    image = torch.rand(3, 96, 112, generator=torch.Generator().manual_seed(0))  # as sharp as an image can be
    mask = torch.zeros(96, 112)
    mask[:, 56:] = 1
    target = {"target": "a"} if preset in ("class", "maco") else {}
    config = DreamConfig.preset(preset, layers=["layer2"], octaves=1 if target else 2, steps=2, **target)
    if preset == "style":
        config.objective = "mean_square"
    reports = []
    dream = Dreamer(resnet, config, precision="fp32")(image, mask=mask, on_step=reports.append)
    assert torch.equal(dream[..., :56], image[..., :56])
    assert sharpness(dream[..., :56]) == sharpness(image[..., :56]) > 50
    assert (dream[..., 60:] - image[..., 60:]).abs().mean() > 0.005
    assert torch.equal(reports[-1].image, dream)


def test_a_mask_is_the_opacity_of_the_dream():
    image, dreamer = photo(48, 64), inceptionism()
    half = dreamer(image, mask=torch.full((48, 64), 0.5).double())
    torch.testing.assert_close(half, (dreamer(image) + image) / 2)
