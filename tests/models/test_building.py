import sys
from pathlib import Path

import pytest
import torch

from deepdream.models import ResNet, build_model, load_network, start_from
from deepdream.models.building import shapes_and_head
from deepdream.models.config import ForeignModelConfig, model_config
from deepdream.schema import compose

TINY = """
from torch import nn


class TinyNet(nn.Sequential):
    def __init__(self, num_classes, width=4):
        super().__init__(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))


def number(num_classes):
    return num_classes
"""


@pytest.fixture(autouse=True)
def tiny_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module `tiny_of_user`, as a user has it beside the command."""
    (tmp_path / "tiny_of_user.py").write_text(TINY)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("tiny_of_user", None)


OWN = {"_target_": "tiny_of_user.TinyNet", "width": 8}
CLASSES = ["bar", "pub", "zoo"]


def write_checkpoint(path: Path, record: dict[str, object], classes: list[str]) -> torch.nn.Module:
    """A checkpoint as training writes it, with random weights; returns the model."""
    model = build_model(record, len(classes))
    kept = {"model": record, "classes": classes, "mean": [0.5] * 3, "std": [0.2] * 3, "image_size": 32}
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"hyper_parameters": kept, "state_dict": state}, path)
    return model


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"depth": 10}, "ResNet"),
        ({"architecture": "torchvision/mobilenet_v3_small", "dropout": 0.1}, "MobileNetV3"),
        ({"architecture": "timm/resnet10t"}, "ResNet"),
        (OWN, "TinyNet"),
    ],
)
def test_a_record_describes_our_resnet_a_library_network_or_a_class(record: dict[str, object], kind: str) -> None:
    model = build_model(record, 3)
    assert type(model).__name__ == kind
    assert model.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"_target_": "tiny_of_user.TinyNett"}, "tiny_of_user.TinyNett, which cannot be imported.*PYTHONPATH"),
        ({"_target_": "no_such_module.Net"}, "No module named 'no_such_module'"),
        ({**OWN, "widht": 3}, "TinyNet cannot be called with num_classes, width, widht: .*unexpected.*'widht'"),
        ({"_target_": "tiny_of_user.number"}, "returned a int; it must return a torch.nn.Module"),
    ],
)
def test_a_class_that_cannot_be_built_is_an_error_in_one_line(record: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(record, 3)


def test_true_stands_for_the_weights_of_the_library() -> None:
    chosen = ["model=timm", "model.name=resnet10t", "model.pretrained=true", "+model.drop_rate=0.1"]
    expected = ForeignModelConfig({"architecture": "timm/resnet10t", "drop_rate": 0.1}, "timm/resnet10t")
    assert compose("train", chosen).model == expected
    assert compose("train", ["model=resnet50", "model.pretrained=true"]).model.pretrained == "imagenet"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"library": "keras", "name": "x"}, "model.library is 'keras'; it must be one of torchvision, timm"),
        ({"library": "timm", "name": None}, "model.name is missing"),
        ({"_target_": None}, "model._target_ is None; it must be a class"),
        ({"_target_": "a.B", "pretrained": True}, "has no known weights; name a checkpoint"),
    ],
)
def test_an_incomplete_model_is_an_error_that_names_its_key(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_config(values)


@pytest.mark.parametrize("record", [{"architecture": "torchvision/mobilenet_v3_small"}, OWN])
def test_a_checkpoint_of_a_foreign_network_opens_with_its_weights(record: dict[str, object], tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "best.ckpt", record, CLASSES)
    network = load_network(tmp_path / "best.ckpt", model=record.get("_target_"))
    assert network.classes == CLASSES
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(network.model(images), model.eval()(images))


def test_a_file_alone_runs_no_code_of_a_class_that_it_names(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "best.ckpt", OWN, CLASSES)
    del sys.modules["tiny_of_user"]
    for named in (None, "tiny_of_user.number"):
        with pytest.raises(ValueError, match=r"if you trust its code, name it: ckpt_model=tiny_of_user\.TinyNet$"):
            load_network(tmp_path / "best.ckpt", model=named)
    assert "tiny_of_user" not in sys.modules


@pytest.mark.parametrize("classes", [["attic", "bar", "pub"], ["bar", "zoo"]])
@pytest.mark.parametrize("record", [{"architecture": "timm/resnet10t"}, OWN])
def test_a_training_starts_from_the_body_of_a_checkpoint_with_other_classes(
    record: dict[str, object], classes: list[str], tmp_path: Path
) -> None:
    theirs = write_checkpoint(tmp_path / "best.ckpt", record, CLASSES).state_dict()
    model = build_model(record, len(classes))
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    said = start_from(model, str(tmp_path / "best.ckpt"), classes, record=record)
    assert f"its head of 3 classes was replaced by one for these {len(classes)}" in said
    assert "note" not in said
    _, head = shapes_and_head(record)
    assert len(head) == 2
    for name, value in model.state_dict().items():
        assert torch.equal(value, fresh[name] if name in head else theirs[name]), name


def test_a_training_from_the_same_classes_keeps_the_head(tmp_path: Path) -> None:
    theirs = write_checkpoint(tmp_path / "best.ckpt", OWN, CLASSES).state_dict()
    model = build_model(OWN, 3)
    said = start_from(model, str(tmp_path / "best.ckpt"), CLASSES, record=OWN, mean=[0.485] * 3, std=[0.2] * 3)
    assert said.splitlines()[0].endswith("with its head: it has the same 3 classes")
    assert said.splitlines()[1] == "note: these weights expect data.mean=[0.5,0.5,0.5] data.std=[0.2,0.2,0.2]"
    assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match=r"does not fit: 0\.weight is 8x3x3x3 in the file and 4x3x3x3 in the model"):
        start_from(build_model({**OWN, "width": 4}, 3), str(tmp_path / "best.ckpt"), CLASSES, record=OWN)
    with pytest.raises(ValueError, match="does not fit"):
        start_from(ResNet(10, 3), str(tmp_path / "best.ckpt"), CLASSES, record={"_target_": OWN["_target_"]})
