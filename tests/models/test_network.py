import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from deepdream.models import ResNet, load_network
from tests.models.published import write_places365


class RunsCode:
    """Unpickling an object of this class would run a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def checkpoint(**changes: Any) -> dict[str, Any]:
    model = ResNet(10, 3, blocks=[1, 1, 1, 1])
    content = {
        "state_dict": {f"model.{key}": value for key, value in model.state_dict().items()},
        "hyper_parameters": {
            "model": {"depth": 10, "blocks": None, "block": None, "zero_init_residual": False},
            "classes": ["bar", "library", "pantry"],
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.2, 0.2],
            "image_size": 64,
        },
    }
    return {**content, **changes}


def test_a_checkpoint_becomes_a_network_ready_to_answer(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    content = checkpoint()
    torch.save(content, path)
    network = load_network(path)
    assert (network.classes, network.mean, network.image_size) == (["bar", "library", "pantry"], (0.5, 0.4, 0.3), 64)
    assert network.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not network.model.training
    assert torch.equal(network.model.state_dict()["conv1.weight"], content["state_dict"]["model.conv1.weight"])


@pytest.mark.parametrize("classes", [None, []])
def test_classes_without_names_go_by_their_index(tmp_path: Path, classes: list[str] | None) -> None:
    content = checkpoint()
    content["hyper_parameters"]["classes"] = classes
    if classes is None:
        del content["hyper_parameters"]["classes"]
    torch.save(content, tmp_path / "best.ckpt")
    network = load_network(tmp_path / "best.ckpt")
    assert network.classes == ["class 0", "class 1", "class 2"]
    assert not network.has_class_names
    assert network.model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    torch.save(checkpoint(), tmp_path / "named.ckpt")
    assert load_network(tmp_path / "named.ckpt").has_class_names


def test_a_file_that_needs_code_to_open_is_refused_and_runs_none(tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.ckpt", tmp_path / "ran"
    torch.save(checkpoint(callback=RunsCode(marker)), path)
    with pytest.raises(ValueError, match="needs to run code to be opened, and is refused"):
        load_network(path)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "best.ckpt"
    torch.save(checkpoint(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"best\.ckpt is truncated, damaged or not a checkpoint") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.ckpt"
    path.write_text("these are no weights")
    with pytest.raises(ValueError, match="not a checkpoint"):
        load_network(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="lacks model, mean, std, image_size"):
        load_network(tmp_path / "a.ckpt")
    torch.save(checkpoint(state_dict={"model.conv1.weight": torch.zeros(1)}), tmp_path / "b.ckpt")
    with pytest.raises(ValueError, match="do not fit the model"):
        load_network(tmp_path / "b.ckpt")
    torch.save([1, 2], tmp_path / "c.ckpt")
    with pytest.raises(ValueError, match="holds a list"):
        load_network(tmp_path / "c.ckpt")
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*best\.ckpt; close by there is .*a\.ckpt"):
        load_network(tmp_path / "best.ckpt")
    with pytest.raises(ValueError, match="is a folder"):
        load_network(tmp_path)


def test_imagenet_weights_come_by_name_from_torch_hubs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    theirs = torchvision.models.resnet18()
    cached = tmp_path / "hub" / "checkpoints" / weights.url.rpartition("/")[2]
    cached.parent.mkdir(parents=True)
    torch.save(theirs.state_dict(), cached)
    network = load_network("imagenet/resnet18")
    assert (len(network.classes), network.classes[0], network.image_size) == (1000, "tench", 224)
    assert torch.equal(network.model.state_dict()["fc.weight"], theirs.fc.weight)
    with pytest.raises(ValueError, match="imagenet/resnet50"):
        load_network("imagenet/resnet19")


def test_places365_weights_come_by_name_as_csail_wrote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    theirs, path = write_places365(tmp_path, 18)
    network = load_network("places365/resnet18")
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.model(images), theirs.eval()(images))
    assert network.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(network.classes) == len(set(network.classes)) == 365
    assert network.classes[0] == "airfield"
    assert network.classes[8] == "apartment_building/outdoor"
    assert network.classes[364] == "zen_garden"
    with pytest.raises(ValueError, match="places365/resnet18, places365/resnet50"):
        load_network("places365/resnet34")


def test_a_cached_file_of_something_else_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    _, path = write_places365(tmp_path, 50)
    path.rename(path.with_name("resnet18_places365.pth.tar"))
    with pytest.raises(ValueError, match=r"does not hold the weights of places365/resnet18; remove it") as caught:
        load_network("places365/resnet18")
    assert "\n" not in str(caught.value)


def test_a_model_of_a_later_version_is_said_in_one_line(tmp_path: Path) -> None:
    content = checkpoint()
    content["hyper_parameters"]["model"]["attention"] = True
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="names a model that this version of deepdream does not know"):
        load_network(tmp_path / "a.ckpt")
