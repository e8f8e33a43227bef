"""explain in one line, what a notebook shows of it, and what `import deepdream` costs."""

from __future__ import annotations

import base64
import csv
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deepdream as dd
from deepdream.provenance import read_provenance
from tests.conftest import run_app

QUICK = {"confidence_samples": 8, "curve_steps": 4}


@pytest.fixture(scope="module")
def network() -> dd.Network:
    return dd.load_network("box")


@pytest.fixture(scope="module")
def panel(network: dd.Network) -> dd.ExplanationPanel:
    return dd.explain("kitchen", "bedroom", network=network, methods="gradcam", **QUICK)


@pytest.mark.slow
def test_an_explanation_has_the_numbers_of_the_command(panel: dd.ExplanationPanel, tmp_path: Path) -> None:
    arguments = shlex.split(panel.command.partition(" explain ")[2])
    result = run_app("explain", *arguments, "logger=none", "hydra.run.dir=run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "run" / "explanations.csv").open() as file:
        (row,) = csv.DictReader(file)
    (explanation,) = panel.explained.explanations
    assert row["prediction"] == panel.explained.prediction
    assert row["target"] == explanation.target == "bedroom"
    assert row["confidence"] == f"{panel.explained.confidence:.4f}"
    assert {name: f"{value:.6g}" for name, value in explanation.scores.items()}.items() <= row.items()


def test_the_panel_and_its_recipe_are_saved(panel: dd.ExplanationPanel, tmp_path: Path) -> None:
    path = panel.save(tmp_path / "panel.png")
    stored = read_provenance(path)
    assert stored["explain"]["target"] == "bedroom"
    assert stored["checkpoint"]["sha256"] == panel.recipe["checkpoint"]["sha256"]
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(panel.image))


def test_a_notebook_shows_the_image_and_the_command(panel: dd.ExplanationPanel) -> None:
    page = panel._repr_html_()
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == panel.image.size
    assert "<code>" in page
    assert "image=kitchen target=bedroom" in page
    assert Image.open(io.BytesIO(panel._repr_png_())).size == panel.image.size


def test_an_image_in_memory_is_explained_like_its_file(checkpoint: Path, tmp_path: Path) -> None:
    network = dd.load_network(str(checkpoint))
    image = Image.effect_noise((64, 64), 90).convert("RGB")
    image.save(tmp_path / "a.png")
    by_name = dd.explain(tmp_path / "a.png", network=network, methods=["gradcam"], **QUICK)
    in_memory = dd.explain(image, network=network, methods=["gradcam"], **QUICK)
    heatmaps = [each.explained.explanations[0].heatmap for each in (by_name, in_memory)]
    assert heatmaps[0].equal(heatmaps[1])
    assert "image=IMAGE" in in_memory.command


def test_an_unknown_keyword_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^unknown key `lime_sample`. Did you mean `lime_samples`\?$"):
        dd.explain("kitchen", lime_sample=3)


def test_the_newest_checkpoint_is_last(checkpoint: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    assert Path(dd.load_network("last").source).resolve() == checkpoint.resolve()


def test_importing_the_package_is_quick() -> None:
    code = (
        "import sys, deepdream as dd; dir(dd); "
        "assert not {'torch', 'hydra', 'numpy', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
