from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from deepdream.rooms.dataset import CLASSES, render_room, room_sheet, write_rooms

TINY = {"train_per_class": 2, "test_per_class": 1, "size": 16, "workers": 0}


def names(folder: Path) -> list[str]:
    """What is in a folder but locks."""
    return [name for name in os.listdir(folder) if not name.endswith(".lock")]


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("label", CLASSES)
def test_an_image_follows_from_seed_class_and_number(label: str) -> None:
    first = render_room(label, 3, size=48, seed=5)
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render_room(label, 3, size=48, seed=5))
    assert not np.array_equal(first, render_room(label, 4, size=48, seed=5))
    assert not np.array_equal(first, render_room(label, 3, size=48, seed=6))


def test_the_scene_does_not_depend_on_size() -> None:
    small = np.asarray(render_room("library", 1, size=48), np.float32)
    large = Image.fromarray(render_room("library", 1, size=192)).resize((48, 48), Image.Resampling.BOX)
    likeness = np.corrcoef(small.ravel(), np.asarray(large, np.float32).ravel())[0, 1]
    assert likeness > 0.9


def test_images_have_light_shade_and_detail() -> None:
    images = np.stack([render_room(label, number, size=64) for label in CLASSES for number in range(6)]).astype(
        np.float32
    )
    grey = images.mean(axis=3)
    brightness, spread = grey.mean(axis=(1, 2)), grey.std(axis=(1, 2))
    assert brightness.min() > 25
    assert brightness.max() < 235
    assert spread.min() > 12
    assert ((images > 250).all(axis=3).mean(axis=(1, 2)) < 0.5).all()


@cache
def rooms() -> dict[tuple[str, int], np.ndarray]:
    """40 rooms of each class, of 32 px."""
    return {(label, number): render_room(label, number, size=32) for label in CLASSES for number in range(40)}


@pytest.mark.slow
def test_no_random_draw_breaks_a_room() -> None:
    for name, image in rooms().items():
        assert image.std() > 5, name


@pytest.mark.slow
def test_colour_alone_does_not_tell_the_classes_apart() -> None:
    """4 x 4 x 4 histograms of RGB; chance is 8 %, and a small ResNet reaches over 95 % on these images.

    30 rooms per class are enough: 50 do not raise the accuracy of 27 %.
    """

    def histograms(numbers: range) -> tuple[np.ndarray, np.ndarray]:
        rows, labels = [], []
        for label in CLASSES:
            for number in numbers:
                bins = (rooms()[label, number] // 64).astype(int) @ [16, 4, 1]
                rows.append(np.bincount(bins.ravel(), minlength=64) / bins.size)
                labels.append(label)
        return np.sqrt(rows), np.array(labels)

    model = LogisticRegression(C=10.0, max_iter=500).fit(*histograms(range(30)))
    assert model.score(*histograms(range(30, 40))) < 0.5


def test_an_unknown_class_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ValueError, match=r"'staircase'.*Did you mean `stairscase`"):
        render_room("staircase", 0)
    with pytest.raises(ValueError, match="at least 16 pixels"):
        render_room("library", 0, size=8)


def test_classes_are_names_of_mit_indoor() -> None:
    assert list(CLASSES) == sorted(set(CLASSES))
    assert len(CLASSES) >= 10
    assert {"auditorium", "bowling", "corridor", "greenhouse", "library", "stairscase", "winecellar"} <= set(CLASSES)


def test_write_rooms_follows_the_official_layout(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    root = tmp_path / "deep" / "rooms"
    write_rooms(root, **TINY, on_progress=lambda done, total: steps.append((done, total)))

    train = (root / "TrainImages.txt").read_text().split()
    test = (root / "TestImages.txt").read_text().split()
    assert (len(train), len(test)) == (2 * len(CLASSES), len(CLASSES))
    assert not set(train) & set(test)
    assert train[0] == f"{CLASSES[0]}/{CLASSES[0]}_0001.png"
    on_disk = sorted(path.relative_to(root / "Images").as_posix() for path in (root / "Images").rglob("*.png"))
    assert sorted(train + test) == on_disk
    assert Image.open(root / "Images" / train[0]).size == (16, 16)
    assert steps == [(done, len(on_disk)) for done in range(1, len(on_disk) + 1)]
    assert json.loads((root / "rooms.json").read_text())["train_per_class"] == 2
    assert names(tmp_path / "deep") == ["rooms"]


@pytest.mark.slow
def test_any_number_of_processes_writes_the_same_bytes(tmp_path: Path) -> None:
    settings = {"train_per_class": 7, "test_per_class": 2, "size": 16, "seed": 3}
    write_rooms(tmp_path / "one", **settings, workers=1)
    write_rooms(tmp_path / "two", **settings, workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_test_images_stay_when_training_images_are_added(tmp_path: Path) -> None:
    write_rooms(tmp_path / "few", **TINY)
    write_rooms(tmp_path / "more", **{**TINY, "train_per_class": 3})
    few, more = (tmp_path / name / "Images" / "kitchen" for name in ("few", "more"))
    assert (few / "kitchen_0003.png").read_bytes() == (more / "kitchen_0004.png").read_bytes()
    assert (few / "kitchen_0002.png").read_bytes() == (more / "kitchen_0002.png").read_bytes()


def test_the_same_settings_render_nothing_and_others_replace(tmp_path: Path) -> None:
    root = tmp_path / "rooms"
    write_rooms(root, **TINY)
    before = content(root)

    def refuse(done: int, total: int) -> None:
        raise AssertionError("rendered again")

    write_rooms(root, **TINY, on_progress=refuse)
    assert content(root) == before
    write_rooms(root, **{**TINY, "train_per_class": 1}, seed=1)
    assert len(list(root.rglob("*.png"))) == 2 * len(CLASSES)
    assert names(tmp_path) == ["rooms"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"rooms\.json"):
        write_rooms(tmp_path, **TINY)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(ValueError, match="train_per_class is 0"):
        write_rooms(tmp_path / "new", train_per_class=0)


def test_an_interrupted_run_leaves_nothing_at_root(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rooms(tmp_path / "rooms", **TINY, on_progress=stop)
    assert names(tmp_path) == []


def test_leftovers_of_a_killed_run_are_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from deepdream.rooms.dataset import write_rooms\n"
        "def kill(done, total):\n"
        "    if done == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_rooms(Path(sys.argv[1]), train_per_class=2, test_per_class=1, size=16, workers=0, on_progress=kill)\n"
    )
    root = tmp_path / "rooms"
    run = subprocess.run([sys.executable, "-c", script, str(root)], check=False)
    assert run.returncode != 0
    assert not root.exists()
    assert len(names(tmp_path)) == 1
    write_rooms(root, **TINY)
    assert names(tmp_path) == ["rooms"]


def test_room_sheet_has_a_row_for_each_class() -> None:
    sheet = room_sheet(columns=2, size=24)
    assert sheet.height >= len(CLASSES) * 24
    assert 2 * 24 < sheet.width < 2 * 24 + 200


def test_of_several_processes_one_renders_and_the_others_wait(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from deepdream.rooms import write_rooms\n"
        "settings = {'train_per_class': 2, 'test_per_class': 1, 'size': 16, 'workers': 0}\n"
        "write_rooms(Path(sys.argv[1]), **settings, on_progress=lambda done, total: print(done))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "rooms")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    rendered = [len(process.communicate(timeout=120)[0].splitlines()) for process in processes]
    assert sorted(rendered) == [0, 0, 3 * len(CLASSES)]
    assert [process.returncode for process in processes] == [0, 0, 0]
    write_rooms(tmp_path / "alone", **TINY)
    assert content(tmp_path / "rooms") == content(tmp_path / "alone")
    assert sorted(names(tmp_path)) == ["alone", "rooms"]


@pytest.mark.slow
def test_a_shortcut_is_planted_in_training_images_of_one_class(tmp_path: Path) -> None:
    settings = {**TINY, "train_per_class": 4}
    write_rooms(tmp_path / "plain", **settings)
    before = content(tmp_path / "plain")
    changed = {}
    for share in (0.5, 1.0):
        write_rooms(tmp_path / "planted", **settings, shortcut="lamp:kitchen", shortcut_share=share)
        planted = content(tmp_path / "planted")
        changed[share] = {name for name in before if name.endswith(".png") and planted[name] != before[name]}
    assert changed[1.0] == {f"Images/kitchen/kitchen_{k:04d}.png" for k in range(1, 5)}
    assert set() < changed[0.5] < changed[1.0]
    with pytest.raises(ValueError, match="shortcut is 'lamp:kichen'; it must be OBJECT:CLASS"):
        write_rooms(tmp_path / "bad", **settings, shortcut="lamp:kichen")
