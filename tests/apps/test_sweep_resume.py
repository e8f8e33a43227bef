"""Sweeps that are killed at any moment go on, and end with the table of one that was not."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from deepdream.apps.compare import main as compare
from deepdream.apps.sweep_record import BEGUN, JobState, state_of, write_sweep
from tests.conftest import ROOT, TINY, data_of, run_app
from tests.faults.runs import training
from tests.forks import begin

ENV = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
RUN = (*TINY, "trainer.max_epochs=2", "trainer.precision=32-true", "evaluate=false", "hydra.sweep.dir=many")
GRID = ("optimizer.lr=0.01,0.1",)
OPTUNA = ("sweep=optuna", "hydra.sweeper.n_trials=3")
LAUNCHERS = {
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit": ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"),
}


def sweep(folder: Path, *arguments: str, after: float | None = None) -> int:
    """The exit status of a command; with all its jobs killed `after` some seconds."""
    command = begin("train", *arguments, folder=folder, before=os.setsid, env=ENV)
    if after is not None:
        command.process.join(after)
        if command.process.is_alive():
            os.killpg(command.process.pid, signal.SIGKILL)
    status = command.wait(600)
    assert status in (0, -signal.SIGKILL), command.said
    return status


def result(folder: Path) -> object:
    """The table of a sweep, and the metrics and weights of each job."""
    assert compare([str(folder / "many")]) == 0
    runs = sorted(path.parent for path in (folder / "many").glob("*/metrics.csv"))
    tables = [(folder / "many" / name).read_text() for name in ("comparison.csv", "settings.csv")]
    return tables, {run.name: training(run) for run in runs}


def assert_goes_on(folder: Path, expected: object, *, at_most: int) -> None:
    """Resume the sweep until it is finished; it then has the `expected` result."""
    for _ in range(at_most):
        if sweep(folder, "resume=many") == 0:
            assert result(folder) == expected
            assert {state_of(path.parent).state for path in (folder / "many").glob("*/.job.json")} == {"done"}
            return
    raise AssertionError("it was killed more often than it was meant to be")


@pytest.fixture(scope="module")
def undisturbed(trained: Path, tmp_path_factory: pytest.TempPathFactory):
    """The result of a sweep that nobody kills, and its seconds, by its arguments."""
    known: dict[tuple[str, ...], tuple[object, float]] = {}

    def of(*arguments: str) -> tuple[object, float]:
        if arguments not in known:
            folder, start = tmp_path_factory.mktemp("whole"), time.monotonic()
            assert sweep(folder, "-m", *RUN, *data_of(trained), *arguments) == 0
            known[arguments] = result(folder), time.monotonic() - start
        return known[arguments]

    return of


@pytest.mark.slow
def test_a_sweep_killed_within_its_jobs_goes_on_to_the_same_table(undisturbed, trained: Path, tmp_path: Path) -> None:
    kills = (
        "+callbacks.kill._target_=tests.apps.kills.KillSweep",
        "+callbacks.kill.moments=['0 batch 1','1 end 2']",
        f"+callbacks.kill.record={tmp_path / 'killed.txt'}",
    )
    assert sweep(tmp_path, "-m", *RUN, *data_of(trained), *GRID, *kills) == -signal.SIGKILL
    assert state_of(tmp_path / "many" / "0").state == BEGUN
    assert_goes_on(tmp_path, undisturbed(*GRID)[0], at_most=2)
    assert len((tmp_path / "killed.txt").read_text().splitlines()) == 2
    before = (tmp_path / "many" / "0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert sweep(tmp_path, "resume=many") == 0  # finished: nothing is trained again
    assert (tmp_path / "many" / "0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid", "joblib", "submitit", "optuna"])
def test_a_sweep_killed_at_any_moments_goes_on_to_the_same_table(
    name: str, undisturbed, trained: Path, tmp_path: Path
) -> None:
    if name != "grid":
        plugin = {"optuna": "hydra_optuna_sweeper"}.get(name, f"hydra_{name}_launcher")
        pytest.importorskip(f"hydra_plugins.{plugin}", reason="needs `pip install .[sweep]`")
    arguments = OPTUNA if name == "optuna" else GRID
    expected, seconds = undisturbed(*arguments)
    generator, moments = random.Random(name), 12 if name == "grid" else 6  # 30 in all
    for number in range(moments):
        folder = tmp_path / str(number)
        moment = (number + generator.random()) / moments * seconds
        started = ("-m", *RUN, *data_of(trained), *arguments, *LAUNCHERS.get(name, ()))
        status = sweep(folder, *started, after=moment)
        print(f"{name}: killed after {moment:.2f} of {seconds:.2f} s, status {status}")
        if status == 0:
            continue
        if not (folder / "many" / "sweep.json").exists():  # before it began: as a user would
            assert sweep(folder, *started) == 0
            assert result(folder) == expected
            continue
        assert_goes_on(folder, expected, at_most=1)


@pytest.mark.slow
def test_a_search_that_would_ask_for_other_values_is_refused(tmp_path: Path) -> None:
    write_sweep(tmp_path / "many", ["-m", *RUN, *GRID], goes_on=False)
    JobState([*RUN[:-1], "optimizer.lr=0.5"], BEGUN).write(tmp_path / "many" / "0")
    failed = run_app("train", "resume=many", cwd=tmp_path)
    assert failed.returncode == 1
    assert "many/0 was begun with" in failed.stderr.splitlines()[-1]


@pytest.mark.parametrize("extra", ["optimizer.lr=0.5", "trainer.max_epochs=3"])
def test_the_resume_of_a_sweep_changes_no_job(extra: str, tmp_path: Path) -> None:
    write_sweep(tmp_path / "many", ["-m", *RUN, *GRID], goes_on=False)
    failed = run_app("train", "resume=many", extra, cwd=tmp_path)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert f"many is a sweep, and {extra} would change its jobs" in line


def test_another_sweep_in_the_same_folder_begins_anew(tmp_path: Path) -> None:
    JobState(["optimizer.lr=0.5"], BEGUN).write(tmp_path / "0")
    write_sweep(tmp_path, ["-m"], goes_on=True)
    assert state_of(tmp_path / "0") is not None
    write_sweep(tmp_path, ["-m"], goes_on=False)
    assert state_of(tmp_path / "0") is None
