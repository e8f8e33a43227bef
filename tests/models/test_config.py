"""ModelConfig refuses impossible models without importing torch, and has the defaults of ResNet."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from deepdream.models import ResNet
from deepdream.models.blocks import BasicBlock, Bottleneck
from deepdream.models.config import BLOCKS, DEPTHS, HEADS, STEMS, ModelConfig
from deepdream.schema import typed
from tests.conftest import ROOT, TINY, run_app

DEFAULTS = OmegaConf.load(ROOT / "conf" / "model" / "resnet18.yaml")


def test_every_default_of_resnet_is_that_of_its_yaml() -> None:
    parameters = inspect.signature(ResNet).parameters.values()
    python = {each.name: each.default for each in parameters if each.name != "num_classes"}
    assert python == {key: value for key, value in DEFAULTS.items() if key != "pretrained"}


def test_the_config_has_the_arguments_of_resnet() -> None:
    arguments = set(inspect.signature(ResNet).parameters) - {"num_classes"}
    assert {field.name for field in fields(ModelConfig)} - {"pretrained"} == arguments


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 17}, r"model\.depth is 17; it must be one of 10, 14, 18, .* model\.blocks=\[3,4,6,3\]"),
        ({"block": "bottelneck"}, r"model\.block is 'bottelneck'.* Did you mean `bottleneck`\?"),
        ({"blocks": [3, 4, 6]}, r"model\.blocks is \[3, 4, 6\]; it must be four numbers"),
        ({"blocks": [3, 4, 0, 3]}, r"model\.blocks is \[3, 4, 0, 3\]; it must be four numbers"),
        ({"blocks": []}, r"model\.blocks is \[\]; it must be four numbers"),
        ({"stem": "wide"}, r"model\.stem is 'wide'; it must be one of classic, deep"),
        ({"head": "max"}, r"model\.head is 'max'; it must be one of average, wise"),
    ],
)
def test_an_impossible_model_is_refused_by_the_config_and_by_resnet_with_the_same_line(
    changes: dict[str, Any], message: str
) -> None:
    for make in (lambda: typed(ModelConfig, DEFAULTS, changes), lambda: ResNet(**changes)):
        with pytest.raises(ValueError, match=message) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_the_config_is_checked_without_torch() -> None:
    code = (
        "import sys, deepdream.models.config as config\n"
        "from deepdream.models import ModelConfig\n"
        "from omegaconf import OmegaConf\n"
        "try:\n"
        f"    ModelConfig(**{{**OmegaConf.load({str(ROOT / 'conf/model/resnet18.yaml')!r}), 'depth': 17}})\n"
        "except ValueError as error:\n"
        "    print(error)\n"
        "assert 'torch' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("model.depth is 17")


def test_every_registered_part_can_be_built() -> None:
    assert {name: BLOCKS[name] for name in BLOCKS} == {"basic": BasicBlock, "bottleneck": Bottleneck}
    assert {kind for kind, _ in DEPTHS.values()} == set(BLOCKS)
    for stem in STEMS:
        for head in HEADS:
            assert ResNet(10, 3, stem=stem, head=head, head_size=2 if head == "wise" else None).fc.out_features == 3


@pytest.mark.medium
def test_train_refuses_an_impossible_depth_before_it_prepares_any_data(tmp_path: Path) -> None:
    result = run_app("train", *TINY, "model.depth=17", cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert "model.depth is 17; it must be one of 10, 14, 18" in line
    assert not (tmp_path / "rooms").exists()
