from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import run_app
from tests.forks import begin


@pytest.fixture(scope="module")
def photos(trained: Path) -> Path:
    return trained / "rooms" / "Images"


def test_the_predictions_are_those_of_the_evaluation(trained: Path, photos: Path, tmp_path: Path) -> None:
    (checkpoint,) = trained.glob("outputs/*/*/checkpoints/best.ckpt")
    (photos.parent / "notes.txt").touch()
    arguments = (f"images={photos}", f"ckpt={checkpoint}", "output=table.csv", "batch_size=16", "top_k=3")
    assert begin("predict", *arguments, folder=tmp_path).wait() == 0
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    with (checkpoint.parents[1] / "figures" / "predictions.csv").open(newline="") as file:
        evaluated = list(csv.DictReader(file))
    assert len(rows) > len(evaluated) > 10
    for row in evaluated:
        mine = rows[str(photos.parents[1] / row["image"])] if row["image"] not in rows else rows[row["image"]]
        assert mine["prediction"] == row["prediction"]
        assert float(mine["probability"]) == pytest.approx(float(row["probability"]), abs=2e-4)
        assert mine["probability"] >= mine["probability_2"] >= mine["probability_3"]


def test_json_and_unreadable_photos(trained: Path, tmp_path: Path) -> None:
    (checkpoint,) = trained.glob("outputs/*/*/checkpoints/best.ckpt")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)).save(tmp_path / "in/sub/a.png")
    (tmp_path / "in" / "b.jpg").write_bytes(b"no photo")
    result = begin("predict", "images=in", f"ckpt={checkpoint}", "output=table.json", folder=tmp_path)
    assert result.wait() == 0
    assert "skipped: in/b.jpg is not an image" in result.stderr
    assert "predicted 1 of 2 photos; 1 could not be read" in result.said
    (row,) = json.loads((tmp_path / "table.json").read_text())
    assert row["image"] == "in/sub/a.png"
    assert len(row["predictions"]) == 5
    (tmp_path / "in" / "sub" / "a.png").unlink()
    result = begin("predict", "images=in", f"ckpt={checkpoint}", "output=other.json", folder=tmp_path)
    assert (result.wait(), (tmp_path / "other.json").exists()) == (1, False)


@pytest.mark.slow
def test_two_processes_predict_what_one_does(trained: Path, photos: Path, tmp_path: Path) -> None:
    (checkpoint,) = trained.glob("outputs/*/*/checkpoints/best.ckpt")
    (tmp_path / "in").symlink_to(photos)
    arguments = ("images=in/", f"ckpt={checkpoint}", "device=cpu", "batch_size=8", "workers=0")
    for devices in (1, 2):
        assert (
            run_app("predict", *arguments, f"devices={devices}", f"output={devices}.csv", cwd=tmp_path).returncode == 0
        )
    one, two = (list(csv.reader((tmp_path / f"{devices}.csv").open())) for devices in (1, 2))
    assert [row[:2] for row in one] == [row[:2] for row in two]
    assert len(one) > 20


def test_a_wrong_output_is_refused_before_anything_else(tmp_path: Path) -> None:
    result = begin("predict", "output=table.xlsx", folder=tmp_path)
    assert result.wait() == 1
    assert "output is 'table.xlsx'; it must be a .csv or .json file" in result.stderr
