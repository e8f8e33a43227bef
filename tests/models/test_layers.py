"""The layers of a network, measured by a forward pass."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

from deepdream.models import Network, ResNet
from deepdream.models.layers import Layer, choose_layers, feature_maps, list_layers, probe


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


class Reused(nn.Module):
    """One ReLU that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, stride=2, padding=1)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.relu(self.second(self.relu(self.first(x))))).flatten(1)


class Fixed(nn.Module):
    """For images of 32 pixels a side only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 3, stride=4, padding=1), nn.Linear(4 * 8 * 8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.conv(x).flatten(1))


class Branching(nn.Module):
    """Depends on values, which torch.fx cannot trace."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) if float(x.sum()) < 1e9 else x


def test_layers_are_listed_in_the_order_of_their_last_run() -> None:
    assert list_layers(Reused(), 32) == [
        Layer("first", "Conv2d", 4, 1, 1),
        Layer("second", "Conv2d", 5, 2, 1),
        Layer("relu", "ReLU", 5, 2, 2),
        Layer("pool", "AdaptiveAvgPool2d", 5, 0, 1),
    ]


def test_a_network_of_one_image_size_is_measured_at_that_size() -> None:
    assert list_layers(Fixed(), 32) == [Layer("conv", "Conv2d", 4, 4, 1)]


def test_the_receptive_fields_are_those_of_the_literature() -> None:
    """Araujo, Norris, Sim 2019, table 1, for ResNet-50; of a stage for torchvision's ResNet-18, computed by hand."""
    fields = {layer.name: layer.receptive_field for layer in list_layers(torchvision.models.resnet50(), 224)}
    assert (fields["layer1"], fields["layer2"], fields["layer3"], fields["layer4"]) == (35, 91, 267, 427 + 56)
    assert {layer.name: layer.receptive_field for layer in list_layers(Branching(), 32)} == {"conv": 0}


def test_listing_layers_changes_nothing_of_the_model() -> None:
    model = ResNet(10, 3).train()
    network = Network(model, ["a", "b", "c"], (0.5,) * 3, (0.2,) * 3, 64, "mine")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert [layer.stride for layer in network.layers() if layer.name.startswith("layer") and "." not in layer.name] == [
        4, 8, 16, 32,
    ]  # fmt: skip
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert hooks(model) == 0
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_hooks_are_removed_where_the_model_raises() -> None:
    model = Fixed()
    with pytest.raises(RuntimeError):
        feature_maps(model, torch.zeros(1, 3, 64, 64))
    assert hooks(model) == 0


def test_chosen_layers_come_without_repeats_and_a_missing_one_is_named_with_similar_ones() -> None:
    layers = probe(ResNet(10, 3).eval(), 64)
    assert [layer.name for layer in choose_layers(["layer3", "layer1", "layer3"], layers)] == ["layer3", "layer1"]
    with pytest.raises(ValueError, match=r"no layer 'layr3'\. Did you mean `layer3`.*mode=layers"):
        choose_layers(["layr3"], layers)
