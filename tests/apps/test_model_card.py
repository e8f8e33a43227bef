"""The card of an exported network: it tells what the run folder knows, and nothing of the machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from deepdream.apps import model_card
from deepdream.models import export_network, load_network
from tests.conftest import run_app


@pytest.fixture(scope="module")
def folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_card, "DREAM", ["image=china", "dream.width=96", "dream.octaves=1", "dream.steps=1"])
        patch.setattr(model_card, "CLASS_DREAM", ["dream=class", "image=noise", "dream.width=64", "dream.steps=1"])
        network = load_network(checkpoint)
        target = tmp_path_factory.mktemp("exported") / "rooms"
        export_network(network, target, model_card.details_of(network, dreams=True))
    return target


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_the_metrics_are_those_of_the_run_with_their_intervals(checkpoint: Path, text: str) -> None:
    measured = json.loads((checkpoint.parents[1] / "figures" / "evaluation.json").read_text())
    metadata = yaml.safe_load(text.split("---")[1])
    (result,) = metadata["model-index"][0]["results"]
    assert result["dataset"]["name"] == "rooms"
    listed = {each["type"]: each["value"] for each in result["metrics"]}
    assert listed["accuracy"] == pytest.approx(measured["accuracy"], abs=1e-4)
    low, high = measured["intervals"]["accuracy"]
    assert f"| accuracy | {measured['accuracy']:.1%} ({low:.1%} to {high:.1%}) |" in text


def test_the_recipe_has_the_command_and_no_path_of_the_machine(trained: Path, text: str) -> None:
    (command,) = re.findall(r"^    python -m deepdream train (.*)$", text, re.MULTILINE)
    assert "data=rooms data.root=PATH data.rooms.train_per_class=8" in command
    assert "| epochs, images per step | 1, 16 |" in text
    assert str(trained) not in text
    assert "/tmp" not in text


def test_images_and_limits_are_there(folder: Path, text: str) -> None:
    shown = re.findall(r"!\[[^]]+\]\((\w+\.(?:png|jpg))\)", text)
    assert shown == ["confusion.png", "dream.jpg", "classes.jpg"]
    assert all((folder / name).stat().st_size > 1000 for name in shown)
    limits = text.partition("## Limits")[2].partition("## ")[0]
    assert "It knows 12 classes and always predicts one of them" in limits
    assert re.search(r"\d+ test images tell its accuracy to within \d+ percentage points", limits)
    assert re.search(r"Its probabilities are on average \d+ percentage points too (high|low)", limits)
    assert len(load_network(folder).classes) == 12


def test_a_network_without_a_run_has_no_metrics_and_says_so(tmp_path: Path) -> None:
    result = run_app("export", "ckpt=box", "to=shared", "dreams=false", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "card:       shared/README.md" in result.stdout
    text = (tmp_path / "shared" / "README.md").read_text(encoding="utf-8")
    assert "Its accuracy is not known" in text
    assert "model-index" not in text
    assert "![" not in text
