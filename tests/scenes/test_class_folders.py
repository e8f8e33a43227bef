from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.scenes import DataConfig, SceneDataModule
from deepdream.scenes.class_folders import write_layout
from deepdream.scenes.layout import read_lists


def write_photos(folder: Path, counts: dict[str, int], *, ending: str = ".jpg") -> Path:
    for label, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            color = (60 * label + 20, 9 * number % 256, 90)
            Image.fromarray(np.full((24, 32, 3), color, np.uint8)).save(folder / name / f"{number:03d}{ending}")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos", {"attic": 10, "über uns": 5})


def test_a_share_of_each_class_is_held_out_for_testing(photos: Path, tmp_path: Path) -> None:
    train, test = write_layout(photos, tmp_path / "set", test_share=0.2)
    assert [sum(e.startswith(c) for e in test) for c in ("attic", "über uns")] == [2, 1]
    assert len(train) == 12
    assert not set(train) & set(test)
    lists = read_lists(tmp_path / "set")
    assert lists.classes == ("attic", "über uns")
    assert set(lists.train) == set(train)


def test_the_split_follows_from_the_seed(photos: Path, tmp_path: Path) -> None:
    first, again, other = (
        write_layout(photos, tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first != other


def test_separate_test_photos_may_have_the_names_of_training_photos(photos: Path, tmp_path: Path) -> None:
    more = write_photos(tmp_path / "more", {"attic": 3})
    train, test = write_layout(photos, tmp_path / "set", test=more)
    assert (len(train), len(test)) == (15, 3)
    assert read_lists(tmp_path / "set").test == tuple(test)


@pytest.mark.parametrize("copy", [False, True])
def test_the_layout_becomes_batches_and_the_photos_stay_in_place(photos: Path, tmp_path: Path, copy: bool) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in photos.rglob("*"))
    write_layout(photos, tmp_path / "set", copy=copy)
    config = DataConfig.preset(
        root=str(tmp_path / "set"), image_size=16, resize=18, val_per_class=1, batch_size=4, workers=0
    )
    data = SceneDataModule(config)
    images, _ = next(iter(data.train_dataloader()))
    assert images.shape == (4, 3, 16, 16)
    assert sorted((p, p.stat().st_mtime_ns) for p in photos.rglob("*")) == before
    linked = [p.is_symlink() for p in (tmp_path / "set" / "Images").rglob("*.jpg")]
    assert all(linked) is not copy


def test_files_that_are_not_photos_are_ignored(photos: Path, tmp_path: Path) -> None:
    (photos / "attic" / "notes.txt").write_text("x")
    (photos / "attic" / "drawing.eps").write_text("%!PS")  # a program, which Pillow would run
    (photos / "attic" / ".hidden.jpg").write_bytes(b"")
    (photos / ".thumbnails").mkdir()
    (photos / "empty").mkdir()
    train, test = write_layout(photos, tmp_path / "set")
    assert len(train + test) == 15
