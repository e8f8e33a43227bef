from pathlib import Path

import pytest

from deepdream.scenes import DataConfig
from deepdream.scenes.layout import read_data, read_list, read_lists
from tests.scenes.layout import write_scenes

MIT67 = Path(__file__).parents[3] / "shared" / "mit67"


def test_classes_are_what_the_lists_name_sorted(tmp_path: Path) -> None:
    write_scenes(tmp_path, {"pantry": (2, 1), "bar": (3, 2)})
    (tmp_path / "Images" / "unlisted").mkdir()
    lists = read_lists(tmp_path)
    assert lists.classes == ("bar", "pantry")
    assert (len(lists.train), len(lists.test)) == (5, 3)
    assert lists.label("pantry/train_0.png") == 1


def test_the_public_copy_that_nests_the_images_is_found(tmp_path: Path) -> None:
    write_scenes(tmp_path / "indoorCVPR_09", {"bar": (2, 1)})
    (tmp_path / "indoorCVPR_09" / "TrainImages.txt").rename(tmp_path / "TrainImages.txt")
    (tmp_path / "indoorCVPR_09" / "TestImages.txt").rename(tmp_path / "TestImages.txt")
    assert len(read_lists(tmp_path).train) == 2


def test_a_missing_root_names_the_layout_and_the_download_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist; expected there: Images/<class>/<file>") as caught:
        read_lists(tmp_path / "nowhere")
    assert "python -m deepdream download --root DIR" in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no Images folder"):
        read_lists(tmp_path)


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(FileNotFoundError, match="which is not a folder"):
        read_lists(tmp_path / "root")


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lists_of_any_system_and_names_of_any_script_are_read(tmp_path: Path, end: str, mark: str) -> None:
    names = ("bar/Küche \u2028 é.jpg", "bar/台所.jpg")
    path = tmp_path / "TrainImages.txt"
    path.write_bytes((mark + end.join(names) + end).encode())
    assert read_list(path) == names


def test_a_list_in_another_encoding_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "TrainImages.txt"
    path.write_bytes(b"bar/caf\xe9.jpg")
    with pytest.raises(ValueError, match=r"TrainImages\.txt is not text in UTF-8 \(byte 7\)"):
        read_list(path)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    write_scenes(tmp_path, {"bar": (2, 1)})
    (tmp_path / "TestImages.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"TestImages\.txt is missing"):
        read_lists(tmp_path)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("", "bar/test_0.png", "is empty"),
        ("bar/train_0.png\nbar", "bar/test_0.png", "line 2 is 'bar'"),
        ("../bar", "bar/test_0.png", "line 1 is '../bar'"),
        ("bar/train_0.png\nbar/train_0.png", "bar/test_0.png", "1 images twice"),
        ("bar/train_0.png", "bar/train_0.png", "in both lists"),
        ("bar/train_0.png", "pub/test_0.png", "no image of pub"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(tmp_path: Path, train: str, test: str, message: str) -> None:
    write_scenes(tmp_path, {"bar": (2, 1)})
    (tmp_path / "TrainImages.txt").write_text(train)
    (tmp_path / "TestImages.txt").write_text(test)
    with pytest.raises(ValueError, match=message):
        read_lists(tmp_path)


def test_listed_images_that_are_missing_are_counted(tmp_path: Path) -> None:
    write_scenes(tmp_path, {"bar": (3, 1)})
    (tmp_path / "Images" / "bar" / "train_1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 4 listed images are not in .*bar/train_1\.png"):
        read_lists(tmp_path)


def write_miniplaces(root: Path) -> Path:
    """Three classes in MiniPlaces' layout; 1 of 9 training images is absent."""
    images = [f"train/{name}/{k:08d}.jpg" for name in ("a/abbey", "b/bakery/shop", "c/coast") for k in (1, 2, 3)]
    tests = [f"val/{k:08d}.jpg" for k in range(1, 5)]
    for entry in [*images[:-1], *tests]:
        (root / "images" / entry).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / entry).write_bytes(b"x")
    (root / "train.txt").write_text("".join(f"{entry} {k // 3}\n" for k, entry in enumerate(images)))
    (root / "val.txt").write_text(
        "".join(f"{entry} {label}\n" for entry, label in zip(tests, (2, 0, 1, 1), strict=True))
    )
    return root


@pytest.mark.parametrize("nested", [False, True], ids=["official", "nested in data"])
def test_a_copy_of_miniplaces_is_read_in_place(tmp_path: Path, nested: bool) -> None:
    write_miniplaces(tmp_path / "data" if nested else tmp_path)
    config = DataConfig.preset("miniplaces", root=str(tmp_path))
    lists = read_data(config)
    assert lists.classes == ("abbey", "bakery_shop", "coast")
    assert (len(lists.train), len(lists.test)) == (8, 4)
    assert [lists.label(entry) for entry in lists.test] == [2, 0, 1, 1]
    assert lists.notes == (f"1 of 13 listed images are not in {lists.images}; they are skipped",)
    config.allow_missing = False
    with pytest.raises(FileNotFoundError, match=r"1 of 13 listed images.*data\.allow_missing=true skips them"):
        read_data(config)


def test_numbered_classes_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    train = [f"all/{k:02d}.jpg {k}" for k in (10, 2, 1)]
    (tmp_path / "images" / "all").mkdir()
    for line in [*train, "all/test.jpg 2"]:
        (tmp_path / "images" / line.partition(" ")[0]).write_bytes(b"x")
    (tmp_path / "TrainImages.txt").write_text("\n".join(train))
    (tmp_path / "TestImages.txt").write_text("all/test.jpg 2")
    lists = read_lists(tmp_path)
    assert lists.classes == ("1", "2", "10")
    assert lists.label("all/test.jpg") == 1


@pytest.mark.skipif(not MIT67.exists(), reason="the official lists are not beside this checkout (../shared/mit67)")
def test_the_official_lists_with_few_images_give_the_number_of_missing_ones_and_their_source() -> None:
    with pytest.raises(FileNotFoundError, match=r"6\d\d\d of 6700 listed images are not in") as caught:
        read_lists(MIT67)
    assert "data.root, downloads MIT Indoor Scenes (2.4 GB) from http://web.mit.edu/torralba/" in str(caught.value)
