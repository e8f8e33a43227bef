from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from deepdream.dreaming import DreamConfig, ascent
from deepdream.dreaming.channel_grid import visualize_channels
from deepdream.dreaming.taps import Taps
from deepdream.models import Network
from deepdream.models.layers import choose_layers, probe

LOUD, SILENT = 5, 3  # channels of layer2


def activations(network: Network, pictures: torch.Tensor) -> torch.Tensor:
    layers = choose_layers(["layer2"], probe(network.model, network.image_size))
    with torch.no_grad(), Taps(network.model, layers) as taps:
        return taps.run(torch.cat([network.model_input(each) for each in pictures]))["layer2"]


@pytest.fixture
def network(resnet) -> Network:
    """Of layer2 one channel is a little below zero at every place of a grey picture, and was above it."""
    model = copy.deepcopy(resnet.model)
    network = dataclasses.replace(resnet, model=model)
    on_grey = activations(network, torch.full((1, 3, 64, 64), 0.5))
    model.layer2[1].bn2.bias.data[SILENT] -= 1.05 * on_grey[0, SILENT].max()
    return network


def visualized(network: Network, precision: str) -> torch.Tensor:
    config = DreamConfig.preset("atlas", layers=["layer2"], steps=64, width=64, device="cpu", precision=precision)
    return visualize_channels(network, config, "layer2", [LOUD, SILENT])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_silent_channel_wakes_and_the_others_stay_as_they_are(network, precision, monkeypatch):
    grey = torch.full((1, 3, 64, 64), 0.5)
    assert activations(network, grey)[0, SILENT].max() == 0
    woken = visualized(network, precision)
    monkeypatch.setattr(ascent, "wake", lambda feature_map: None)
    asleep = visualized(network, precision)
    assert torch.equal(woken[0], asleep[0])
    assert activations(network, asleep)[1, SILENT].max() == 0
    assert activations(network, woken)[1, SILENT].max() > 1
