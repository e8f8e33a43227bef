from __future__ import annotations

import torch

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.channel_grid import strongest_channels, visualize_channels
from tests.dreaming.networks import photo


def test_a_channel_grid_has_the_channels_that_respond_most(resnet):
    image = photo(64, 80).float()
    channels = strongest_channels(resnet, "layer3", image, 3)
    assert len(set(channels)) == 3
    dreamer = Dreamer(resnet, DreamConfig.preset("channel_grid", layers=["layer3"], steps=2))
    found = visualize_channels(dreamer, "layer3", channels, 48)
    assert found.shape == (3, 3, 48, 48)
    assert not torch.allclose(found[0], found[1])
