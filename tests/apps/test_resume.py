"""Runs that are ended at any moment go on as if they had not been."""

from __future__ import annotations

import csv
import resource
import shlex
import shutil
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from deepdream.apps.overrides import joined
from deepdream.apps.resume import resumed
from deepdream.apps.train import _how_it_goes_on
from deepdream.schema import compose
from tests.conftest import ROOT, TINY, data_of, run_app
from tests.forks import begin

# Everything that draws at random in a step, and all that a checkpoint must keep.
RUN = (
    *TINY,
    "data.workers=1",  # which loads batches of an epoch before it begins
    "trainer.max_epochs=3",
    "trainer.precision=32-true",
    "model.dropout=0.2",
    "model.stochastic_depth=0.1",
    "adversarial_eps=1.5",
    "ema.half_life_epochs=1",
    "evaluate=false",
)


def start(folder: Path, *arguments: str) -> int:
    """The exit status of a run in `folder`/outputs/day/time, newly begun or gone on with."""
    result = run_app("train", *arguments, cwd=folder, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    assert "error" not in result.stderr, result.stderr
    return result.returncode


def killed_at(moment: str, epoch: int, name: str = "SIGKILL") -> tuple[str, ...]:
    values = {"_target_": "tests.apps.kills.KillAt", "moment": moment, "epoch": epoch, "signal": name}
    return tuple(f"+callbacks.kill.{key}={value}" for key, value in values.items())


@pytest.fixture(scope="module")
def begun(trained: Path) -> tuple[str, ...]:
    return (
        *RUN,
        *data_of(trained),
        "hydra.run.dir=outputs/day/time",
    )


@pytest.fixture(scope="module")
def whole(begun: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody ended."""
    folder = tmp_path_factory.mktemp("whole")
    assert start(folder, *begun) == 0
    return folder / "outputs" / "day" / "time"


def assert_same(run: Path, whole: Path) -> None:
    assert (run / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    for name in ("best.ckpt", "last.ckpt"):
        one, other = (torch.load(folder / "checkpoints" / name, weights_only=True) for folder in (run, whole))
        assert (one["epoch"], one["global_step"]) == (other["epoch"], other["global_step"])
        for part in ("state_dict", "current_model_state"):
            assert one[part].keys() == other[part].keys()
            assert all(torch.equal(value, other[part][key]) for key, value in one[part].items()), (name, part)


def assert_same_curves(run: Path, whole: Path) -> None:
    """Each point of TensorBoard's curves stands there once, but for those of the clock."""
    one, other = (
        {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
            if not tag.startswith("speed/")
        }
        for events in (EventAccumulator(str(folder / "tensorboard")).Reload() for folder in (run, whole))
    )
    assert len(other) > 10
    assert one == other


def accuracies(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["val/accuracy"]) for row in csv.DictReader(file)]


def score_of_best(run: Path) -> float:
    """The score by which Lightning will choose the next best checkpoint."""
    states = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    (state,) = [state for key, state in states.items() if "val/accuracy" in key]
    assert Path(state["best_model_path"]) == run / "checkpoints" / "best.ckpt"
    return float(state["best_model_score"])


@pytest.mark.slow
def test_resume_after_a_kill_while_saving_and_a_stop_inside_an_epoch_gives_the_same_weights_and_metrics(
    begun: tuple[str, ...], whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "outputs" / "day" / "time"
    assert start(tmp_path, *begun, *killed_at("saving", 1)) == -signal.SIGKILL
    assert list((run / "checkpoints").glob("*.partial*"))
    assert start(tmp_path, "resume=last", *killed_at("batch", 2, "SIGTERM")) == 143
    assert len((run / "metrics.csv").read_text().splitlines()) == 3
    assert start(tmp_path, f"resume={run}", "+callbacks.kill.epoch=99") == 0
    assert_same(run, whole)
    assert_same_curves(run, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moments", "status"),
    [
        ([("batch", 0)], -signal.SIGKILL),
        ([("batch", 1), ("batch", 2)], -signal.SIGKILL),
        ([("validation", 0), ("validation", 1), ("validation", 2)], -signal.SIGKILL),
        ([("saving", 0), ("saving", 2)], -signal.SIGKILL),
        ([("batch", 0), ("validation", 1), ("saving", 2)], 143),
        ([("validation", 2)], 138),
    ],
)
def test_resume_after_an_end_at_any_moment_gives_the_same_run(
    moments: list[tuple[str, int]], status: int, begun: tuple[str, ...], whole: Path, tmp_path: Path
) -> None:
    name = {143: "SIGTERM", 138: "SIGUSR1"}.get(status, "SIGKILL")
    arguments = begun
    for moment, epoch in moments:
        if (moment, name) == ("saving", "SIGTERM"):
            continue  # a checkpoint with something deadly in it, which did not kill, is no file of ours
        assert start(tmp_path, *arguments, *killed_at(moment, epoch, name)) == status
        arguments = ("resume=last",)
    assert start(tmp_path, "resume=last", "+callbacks.kill.epoch=99") == 0
    assert_same(tmp_path / "outputs" / "day" / "time", whole)


@pytest.mark.slow
def test_a_finished_run_can_be_made_longer(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved"
    shutil.copytree(whole, run)
    best = (whole / "checkpoints" / "best.ckpt").read_bytes()
    assert start(tmp_path, f"resume={run}", "trainer.max_epochs=4", "scheduler=constant") == 0
    before, after = ((folder / "metrics.csv").read_text().splitlines() for folder in (whole, run))
    assert score_of_best(run) == max(accuracies(run))
    assert (whole / "checkpoints" / "best.ckpt").read_bytes() == best
    assert after[:4] == before
    assert len(after) == 5
    assert "trainer.max_epochs=4" in (run / ".hydra" / "overrides.yaml").read_text()


def test_the_resume_of_a_finished_run_says_so(tmp_path: Path) -> None:
    last = tmp_path / "my run" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    torch.save({"epoch": 2}, last)
    finished = _how_it_goes_on(compose("train", ["data=rooms", "trainer.max_epochs=3"]), last)
    assert finished.startswith("finished: 3 of 3 epochs are trained, and none is left to train; train longer with ")
    assert shlex.split(finished)[-2:] == [f"resume={last.parents[1]}", "trainer.max_epochs=6"]
    assert "resuming" in _how_it_goes_on(compose("train", ["data=rooms", "trainer.max_epochs=4"]), last)


def test_ema_cannot_be_disabled_on_resume(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved"
    shutil.copytree(whole, run)
    result = run_app("train", f"resume={run}", "ema.half_life_epochs=null", cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "ema.half_life_epochs is null, but moved was trained with an EMA of the weights" in line


@pytest.mark.slow
def test_resume_of_two_processes_keeps_the_state_of_early_stopping(begun: tuple[str, ...], tmp_path: Path) -> None:
    stopping = (
        "callbacks=early_stopping",
        "callbacks.early_stopping.patience=2",
        "callbacks.early_stopping.min_delta=1",
        "trainer.max_epochs=6",
        "trainer.devices=2",
        "scheduler=constant",
    )
    runs = [tmp_path / name / "outputs" / "day" / "time" for name in ("killed", "whole")]
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    assert start(tmp_path / "whole", *begun, *stopping) == 0
    assert len(accuracies(runs[1])) == 3
    assert start(tmp_path / "killed", *begun, *stopping, *killed_at("batch", 2)) == -signal.SIGKILL
    for _ in ("ends", "has ended"):
        assert start(tmp_path / "killed", "resume=last", "+callbacks.kill.epoch=99") == 0
        assert_same(*runs)
    assert start(tmp_path / "killed", "resume=last", "callbacks.early_stopping.patience=3") == 0
    assert len(accuracies(runs[0])) == 4


def test_a_non_finite_loss_stops_at_its_step_and_keeps_the_last_good_checkpoint(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved"
    shutil.copytree(whole, run)
    good = (run / "checkpoints" / "last.ckpt").read_bytes()
    result = run_app(
        "train",
        f"resume={run}",
        "trainer.max_epochs=4",
        "trainer.log_every_n_steps=50",
        "scheduler=constant",
        "+callbacks.explode._target_=tests.apps.kills.Explode",
        cwd=tmp_path,
        PYTHONPATH=str(ROOT),
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    line = result.stderr.splitlines()[-1]
    assert "the loss is not finite at step 15 (batch 3 of epoch 4); 3 epochs are kept" in line
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == good


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resume=last",), "there is no run under outputs/ or multirun/"),
        (("resume=nowhere",), "nowhere is not a run folder (missing .hydra/overrides.yaml)"),
        (("-m", "resume=last"), "resume continues one run, and -m starts several"),
    ],
)
def test_a_run_that_cannot_be_resumed_is_a_one_line_error(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    result = run_app("train", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert message in line


def _begun(run: Path, job: str, overrides: str = "- seed=1\n") -> None:
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "hydra.yaml").write_text(job)
    (run / ".hydra" / "overrides.yaml").write_text(overrides)


def test_a_run_killed_before_its_overrides_were_written_is_not_resumed_with_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _begun(tmp_path / "outputs/day/1", "", "")
    with pytest.raises(ValueError, match="there is no run under outputs/ or multirun/"):
        resumed(["resume=last"])
    _begun(tmp_path / "outputs/day/2", "hydra: {job: {name: train}}", "")
    with pytest.raises(ValueError, match="day/2 was killed before it started; start it again"):
        resumed(["resume=last"])


def test_without_resume_the_arguments_do_not_change() -> None:
    assert resumed(["model=resnet50", "-m"]) == ["model=resnet50", "-m"]


def test_a_later_override_takes_the_place_of_an_earlier_one() -> None:
    assert joined(["a=1", "+b.c=2", "d=3"], ["a=4", "+b.c=5"]) == ["d=3", "a=4", "+b.c=5"]


def only_small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000_000, 100_000_000))


def test_a_full_disk_is_an_error_before_the_first_epoch(begun: tuple[str, ...], tmp_path: Path) -> None:
    command = begin("train", *begun, folder=tmp_path, before=only_small_files)
    assert command.wait() == 1
    (line,) = command.stderr.splitlines()
    assert "MB of checkpoints (File too large); make room" in line
    assert "epoch" not in command.stdout


def test_a_folder_that_cannot_be_made_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file")
    result = run_app("train", *TINY, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "outputs" in line
