"""python -m deepdream folders: what it prints, and how it fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deepdream.apps.class_folders import main
from tests.scenes.test_class_folders import write_photos


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("nowhere", "is not a folder; name one that holds"),
        ("flat", "holds no folder with photos; it needs one for each class"),
        ("one", "class attic has only 1 photo"),
        ("share", "test_share is 1.5; it must be more than 0 and less than 1"),
        ("full", "is not empty; name a new folder"),
        ("unknown", "has classes that .* lacks: cellar"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    case: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "set"
    counts = {"flat": {}, "one": {"attic": 1}}.get(case, {"attic": 4})
    photos = tmp_path / "photos"
    if case != "nowhere":
        photos.mkdir()
        write_photos(photos, counts)
    arguments = [str(photos), "--root", str(root)]
    if case == "share":
        arguments += ["--test-share", "1.5"]
    elif case == "full":
        root.mkdir()
        (root / "mine").write_text("x")
    elif case == "unknown":
        arguments += ["--test", str(write_photos(tmp_path / "more", {"cellar": 2}))]
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert not root.exists() or [p.name for p in root.iterdir()] == ["mine"]


def test_the_command_prints_the_size_of_the_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = write_photos(tmp_path / "photos", {"attic": 10, "über uns": 5})
    assert main([str(photos), "--root", str(tmp_path / "set")]) == 0
    assert "2 classes, 12 training photos, 3 test photos" in capsys.readouterr().out
