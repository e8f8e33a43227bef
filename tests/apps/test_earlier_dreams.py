"""A folder of dreams, and from=: nothing stale, nothing lost, nothing mixed up."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from deepdream.apps.earlier_dreams import targets
from deepdream.images import noise_image
from deepdream.provenance import read_provenance
from tests.conftest import run_app

QUICK = ("ckpt=box", "dream.width=48", "dream.octaves=1", "dream.steps=1", "dream.layers=layer2", "logger=none")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number, name in enumerate(("a.jpg", "a.jpg.png", "b.png")):
        noise_image(40, 48, number).save(tmp_path / "photos" / name, format="PNG")
    return tmp_path / "photos"


def dream(folder: Path, *arguments: str) -> str:
    quick = () if arguments[0].startswith("from=") else QUICK
    result = run_app("dream", *quick, *arguments, cwd=folder)
    return result.stdout if result.returncode == 0 else result.stderr


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_folder_reuses_what_is_the_same_and_says_why_it_dreams_again(photos: Path) -> None:
    folder, made = photos.parent, photos.parent / "out"
    arguments = ("image=photos", "output=out")
    assert "dreamed 3 of 3 images" in dream(folder, *arguments)
    first = hashes(made)
    assert set(first) == {"a.jpg.png", "a.jpg.png.png", "b.png"}
    assert read_provenance(made / "a.jpg.png")["config"]["image"] == "photos/a.jpg"
    assert "3 of 3 images exist already, dreamed from the same files" in dream(folder, *arguments)
    assert hashes(made) == first
    noise_image(40, 48, 9).save(photos / "b.png")  # the photo is replaced
    assert "dreamed again: 1 of 3, b.png (image has changed)" in dream(folder, *arguments)
    second = hashes(made)
    assert [name for name in first if first[name] != second[name]] == ["b.png"]
    assert "dreamed again: 3 of 3, a.jpg.png (dream.steps was 1, is 2)" in dream(folder, *arguments, "dream.steps=2")


@pytest.mark.slow
def test_no_input_and_no_other_file_is_replaced_unless_asked(photos: Path) -> None:
    folder, before = photos.parent, hashes(photos)
    (folder / "out").mkdir()
    noise_image(40, 48, 5).save(folder / "out" / "b.png")
    other = hashes(folder / "out")
    refused = {
        ("image=photos", "output=photos"): "output is photos, which is one of the inputs",
        ("image=photos/a.jpg", "output=photos/a.jpg"): "output is photos/a.jpg, which is one of the inputs",
        ("image=photos/a.jpg", "guide=photos/b.png", "dream=guided", "output=photos/../photos/b.png"): "of the inputs",
        ("image=[photos/b.png,photos/a.jpg]", "output=photos"): "output is photos/b.png, which is one of the inputs",
        ("image=photos", "output=out"): "out/b.png is there already and holds no dream; choose another output",
    }
    for arguments, message in refused.items():
        answer = dream(folder, *arguments)
        assert message in answer
        assert len(answer.splitlines()) == 1
    assert (hashes(photos), hashes(folder / "out")) == (before, other)
    assert "dreamed 3 of 3 images" in dream(folder, "image=photos", "output=out", "overwrite=true")


def test_a_dream_of_another_folders_image_is_not_replaced(photos: Path) -> None:
    folder = photos.parent
    assert "dreamed 3 of 3" in dream(folder, "image=photos", "output=out")
    (folder / "more").mkdir()
    noise_image(40, 48, 7).save(folder / "more" / "b.png")
    assert "b.png is there already and holds the dream of photos/b.png" in dream(folder, "image=more", "output=out")


@pytest.mark.slow
def test_an_image_is_not_made_again_from_a_changed_photo(photos: Path) -> None:
    folder = photos.parent
    dream(folder, "image=photos/b.png", "output=one.png")
    assert "image:" in dream(folder, "from=one.png", "output=two.png")
    noise_image(40, 48, 9).save(photos / "b.png")
    answer = dream(folder, "from=one.png", "output=three.png")
    assert "one.png was made from another image: photos/b.png has changed since" in answer
    assert not (folder / "three.png").exists()


def test_no_two_images_share_a_file() -> None:
    names = ["a.jpg", "a.jpg.png", "a.jpg.png.png", "A.jpg", "b.png", "b.PNG"]
    found = targets([Path(name) for name in names], Path("out"))
    assert len({path.name.casefold() for path in found.values()}) == len(names)
    assert list(found) == [Path(name) for name in names]
