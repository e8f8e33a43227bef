import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream.scenes import SceneDataModule
from deepdream.scenes.config import AugmentConfig
from deepdream.scenes.data_plots import batch_sheet, draw_counts, draw_sizes, raw_sheet
from deepdream.schema import preset
from tests.scenes.layout import write_scenes


@pytest.fixture
def data(tmp_path: Path) -> SceneDataModule:
    root = write_scenes(tmp_path / "rooms", {"bar": (9, 3), "library": (12, 4)}, size=(64, 48))
    return SceneDataModule(root, image_size=32, resize=36, val_per_class=3, batch_size=8, workers=0)


def _show(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deepdream.scenes", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=240)


def test_show_writes_four_pictures_and_counts_aloud(data: SceneDataModule, tmp_path: Path) -> None:
    (data.root / "Images" / "bar" / "train_0.png").write_bytes(b"")
    result = _show(
        "--show",
        "augment=strong",
        f"data.root={data.root}",
        "data.image_size=32",
        "data.resize=36",
        "data.val_per_class=3",
        "data.batch_size=8",
        "data.workers=0",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "2 classes; 14 train, 6 val, 7 test" in result.stdout
    assert "left out: 1" in result.stdout
    for name in ("raw", "augmented", "class_counts", "picture_sizes"):
        picture = np.asarray(Image.open(tmp_path / "outputs" / "scenes" / f"{name}.png").convert("L"))
        assert picture.std() > 5, f"{name} is blank"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data.rot=x"], "unknown key `data.rot`. Did you mean `data.root`?"),
        (["data=romms"], "there is no preset 'romms' in data. Did you mean `rooms`?"),
        (["dta=rooms"], "'dta=rooms' is not understood; write data=CHOICE"),
        (["augment.flip=2"], "augment.flip is 2.0; it must be between 0 and 1"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = _show(*arguments, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert message in line


def test_the_raw_sheet_shows_every_class(data: SceneDataModule) -> None:
    colors = {tuple(c) for c in np.asarray(raw_sheet(data)).reshape(-1, 3).tolist()}
    assert sum((40 * label + 20, 10 * n, 90) in colors for label in range(2) for n in range(12)) >= 8


def test_a_batch_is_shown_as_it_was_before_normalisation(data: SceneDataModule) -> None:
    images = torch.full((1, 3, 128, 128), 0.25)
    normalised = (images - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
    sheet = np.asarray(batch_sheet(normalised, torch.tensor([1]), data.classes, mean=data.mean, std=data.std))
    assert (sheet == 64).all(axis=-1).sum() >= 128 * 128


def test_counts_and_sizes_are_drawn_from_what_is_there(data: SceneDataModule) -> None:
    bars = draw_counts(data).axes[0].patches
    assert [int(bar.get_width()) for bar in bars] == [6, 9, 3, 3, 3, 4]
    assert "64x48 (100%)" in draw_sizes(data.findings).axes[0].get_title(loc="left")


def test_a_choice_of_the_config_is_read_over_its_defaults() -> None:
    strong, plain = (preset(AugmentConfig, "augment", name) for name in ("strong", "plain"))
    assert strong.crop_scale == plain.crop_scale
    assert strong.trivial_augment
    assert not plain.trivial_augment
