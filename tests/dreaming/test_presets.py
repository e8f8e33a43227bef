"""Whole dreams against an independent writing of the two algorithms, number by number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer, StepReport
from deepdream.models import Network
from deepdream.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from tests.dreaming.networks import MEAN, STD, photo, small_network
from tests.reference import dreams


def shifts(count: int) -> list[tuple[int, int]]:
    draws = np.random.default_rng(7).integers(-32, 33, size=(count, 2))
    return [(int(down), int(right)) for down, right in draws]


def images_after_octaves(config: DreamConfig, image: torch.Tensor, network: Network) -> list[np.ndarray]:
    images = []

    def keep(report: StepReport) -> None:
        if report.step == report.steps - 1:
            images.append(report.image.numpy())

    dream = Dreamer(network, config)(image, shifts=shifts(40), on_step=keep)
    np.testing.assert_array_equal(dream.numpy(), images[-1])
    return images


def assert_equal(ours: list[np.ndarray], theirs: list[np.ndarray], image: torch.Tensor) -> None:
    assert len(ours) == len(theirs) == 4
    for our, their in zip(ours, theirs, strict=True):
        assert our.shape == their.shape
        assert np.abs(our - their).max() < 1e-8 * np.abs(their).max()
    assert np.abs(ours[-1] - image.numpy()).mean() > 0.02  # there was something to compare


@pytest.mark.parametrize("size", [(61, 83), (97, 64)])
def test_gordic_equals_the_independent_reference_after_every_octave(size):
    image = photo(*size)
    colors = (IMAGENET_MEAN, IMAGENET_STD)  # which the preset has its units from
    reference = dreams.gordic(image.numpy(), dreams.SmallNetwork(0).mean_square, shifts(40), *colors)
    network = replace(small_network(), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    ours = images_after_octaves(DreamConfig.preset("gordic", layers=["1", "3"]), image, network)
    assert_equal(ours, reference, image)


@pytest.mark.parametrize("size", [(61, 83), (97, 64)])
def test_inceptionism_equals_the_independent_reference_after_every_octave(size):
    image = photo(*size)
    reference = dreams.inceptionism(image.numpy(), dreams.SmallNetwork(0).half_sum_square, shifts(40), MEAN, STD)
    ours = images_after_octaves(DreamConfig.preset("inceptionism", layers=["3"]), image, small_network())
    assert_equal(ours, reference, image)


@pytest.mark.parametrize(
    ("preset", "values"),
    [
        ("vivid", {"octaves": 2}),
        ("laplacian", {}),
        ("guided", {}),
        ("class", {"target": "a"}),
        ("visualize", {"layers": ["layer3:1"]}),
        ("maco", {"target": "b"}),
        ("accentuate", {}),
        ("style", {}),
        ("vital", {}),
    ],
)
def test_every_other_preset_dreams_and_repeats_itself(resnet, preset, values):
    image = photo(64, 80).float()
    guide = photo(64, 64, seed=4).float() if preset in ("guided", "style", "vital") else None
    config = DreamConfig.preset(preset, **{"steps": 2, **values})
    dream, again = (Dreamer(resnet, config, precision="fp32")(image, guide=guide, seed=1) for _ in range(2))
    assert torch.equal(dream, again)
    assert dream.isfinite().all()
    assert 0 <= dream.min() < dream.max() <= 1
    assert (dream - image).abs().mean() > 1e-4
