from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer

from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.context import attribution_context
from deepdream.explaining.road import impute, road
from tests.explaining.networks import patch_map, patch_network, scene


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_imputed_pixels_are_those_of_grad_cam(share: float) -> None:
    image, removed = scene(24), np.random.default_rng(0).random((24, 24)) < share
    removed[0] = True  # a whole edge
    theirs = NoisyLinearImputer(noise=0)(image, torch.from_numpy(~removed).float())
    assert torch.allclose(impute(image, removed, noise=0), theirs.float(), atol=1e-5)
    assert torch.equal(impute(image, np.zeros((24, 24), bool)), image)


def test_the_patch_that_the_network_reads_has_the_highest_score() -> None:
    image = torch.zeros(3, 32, 32)
    image[:, 8:16, 16:24] = 1
    with attribution_context(patch_network(), image, "yes", config=ExplainConfig.preset()) as context:
        true, false, random = (road(context, each) for each in (patch_map(), -patch_map(), torch.rand(32, 32)))
    assert true > 0.15
    assert false < -0.15
    assert abs(random) < 0.1
