from __future__ import annotations

import pytest
import torch

from deepdream.training.progressive import resized, side_at


def test_the_side_grows_in_multiples_of_the_stride_to_the_full_one() -> None:
    sides = [side_at(epoch, epochs=12, full=224, start=0.5, until=0.75) for epoch in range(12)]
    assert sides[0] == 128
    assert sides == sorted(sides)
    assert all(side % 32 == 0 for side in sides)
    assert sides[9:] == [224, 224, 224]


@pytest.mark.parametrize(("start", "until"), [(1.0, 0.75), (0.5, 0.0)])
def test_without_growth_the_side_is_the_full_one(start: float, until: float) -> None:
    assert {side_at(epoch, epochs=5, full=100, start=start, until=until) for epoch in range(5)} == {100}


def test_a_resized_image_keeps_its_mean_and_a_full_one_does_not_change() -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert resized(images, 64) is images
    small = resized(images, 32)
    assert small.shape == (2, 3, 32, 32)
    torch.testing.assert_close(small.mean(dim=(2, 3)), images.mean(dim=(2, 3)), atol=5e-3, rtol=0)
