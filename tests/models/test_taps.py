from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from deepdream.acceleration import CompiledTaps
from deepdream.models import ResNet
from deepdream.models.layers import Layer, choose_layers
from deepdream.models.taps import Taps
from tests.dreaming.networks import resnet18, wrap


@pytest.fixture(scope="module")
def resnet():
    return resnet18()


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def tapped(model: nn.Module, *names: str) -> list[Layer]:
    return choose_layers(list(names), wrap(model).layers())


class Reused(nn.Module):
    """One ReLU for everything, as in torchvision's blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 5, 3, stride=2, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.second(self.relu(self.first(x))))


class Failing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("what a network may raise")


def test_layers_are_listed_with_kind_channels_and_stride(resnet):
    rows = {row.name: row for row in resnet.layers()}
    assert rows["layer3"] == Layer("layer3", "Sequential", 256, 16, 1)
    assert rows["layer4.1"] == Layer("layer4.1", "BasicBlock", 512, 32, 1)
    assert rows["layer1.0.relu"].calls == 2
    assert rows["avgpool"].stride == 0
    assert "fc" not in rows  # it yields no feature map
    assert list(rows).index("layer1") < list(rows).index("layer2")


@pytest.mark.parametrize(("depth", "kind"), [(18, "BasicBlock"), (50, "Bottleneck")])
def test_our_own_resnet_is_listed(depth, kind):
    rows = {row.name: row for row in wrap(ResNet(depth, 5), 64).layers()}
    assert rows["layer2.0"].kind == kind
    assert [rows[f"layer{i}"].stride for i in (1, 2, 3, 4)] == [4, 8, 16, 32]


def test_a_variant_is_listed_with_the_strides_of_the_classic_network():
    model = ResNet(14, 5, stem="deep", blur=True, stochastic_depth=0.1, head="wise", head_size=2)
    rows = {row.name: row for row in wrap(model, 64).layers()}
    assert [rows[f"layer{i}"].stride for i in (1, 2, 3, 4)] == [4, 8, 16, 32]
    assert (rows["conv1.0"].stride, rows["maxpool.0"].stride, rows["maxpool"].stride) == (2, 2, 4)
    assert rows["layer2.0.blur"].kind == "BlurPool"


def test_convolutions_without_padding_do_not_distort_the_stride():
    model = nn.Sequential(nn.Conv2d(3, 4, 7, stride=2), nn.Conv2d(4, 4, 7), nn.Conv2d(4, 4, 5, stride=2))
    assert [row.stride for row in wrap(model).layers()] == [2, 2, 4]


def test_a_network_for_images_of_one_size_is_probed_at_that_size():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(4 * 10 * 10, 2))
    assert wrap(model, 20).layers() == [Layer("0", "Conv2d", 4, 2, 1)]


def test_an_unknown_layer_is_answered_with_the_close_ones(resnet):
    with pytest.raises(ValueError, match=r"no layer 'layr3'.*layer3.*mode=layers") as error:
        choose_layers(["layer1", "layr3"], resnet.layers())
    assert "\n" not in str(error.value)


def test_a_name_like_none_is_answered_in_a_short_line(resnet):
    with pytest.raises(ValueError, match="mode=layers") as error:
        choose_layers(["xyz"], resnet.layers())
    assert len(str(error.value)) < 200


def test_listing_leaves_the_network_as_it_is():
    network = wrap(ResNet(10, 5))
    network.model.train()
    before = copy.deepcopy(network.model.state_dict())
    network.layers()
    assert network.model.training
    assert hooks(network.model) == 0
    assert all(torch.equal(before[key], value) for key, value in network.model.state_dict().items())


def test_taps_read_what_the_layers_yield():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 5, 3))
    x = torch.rand(2, 3, 9, 9)
    with Taps(model, tapped(model, "0", "2")) as taps:
        features = taps.run(x)
    assert torch.equal(features["0"], model[0](x))
    assert torch.equal(features["2"], model(x))


def test_the_forward_pass_stops_after_the_deepest_tap():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
    layers = tapped(model, "2", "0")
    run = []
    for name, module in model.named_children():
        module.register_forward_pre_hook(lambda *_, name=name: run.append(name))
    with Taps(model, layers) as taps:
        taps.run(torch.rand(1, 3, 16, 16))
    assert run == ["0", "1", "2"]


def test_a_module_that_is_called_several_times_is_read_at_its_last_call():
    model = Reused().eval()
    x = torch.rand(1, 3, 8, 8)
    with Taps(model, tapped(model, "relu")) as taps:
        features = taps.run(x)
    assert torch.equal(features["relu"], model(x))


def test_an_operation_in_place_does_not_change_what_was_read():
    model = Reused().eval()
    with Taps(model, tapped(model, "first", "relu")) as taps:
        features = taps.run(torch.rand(1, 3, 8, 8))
    assert (features["first"] < 0).any()


def test_hooks_are_gone_after_success_and_after_an_exception():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), Failing())
    layers = [Layer("0", "Conv2d", 4, 1, 1), Layer("1", "Conv2d", 4, 1, 1)]
    with Taps(model, layers) as taps:
        assert hooks(model) == 3  # one notes the size of the input
        taps.run(torch.rand(1, 3, 16, 16))
    assert hooks(model) == 0
    with (
        pytest.raises(KeyError, match="what a network may raise"),
        Taps(model, [Layer("2", "Failing", 4, 1, 1)]) as taps,
    ):
        taps.run(torch.rand(1, 3, 16, 16))
    assert hooks(model) == 0


def test_a_layer_that_is_not_reached_is_an_error_and_not_an_old_image():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    with Taps(model, [Layer("1", "Conv2d", 4, 1, 1)]) as taps:
        taps.run(torch.rand(1, 3, 16, 16))
        model.forward = model[0].forward  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="did not reach 1"):
            taps.run(torch.rand(1, 3, 16, 16))


@pytest.mark.slow
def test_a_compiled_network_yields_the_same(resnet):
    model = copy.deepcopy(resnet.model).double().requires_grad_(False)
    names = ["layer1", "layer2.0.conv1", "layer3"]
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    layers = [Layer(name, "", 0, 1, 1) for name in names]
    readers = {layer.name: layer.as_map for layer in layers}
    with Taps(model, layers) as taps:
        expected = taps.run(x)
    found = CompiledTaps(model, readers, backend="eager").run(x)
    for name in names:
        torch.testing.assert_close(found[name], expected[name])
    assert found["layer3"].requires_grad
