import hashlib
import shutil
from pathlib import Path

import pytest
import torch
import torchvision

from deepdream.models import ResNet, load_network, start_from
from deepdream.models.named import BUNDLED_SHA256, bundled_path
from tests.models.published import write_places365

MOST_BYTES = 12_000_000


def test_the_bundled_model_loads_by_name_with_its_classes() -> None:
    network = load_network("box")
    assert network.source == "box"
    assert network.classes == ["bathroom", "bedroom", "dining_room", "entrance_hall", "kitchen", "living_room"]
    assert all(value.isfinite().all() for value in network.model.state_dict().values())


def test_the_bundled_file_is_small_and_has_the_recorded_hash() -> None:
    content = bundled_path().read_bytes()
    assert len(content) <= MOST_BYTES
    assert hashlib.sha256(content).hexdigest() == BUNDLED_SHA256


def test_a_changed_bundled_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = torch.load(bundled_path(), weights_only=True)
    content["state_dict"]["model.fc.bias"][0] += 1
    torch.save(content, tmp_path / "box.ckpt")
    monkeypatch.setattr("deepdream.models.named.bundled_path", lambda: tmp_path / "box.ckpt")
    with pytest.raises(ValueError, match=r"box\.ckpt is not the file of this version .*; reinstall deepdream"):
        load_network("box")


def test_a_file_called_box_goes_before_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(bundled_path(), tmp_path / "box")
    monkeypatch.chdir(tmp_path)
    torch.save({}, "box")
    with pytest.raises(ValueError, match="box is not a checkpoint of deepdream"):
        load_network("box")


def test_a_model_starts_from_the_bundled_one() -> None:
    model = ResNet(18, 2, stem="deep", blur=True)
    assert "started from box; its head of 6 classes was replaced" in start_from(model, "box", ["bar", "attic"])
    assert torch.equal(model.layer4[1].conv2.weight, load_network("box").model.layer4[1].conv2.weight)


def test_imagenet_weights_load_by_name_from_the_cache_of_torch_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_places365_weights_load_by_name_from_csails_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_wrong_file_in_the_cache_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    _, path = write_places365(tmp_path, 50)
    path.rename(path.with_name("resnet18_places365.pth.tar"))
    with pytest.raises(ValueError, match=r"does not hold the weights of places365/resnet18; remove it") as caught:
        load_network("places365/resnet18")
    assert "\n" not in str(caught.value)
