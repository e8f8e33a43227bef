import csv
from pathlib import Path

import pytest

from deepdream.evaluating.sweeps import by_setting, main, read_sweeps


def write_run(folder: Path, overrides: list[str], accuracies: list[tuple[float, float]]) -> None:
    """A run as train.py leaves it: its overrides, and (val, test) of each epoch."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {override}\n" for override in overrides))
    if accuracies:
        rows = [f"{epoch},{val},{test}\n" for epoch, (val, test) in enumerate(accuracies)]
        (folder / "metrics.csv").write_text("epoch,val/accuracy,test/accuracy\n" + "".join(rows))


@pytest.fixture
def sweeps(tmp_path: Path) -> tuple[Path, Path]:
    """Two sweeps, one for each seed, of two settings; of the worse one the second run failed."""
    one, two = tmp_path / "one", tmp_path / "two"
    write_run(one / "0", ["loss=bce", "data.root=x", "seed=0"], [(0.2, 0.9), (0.4, 0.5)])
    write_run(one / "1", ["loss=cosine", "data.root=x", "seed=0"], [(0.45, 0.3)])
    write_run(two / "0", ["loss=bce", "data.root=x", "seed=1"], [(0.6, 0.7), (0.5, 0.1)])
    write_run(two / "1", ["loss=cosine", "data.root=x", "seed=1"], [])
    return one, two


def test_runs_that_differ_in_the_seed_alone_are_one_setting_with_their_mean(sweeps: tuple[Path, Path]) -> None:
    best, worse = by_setting(read_sweeps(*sweeps))
    assert (best.values, worse.values) == ({"loss": "bce"}, {"loss": "cosine"})
    assert best.mean("val") == pytest.approx(0.5)
    assert best.mean("test") == pytest.approx(0.6)  # of the epochs that are best on held-out pictures
    assert best.deviation("val") == pytest.approx(0.02**0.5)
    assert [run.name for run in best.runs] == ["two/0", "one/0"]
    assert (worse.mean("val"), worse.deviation("val"), len(worse.runs)) == (0.45, None, 2)


def test_the_command_writes_every_run_every_setting_and_a_picture(
    sweeps: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(map(str, sweeps))) == 0
    assert "settings.csv" in capsys.readouterr().out
    settings = list(csv.DictReader((sweeps[0] / "settings.csv").open()))
    assert [row["loss"] for row in settings] == ["bce", "cosine"]
    assert settings[0]["test/accuracy"] == "0.6000"
    runs = list(csv.DictReader((sweeps[0] / "comparison.csv").open()))
    assert [row["run"] for row in runs] == ["two/0", "one/1", "one/0", "two/1"]
    assert (sweeps[0] / "comparison.png").stat().st_size > 10_000


def test_one_run_is_a_sweep_too(tmp_path: Path) -> None:
    write_run(tmp_path / "0", ["seed=3"], [(0.2, 0.1)])
    (setting,) = by_setting(read_sweeps(tmp_path))
    assert (setting.values, setting.mean("val")) == ({}, 0.2)
