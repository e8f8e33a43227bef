from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from deepdream.models import Network
from deepdream.models.spectrum import SPECTRUM_OF_ROOMS, Spectrum, mean_spectrum, spectrum_of_record

FLAT = Spectrum((0.1, 0.2, 0.3), ((0.5,) * 8, (0.2,) * 8, (0.1,) * 8))


def power_law(power: float, rings: int = 12) -> Spectrum:
    row = tuple(0.5 * 2 ** (-power * i / 2) for i in range(rings))
    return Spectrum((0, 0, 0), (row, row, row))


def test_magnitudes_follow_the_rings_between_them_and_beyond_the_highest() -> None:
    """A spectrum that falls with the power 1.3 does so at every frequency, also at those that no ring had."""
    found = power_law(1.3).magnitudes((256, 256))[0] / 256**2
    for cycles in (1, 2, 3, 10, 50, 127):
        assert found[0, cycles].item() == pytest.approx(0.5 * cycles**-1.3, rel=1e-6)
        assert found[cycles, 0].item() == pytest.approx(0.5 * cycles**-1.3, rel=1e-6)
    assert found[0, 0] == 0


def test_a_wide_image_has_the_contrast_of_a_square_one() -> None:
    def variance(size: tuple[int, int]) -> float:
        """Parseval, with the frequencies that a real spectrum leaves out counted again."""
        magnitudes = power_law(1.5).magnitudes(size)[0]
        weights = torch.full(magnitudes.shape[1:], 2.0, dtype=torch.float64)
        weights[0] = weights[-1] = 1
        return float((magnitudes.square() * weights).sum() / (size[0] * size[1]) ** 2)

    assert variance((64, 256)) == pytest.approx(variance((64, 64)), rel=0.2)


def test_the_bundled_spectrum_is_that_of_natural_images() -> None:
    """The amplitude of natural images falls with about 1 / frequency: Field (1987)."""
    for row in SPECTRUM_OF_ROOMS.rings:
        slope = np.polyfit(0.5 * np.arange(len(row)), np.log2(row), 1)[0]
        assert -1.4 < slope < -1
    assert SPECTRUM_OF_ROOMS.rings[0][4] > SPECTRUM_OF_ROOMS.rings[1][4] > SPECTRUM_OF_ROOMS.rings[2][4]


def test_a_stripe_is_in_the_ring_of_its_frequency() -> None:
    wave = torch.sin(torch.arange(64) * 2 * torch.pi * 8 / 64)
    stripes = (0.5 + 0.2 * wave).expand(3, 64, 64)
    lightness = mean_spectrum([stripes]).rings[0]
    assert int(np.argmax(lightness)) == 6  # 2^(6 / 2) = 8 cycles


def test_images_under_eight_pixels_are_left_out() -> None:
    large, small = torch.rand(3, 32, 40), torch.rand(3, 4, 40)
    assert mean_spectrum([large, small]) == mean_spectrum([large])
    with pytest.raises(ValueError, match="no image"):
        mean_spectrum([small])


def test_a_spectrum_survives_as_plain_values() -> None:
    record = json.loads(json.dumps(SPECTRUM_OF_ROOMS.as_record()))
    assert spectrum_of_record(record) == SPECTRUM_OF_ROOMS


@pytest.mark.parametrize(
    "record",
    [
        {},
        [1, 2],
        {"mean": [0, 0, 0], "rings": [[1, 1, 1]]},
        {"mean": [0, 0, float("nan")], "rings": [[1, 1, 1]] * 3},
        {"mean": [0, 0, 0], "rings": [[1, 1, 1], [1, 1, 1], [1, 1]]},
        {"mean": [0, 0, 0], "rings": [[1, -1, 1]] * 3},
        {"mean": [0, 0, 0], "rings": [[1] * 65] * 3},
    ],
)
def test_what_a_checkpoint_holds_instead_is_one_line(record) -> None:
    with pytest.raises(ValueError, match="the spectrum is not"):
        spectrum_of_record(record)


def test_a_network_has_the_spectrum_of_its_data_or_the_bundled_one() -> None:
    network = Network(torch.nn.Identity(), ["a"], (0, 0, 0), (1, 1, 1), 32, "test")
    assert network.spectrum == SPECTRUM_OF_ROOMS
    known = Network(
        torch.nn.Identity(), ["a"], (0, 0, 0), (1, 1, 1), 32, "test", "", {"data": {"spectrum": FLAT.as_record()}}
    )
    assert known.spectrum == FLAT
