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
