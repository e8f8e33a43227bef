import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d
from torch import nn

from deepdream.models import ResNet
from deepdream.models.blur import BlurPool


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (2, 3)])
def test_blur_pool_is_scipys_binomial_filter_at_every_second_value(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = x.numpy()
    for axis in (2, 3):
        expected = convolve1d(expected, [0.25, 0.5, 0.25], axis=axis, mode="mirror")
    np.testing.assert_allclose(BlurPool(3)(x).numpy(), expected[:, :, ::2, ::2], atol=1e-12)


def test_blur_pool_keeps_a_constant_and_takes_the_finest_stripes_away() -> None:
    pool = BlurPool(1)
    stripes = torch.tensor([1.0, -1.0]).repeat(8).expand(1, 1, 16, 16)
    assert torch.allclose(pool(torch.full((1, 1, 16, 16), 0.3)), torch.tensor(0.3))
    assert pool(stripes).abs().max() == 0


def test_blur_pool_under_autocast_is_near_its_float32_self() -> None:
    x = torch.randn(1, 4, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        low = BlurPool(4)(x.bfloat16())
    assert low.dtype == torch.bfloat16
    assert torch.allclose(low.float(), BlurPool(4)(x), atol=0.03)


def test_blur_adds_nothing_to_a_checkpoint_and_leaves_the_sizes_as_they_are() -> None:
    plain, blurred = ResNet(50, 5), ResNet(50, 5, blur=True)
    blurred.load_state_dict(plain.state_dict(), strict=True)
    sizes: dict[str, list[torch.Size]] = {"plain": [], "blurred": []}
    for name, model in (("plain", plain), ("blurred", blurred)):
        for stage in (model.maxpool, model.layer2, model.layer3, model.layer4):
            stage.register_forward_hook(lambda *a, name=name: sizes[name].append(a[2].shape))
        model.eval()(torch.randn(1, 3, 95, 70))
    assert sizes["plain"] == sizes["blurred"]


def test_a_blurred_network_halves_only_what_is_low_passed_but_for_its_first_convolution() -> None:
    model = ResNet(50, 5, blur=True)
    strided = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d) and module.stride not in (1, (1, 1))
    ]
    assert strided == ["conv1"]
    assert sum(isinstance(module, BlurPool) for module in model.modules()) == 1 + 3 * 2


def test_a_blurred_network_changes_less_when_the_picture_shifts_by_a_pixel() -> None:
    torch.manual_seed(0)
    plain, blurred = ResNet(18, 5).eval(), ResNet(18, 5, blur=True).eval()
    blurred.load_state_dict(plain.state_dict())
    x = torch.randn(4, 3, 65, 65)

    def change(model: ResNet) -> torch.Tensor:
        features = nn.Sequential(*list(model.children())[:-2])
        here, there = features(x[..., :-1, :-1]), features(x[..., 1:, 1:])
        return (here - there).norm() / here.norm()

    with torch.inference_mode():
        assert change(blurred) < 0.8 * change(plain)
