from __future__ import annotations

import numpy as np
import pytest
import torch

from deepdream.dreaming import Activations, DreamConfig, Dreamer, accent, sorted_match
from tests.dreaming.networks import photo, small_network

DRAW = torch.Generator().manual_seed(0)
GUIDES = torch.rand(3, 5, 4, 6, generator=DRAW, dtype=torch.float64)  # three photos


def match(maps: torch.Tensor, guides: torch.Tensor) -> torch.Tensor:
    return sorted_match.at("a")(Activations({"a": maps}, guide={"a": guides}))


def test_only_how_often_each_value_occurs_is_matched_not_where() -> None:
    shuffled = GUIDES[:1].flatten(2)[:, :, torch.randperm(24, generator=DRAW)].view(1, 5, 4, 6)
    assert match(shuffled, GUIDES[:1]).item() == pytest.approx(0, abs=1e-12)
    channels_swapped = GUIDES[:1].flip(1)
    assert match(channels_swapped, GUIDES[:1]).item() < -0.001


def test_the_match_is_the_papers_up_to_its_scale() -> None:
    """As in VITAL's code: values keep their places, and each is compared with the photos' mean value of its rank."""
    image = torch.rand(2, 5, 4, 6, generator=DRAW, dtype=torch.float64)
    wanted = np.sort(GUIDES.flatten(2).numpy(), axis=2).mean(axis=0)  # (5, 24)
    expected = []
    for one in image.flatten(2).numpy():
        ranks = one.argsort(axis=1).argsort(axis=1)
        expected.append(-((one - np.take_along_axis(wanted, ranks, axis=1)) ** 2).mean() / (wanted**2).mean())
    np.testing.assert_allclose(match(image, GUIDES).numpy(), expected, rtol=1e-10)


def test_photos_of_another_size_are_matched_by_their_quantiles() -> None:
    ramp = torch.linspace(0, 1, 101, dtype=torch.float64).view(1, 1, 1, 101)
    coarse = torch.linspace(0, 1, 26, dtype=torch.float64).view(1, 1, 2, 13)
    assert match(ramp, coarse).item() == pytest.approx(0, abs=1e-12)


def test_an_accent_is_in_units_of_the_photos_layer() -> None:
    content = torch.full((1, 2, 3, 3), 4.0)
    found = accent.at("a:1")(Activations({"a": torch.tensor([1.0, 6.0]).view(1, 2, 1, 1)}, content={"a": content}))
    assert found.item() == pytest.approx(6 / 4)


def test_a_prototype_comes_nearer_to_the_statistics_of_its_photos() -> None:
    objective: list[float] = []
    values = {"layers": ["1", "3"], "objective": {"sorted_match": 1.0}, "steps": 24, "jitter": 2, "pad": 0}
    dreamer = Dreamer(small_network(), DreamConfig.preset("vital", **values), precision="fp32")
    photos = torch.stack([photo(32, 32, seed=seed) for seed in (5, 6)])
    dreamer(photo(32, 32), guide=photos, on_step=lambda r: objective.append(float(r.objective)))
    assert objective[-1] > 0.5 * objective[0]  # both are below 0


def test_accentuation_raises_its_channel_and_stays_near_the_photo_by_the_weight_of_content() -> None:
    def accentuated(weight: float) -> torch.Tensor:
        terms = [{"term": "accent", "weight": 1.0}, {"term": "content", "weight": weight, "layers": ["1"]}]
        values = {"layers": ["3:2"], "objective": terms, "steps": 16, "crops": 2}
        dreamer = Dreamer(small_network(), DreamConfig.preset("accentuate", **values), precision="fp32")
        return dreamer(image)

    image = photo(48, 48)
    config = DreamConfig.preset("gordic", layers=["3:2"], objective="mean", octaves=1)
    measured = Dreamer(small_network(), config, precision="fp32")
    near, far = accentuated(20), accentuated(0.1)
    assert measured.measure(far) > measured.measure(near) > measured.measure(image)
    assert (near - image).square().mean() < 0.5 * (far - image).square().mean()
