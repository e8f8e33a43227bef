import hashlib
import shutil
from pathlib import Path

import pytest
import torch

from deepdream.models import ResNet, load_network, start_from
from deepdream.models.box import SHA256, box_path

MOST_BYTES = 12_000_000


def test_the_box_is_a_network_by_name_that_knows_its_classes() -> None:
    network = load_network("box")
    assert network.source == "box"
    assert network.classes == ["bathroom", "bedroom", "dining_room", "entrance_hall", "kitchen", "living_room"]
    assert all(value.isfinite().all() for value in network.model.state_dict().values())


def test_what_is_shipped_is_small_and_is_what_was_hashed() -> None:
    content = box_path().read_bytes()
    assert len(content) <= MOST_BYTES
    assert hashlib.sha256(content).hexdigest() == SHA256


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = torch.load(box_path(), weights_only=True)
    content["state_dict"]["model.fc.bias"][0] += 1
    torch.save(content, tmp_path / "box.ckpt")
    monkeypatch.setattr("deepdream.models.loading.box_path", lambda: tmp_path / "box.ckpt")
    with pytest.raises(ValueError, match=r"box\.ckpt is not the file that was shipped .*; install deepdream again"):
        load_network("box")


def test_a_file_that_is_called_box_goes_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(box_path(), tmp_path / "box")
    monkeypatch.chdir(tmp_path)
    torch.save({}, "box")
    with pytest.raises(ValueError, match="box is not a checkpoint of deepdream"):
        load_network("box")


def test_a_model_starts_from_the_box() -> None:
    model = ResNet(18, 2, stem="deep", blur=True)
    assert "started from box; its head of 6 classes was replaced" in start_from(model, "box", ["bar", "attic"])
    assert torch.equal(model.layer4[1].conv2.weight, load_network("box").model.layer4[1].conv2.weight)
