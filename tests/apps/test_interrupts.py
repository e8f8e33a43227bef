"""Ctrl-C, as a terminal sends it: to every process of the command."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deepdream.apps.interrupts import KeptInterrupts
from tests.conftest import ROOT, TINY, run_app
from tests.forks import begin

LONG_RUN = (*TINY, "trainer.max_epochs=1000", "data.workers=1", "evaluate=false", "hydra.run.dir=run")
LONG_FILM = ("ckpt=box", "film=zoom", "film.frames=500", "dream.width=256", "dream.steps=1", "output=film.mp4")


def interrupt(app: str, *arguments: str, cwd: Path, when: Callable[[], bool]) -> tuple[int, str]:
    """Exit status and stderr of a command that is interrupted as soon as `when` holds."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / f"{app}.py"), *arguments],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while not when():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.slow
def test_an_interrupted_training_prints_the_command_that_resumes_it(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "rooms").symlink_to(trained / "rooms")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    status, errors = interrupt("train", *LONG_RUN, cwd=tmp_path, when=last.exists)
    assert status == 130, errors
    (line,) = errors.splitlines()
    told = re.fullmatch(r"interrupted; (\d+) of 1000 epochs are kept: python \S*train\.py (resume=\S+)", line)
    assert told
    epochs = int(told[1]) + 1
    again = run_app("train", told[2], f"trainer.max_epochs={epochs}", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 1 + epochs


def test_an_interrupt_that_python_would_ignore_ends_a_training(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "rooms").symlink_to(trained / "rooms")
    interrupting = "+callbacks.interrupting._target_=tests.apps.kills.InterruptWhileDeleting"
    training = begin("train", *LONG_RUN, interrupting, folder=tmp_path)
    assert training.wait() == 130, training.said
    (line,) = training.stderr.splitlines()
    assert line.startswith("interrupted; 0 of 1000 epochs are kept: python ")
    assert line.endswith(f"train.py resume={tmp_path}/run")


@pytest.mark.slow
def test_an_interrupted_film_prints_how_to_continue_it(tmp_path: Path) -> None:
    frames = tmp_path / "film_frames"
    status, errors = interrupt("dream", *LONG_FILM, cwd=tmp_path, when=lambda: len(list(frames.glob("*.png"))) > 1)
    assert (status, errors) == (
        130,
        "interrupted; the same command with output=film.mp4 continues after its last frame\n",
    )
    made = {path: path.stat().st_mtime_ns for path in frames.glob("*.png")}
    again = run_app("dream", *LONG_FILM, f"film.frames={len(made) + 1}", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "film.mp4").is_file()
    assert all(path.stat().st_mtime_ns == then for path, then in made.items())


@pytest.mark.parametrize("app", ["dream", "explain", "evaluate"])
def test_ctrl_c_ends_another_command_with_one_line(app: str, trained: Path, tmp_path: Path) -> None:
    (checkpoint,) = trained.glob("outputs/*/*/checkpoints/best.ckpt")
    begun = tmp_path / "run"
    status, errors = interrupt(app, f"ckpt={checkpoint}", "hydra.run.dir=run", cwd=tmp_path, when=begun.exists)
    assert (status, errors) == (130, "interrupted\n")


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(1000))  # the signal is handled between two instructions


def test_an_interrupt_that_a_library_swallows_is_raised_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), KeptInterrupts(), contextlib.suppress(KeyboardInterrupt):
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_is_swallowed_before_a_job_ends_the_job_before_it_begins() -> None:
    began = []

    def command() -> None:
        with KeptInterrupts():
            with contextlib.suppress(KeyboardInterrupt):
                press_ctrl_c()
            with KeptInterrupts():
                began.append("job")

    with pytest.raises(KeyboardInterrupt):
        command()
    assert not began


def test_an_error_in_place_of_an_interrupt_is_no_error() -> None:
    def compiling() -> None:
        try:
            press_ctrl_c()
        except KeyboardInterrupt:
            raise SystemError("AST constructor recursion depth mismatch") from None  # as Python 3.11's compiler

    with pytest.raises(KeyboardInterrupt), KeptInterrupts():
        compiling()


def test_an_interrupt_waits_for_the_end_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that is cut short leaves half a module; torch aborts the process."""
    script = "from tests.apps.test_interrupts import press_ctrl_c\npress_ctrl_c()\nwhole = True\n"
    (tmp_path / "pressed.py").write_text(script)
    monkeypatch.syspath_prepend(tmp_path)
    until = time.monotonic() + 60

    def work() -> None:
        importlib.import_module("pressed")
        while time.monotonic() < until:
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt), KeptInterrupts():
        work()
    assert sys.modules.pop("pressed").whole
    assert time.monotonic() < until
