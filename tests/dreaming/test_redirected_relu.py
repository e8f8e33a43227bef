from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer, ascent
from deepdream.dreaming.channel_grid import visualize_channels
from deepdream.models import Network
from deepdream.models.layers import choose_layers
from deepdream.models.taps import Taps
from tests.precisions import where_fast_bf16

LOUD, SILENT = 5, 3  # channels of layer2


def activations(network: Network, images: torch.Tensor) -> torch.Tensor:
    layers = choose_layers(["layer2"], network.probe.layers)
    with torch.no_grad(), Taps(network.model, layers) as taps:
        return taps.run(torch.cat([network.model_input(each) for each in images]))["layer2"]


@pytest.fixture
def network(resnet) -> Network:
    """Of layer2 one channel is a little below zero at every place of a grey image, and was above it."""
    model = copy.deepcopy(resnet.model)
    network = dataclasses.replace(resnet, model=model)
    on_grey = activations(network, torch.full((1, 3, 64, 64), 0.5))
    model.layer2[1].bn2.bias.data[SILENT] -= 1.05 * on_grey[0, SILENT].max()
    return network


def visualized(network: Network, precision: str) -> torch.Tensor:
    config = DreamConfig.preset("channel_grid", layers=["layer2"], steps=64)
    return visualize_channels(Dreamer(network, config, precision=precision), "layer2", [LOUD, SILENT], 64)


@pytest.mark.slow
@pytest.mark.medium
@pytest.mark.parametrize("precision", ["fp32", where_fast_bf16("bf16")])
def test_a_silent_channel_becomes_active_and_the_others_keep_their_dream(network, precision, monkeypatch):
    grey = torch.full((1, 3, 64, 64), 0.5)
    assert activations(network, grey)[0, SILENT].max() == 0
    redirected = visualized(network, precision)
    monkeypatch.setattr(ascent, "redirect_relu_gradient", lambda feature_map: None)
    plain = visualized(network, precision)
    assert torch.equal(redirected[0], plain[0])
    assert activations(network, plain)[1, SILENT].max() == 0
    assert activations(network, redirected)[1, SILENT].max() > 1
