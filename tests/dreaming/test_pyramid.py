from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from deepdream.dreaming.gradients import LocalRms, band
from deepdream.dreaming.pyramid import blur, normalize_levels


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("sigma", "within"), [(1.0, 0.01), (3.0, 0.01), (10.0, 0.04)])
def test_a_blur_is_gaussian(sigma, within):
    x = noise(1, 3, 90, 110)
    exact = np.stack([scipy.ndimage.gaussian_filter(c, sigma, mode="mirror", truncate=5) for c in x[0].numpy()])
    ours = blur(x, sigma)[0].numpy()
    assert np.abs(ours - exact).mean() < within * 10 * np.abs(exact).mean()
    assert np.corrcoef(ours.ravel(), exact.ravel())[0, 1] > 1 - within


@pytest.mark.parametrize("size", [(3, 4), (7, 200), (64, 64)])
@pytest.mark.parametrize("sigma", [0.5, 2.0, 12.0])
def test_a_constant_stays_constant_under_a_blur(size, sigma):
    x = torch.full((1, 3, *size), 0.7, dtype=torch.float64)
    torch.testing.assert_close(blur(x, sigma), x)


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (5, 90)])
def test_every_level_of_the_pyramid_has_the_same_say(size):
    fine = noise(1, 3, *size)
    coarse = 1e-4 * torch.ones_like(fine) * torch.linspace(-1, 1, size[1], dtype=torch.float64)
    mixed = normalize_levels(fine * 1e3 + coarse)
    assert mixed.shape == fine.shape
    assert mixed.isfinite().all()
    assert normalize_levels(torch.zeros(1, 3, *size)).abs().max() == 0


def test_scaling_a_gradient_does_not_change_its_normalised_levels():
    g = noise(1, 3, 40, 50)
    torch.testing.assert_close(normalize_levels(1e6 * g), normalize_levels(g))


def test_local_normalisation_lifts_quiet_regions_and_leaves_zero():
    g = noise(1, 3, 80, 80)
    g[..., :40] *= 0.01
    even = LocalRms(6.0)(g)
    quiet, loud = even[..., 5:30].std(), even[..., 50:75].std()
    assert 0.04 < quiet / loud < 1
    assert quiet / loud > 4 * (g[..., 5:30].std() / g[..., 50:75].std())
    assert torch.equal(LocalRms(6.0)(torch.zeros(1, 3, 20, 20)), torch.zeros(1, 3, 20, 20))


def test_a_band_has_neither_light_nor_grain():
    x = torch.arange(200, dtype=torch.float64)
    waves = {length: torch.sin(2 * torch.pi * x / length).expand(1, 3, 60, 200) for length in (3, 25, 180)}
    strength = {length: band(wave, 2.0, 12.0)[..., 40:160].std() / wave.std() for length, wave in waves.items()}
    assert strength[25] > 0.5
    assert strength[3] < 0.1
    assert strength[180] < 0.15
