from pathlib import Path
from typing import Any

import pytest
import torch

from deepdream.models import ResNet, start_from
from tests.models.checkpoints import checkpoint
from tests.models.published import write_places365

CLASSES = ["bar", "library", "pantry"]


@pytest.fixture
def ours(tmp_path: Path) -> str:
    """A checkpoint of a ResNet-10 that knows CLASSES."""
    path = tmp_path / "best.ckpt"
    torch.save(checkpoint(), path)
    return str(path)


def _same(model: ResNet, source: str, part: str) -> bool:
    weights = torch.load(source, weights_only=True)["state_dict"]
    return all(torch.equal(weights[f"model.{k}"], v) for k, v in model.state_dict().items() if k.startswith(part))


def test_the_same_classes_keep_the_head(ours: str) -> None:
    model = ResNet(10, 3)
    assert "with its head" in start_from(model, ours, CLASSES)
    assert _same(model, ours, "")


@pytest.mark.parametrize("classes", [["bar", "library", "cellar"], ["pantry", "library", "bar"], ["bar", "library"]])
def test_other_classes_keep_a_fresh_head_and_the_line_says_so(ours: str, classes: list[str]) -> None:
    model = ResNet(10, len(classes))
    fresh = model.fc.weight.clone()
    said = start_from(model, ours, classes)
    assert "head of 3 classes was replaced" in said
    assert torch.equal(model.fc.weight, fresh)
    assert _same(model, ours, "layer")
    assert _same(model, ours, "conv1")


def test_a_head_of_another_kind_is_replaced(ours: str) -> None:
    model = ResNet(10, 3, head="wise", head_size=4)
    assert "another kind or size" in start_from(model, ours, CLASSES)
    assert _same(model, ours, "layer4")


def test_blur_starts_from_weights_without_it(ours: str) -> None:
    assert "with its head" in start_from(ResNet(10, 3, blur=True, stochastic_depth=0.1), ours, CLASSES)


@pytest.mark.parametrize(
    ("arguments", "difference"),
    [
        ({"depth": 18}, r"layer1\.1\.conv1\.weight is missing in the file and 64x64x3x3 in the model"),
        ({"depth": 10, "stem": "deep"}, r"conv1\.weight is 64x3x7x7 in the file and missing in the model"),
        ({"depth": 10, "width": 0.5}, r"conv1\.weight is 64x3x7x7 in the file and 32x3x7x7 in the model"),
        ({"depth": 14}, "in the file and"),
    ],
)
def test_any_other_difference_is_an_error_and_changes_nothing(
    ours: str, arguments: dict[str, Any], difference: str
) -> None:
    model = ResNet(num_classes=3, **arguments)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=rf"^model\.pretrained=.*best\.ckpt does not fit: .*{difference}") as caught:
        start_from(model, ours, CLASSES)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_family_means_its_network_of_the_models_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    theirs, _ = write_places365(tmp_path, 18)
    model = ResNet(18, 3)
    said = start_from(model, "places365", CLASSES)
    assert said == "started from places365/resnet18; its head of 365 classes was replaced by one for these 3"
    assert torch.equal(model.layer4[1].conv2.weight, theirs.layer4[1].conv2.weight)
    with pytest.raises(ValueError, match="there is no network 'places365/resnet34'"):
        start_from(ResNet(34, 3), "places365", CLASSES)
