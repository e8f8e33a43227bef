from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from torch import nn

from deepdream.acceleration.frozen import (
    BlockedConv2d,
    accelerated_copy,
    block_strided,
    fold_batch_norm,
    relu_after_pool,
    relu_in_place,
)
from deepdream.models import ResNet

CPU = torch.device("cpu")


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def with_statistics(model: nn.Module) -> nn.Module:
    """`model`, in eval mode and float64, with batch norms that are not the identity."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            for values, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.3, 0.3),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
            ):
                values.data.uniform_(low, high, generator=generator)
    return model.double().eval()


def read(model: nn.Module, names: list[str], x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The outputs of the modules called `names`, before later modules write over them."""
    seen: dict[str, torch.Tensor] = {}
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: output.clone()})
        )
        for name in names
    ]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize(
    "make",
    [torchvision.models.resnet18, lambda: ResNet(18, 5), lambda: ResNet(14, 5)],
    ids=["torchvision", "basic", "bottleneck"],
)
def test_folding_changes_no_tap(make):
    model = with_statistics(make())
    names = ["conv1", "bn1", "layer1", "layer2.0.downsample", "layer3.0.conv2", "layer4"]
    frozen = accelerated_copy(model, torch.float64, CPU, keep=names)
    x = torch.randn(2, 3, 65, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    before, after = read(model, names, x), read(frozen, names, x)
    assert 0 < norms(frozen) < norms(model)  # those behind tapped convolutions stay
    for name in names:
        assert (after[name] - before[name]).abs().max() < 1e-10 * before[name].abs().max(), name


@pytest.mark.medium
@pytest.mark.parametrize(
    "variant",
    [
        {"stem": "deep"},
        {"blur": True},
        {"stem": "deep", "blur": True, "stochastic_depth": 0.2, "dropout": 0.2, "width": 0.5},
        {"head": "wise", "head_size": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("depth", [10, 14])
def test_every_batch_norm_of_every_variant_is_folded_and_outputs_are_unchanged(depth, variant):
    model = with_statistics(ResNet(depth, 5, **variant))
    names = ["relu", "maxpool", "layer1", "layer2.0.relu1", "layer3.0.downsample", "layer4"]
    frozen = accelerated_copy(model, torch.float32, CPU, keep=names)
    assert norms(frozen) == 0
    x = torch.randn(2, 3, 65, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    before, after = read(model, names, x), read(frozen, names, x.float())
    assert all(module.inplace for module in frozen.modules() if isinstance(module, nn.ReLU))
    for name in names:
        assert (after[name].double() - before[name]).abs().max() < 1e-5 * before[name].abs().max(), name
    with torch.no_grad():
        logits = model(x)
        assert (frozen(x.float()).double() - logits).abs().max() < 1e-5 * logits.abs().max()


def test_the_model_is_not_changed():
    model = with_statistics(ResNet(10, 5))
    before = copy.deepcopy(model.state_dict())
    accelerated_copy(model, torch.bfloat16, CPU, keep=["layer3"])
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) and before[key].dtype == after[key].dtype for key in before)


def test_an_accelerated_copy_has_the_requested_dtype_and_no_gradients():
    frozen = accelerated_copy(ResNet(10, 5).eval(), torch.bfloat16, CPU, keep=[])
    assert norms(frozen) == 0
    assert {parameter.dtype for parameter in frozen.parameters()} == {torch.bfloat16}
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


class Forked(nn.Module):
    """Only its second ReLU alone reads its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()
        self.norm, self.relu2 = nn.Identity(), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.conv(x)
        return self.relu2(self.norm(self.relu(a) + a))


def test_a_relu_is_in_place_only_where_it_is_the_only_reader():
    torch.manual_seed(0)
    model = Forked().double()
    x = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    expected = model(x)
    relu_in_place(model)
    assert (model.relu.inplace, model.relu2.inplace) == (False, True)
    assert torch.equal(model(x), expected)


def test_a_relu_after_the_pooling_is_bit_equal():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)).double()
    behind = copy.deepcopy(model)
    relu_after_pool(behind)
    assert [type(module) for module in (*behind, *behind[2])] == [
        nn.Conv2d, nn.Identity, nn.Sequential, nn.MaxPool2d, nn.ReLU,
    ]  # fmt: skip
    x = torch.randn(2, 3, 16, 19, dtype=torch.float64, requires_grad=True)
    x.data[:, :, :9] = 0.5  # many maxima are alike
    expected, found = model(x), behind(x)
    assert torch.equal(found, expected)
    seed = torch.randn_like(expected)
    assert torch.equal(*(torch.autograd.grad(out, x, seed)[0] for out in (expected, found)))


def test_a_relu_with_a_reader_stays_before_the_pooling():
    model = ResNet(10, 5)
    relu_after_pool(model, keep=["relu"])
    assert isinstance(model.relu, nn.ReLU)
    relu_after_pool(model, keep=["maxpool", "conv1"])
    assert isinstance(model.relu, nn.Identity)


class Branching(nn.Module):
    """Only its first convolution feeds nothing but a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.plain_norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.forked, self.forked_norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.twice, self.twice_norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.shared, self.shared_norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.same = self.shared
        self.batch = nn.BatchNorm2d(4, track_running_stats=False)
        self.before_batch = nn.Conv2d(4, 4, 1)
        self.hooked, self.hooked_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.hooked.register_forward_hook(lambda module, inputs, output: output.abs())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.plain_norm(self.plain(x))
        forked = self.forked(x)
        x = self.forked_norm(forked) + forked
        x = self.twice_norm(self.twice(self.twice(x)))
        x = self.shared_norm(self.same(x))
        x = self.batch(self.before_batch(x))
        return self.hooked_norm(self.hooked(x))


def test_only_a_convolution_whose_only_reader_is_a_batch_norm_is_folded():
    torch.manual_seed(0)
    model = with_statistics(Branching())
    folded = copy.deepcopy(model)
    fold_batch_norm(folded)
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    assert isinstance(folded.plain_norm, nn.Identity)
    assert norms(folded) == norms(model) - 1
    torch.testing.assert_close(folded(x), model(x), rtol=1e-12, atol=1e-12)


def test_a_tap_that_ends_with_a_convolution_keeps_it():
    block = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3))
    model = nn.Sequential(block, nn.BatchNorm2d(4))
    fold_batch_norm(model.eval(), keep=["0"])
    assert norms(model) == 1
    fold_batch_norm(model, keep=["1"])
    assert norms(model) == 0


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) if float(x.sum()) > -1e9 else x


def test_a_network_that_cannot_be_traced_is_unchanged():
    model = Untraceable().eval()
    fold_batch_norm(model)
    assert norms(model) == 1


def test_a_network_without_batch_norm_is_unchanged():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    fold_batch_norm(model)
    assert model(torch.rand(1, 3, 8, 8)).shape == (1, 4, 6, 6)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(7, 2, 3), (3, 2, 1), (4, 4, 0), (3, 2, 0), (5, 3, 1), (2, 3, 0)]
)
@pytest.mark.parametrize("size", [(32, 33), (41, 18)])
def test_a_blocked_convolution_has_the_same_output_and_gradient(kernel, stride, padding, size):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, stride, padding).double().requires_grad_(False)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    expected, blocked = conv(x), BlockedConv2d(conv)(x)
    torch.testing.assert_close(blocked, expected, rtol=1e-12, atol=1e-12)
    seed = torch.randn_like(expected)
    gradients = [torch.autograd.grad(out, x, seed)[0] for out in (expected, blocked)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_only_strided_convolutions_on_images_are_blocked():
    model = ResNet(10, 5)
    block_strided(model)
    assert [name for name, module in model.named_modules() if isinstance(module, BlockedConv2d)] == ["conv1"]
