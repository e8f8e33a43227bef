from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from deepdream.dreaming.gradients import (
    GaussianCascade,
    LocalRms,
    SpectralClip,
    band_pass,
    blur,
    gaussian_kernel,
    normalize_levels,
    unit_mean_abs,
    unit_std,
)
from tests.slow import slow_but

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("sigma", "half_row"),
    [(0.7, [0.5698, 0.2054, 0.0096, 0.0001, 0]), (2.5, [0.1716, 0.1584, 0.1246, 0.0835, 0.0477])],
)
def test_gaussian_rows_are_those_of_the_source(sigma, half_row):
    kernel = gaussian_kernel(sigma)
    assert kernel.shape == (9, 9)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.sum(dim=0)[4:].tolist() == pytest.approx(half_row, abs=5e-5)


def test_the_cascade_smooths_each_colour_alone_and_more_from_step_to_step():
    cascade = GaussianCascade(10, 0.5, torch.float64, CPU)
    spike = torch.zeros(1, 3, 25, 25, dtype=torch.float64)
    spike[0, 1, 12, 12] = 1
    first, last = cascade(spike, 0), cascade(spike, 9)
    assert first[0, [0, 2]].abs().max() == 0
    assert first[0, 1].sum() == pytest.approx(1)
    assert first[0, 1, 12, 12] > 2 * last[0, 1, 12, 12] > 0
    expected = (gaussian_kernel(1.25) + gaussian_kernel(2.5) + gaussian_kernel(5.0)) / 3
    torch.testing.assert_close(last[0, 1, 8:17, 8:17], expected)


def test_a_constant_stays_constant_up_to_the_edges():
    constant = torch.full((1, 3, 5, 7), 0.3, dtype=torch.float64)
    smoothed = GaussianCascade(1, 0.5, torch.float64, CPU)(constant, 0)
    torch.testing.assert_close(smoothed, constant)


def test_unit_std_has_mean_zero_and_unbiased_deviation_one():
    g = 5 + 1e-6 * torch.randn(1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unit_std(g), (g - g.mean()) / g.std(), rtol=1e-8, atol=0)


def test_unit_mean_abs_has_mean_absolute_value_one():
    g = 1e-9 * torch.randn(1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unit_mean_abs(g), g / g.abs().mean())


@pytest.mark.parametrize("normalize", [unit_std, unit_mean_abs])
def test_each_image_of_a_batch_is_normalised_alone(normalize):
    g = (
        torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        * torch.tensor([1, 10, 1e-5])[:, None, None, None]
    )
    assert torch.equal(normalize(g)[1:2], normalize(g[1:2]))


@pytest.mark.parametrize("normalize", [unit_std, unit_mean_abs])
def test_zero_has_no_direction(normalize):
    assert torch.equal(normalize(torch.zeros(2, 3, 8, 8)), torch.zeros(2, 3, 8, 8))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [1.0, 0.1, -1 / 3, 1e-7, 12345.678])
@pytest.mark.parametrize("size", slow_but([(8, 8), (61, 83)], [(8, 8), (61, 83), (400, 600)]))
def test_a_constant_has_no_deviation_to_divide_by(dtype, value, size):
    g = torch.full((1, 3, *size), value, dtype=dtype).contiguous(memory_format=torch.channels_last)
    smoothed = GaussianCascade(1, 0.5, dtype, CPU)(g, 0)
    assert torch.equal(unit_std(g), torch.zeros_like(g))
    assert torch.equal(unit_std(smoothed), torch.zeros_like(g))


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
    strength = {length: band_pass(wave, 2.0, 12.0)[..., 40:160].std() / wave.std() for length, wave in waves.items()}
    assert strength[25] > 0.5
    assert strength[3] < 0.1
    assert strength[180] < 0.15


def test_the_spectral_clip_takes_a_regular_pattern_down_to_the_texture_of_its_scale():
    noise = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows, columns = torch.arange(64)[:, None], torch.arange(96)
    hatching = 5 * torch.cos(2 * torch.pi * (rows / 8 + columns / 12)).to(noise)
    before = torch.fft.rfft2(noise + hatching)
    after = torch.fft.rfft2(SpectralClip(0.5)(noise + hatching))
    wave = (0, 0, 8, 8)  # cycles over the rows and the columns
    assert before[wave].abs() > 50 * before.abs().median()
    assert after[wave].abs() < 2 * after.abs().median()
    torch.testing.assert_close(after[wave] / after[wave].abs(), before[wave] / before[wave].abs())


@pytest.mark.parametrize("size", [(40, 61), (33, 20), (1, 7), (5, 5)])
def test_the_spectral_clip_is_that_of_numpy(size):
    gradient = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spectrum = np.fft.rfft2(gradient.numpy())
    radius = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]).astype(np.float32).ravel()
    by_radius = radius.argsort(kind="stable")
    each = int(np.ceil(len(radius) / 64))
    clipped = spectrum.reshape(2, 3, -1).copy()
    for start in range(0, len(radius), each):
        ring = by_radius[start : start + each]
        padded = np.pad(ring, (0, each - len(ring)), mode="edge")
        middle = np.sort(np.abs(spectrum.reshape(2, 3, -1)[..., padded]))[..., [(each - 1) // 2]]
        clipped[..., ring] *= np.minimum(1, 0.7 * middle / np.abs(clipped[..., ring]))
    expected = np.fft.irfft2(clipped.reshape(spectrum.shape), s=size)
    np.testing.assert_allclose(SpectralClip(0.7)(gradient), expected, atol=1e-12)


def test_the_spectral_clip_leaves_zero_zero():
    zero = torch.zeros(1, 3, 12, 10)
    torch.testing.assert_close(SpectralClip(0.5)(zero), zero, rtol=0, atol=0)
