"""python microscope.py of a run's checkpoint, and train.py microscope=true."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import TINY, data_of, run_app


def test_the_newest_network_on_its_test_images(trained: Path, tmp_path: Path) -> None:
    folders = (f"output={tmp_path / 'site'}", f"hydra.run.dir={tmp_path / 'run'}")
    about = ("ckpt=last", "visualizations=0", "layers=[layer4]", "workers=0", *folders)
    result = run_app("microscope", *about, cwd=trained)
    assert result.returncode == 0, result.stderr
    assert f"microscope: {tmp_path / 'site' / 'index.html'}" in result.stdout
    site = (tmp_path / "site" / "data" / "site.js").read_text()
    assert '"seen":24' in site
    assert "dream.py ckpt=outputs/" in site
    assert str(trained) not in site


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("images=nowhere",), "images is nowhere, which is not a folder"),
        (("layers=[]",), "layers is empty"),
        (("pages=2",), "pages is 2"),
        (("layer=[layer4]",), "Did you mean `layers`"),
    ],
)
def test_a_wrong_argument_is_one_line(arguments: tuple[str, ...], error: str, tmp_path: Path) -> None:
    result = run_app("microscope", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert error in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_training_ends_with_a_microscope_that_its_report_links_to(trained: Path, tmp_path: Path) -> None:
    small = ("model.width=0.1", "microscope=true", "hydra.run.dir=run")
    result = run_app("train", *TINY, *data_of(trained), *small, cwd=tmp_path, seconds=900)
    assert result.returncode == 0, result.stderr
    assert 'href="microscope/index.html"' in (tmp_path / "run" / "report.html").read_text()
    visualizations = tmp_path / "run" / "microscope" / "visualizations"
    assert len(list(visualizations.glob("layer4/*-photo.jpg"))) == len(list(visualizations.glob("layer4/*-1.jpg"))) > 40
