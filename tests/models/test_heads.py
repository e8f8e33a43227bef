import torch
from torch import nn
from torch.nn import functional as F

from deepdream.models import ResNet, default_head_size
from deepdream.models.heads import SpatialWeights


def test_a_wise_head_is_a_depthwise_convolution_as_wide_as_the_map() -> None:
    head = SpatialWeights(6, 4, non_negative=False)
    nn.init.normal_(head.weight)
    x = torch.randn(2, 6, 4, 4)
    assert torch.allclose(head(x), F.conv2d(x, head.weight.unsqueeze(1), groups=6), atol=1e-6)


def test_a_fresh_wise_head_answers_as_the_average_does() -> None:
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


def test_project_holds_the_weights_at_zero_or_above_where_they_have_to_be() -> None:
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
