import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d
from torch import nn
from torch.nn import functional as F

from deepdream.models import ResNet, default_head_size
from deepdream.models.blocks import BlurPool, SpatialWeights


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (2, 3)])
def test_blur_pool_is_scipys_binomial_filter_at_every_second_value(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = x.numpy()
    for axis in (2, 3):
        expected = convolve1d(expected, [0.25, 0.5, 0.25], axis=axis, mode="mirror")
    np.testing.assert_allclose(BlurPool(3)(x).numpy(), expected[:, :, ::2, ::2], atol=1e-12)


def test_blur_pool_keeps_a_constant_and_removes_the_finest_stripes() -> None:
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


def test_blur_adds_nothing_to_a_checkpoint_and_keeps_the_sizes() -> None:
    plain, blurred = ResNet(50, 5), ResNet(50, 5, blur=True)
    blurred.load_state_dict(plain.state_dict(), strict=True)
    sizes: dict[str, list[torch.Size]] = {"plain": [], "blurred": []}
    for name, model in (("plain", plain), ("blurred", blurred)):
        for stage in (model.maxpool, model.layer2, model.layer3, model.layer4):
            stage.register_forward_hook(lambda *a, name=name: sizes[name].append(a[2].shape))
        model.eval()(torch.randn(1, 3, 95, 70))
    assert sizes["plain"] == sizes["blurred"]


def test_only_the_first_convolution_of_a_blurred_network_has_a_stride_of_its_own() -> None:
    model = ResNet(50, 5, blur=True)
    strided = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d) and module.stride not in (1, (1, 1))
    ]
    assert strided == ["conv1"]
    assert sum(isinstance(module, BlurPool) for module in model.modules()) == 1 + 3 * 2


def test_a_blurred_network_changes_less_when_the_image_shifts_by_a_pixel() -> None:
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


def test_a_wise_head_is_a_depthwise_convolution_as_wide_as_the_map() -> None:
    head = SpatialWeights(6, 4, non_negative=False)
    nn.init.normal_(head.weight)
    x = torch.randn(2, 6, 4, 4)
    assert torch.allclose(head(x), F.conv2d(x, head.weight.unsqueeze(1), groups=6), atol=1e-6)


def test_a_fresh_wise_head_predicts_as_the_average_does() -> None:
    average, wise = ResNet(10, 5).eval(), ResNet(10, 5, head="wise", head_size=3).eval()
    wise.load_state_dict(average.state_dict(), strict=False)
    x = torch.randn(2, 3, 96, 96)
    assert torch.allclose(wise(x), average(x), atol=1e-5)


def test_at_another_size_the_map_is_averaged_into_the_cells() -> None:
    model = ResNet(10, 5, head="wise", head_size=2).eval()
    nn.init.uniform_(model.spatial.weight)
    features = []
    model.layer4.register_forward_hook(lambda *a: features.append(a[2]))
    logits = model(torch.randn(1, 3, 128, 192))  # a map of 4 x 6 in 2 x 2 cells
    cells = F.avg_pool2d(features[0], (2, 3))
    assert torch.allclose(logits, model.fc((cells * model.spatial.weight).sum(dim=(2, 3))), atol=1e-5)


def test_project_sets_negative_weights_to_zero_only_where_they_have_to_be() -> None:
    for non_negative in (True, False):
        model = ResNet(10, 5, head="wise", head_size=2, head_non_negative=non_negative)
        nn.init.constant_(model.spatial.weight[:7], -1.0)
        model.project()
        assert bool((model.spatial.weight >= 0).all()) is non_negative


def test_the_default_size_is_that_of_the_last_map() -> None:
    model = ResNet(10, 5).eval()
    shapes = []
    model.layer4.register_forward_hook(lambda *a: shapes.append(a[2].shape[2]))
    sizes = (16, 32, 33, 96, 112, 130, 224)
    for size in sizes:
        model(torch.randn(1, 3, size, size))
    assert shapes == [default_head_size(size) for size in sizes]
