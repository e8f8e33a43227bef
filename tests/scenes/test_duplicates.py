import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from deepdream.images import read_sample
from deepdream.scenes import DataConfig, SceneDataModule
from deepdream.scenes.duplicates import MOST_BITS, Duplicate, find_duplicates, perceptual_hash

SHARED = Path(__file__).parents[3] / "shared"
FLAT = Image.new("RGB", (32, 32), (90, 20, 200))


def bits(first: Image.Image, second: Image.Image) -> int:
    return (int(perceptual_hash(first), 16) ^ int(perceptual_hash(second), 16)).bit_count()


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


@pytest.mark.parametrize("name", ["china", "flower"])
def test_copies_have_near_hashes_and_other_photos_far_ones(name: str) -> None:
    photo = read_sample(name)
    copies = [
        photo.resize((128, 128)),  # as MiniPlaces does, whatever the aspect ratio
        recompressed(photo.resize((160, 107)), 20),
        ImageEnhance.Brightness(photo).enhance(0.8),
        photo.convert("L").convert("RGB"),
    ]
    assert [bits(photo, copy) <= MOST_BITS for copy in copies] == [True] * 4
    assert bits(read_sample("china"), read_sample("flower")) > 20


def test_hashes_are_those_of_imagehash() -> None:
    imagehash = pytest.importorskip("imagehash")
    for name in ("china", "flower"):
        photo = read_sample(name)
        assert imagehash.phash(photo) - imagehash.hex_to_hash(perceptual_hash(photo)) <= 2


def test_pairs_are_found_as_by_comparing_each_with_each() -> None:
    rng = np.random.default_rng(0)
    train = {f"train/{i}": rng.bytes(8).hex() for i in range(300)}
    test = {f"test/{i}": rng.bytes(8).hex() for i in range(150)}
    distances = {(a, b): (int(train[a], 16) ^ int(test[b], 16)).bit_count() for a in train for b in test}
    found = find_duplicates(train | {"train/flat": ""}, test | {"test/flat": ""}, most_bits=20)
    assert {(pair.train, pair.test): pair.bits for pair in found} == {k: d for k, d in distances.items() if d <= 20}
    assert [pair.bits for pair in found] == sorted(pair.bits for pair in found)
    assert find_duplicates({"a": "0" * 16}, {"b": "0" * 15 + "3"}) == [Duplicate("a", "b", 2)]
    assert find_duplicates({"a": ""}, {"b": perceptual_hash(FLAT)}) == []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Noise of two classes; a test image of the first is a copy of a training image, and so is an image elsewhere."""
    rng = np.random.default_rng(1)
    for split, count in (("train", 6), ("test", 3)):
        for name in ("bar", "pub"):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for number in range(count):
                noise = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64))
                noise.save(tmp_path / "set" / split / name / f"{number}.png")
    train = tmp_path / "set" / "train"
    Image.open(train / "bar" / "0.png").resize((50, 40)).save(tmp_path / "set" / "test" / "bar" / "copy.jpg")
    (tmp_path / "other").mkdir()
    Image.open(train / "pub" / "5.png").save(tmp_path / "other" / "same.png")
    return tmp_path / "set"


def test_near_duplicates_are_reported_and_left_out_on_request(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"root": str(root), "image_size": 16, "resize": 18, "val_per_class": 1, "workers": 0}
    kept = SceneDataModule(DataConfig.preset("folder", **keys))
    kept.prepare_data()
    assert "1 training images are near-duplicates of test images; data.drop_duplicates=true" in capsys.readouterr().out
    assert [(pair.train, pair.test) for pair in kept.duplicates] == [("train/bar/0.png", "test/bar/copy.jpg")]
    other = root.with_name("other")
    data = SceneDataModule(DataConfig.preset("folder", **keys, against=[str(other)], drop_duplicates=True))
    data.prepare_data()
    assert "2 training images are near-duplicates of test images or of data.against; they" in capsys.readouterr().out
    assert {pair.test for pair in data.duplicates} == {"test/bar/copy.jpg", str(other / "same.png")}
    assert [len(kept.split(name)) for name in ("train", "val", "test")] == [10, 2, 7]
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [8, 2, 7]
    left = {path.relative_to(root).as_posix() for name in ("train", "val") for path in data.split(name).paths}
    assert not left & {"train/bar/0.png", "train/pub/5.png"}


def test_a_source_without_images_is_named(root: Path) -> None:
    data = SceneDataModule(DataConfig.preset("folder", root=str(root), against=["nowhere"]))
    with pytest.raises(
        FileNotFoundError, match=r"data\.against has nowhere, which is neither a folder with images nor"
    ):
        data.setup()


@pytest.mark.skipif(not (SHARED / "scenes6").exists(), reason="no real photos beside this checkout (../shared/scenes6)")
def test_different_real_photos_are_no_near_duplicates() -> None:
    files = sorted((SHARED / "scenes6" / "Images" / "kitchen").glob("*.jpg"))[:200]
    hashes = {file.name: perceptual_hash(Image.open(file)) for file in files}
    pairs = find_duplicates(hashes, hashes, most_bits=MOST_BITS)
    assert {(pair.train, pair.bits) for pair in pairs} == {(name, 0) for name in hashes}
