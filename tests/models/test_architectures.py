import sys

import pytest
import torch
import torchvision

from deepdream.models.architectures import build


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_0", "torchvision/googlenet", "timm/resnet10t"])
def test_builds_a_head_for_the_classes_that_returns_logits_in_training_too(name: str) -> None:
    pytest.importorskip("timm")
    for mode in (True, False):
        assert build(name, classes=10).train(mode)(torch.rand(2, 3, 64, 64)).shape == (2, 10)


def test_without_a_number_of_classes_it_is_the_librarys_own_architecture() -> None:
    ours, theirs = build("torchvision/shufflenet_v2_x0_5"), torchvision.models.shufflenet_v2_x0_5()
    assert ours.load_state_dict(theirs.state_dict())  # strict


def test_arguments_reach_the_library() -> None:
    dropout = build("torchvision/mobilenet_v3_small", classes=3, dropout=0.7).classifier[2]  # type: ignore[index, union-attr]
    assert dropout.p == 0.7


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("torchvision/convnext_tinny", {}, "Did you mean `torchvision/convnext_tiny`"),
        ("timm/resnet50dd", {}, "Did you mean `timm/resnet50d`"),
        ("keras/resnet50", {}, "write torchvision/NAME or timm/NAME"),
        ("torchvision/alexnet", {"weights": "DEFAULT"}, "takes no argument 'weights'"),
        ("timm/resnet10t", {"checkpoint_path": "x.pth"}, "takes no argument 'checkpoint_path'"),
        ("torchvision/alexnet", {"depth": 3}, "cannot be built with depth=3, num_classes=2"),
        ("torchvision/alexnet", {"classes": 0}, "classes is 0"),
    ],
)
def test_a_wrong_name_or_argument_is_refused(name: str, arguments: dict[str, object], message: str) -> None:
    if name.startswith("timm"):
        pytest.importorskip("timm")
    with pytest.raises(ValueError, match=message):
        build(name, **{"classes": 2, **arguments})  # type: ignore[arg-type]


def test_without_timm_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"'deepdream-lightning\[timm\]'"):
        build("timm/resnet10t")
