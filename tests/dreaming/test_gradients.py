from __future__ import annotations

import pytest
import torch

from deepdream.dreaming.gradients import GaussianCascade, gaussian_kernel, unit_mean_abs, unit_std

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
def test_each_picture_of_a_batch_is_normalised_alone(normalize):
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
@pytest.mark.parametrize("size", [(8, 8), (61, 83), (400, 600)])
def test_a_constant_has_no_deviation_to_divide_by(dtype, value, size):
    g = torch.full((1, 3, *size), value, dtype=dtype).contiguous(memory_format=torch.channels_last)
    smoothed = GaussianCascade(1, 0.5, dtype, CPU)(g, 0)
    assert torch.equal(unit_std(g), torch.zeros_like(g))
    assert torch.equal(unit_std(smoothed), torch.zeros_like(g))
