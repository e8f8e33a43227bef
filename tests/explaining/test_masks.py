from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream.explaining.masks import mask_scores, network_mask
from tests.explaining.networks import patch_map, patch_network


def test_mass_and_pointing_are_shares_inside_the_mask() -> None:
    mask = patch_map().bool()
    assert mask_scores(patch_map(), mask) == {"mass_accuracy": 1, "pointing": 1}
    assert mask_scores(1 - patch_map(), mask) == {"mass_accuracy": 0, "pointing": 0}
    area = float(mask.float().mean())
    for constant in (torch.zeros(32, 32), torch.ones(32, 32), -torch.ones(32, 32)):
        assert mask_scores(constant, mask) == {"mass_accuracy": area, "pointing": area}
    values = torch.rand(32, 32)
    assert mask_scores(values, mask)["mass_accuracy"] == pytest.approx(float(values[mask].sum() / values.sum()))


def test_mass_and_pointing_are_those_of_quantus() -> None:
    """RelevanceMassAccuracy and PointingGame of Quantus 0.6 on these maps and masks, recorded."""
    rng = np.random.default_rng(0)
    maps, masks = rng.standard_normal((5, 1, 16, 16)).astype(np.float32), rng.random((5, 1, 16, 16)) < 0.3
    scores = [
        mask_scores(torch.from_numpy(each), torch.from_numpy(mask))
        for each, mask in zip(maps[:, 0], masks[:, 0], strict=True)
    ]
    mass = [0.2793327, 0.3257892, 0.4005178, 0.3424522, 0.3009955]
    assert [score["mass_accuracy"] for score in scores] == pytest.approx(mass, abs=1e-6)
    assert [score["pointing"] for score in scores] == [1, 0, 0, 1, 0]


def test_a_mask_is_cropped_like_its_image() -> None:
    network = patch_network()
    white = np.zeros((40, 80), np.uint8)
    white[:, 40:] = 255
    seen = network_mask(network, Image.fromarray(white), (80, 40))
    assert seen.shape == (32, 32)
    assert seen[:, 16:].all()
    assert not seen[:, :15].any()
    with pytest.raises(ValueError, match="the mask is 80x40; it must have the size of its image, 9x9"):
        network_mask(network, Image.fromarray(white), (9, 9))
    with pytest.raises(ValueError, match="no light pixels"):
        network_mask(network, Image.new("L", (80, 40)), (80, 40))
