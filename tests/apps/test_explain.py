import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.apps.inputs import images_below
from deepdream.console import invocation
from tests.apps.test_dream import QUICK as QUICK_DREAM
from tests.conftest import run_app

QUICK = (
    "explain.lime_samples=20",
    "explain.integrated_gradients_steps=4",
    "explain.completeness=1",
    "explain.confidence_samples=8",
    "explain.curve_steps=8",
    "explain.infidelity_samples=8",
    "explain.sensitivity_samples=1",
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_folder_with_a_bad_file_is_explained_and_its_methods_ranked(
    checkpoint: Path, trained: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos" / "inner"
    photos.mkdir(parents=True)
    for number, path in enumerate(sorted((trained / "rooms" / "Images").rglob("*.png"))[:2]):
        Image.open(path).save(photos / f"room_{number}.png")
    (photos / "bad.jpg").write_text("not a picture")
    (photos / "notes.txt").write_text("left alone")
    arguments = ("image=photos", "methods=[gradcam,lime]", "score=true", "target=Bedroom", *QUICK)
    result = run_app("explain", f"ckpt={checkpoint}", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("skipped: photos/inner/bad.jpg is not ")
    (run,) = tmp_path.glob("outputs/*/*")
    panels = sorted((run / "explanations").iterdir())
    assert [panel.name for panel in panels] == ["inner_room_0.png", "inner_room_1.png"]
    assert all(np.asarray(Image.open(panel)).std() > 20 for panel in panels)
    numbers = rows(run / "explanations.csv")
    assert [row["method"] for row in numbers] == 2 * ["gradcam", "lime"]
    assert [row["image"] for row in numbers] == 2 * ["inner_room_0"] + 2 * ["inner_room_1"]
    assert {row["target"] for row in numbers} == {"bedroom"}
    ranking = rows(run / "ranking.csv")
    assert {row["method"] for row in ranking} == {"gradcam", "lime"}
    assert float(ranking[0]["mean_rank"]) <= float(ranking[1]["mean_rank"])
    assert all(0 <= float(row["deletion_auc"]) <= 1 and row["randomised_correlation"] for row in ranking)
    assert "methods over 2 images" in result.stdout
    assert np.asarray(Image.open(run / "ranking.png")).std() > 20


@pytest.mark.slow
def test_a_dream_is_compared_with_the_image_that_it_was_made_from(checkpoint: Path, tmp_path: Path) -> None:
    ckpt = f"ckpt={checkpoint}"
    dreamed = run_app("dream", ckpt, "image=flower", *QUICK_DREAM, "output=d.png", cwd=tmp_path)
    assert dreamed.returncode == 0, dreamed.stderr
    result = run_app("explain", ckpt, "image=d.png", "methods=[gradcam]", *QUICK, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "before the dream" in result.stdout


def test_a_mistake_is_an_error_of_one_line(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "torn.png").write_bytes(b"\x89PNG")
    Image.new("RGB", (300, 9)).save(tmp_path / "flat.png")
    ckpt = f"ckpt={checkpoint}"
    cases = {
        (ckpt, "image=empty"): "there is no image in empty",
        (ckpt, "image=flat.png"): "flat.png is 300x9; it needs at least 16 pixels a side",
        (ckpt, "target=bedrom"): "has no class 'bedrom'. Did you mean `bedroom`?",
        (ckpt, "target=bedroom", "against=kitchn"): "has no class 'kitchn'. Did you mean `kitchen`?",
        (ckpt, "methods=[mine.rise]"): "method is 'mine.rise': No module named 'mine'",
        (ckpt, "target=99"): "target is 99; the index of a class is 0 to 11",
        (ckpt, "methods=[gradkam]"): "method is 'gradkam'; it must be one of gradcam, ",
        (
            ckpt,
            "ground_truth=true",
            "ground_truth.methods=[gradkam]",
        ): "method is 'gradkam'; it must be one of gradcam, ",
        (ckpt, "ground_truth=true", "ground_truth.images=1"): "ground_truth.images is 1; it must be 2 or more",
        (ckpt, "ground_truth.imges=9"): "Did you mean `ground_truth.images`?",
        (ckpt, "precision=fp8"): "precision is 'fp8'; it must be one of auto, fp32, bf16, fp16",
        (ckpt, "explain.lime_samples=1"): "explain.lime_samples is 1; it must be 10 or more",
        ("ckpt=last",): "train.py experiment=demo`",
    }
    for arguments, message in cases.items():
        result = run_app("explain", *arguments, cwd=tmp_path)
        assert result.returncode == 1, arguments
        (line,) = result.stderr.splitlines()
        assert message in line, line
    result = run_app("explain", ckpt, "image=bad", cwd=tmp_path)
    assert result.returncode == 1
    assert "none of the 1 images" in result.stderr or "torn.png" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_bundled_model_is_explained_and_the_hint_names_another_class(tmp_path: Path) -> None:
    result = run_app("explain", "image=kitchen", "methods=[gradcam]", *QUICK, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "kitchen: kitchen " in result.stdout
    assert re.search(r"try next:   python \S*explain\.py image=PHOTO ", result.stdout)
    (hint,) = [line for line in result.stdout.splitlines() if "the evidence for another class" in line]
    assert "explain.py image=kitchen target=" in hint
    assert "target=kitchen" not in hint
    (run,) = tmp_path.glob("outputs/*/*")
    assert [panel.name for panel in (run / "explanations").iterdir()] == ["kitchen.png"]
    (row,) = rows(run / "explanations.csv")
    assert list(row)[:4] == ["image", "prediction", "softmax", "confidence"]
    assert (row["image"], row["prediction"]) == ("kitchen", "kitchen")


def test_methods_are_graded_by_the_true_effects_of_objects(checkpoint: Path, tmp_path: Path) -> None:
    few = ("ground_truth.images=2", "ground_truth.repeated_images=1", "ground_truth.resamples=20")
    methods = ("ground_truth.methods=[gradcam]", "ground_truth.others=[captum.attr.Saliency]")
    result = run_app("explain", "ground_truth=true", f"ckpt={checkpoint}", *few, *methods, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "ground truth: 2 rooms" in result.stdout
    assert re.search("^trust ", result.stdout, re.MULTILINE)
    (run,) = tmp_path.glob("outputs/*/*")
    found = json.loads((run / "ground_truth.json").read_text())
    assert [grade["method"] for grade in found["grades"]][-3:] == ["oracle", "random", "constant"]
    assert found["grades"][-3]["skill"] == pytest.approx(1)
    assert {row["method"] for row in rows(run / "ground_truth.csv")} == {grade["method"] for grade in found["grades"]}
    for name in ("grades", "cost", "rooms"):
        assert np.asarray(Image.open(run / f"ground_truth_{name}.png")).std() > 20


@pytest.mark.parametrize(
    ("typed", "start"),
    [
        ("explain.py", "python explain.py"),
        ("/usr/bin/deepdream-explain", "deepdream-explain"),
        ("/usr/bin/deepdream", "deepdream explain"),
        ("/site-packages/deepdream/__main__.py", "python -m deepdream explain"),
    ],
)
def test_hints_begin_as_the_command_was_typed(monkeypatch: pytest.MonkeyPatch, typed: str, start: str) -> None:
    monkeypatch.setattr(sys, "argv", [typed, "image=x.jpg"])
    assert invocation("explain") == start


def test_explanations_are_named_after_their_image_alone_or_in_a_folder(tmp_path: Path) -> None:
    names = {
        "room.jpg": "room",
        "a.v2.png": "a.v2",
        "inner/room.png": "inner_room",
        "two.png": "two.png",
        "two.jpg": "two.jpg",
        "Same.png": "Same.png",
        "same.jpg": "same.jpg",
        "b/c.png": "b/c.png",
        "b_c.png": "b_c.png",
    }
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(images_below(str(tmp_path / "a.v2.png"))) == ["a.v2"]
    assert list(images_below("kitchen")) == ["kitchen"]
    found = {str(Path(path).relative_to(tmp_path)): name for name, path in images_below(str(tmp_path)).items()}
    assert found == names
