"""Sweeps of whole runs: each job alone, in its own folder, with its own values."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from PIL import Image

from deepdream.apps.compare import main as compare
from tests.conftest import ROOT, TINY, data_of, run_app

QUICK = [*TINY, "evaluate=false", "trainer.limit_val_batches=1"]
RATES = {1: ("-1", "0.1"), 2: ("0.01", "-1", "0.1")}  # of the jobs, by the number of processes of each; -1 fails


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow)], ids="devices={}".format)
def devices(request: pytest.FixtureRequest) -> int:
    """The number of processes of each job; the start of a second one takes half a minute."""
    return int(request.param)


@pytest.fixture(scope="module")
def sweep(devices: int, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A sweep, one of whose jobs fails: its folder, exit status, and what it printed."""
    folder = tmp_path_factory.mktemp("sweep")
    result = run_app(
        "train",
        "-m",
        *QUICK,
        *data_of(trained),
        f"trainer.devices={devices}",
        "hydra.sweep.dir=multirun/day/time",
        f"optimizer.lr={','.join(RATES[devices])}",
        "+callbacks.ranks._target_=tests.apps.ranks.WhatEachTrained",
        cwd=folder,
        PYTHONPATH=str(ROOT),
        OMP_NUM_THREADS="1",
    )
    return folder / "multirun" / "day" / "time", result.returncode, result.stdout + result.stderr


def test_every_process_of_a_job_trains_its_values_in_its_folder(devices: int, sweep: tuple[Path, int, str]) -> None:
    folder, _, printed = sweep
    for job, lr in enumerate(RATES[devices]):
        if lr == "-1":
            continue
        files = sorted((folder / str(job)).glob("rank_*.txt"))
        assert [path.name for path in files] == [f"rank_{rank}.txt" for rank in range(devices)], printed
        assert {path.read_text() for path in files} == {f"{lr} {folder / str(job)}"}
        assert torch.load(folder / str(job) / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 0
    assert {path.name for path in folder.parents[1].iterdir()} == {"day"}
    assert not (folder.parents[2] / "outputs").exists()


def test_a_job_that_fails_leaves_the_others_alone_and_its_traceback_in_its_folder(
    devices: int, sweep: tuple[Path, int, str]
) -> None:
    folder, status, printed = sweep
    failed = RATES[devices].index("-1")
    assert status == 1, printed
    assert printed.splitlines()[-1] == f"error: 1 job of the sweep failed; its log is in multirun/day/time/{failed}"
    log = (folder / str(failed) / "train.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "ValueError: optimizer.lr is -1; it must be 0 or more" in log
    assert "Traceback" not in (folder / str(failed + 1) / "train.log").read_text()


def test_the_runs_of_a_sweep_are_compared_the_best_first(
    devices: int, sweep: tuple[Path, int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, _ = sweep
    assert compare([str(folder)]) == 0
    assert "in descending order" in capsys.readouterr().out
    with (folder / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["optimizer.lr"] for row in rows} == set(RATES[devices])
    assert (rows[-1]["optimizer.lr"], rows[-1]["val/accuracy"]) == ("-1", "")
    accuracies = [float(row["val/accuracy"]) for row in rows[:-1]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert set(rows[0]) == {"run", "optimizer.lr", "epoch", "val/accuracy", "test/accuracy", "evaluated"}
    with Image.open(folder / "comparison.png") as picture:
        assert picture.width > 1000


def test_a_folder_without_runs_is_a_one_line_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare([str(tmp_path)]) == 1
    assert "has no runs; give the folder of a sweep" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plugin", "launcher"),
    [
        ("hydra_joblib_launcher", ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")),
        ("hydra_submitit_launcher", ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10")),
    ],
)
def test_jobs_run_side_by_side(plugin: str, launcher: tuple[str, ...], trained: Path, tmp_path: Path) -> None:
    pytest.importorskip(f"hydra_plugins.{plugin}", reason="needs `pip install .[sweep]`")
    arguments = ("-m", *QUICK, *data_of(trained), "sweep=depth_lr", "model.depth=10", "optimizer.lr=0.01,0.1")
    result = run_app("train", *arguments, *launcher, cwd=tmp_path, seconds=600, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stdout + result.stderr
    (folder,) = tmp_path.glob("multirun/*/*")
    assert {path.parts[-3] for path in folder.glob("*/checkpoints/best.ckpt")} == {"0", "1"}


def test_an_optuna_search_whose_trials_all_fail_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs `pip install .[sweep]`")
    search = ("sweep=optuna", "hydra.sweeper.n_trials=2", "optimizer.lr=choice(-1,-2)", "hydra.sweep.dir=many")
    result = run_app("train", "-m", *QUICK, *search, cwd=tmp_path)
    assert result.returncode == 1
    line = result.stderr.splitlines()[-1]
    assert line == "error: 2 jobs of the sweep failed; their logs are in many/0, many/1"


@pytest.mark.slow
def test_optuna_continues_after_a_failed_trial_and_reports_it_at_the_end(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs `pip install .[sweep]`")
    search = ("sweep=optuna", "hydra.sweeper.n_trials=4", "optimizer.lr=choice(-1,0.1)", "hydra.sweep.dir=many")
    result = run_app("train", "-m", *QUICK, *data_of(trained), *search, cwd=tmp_path, seconds=600)
    assert result.returncode == 1, result.stdout + result.stderr
    good = [path.parent.name for path in (tmp_path / "many").glob("*/metrics.csv")]
    bad = sorted({"0", "1", "2", "3"}.difference(good))
    assert len(good) > 0 < len(bad)
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"error: {len(bad)} job")
    assert line.endswith(", ".join(f"many/{name}" for name in bad))
    assert "optimizer.lr: 0.1" in (tmp_path / "many" / "optimization_results.yaml").read_text()


@pytest.mark.slow
def test_optuna_maximises_the_validation_accuracy(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs `pip install .[sweep]`")
    arguments = ("-m", *QUICK, *data_of(trained), "sweep=optuna", "hydra.sweeper.n_trials=2")
    result = run_app("train", *arguments, cwd=tmp_path, seconds=600, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stdout + result.stderr
    (folder,) = tmp_path.glob("multirun/*/*")
    found = (folder / "optimization_results.yaml").read_text()
    compare([str(folder)])
    with (folder / "comparison.csv").open() as file:
        best = next(csv.DictReader(file))
    assert f"best_value: {float(best['val/accuracy']):.3f}"[:16] in found
