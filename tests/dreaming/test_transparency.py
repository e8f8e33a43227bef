from __future__ import annotations

import dataclasses

import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer, StepReport, Transparency, over
from tests.dreaming.networks import photo, small_network

STEP = StepReport(0, 1, 0, 2, (40, 40), 0.5, torch.zeros(1), torch.zeros(1, 3, 40, 40), lambda: torch.zeros(3, 40, 40))


def report(gradient: torch.Tensor, step: int = 0) -> StepReport:
    return dataclasses.replace(STEP, gradient=gradient, step=step)


def half(left: float, right: float) -> torch.Tensor:
    gradient = torch.full((1, 3, 40, 40), float(right))
    gradient[..., :20] = left
    return gradient


def test_an_image_is_opaque_where_its_gradient_was_largest_whatever_its_sign() -> None:
    transparency = Transparency()
    transparency(report(half(-4, 1)))
    opacity = transparency.opacity(0.4)
    assert opacity.shape == (1, 40, 40)
    assert opacity[0, :, :17].min() > 0.99
    torch.testing.assert_close(opacity[0, :, 23:], torch.full((40, 17), 0.25), atol=0.01, rtol=0)


def test_each_step_counts_equally_and_each_octave_begins_anew() -> None:
    transparency = Transparency()
    transparency(report(1000 * half(0, 1)))
    transparency(report(half(1, 0), step=1))
    assert transparency.opacity(1.0).min() > 0.9  # both halves
    transparency(report(half(1, 0)))  # the first step of the next octave
    assert transparency.opacity(0.4)[0, :, 25:].max() < 0.01


def test_an_image_lies_over_white() -> None:
    image, opacity = torch.zeros(1, 3, 2, 2), torch.tensor([[[1.0, 0.5], [0.0, 1.0]]])
    torch.testing.assert_close(over(image, opacity)[0, 0], torch.tensor([[0.0, 0.5], [1.0, 0.0]]))


def test_the_transparency_of_a_mask_is_that_of_the_place_that_dreamed() -> None:
    transparency, mask = Transparency(), torch.zeros(48, 48)
    mask[:24] = 1
    config = DreamConfig.preset("gordic", layers=["3"], octaves=1, steps=3)
    Dreamer(small_network(), config, precision="fp32")(photo(48, 48).float(), mask=mask, on_step=transparency)
    opacity = transparency.opacity(0.4)[0]
    assert opacity[:22].mean() > 0.5
    assert opacity[28:].max() < 0.01


def test_there_is_none_before_the_first_step() -> None:
    with pytest.raises(ValueError, match="on_step"):
        Transparency().opacity(0.5)
