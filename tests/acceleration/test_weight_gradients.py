from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deepdream.acceleration import disabled, fast_weight_gradients
from deepdream.acceleration.weight_gradients import SMALL, WIDE, _Convolution
from deepdream.models import ResNet

REPLACED = "_ConvolutionBackward"  # the name of autograd's node


def _node(convolution: nn.Conv2d, images: Tensor) -> str:
    with fast_weight_gradients():
        return str(convolution(images).grad_fn.name())


def _wide(**changes: Any) -> nn.Conv2d:
    return nn.Conv2d(**{"in_channels": 8, "out_channels": WIDE, "kernel_size": 3, "bias": False, **changes})


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (1, 1, 0), (1, 2, 0), ((1, 5), (2, 1), (0, 2)), (7, 3, 2)]
)
def test_gradients_are_those_of_torch(kernel: Any, stride: Any, padding: Any, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    convolution = _wide(kernel_size=kernel, stride=stride, padding=padding).to(memory_format=layout)
    images = torch.randn(3, 8, 9, 11).to(memory_format=layout).requires_grad_()
    assert _node(convolution, images) == REPLACED
    with fast_weight_gradients():
        output = convolution(images)
    plain = convolution(images)
    assert torch.equal(output, plain)
    direction = torch.randn_like(plain)
    inputs = (images, convolution.weight)
    for ours, theirs in zip(
        torch.autograd.grad(output, inputs, direction), torch.autograd.grad(plain, inputs, direction), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_first_and_second_derivatives_are_those_of_numerical_differences() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: _Convolution.apply(x, w, (2, 1), (1, 0)), (images, weight))
    assert torch.autograd.gradgradcheck(lambda x, w: _Convolution.apply(x, w, (2, 1), (1, 0)), (images, weight))


@pytest.mark.parametrize(
    ("convolution", "images"),
    [
        (_wide(out_channels=WIDE - 1), torch.zeros(1, 8, 8, 8)),
        (_wide(padding=1), torch.zeros(SMALL // 64 + 1, 8, 8, 8)),
        (_wide(bias=True), torch.zeros(1, 8, 8, 8)),
        (_wide(groups=2), torch.zeros(1, 8, 8, 8)),
        (_wide(dilation=2), torch.zeros(1, 8, 8, 8)),
        (_wide(padding="same"), torch.zeros(1, 8, 8, 8)),
        (_wide(), torch.zeros(8, 8, 8)),
        (_wide().double(), torch.zeros(1, 8, 8, 8).double()),
        (_wide().requires_grad_(False), torch.zeros(1, 8, 8, 8, requires_grad=True)),
    ],
    ids=["narrow", "large", "bias", "groups", "dilated", "same padding", "one image", "float64", "frozen"],
)
def test_other_convolutions_are_those_of_torch(convolution: nn.Conv2d, images: Tensor) -> None:
    assert _node(convolution, images) != REPLACED


def test_autocast_and_the_switch_leave_torch_alone() -> None:
    convolution, images = _wide(), torch.zeros(1, 8, 8, 8)
    assert _node(convolution, images) == REPLACED
    with torch.autocast("cpu", torch.bfloat16):
        assert _node(convolution, images) != REPLACED
    with disabled():
        assert _node(convolution, images) != REPLACED


def test_a_network_trains_as_without() -> None:
    def trained(block: Any) -> list[float]:
        torch.manual_seed(0)
        model = ResNet(10, 5).train().to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        images, losses = torch.randn(8, 3, 32, 32), []
        for _ in range(4):
            with block():
                outputs = model(images)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(outputs, torch.arange(8) % 5)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    assert trained(fast_weight_gradients) == pytest.approx(trained(disabled), rel=1e-4)
