import hashlib
import os
import re
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_image

from deepdream.download import RetryPolicy
from deepdream.models import ResNet, load_network, start_from
from deepdream.models.named import BUNDLED_SHA256, bundled, bundled_path, downloaded
from deepdream.models.preprocessing import Preprocessing, published_preprocessing
from tests.models.published import write_on_hub, write_places365, write_torchvision
from tests.scenes.server import Answer, Server

MOST_BYTES = {"box": 12_000_000, "miniplaces": 26_000_000}


def test_the_smaller_bundled_model_knows_six_rooms() -> None:
    network = load_network("box")
    assert network.source == "box"
    assert network.classes == ["bathroom", "bedroom", "dining_room", "entrance_hall", "kitchen", "living_room"]
    assert all(value.isfinite().all() for value in network.model.state_dict().values())


@pytest.mark.parametrize("name", BUNDLED_SHA256)
def test_the_bundled_files_are_small_and_have_the_recorded_hash(name: str) -> None:
    content = bundled_path(name).read_bytes()
    assert len(content) <= MOST_BYTES[name]
    assert hashlib.sha256(content).hexdigest() == BUNDLED_SHA256[name]


def test_the_bundled_model_knows_a_hundred_places() -> None:
    network = bundled()
    assert (network.source, len(network.classes), network.image_size) == ("miniplaces", 100, 96)
    assert {"lighthouse", "volcano", "bookstore"} <= set(network.classes)


def test_a_changed_bundled_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = torch.load(bundled_path("box"), weights_only=True)
    content["state_dict"]["model.fc.bias"][0] += 1
    torch.save(content, tmp_path / "box.ckpt")
    monkeypatch.setattr("deepdream.models.named.bundled_path", lambda name: tmp_path / f"{name}.ckpt")
    with pytest.raises(ValueError, match=r"box\.ckpt is not the file of this version .*; reinstall deepdream"):
        load_network("box")


def test_a_file_called_box_goes_before_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(bundled_path("box"), tmp_path / "box")
    monkeypatch.chdir(tmp_path)
    torch.save({}, "box")
    with pytest.raises(ValueError, match="box is not a checkpoint of deepdream"):
        load_network("box")


def test_a_model_starts_from_the_bundled_one() -> None:
    model = ResNet(18, 2, stem="deep", blur=True)
    assert "started from box; its head of 6 classes was replaced" in start_from(model, "box", ["bar", "attic"])
    assert torch.equal(model.layer4[1].conv2.weight, load_network("box").model.layer4[1].conv2.weight)


def test_imagenet_weights_are_torchvisions_in_our_resnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    theirs = torchvision.models.resnet18()
    write_torchvision(tmp_path, theirs, weights.url)
    for name in ("imagenet/resnet18", "torchvision/resnet18"):
        network = load_network(name)
        assert (len(network.classes), network.classes[0], network.image_size) == (1000, "tench", 224)
        assert isinstance(network.model, ResNet)
        assert torch.equal(network.model.state_dict()["fc.weight"], theirs.fc.weight)
    with pytest.raises(ValueError, match="imagenet/resnet50"):
        load_network("imagenet/resnet19")


@pytest.mark.parametrize("name", ["googlenet", "mnasnet0_5", pytest.param("densenet121", marks=pytest.mark.medium)])
def test_torchvisions_weights_give_its_logits_for_its_preprocessing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """GoogLeNet's file has auxiliary classifiers, and torchvision changes its input; DenseNet's has older names."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.get_model_weights(name).DEFAULT
    arguments = {"transform_input": True, "init_weights": False} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, **arguments)
    path = write_torchvision(tmp_path, theirs, weights.url)
    if name == "densenet121":
        names = re.compile(r"(denselayer\d+\.(?:norm|conv))(\d)")
        torch.save({names.sub(r"\1.\2", key): value for key, value in theirs.state_dict().items()}, path)
    network, image = load_network(f"torchvision/{name}"), Image.fromarray(load_sample_image("china.jpg"))
    with torch.inference_mode():
        expected = theirs.eval()(weights.transforms()(image)[None]).softmax(dim=1)[0]
    assert torch.allclose(network.predict(network.preprocess(image)), expected, atol=2e-5)
    assert network.classes == weights.meta["categories"]


def test_inception_takes_images_in_minus_one_to_one_of_299_pixels() -> None:
    expected = Preprocessing(299, 342, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")
    assert published_preprocessing("torchvision/inception_v3") == expected


def test_timms_weights_and_preprocessing_come_from_the_cache_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timm = pytest.importorskip("timm")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="the weights of timm/resnet10t could not be loaded: ") as caught:
        load_network("timm/resnet10t")
    assert "\n" not in str(caught.value)
    theirs = timm.create_model("resnet10t").eval()
    files = {"model.safetensors": safetensors.torch.save(theirs.state_dict())}
    write_on_hub(tmp_path, timm.get_pretrained_cfg("resnet10t").hf_hub_id, files)
    network = load_network("timm/resnet10t")
    expected = timm.data.resolve_data_config(pretrained_cfg=theirs.pretrained_cfg)
    assert (network.mean, network.std, network.interpolation) == (
        expected["mean"],
        expected["std"],
        expected["interpolation"],
    )
    assert (network.image_size, network.resize_side) == (176, int(176 / expected["crop_pct"]))
    assert (network.classes[0], network.source, len(network.digest)) == ("tench", "timm/resnet10t", 64)
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.model(images), theirs(images))
    for name, message in (
        ("timm/resnet10", "Did you mean `timm/resnet10t`"),
        ("timm/resnet10t.none", "cannot be built|has no"),
        ("timm/vit_base_patch16_dinov3", "has no classes"),
        ("torchvision/vgg12", "Did you mean `torchvision/vgg"),
    ):
        with pytest.raises(ValueError, match=message):
            load_network(name)


def test_a_download_resumes_has_the_hash_in_its_name_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("deepdream.models.named.RETRIES", RetryPolicy(attempts=2, pause=0.01))
    content = os.urandom(200_000)
    right, wrong = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth", "net-00000000.pth"
    with Server({right: content, wrong: content}, answers={right: [Answer(cut=100_000)]}) as server:
        path = downloaded(server.url(right), "net")
        assert path == tmp_path / "hub" / "checkpoints" / right
        assert path.read_bytes() == content
        assert server.requests[1][1] is not None  # a range: the second request went on where the first had ended
        assert downloaded(server.url(right), "net") == path
        assert len(server.requests) == 2
        with pytest.raises(ValueError, match=r"could not be downloaded: .*by its name with 00000000"):
            downloaded(server.url(wrong), "net")
    assert not (path.parent / wrong).exists()


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
