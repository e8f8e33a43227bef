"""The layers of a network, measured by a forward pass."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

from deepdream.models import Network, ResNet
from deepdream.models.layers import Layer, choose_layers
from deepdream.models.probing import probe


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def listed(model: nn.Module, image_size: int) -> list[Layer]:
    return Network(model, ["a", "b"], (0.5,) * 3, (0.2,) * 3, image_size, "mine").layers()


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
    assert listed(Reused(), 32) == [
        Layer("first", "Conv2d", 4, 1, 1),
        Layer("second", "Conv2d", 5, 2, 1),
        Layer("relu", "ReLU", 5, 2, 2),
        Layer("pool", "AdaptiveAvgPool2d", 5, 0, 1),
    ]


def test_a_network_of_one_image_size_is_measured_at_that_size() -> None:
    assert listed(Fixed(), 32) == [Layer("conv", "Conv2d", 4, 4, 1)]


def test_the_receptive_fields_of_resnet18_are_those_of_its_arithmetic() -> None:
    """Each 3x3 convolution adds twice the stride before it: 11 + 4 * 8, + 8 + 3 * 16, + 16 + 3 * 32, + 32 + 3 * 64."""
    fields = {layer.name: layer.receptive_field for layer in listed(torchvision.models.resnet18(), 224)}
    assert [fields[name] for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4")] == [
        7, 11, 43, 99, 211, 435,
    ]  # fmt: skip


def test_a_network_that_cannot_be_traced_has_layers_of_unknown_receptive_field() -> None:
    assert {layer.name: layer.receptive_field for layer in listed(Branching(), 32)} == {"conv": 0}


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
    with pytest.raises(ValueError, match=r"Fixed refuses an image of 64x64 pixels \(.*\); give the image_size that it"):
        probe(model, 64)
    assert hooks(model) == 0
    assert model.training


def test_chosen_layers_come_without_repeats_and_a_missing_one_is_named_with_similar_ones() -> None:
    layers = probe(ResNet(10, 3).eval(), 64).layers
    assert [layer.name for layer in choose_layers(["layer3", "layer1", "layer3"], layers)] == ["layer3", "layer1"]
    with pytest.raises(ValueError, match=r"no layer 'layr3'\. Did you mean `layer3`.*mode=layers"):
        choose_layers(["layr3"], layers)
