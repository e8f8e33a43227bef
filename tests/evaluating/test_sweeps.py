import csv
from pathlib import Path

import pytest

from deepdream.evaluating.sweeps import group_by_setting, read_sweeps, write_comparison


def write_run(folder: Path, overrides: list[str], accuracies: list[tuple[float, float]]) -> None:
    """The files of a run of train.py: its overrides, and the accuracies (val, test) of each epoch."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {override}\n" for override in overrides))
    if accuracies:
        rows = [f"{epoch},{val},{test}\n" for epoch, (val, test) in enumerate(accuracies)]
        (folder / "metrics.csv").write_text("epoch,val/accuracy,test/accuracy\n" + "".join(rows))


@pytest.fixture
def sweeps(tmp_path: Path) -> tuple[Path, Path]:
    """Two sweeps of two settings, one sweep per seed; the second run of the worse setting failed."""
    one, two = tmp_path / "one", tmp_path / "two"
    write_run(one / "0", ["loss=bce", "data.root=x", "seed=0"], [(0.2, 0.9), (0.4, 0.5)])
    write_run(one / "1", ["loss=cosine", "data.root=x", "seed=0"], [(0.45, 0.3)])
    write_run(two / "0", ["loss=bce", "data.root=x", "seed=1"], [(0.6, 0.7), (0.5, 0.1)])
    write_run(two / "1", ["loss=cosine", "data.root=x", "seed=1"], [])
    return one, two


def test_runs_that_differ_only_in_the_seed_are_one_setting_with_their_mean(sweeps: tuple[Path, Path]) -> None:
    best, worse = group_by_setting(read_sweeps(*sweeps))
    assert (best.values, worse.values) == ({"loss": "bce"}, {"loss": "cosine"})
    assert best.mean("val") == pytest.approx(0.5)
    assert best.mean("test") == pytest.approx(0.6)  # in the epochs with the best validation accuracy
    assert best.deviation("val") == pytest.approx(0.02**0.5)
    assert [run.name for run in best.runs] == ["two/0", "one/0"]
    assert (worse.mean("val"), worse.deviation("val"), len(worse.runs)) == (0.45, None, 2)


def test_comparison_has_a_row_per_run_and_a_row_per_setting(sweeps: tuple[Path, Path], tmp_path: Path) -> None:
    written = write_comparison(read_sweeps(*sweeps), tmp_path, title="4 runs")
    assert [path.name for path in written] == ["comparison.csv", "settings.csv", "comparison.png"]
    settings = list(csv.DictReader((tmp_path / "settings.csv").open()))
    assert [row["loss"] for row in settings] == ["bce", "cosine"]
    assert settings[0]["test/accuracy"] == "0.6000"
    runs = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert [row["run"] for row in runs] == ["two/0", "one/1", "one/0", "two/1"]
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


@pytest.mark.filterwarnings("error")
def test_runs_without_results_can_be_compared(tmp_path: Path) -> None:
    for run, lr in enumerate((0.1, 0.2)):
        write_run(tmp_path / str(run), [f"optimizer.lr={lr}"], [])
    write_comparison(read_sweeps(tmp_path), tmp_path, title="2 runs")
    lines = (tmp_path / "settings.csv").read_text().splitlines()
    assert lines[0] == "optimizer.lr,runs,val/accuracy,val/deviation,test/accuracy,test/deviation"
    assert sorted(lines[1:]) == ["0.1,1,,,,", "0.2,1,,,,"]


def test_a_sweep_may_have_a_single_run(tmp_path: Path) -> None:
    write_run(tmp_path / "0", ["seed=3"], [(0.2, 0.1)])
    (setting,) = group_by_setting(read_sweeps(tmp_path))
    assert (setting.values, setting.mean("val")) == ({}, 0.2)
