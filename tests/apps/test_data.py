"""python -m deepdream data: what it prints and plots, and how it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from deepdream.apps.evaluate import data_of
from deepdream.models import Network
from tests.conftest import run_app
from tests.scenes.layout import write_scenes

SMALL = ("data.image_size=32", "data.resize=36", "data.val_per_class=3", "data.batch_size=8", "data.workers=0")


def test_plots_are_written_and_images_counted(tmp_path: Path) -> None:
    root = write_scenes(tmp_path / "rooms", {"bar": (9, 3), "library": (12, 4)}, size=(64, 48))
    (root / "Images" / "bar" / "train_0.png").write_bytes(b"")
    result = run_app("data", "plots=true", "augment=strong", f"data.root={root}", *SMALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "2 classes; 14 train, 6 val, 7 test" in result.stdout
    assert "skipped: 1" in result.stdout
    for name in ("raw", "augmented", "class_counts", "image_sizes"):
        image = np.asarray(Image.open(tmp_path / "outputs" / "scenes" / f"{name}.png").convert("L"))
        assert image.std() > 5, f"{name} is blank"


def test_without_plots_there_are_only_counts(tmp_path: Path) -> None:
    root = write_scenes(tmp_path / "rooms", {"bar": (9, 3), "library": (12, 4)})
    result = run_app("data", f"data.root={root}", "output=elsewhere", *SMALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    first, *rest = result.stdout.splitlines()[-4:]
    assert first == f"{root}: 2 classes; 15 train, 6 val, 7 test"
    assert rest[:2] == ["  ok: 28", "  training images of a class: 6 to 9"]
    mean = np.mean([np.asarray(Image.open(path)) for path in root.glob("Images/*/train_*.png")], axis=(0, 1, 2)) / 255
    found = [float(value) for value in rest[2].partition("data.mean=[")[2].partition("]")[0].split(",")]
    assert np.allclose(found, mean, atol=0.06), "of 15 of the 21 images"
    assert not list((tmp_path / "elsewhere").glob("*.png"))
    assert not (tmp_path / "outputs" / "scenes").exists()


def test_near_duplicates_are_listed_and_plotted(tmp_path: Path) -> None:
    root = write_scenes(tmp_path / "rooms", {"bar": (9, 3), "library": (12, 4)})
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)).resize((64, 48))
    for name, size in (("bar/train_3.png", (64, 48)), ("library/testi_1.png", (40, 40))):
        noise.resize(size).save(root / "Images" / name)
    result = run_app("data", "plots=true", f"data.root={root}", *SMALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "1 training images are near-duplicates of test images; data.drop_duplicates=true leaves" in result.stdout
    table = (tmp_path / "outputs" / "scenes" / "duplicates.csv").read_text().splitlines()
    assert table == ["train,test,bits", "bar/train_3.png,library/testi_1.png,0"]
    assert (tmp_path / "outputs" / "scenes" / "duplicates.png").is_file()


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ("data.rot=x", ["data.rot", "data.root"]),
        ("data=romms", ["romms", "rooms"]),
        ("dta=rooms", ["dta"]),
        ("augment.flip=2", ["augment.flip is 2.0; it must be between 0 and 1"]),
    ],
)
def test_a_mistake_is_one_line(argument: str, parts: list[str], tmp_path: Path) -> None:
    result = run_app("data", argument, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


def test_the_data_record_of_version_0_1_0_is_understood(tmp_path: Path) -> None:
    """Its checkpoints keep the former names of keys."""
    root = write_scenes(tmp_path / "rooms", {"bar": (9, 3), "library": (12, 4)})
    record = {"store": True, "store_size": 40, "cache": str(tmp_path / "cache"), "val_per_class": 2, "batch_size": 6}
    record |= {"image_size": 32, "resize": 36, "rooms": None, "seed": 0, "fingerprint": ""}
    half = (0.5, 0.5, 0.5)
    network = Network(nn.Identity(), ["bar", "library"], half, half, 32, "mine", hyper_parameters={"data": record})
    data = data_of(network, root=str(root), workers=0)
    assert (data.batch_size, len(data.split("val"))) == (6, 4)
    assert [path.name for path in (tmp_path / "cache").glob("rooms-40-*")]
