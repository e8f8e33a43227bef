"""python -m deepdream compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepdream.apps.compare import main
from tests.evaluating.test_sweeps import write_run


def test_compare_prints_the_settings_and_writes_into_the_first_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        for run, loss in enumerate(("bce", "cosine")):
            overrides = [f"loss={loss}", f"seed={seed}"]
            write_run(tmp_path / str(seed) / str(run), overrides, [(0.2 + 0.1 * run + 0.2 * seed, 0.1)])
    assert main(["0", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.index("cosine") < printed.index("bce")
    assert "0.4000" in printed  # the mean of 0.3 and 0.5
    assert "0.1414" in printed  # and their standard deviation
    assert printed.splitlines()[-1] == (
        "written: 0/comparison.csv, 0/settings.csv, 0/comparison.png, 0/comparison.html"
    )
    assert {path.name for path in (tmp_path / "0").iterdir()} >= {"comparison.csv", "settings.csv", "comparison.png"}


def test_folder_without_runs_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {tmp_path} has no runs; give the folder of a sweep, multirun/<date>/<time>"
