import copy

import pytest
import torch
from torch import Tensor, nn

from deepdream.models import ResNet
from deepdream.training.batch_statistics import keep_running_statistics
from deepdream.training.sam import sharpness_aware


def _valley(model: nn.Module, curvature: Tensor) -> Tensor:
    return 0.5 * (curvature * model.weight.square()).sum()


def test_the_gradient_left_is_that_of_the_point_uphill_and_the_weights_stay() -> None:
    model = nn.Linear(3, 1, bias=False).double()
    curvature = torch.tensor([[1.0, 10.0, 0.1]], dtype=torch.float64)
    weight = model.weight.detach().clone()

    def closure() -> Tensor:
        model.zero_grad()
        loss = _valley(model, curvature)
        loss.backward()
        return loss

    loss = sharpness_aware(closure, model, 0.2)
    gradient = curvature * weight
    uphill = weight + 0.2 * gradient / gradient.norm()
    assert torch.equal(model.weight, weight)
    torch.testing.assert_close(model.weight.grad, curvature * uphill, rtol=1e-9, atol=1e-12)
    assert loss.item() == pytest.approx(_valley(model, curvature).item())


def test_the_loss_uphill_is_higher_and_its_scale_does_not_matter() -> None:
    torch.manual_seed(0)
    model = ResNet(10, 3).double()
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    gradients = []
    for scale in (1.0, 2.0**16):
        losses: list[float] = []

        def closure(scale: float = scale, losses: list[float] = losses) -> None:
            model.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            (scale * loss).backward()
            losses.append(loss.item())

        sharpness_aware(closure, model, 0.1)
        assert losses[1] > losses[0]
        gradients.append(model.fc.weight.grad / scale)
    torch.testing.assert_close(*gradients)


def test_the_second_pass_leaves_running_statistics_alone() -> None:
    model = ResNet(10, 3)
    images = torch.randn(4, 3, 32, 32)
    once = copy.deepcopy(model)
    once(images)

    def closure() -> None:
        model.zero_grad()
        model(images).sum().backward()

    sharpness_aware(closure, model, 0.1)
    for (name, value), other in zip(model.named_buffers(), once.buffers(), strict=True):
        assert torch.equal(value, other), name


def test_keeping_statistics_normalises_by_the_batch_and_ends_with_the_context() -> None:
    norm = nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5) * 3 + 2
    with keep_running_statistics(norm):
        assert norm(x).mean().abs() < 1e-5
    with pytest.raises(ValueError, match="4D input"), keep_running_statistics(norm):
        norm(x[0, 0])
    assert norm.track_running_stats
    assert torch.equal(norm.running_mean, torch.zeros(3))
    norm(x)
    assert norm.num_batches_tracked == 1
