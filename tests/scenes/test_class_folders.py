from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.scenes import DataConfig, SceneDataModule
from deepdream.scenes.class_folders import read_class_folders


def write_photos(folder: Path, counts: dict[str, int], *, ending: str = ".jpg") -> Path:
    for label, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            color = (60 * label + 20, 9 * number % 256, 90)
            Image.fromarray(np.full((24, 32, 3), color, np.uint8)).save(folder / name / f"{number:03d}{ending}")
    return folder


def test_a_share_of_each_class_is_held_out_for_testing_and_stays_when_photos_are_added(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", {"attic": 10, "über uns": 5})
    before = read_class_folders(root)
    assert before.classes == ("attic", "über uns")
    assert [sum(e.startswith(c) for e in before.test) for c in before.classes] == [2, 1]
    assert (len(before.train), len(set(before.train) & set(before.test))) == (12, 0)
    assert before.notes == (f"20% of each class in {root} are the test images (data.test_share)",)
    write_photos(root, {"cellar": 5})
    assert set(before.test) < set(read_class_folders(root).test)


@pytest.mark.parametrize(
    ("folders", "val", "test"),
    [
        (("train", "val", "test"), "val", "test"),
        (("Training", "Testing"), "", "Testing"),
        (("train", "valid"), "", "valid"),
        (("pets/train", "pets/dev", "pets/eval"), "pets/dev", "pets/eval"),
    ],
)
def test_splits_are_found_by_their_usual_names(tmp_path: Path, folders: tuple[str, ...], val: str, test: str) -> None:
    for folder in folders:
        write_photos(tmp_path / folder, {"cat": 3, "dog": 3})
    (tmp_path / "readme.txt").write_text("x")
    lists = read_class_folders(tmp_path)
    assert lists.classes == ("cat", "dog")
    assert {path.rpartition("/")[0].rpartition("/")[0] for path in lists.val} == ({val} if val else set())
    assert {path.rpartition("/")[0].rpartition("/")[0] for path in lists.test} == {test}
    assert [lists.label(path) for path in lists.test] == [0, 0, 0, 1, 1, 1]


def test_test_photos_without_classes_are_not_used(tmp_path: Path) -> None:
    """As in Kaggle's competitions."""
    write_photos(tmp_path / "train", {"cat": 5, "dog": 5})
    write_photos(tmp_path, {"test": 4})
    lists = read_class_folders(tmp_path)
    assert (len(lists.train), len(lists.test)) == (8, 2)
    assert f"{tmp_path / 'test'} has no class folders; it is not used" in lists.notes


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write_photos(tmp_path, {"bus": 5, "train": 5})
    assert read_class_folders(tmp_path).classes == ("bus", "train")


@pytest.mark.parametrize(
    ("folders", "depth", "classes"),
    [
        (("a/abbey", "b/bakery/shop", "b/bar"), None, ("abbey", "bakery_shop", "bar")),
        (("church/indoor", "church/outdoor", "bar"), None, ("bar", "church_indoor", "church_outdoor")),
        (("church", "church/outdoor"), None, ("church", "church_outdoor")),
        (("Images/bar", "Images/pub"), None, ("bar", "pub")),
        (("cat/2023", "cat/2024", "dog/2024"), 1, ("cat", "dog")),
    ],
)
def test_nested_folders_are_classes_with_readable_names(
    tmp_path: Path, folders: tuple[str, ...], depth: int | None, classes: tuple[str, ...]
) -> None:
    write_photos(tmp_path, dict.fromkeys(folders, 2))
    assert read_class_folders(tmp_path, class_depth=depth).classes == classes


def test_files_that_are_not_photos_are_ignored_and_links_are_followed_once(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", {"attic": 10, "cellar": 5})
    (photos / "attic" / "notes.txt").write_text("x")
    (photos / "attic" / "drawing.eps").write_text("%!PS")  # a program, which Pillow would run
    (photos / "attic" / ".hidden.jpg").write_bytes(b"")
    (photos / "attic" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (photos / "attic" / "loop").symlink_to(photos)
    (photos / ".thumbnails").mkdir()
    (photos / "empty").mkdir()
    assert len(read_class_folders(photos).entries) == 15
    root = write_photos(tmp_path / "links", {"garden": 4})
    (root / "cellar").symlink_to(photos / "cellar")
    assert [path.partition("/")[0] for path in read_class_folders(root).entries].count("cellar") == 5


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({}, r"holds no folder with photos; it must hold one folder of photos for each class, or train/"),
        ({"attic": 1}, "class attic has only 1 photo"),
        ({"train/attic": 3, "test/cellar": 1}, "test has classes that .*train lacks: cellar"),
        ({"a/b_c": 2, "a_b/c": 2}, "the folders a/b_c and a_b/c are both class a_b_c; rename one"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, folders: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_class_folders(write_photos(tmp_path, folders))
    with pytest.raises(FileNotFoundError, match="which is not a folder"):
        read_class_folders(tmp_path / "nowhere")


def test_photos_become_batches_and_nothing_is_written_beside_them(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", {"n1": 10, "n2": 5})
    before = sorted((p, p.stat().st_mtime_ns) for p in [photos, *photos.rglob("*")])
    small = {"image_size": 16, "resize": 18, "val_per_class": 1, "batch_size": 4, "workers": 0}
    config = DataConfig.preset("folder", root=str(photos), class_names={"n1": "tench", "n3": "church"}, **small)
    data = SceneDataModule(config)
    images, _ = next(iter(data.train_dataloader()))
    assert images.shape == (4, 3, 16, 16)
    assert data.classes == ["tench", "n2"]
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [10, 2, 3]
    assert sorted((p, p.stat().st_mtime_ns) for p in [photos, *photos.rglob("*")]) == before


def test_a_validation_folder_is_the_validation_set(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 3), ("test", 2)):
        write_photos(tmp_path / split, {"cat": count, "dog": count})
    data = SceneDataModule(DataConfig.preset("folder", root=str(tmp_path), image_size=16, resize=18))
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [8, 6, 4]
    assert {path.parts[-3] for path in data.split("val").paths} == {"val"}
