from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torchvision.models import shufflenet_v2_x0_5

from deepdream.models import Network, export_network, load_network, write_onnx
from tests.models.checkpoints import checkpoint
from tests.models.published import write_on_hub

FACTS = ("classes", "mean", "std", "image_size", "resize_side", "interpolation")


@pytest.fixture
def ours(tmp_path: Path) -> Network:
    content = checkpoint()
    content["hyper_parameters"]["data"] = {"root": "/home/me/photos", "resize": 80, "image_size": 64, "seed": 3}
    torch.save(content, tmp_path / "best.ckpt")
    return load_network(tmp_path / "best.ckpt")


@pytest.fixture
def foreign(tmp_path: Path) -> Network:
    torch.save(shufflenet_v2_x0_5(num_classes=3).state_dict(), tmp_path / "weights.pth")
    about: dict[str, Any] = {"model": "torchvision/shufflenet_v2_x0_5", "classes": ["a", "b", "c"]}
    return load_network(tmp_path / "weights.pth", mean=[123, 117, 104], std=[1, 1, 1], image_size=96, **about)


@pytest.mark.parametrize("kind", ["ours", "foreign"])
def test_an_exported_network_is_bit_equal_when_read_again(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    network: Network = request.getfixturevalue(kind)
    export_network(network, tmp_path / "shared")
    export_network(load_network(tmp_path / "shared"), tmp_path / "again")  # replaces nothing, changes nothing
    for folder in ("shared", "again"):
        read = load_network(tmp_path / folder)
        assert read.model.state_dict().keys() == network.model.state_dict().keys()
        assert all(
            torch.equal(value, network.model.state_dict()[name]) for name, value in read.model.state_dict().items()
        )
        assert [getattr(read, fact) for fact in FACTS] == [getattr(network, fact) for fact in FACTS]
    card = (tmp_path / "shared" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: deepdream\n")
    written = card + (tmp_path / "shared" / "config.json").read_text(encoding="utf-8")
    assert "/home/me" not in written


def test_a_network_built_in_python_is_not_exported(ours: Network, tmp_path: Path) -> None:
    own = Network(ours.model, ours.classes, ours.mean, ours.std, 64, "mine")
    with pytest.raises(ValueError, match="mine was built in Python"):
        export_network(own, tmp_path / "shared")
    assert not (tmp_path / "shared").exists()


def test_a_folder_of_timm_opens_with_its_own_labels_and_preprocessing(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("resnet10t", num_classes=2).eval()
    pretrained = {"input_size": [3, 96, 96], "crop_pct": 0.8, "mean": [0.5] * 3, "std": [0.2] * 3}
    pretrained |= {"interpolation": "bicubic", "label_names": ["bar", "attic"]}
    config = {"architecture": "resnet10t", "num_classes": 2, "pretrained_cfg": pretrained}
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    network = load_network(tmp_path)
    assert [getattr(network, fact) for fact in FACTS] == [["bar", "attic"], (0.5,) * 3, (0.2,) * 3, 96, 120, "bicubic"]
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.model(images), theirs(images))


def test_a_name_of_the_hub_is_read_from_its_cache(
    ours: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    export_network(ours, tmp_path / "shared")
    write_on_hub(
        tmp_path / "hub", "me/rooms", {each.name: each.read_bytes() for each in (tmp_path / "shared").iterdir()}
    )
    network = load_network("hf://me/rooms")
    assert (network.source, network.classes) == ("hf://me/rooms", ours.classes)
    for name, message in (("hf://me/none", "could not be downloaded"), ("hf://a/b/c", "could not be downloaded")):
        with pytest.raises(ValueError, match=message) as caught:
            load_network(name)
        assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"'deepdream-lightning\[hf\]'"):
        load_network("hf://me/rooms")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, "a model of transformers"),
        ({"architecture": "resnet10t", "num_classes": "many"}, "config.json of .* is damaged"),
        ({"architecture": "no_such_net"}, "has no network 'no_such_net'"),
        ({"architecture": "resnet10t", "model_args": {"checkpoint_path": "evil.pth"}}, "takes no argument"),
        (
            {"model": {"_target_": "os.system"}, "mean": [0] * 3, "std": [1] * 3, "image_size": 9},
            "if you trust its code",
        ),
        ({"model": {}, "mean": [0] * 3, "std": [1] * 3, "image_size": 64, "resize": 3}, "resize in .* is 3"),
        ({"model": {}, "mean": [0] * 3, "std": [1] * 3, "image_size": 64, "interpolation": "x"}, "interpolation in"),
        ([1, 2], "holds a list"),
    ],
)
def test_a_damaged_or_hostile_configuration_is_refused_in_one_line(tmp_path: Path, change: Any, message: str) -> None:
    pytest.importorskip("timm")
    (tmp_path / "config.json").write_text(json.dumps(change))
    safetensors.torch.save_file({"fc.weight": torch.zeros(3, 4)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=message) as caught:
        load_network(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_onnx_has_the_logits_of_pytorch_for_any_number_of_images(ours: Network, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert write_onnx(ours, tmp_path / "model.onnx") < 1e-5
    images = ours.normalize(torch.rand(3, 3, 64, 64))
    (logits,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["logits"], {"images": images.numpy()})
    with torch.inference_mode():
        assert torch.allclose(torch.from_numpy(logits), ours.model(images), atol=1e-4)
