from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deepdream import console
from deepdream.console import invocation
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ("train.py", "python dream.py"),
        (f"{ROOT}/train.py", "python dream.py"),
        ("/usr/local/bin/deepdream-train", "deepdream-dream"),
        ("/usr/local/bin/deepdream", "deepdream dream"),
        (f"{Path(console.__file__).parent}/__main__.py", "python -m deepdream dream"),
        (f"{Path(console.__file__).parent}/apps/train.py", "python -m deepdream dream"),
        ("/usr/bin/pytest", "python -m deepdream dream"),
    ],
)
def test_a_hint_names_the_command_in_the_way_the_user_started_this_one(
    started: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [started])
    assert invocation("dream") == expected


def test_a_hint_from_another_folder_has_the_path_of_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{ROOT}/train.py"])
    assert invocation("dream") == f"python {ROOT / 'dream.py'}"


def test_an_error_is_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_error("no file \x1b[2J\nhere " + "x" * 5_000)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: no file \\x1b[2J here")
    assert line.isprintable()
    assert len(line) < 1_100
