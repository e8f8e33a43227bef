"""What goes wrong around a training: photos vanish, a process dies, the clock jumps, another run is at work."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults import runs
from tests.forks import Command, begin, run

LONG = ("trainer.max_epochs=1000", "hydra.run.dir=run")


def wait_for(condition: Callable[[], bool], command: Command, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert command.process.is_alive(), command.said
        assert time.monotonic() < until
        time.sleep(0.01)


def last_line(command: Command) -> str:
    assert "Traceback" not in command.said
    return command.said.splitlines()[-1]


@pytest.fixture
def copy_of_rooms(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "rooms", tmp_path / "mine")
    return tmp_path / "mine"


def test_a_training_whose_images_vanish_names_the_first_missing_one(
    copy_of_rooms: Path, tiny_run: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = (*tiny_run, *LONG, f"data.root={copy_of_rooms}", "data.cache_images=false", "data.cache_dir=cache")
    command = begin("train", *arguments, folder=tmp_path)
    wait_for((tmp_path / "run/checkpoints/last.ckpt").exists, command)
    shutil.rmtree(copy_of_rooms)
    assert command.wait() == 1
    assert "error: " in last_line(command)
    assert str(copy_of_rooms) in last_line(command)


@pytest.mark.slow
def test_a_training_from_the_image_cache_does_not_need_the_image_files(
    copy_of_rooms: Path, tiny_run: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = (
        *tiny_run,
        "trainer.max_epochs=4",
        "hydra.run.dir=run",
        f"data.root={copy_of_rooms}",
        "data.cache_dir=cache",
    )
    command = begin("train", *arguments, folder=tmp_path)
    wait_for((tmp_path / "run/checkpoints/last.ckpt").exists, command)
    shutil.rmtree(copy_of_rooms)
    assert command.wait() == 0, command.said


@pytest.mark.slow
def test_a_killed_loading_process_is_an_error_with_the_command_that_resumes(
    tiny_run: tuple[str, ...], tmp_path: Path
) -> None:
    command = begin("train", *tiny_run, *LONG, "data.workers=1", folder=tmp_path)
    wait_for((tmp_path / "run/checkpoints/last.ckpt").exists, command)
    wait_for(lambda: _kill_the_first_child(command.process.pid), command)
    assert command.wait() == 1, command.said
    assert "error: a data-loading process was ended" in last_line(command)
    kept = int(last_line(command).partition("; ")[2].split()[0])
    again = run("train", "resume=run", f"trainer.max_epochs={kept + 1}", "data.workers=0", folder=tmp_path)
    assert f"epoch {kept + 1}/{kept + 1}" in again.said


def _kill_the_first_child(parent: int) -> bool:
    children = [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdecimal() and _parent_of(folder) == parent
    ]
    if children:
        os.kill(min(children), signal.SIGKILL)
    return bool(children)


def _parent_of(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def jumping_clock() -> None:
    """From its twentieth look on, this process finds its clock ten years earlier, then ten years later, in turn."""
    honest, looks = time.time, iter(range(1 << 62))

    def dishonest() -> float:
        look = next(looks)
        return honest() + (0 if look < 20 else 315e6 * (-1) ** (look // 20))

    time.time = dishonest


@pytest.mark.slow
def test_a_clock_that_jumps_changes_nothing(tiny_run: tuple[str, ...], tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("steady", "jumping")}
    run("train", *tiny_run, "hydra.run.dir=run", folder=places["steady"])
    jumped = run("train", *tiny_run, "hydra.run.dir=run", folder=places["jumping"], before=jumping_clock)
    assert runs.training(places["steady"] / "run") == runs.training(places["jumping"] / "run")
    assert "Traceback" not in jumped.said


@pytest.mark.slow
def test_runs_that_start_in_the_same_second_have_a_folder_each(tiny_run: tuple[str, ...], tmp_path: Path) -> None:
    seeds = range(4)
    same = [begin("train", *tiny_run, f"seed={seed}", folder=tmp_path, before=stopped_clock) for seed in seeds]
    assert [command.wait() for command in same] == [0] * len(same), [command.said for command in same]
    folders = sorted(path.parent for path in tmp_path.glob("outputs/*/*/metrics.csv"))
    names = ["12-00-00", "12-00-00_2", "12-00-00_3", "12-00-00_4"]
    assert [folder.name for folder in folders] == names
    found = {}
    for folder in folders:
        (seed,) = (line for line in (folder / ".hydra/overrides.yaml").read_text().splitlines() if "seed=" in line)
        found[int(seed.partition("=")[2])] = runs.training(folder)
    alone = run("train", *tiny_run, "seed=2", "hydra.run.dir=alone", folder=tmp_path)
    assert sorted(found) == list(seeds)
    assert found[2] == runs.training(alone.folder / "alone")


def stopped_clock() -> None:
    """For the folders of this process it is always noon."""
    import hydra.core.utils

    noon = datetime(2026, 1, 31, 12)
    hydra.core.utils.datetime = SimpleNamespace(now=lambda: noon)  # type: ignore[attr-defined, assignment, misc]


def test_a_running_training_is_not_resumed_by_another_process(tiny_run: tuple[str, ...], tmp_path: Path) -> None:
    first = begin("train", *tiny_run, *LONG, folder=tmp_path)
    wait_for((tmp_path / "run/checkpoints/last.ckpt").exists, first)
    record = (tmp_path / "run/.hydra/overrides.yaml").read_text()
    second = begin("train", "resume=run", "seed=7", folder=tmp_path)
    assert second.wait() == 1
    assert (tmp_path / "run/.hydra/overrides.yaml").read_text() == record
    assert "error: another process is training in" in last_line(second)
    assert first.process.is_alive()
    assert first.kill_after(0) == -signal.SIGKILL
    epochs = len((tmp_path / "run/metrics.csv").read_text().splitlines())
    run("train", "resume=run", f"trainer.max_epochs={epochs + 1}", folder=tmp_path)


@pytest.mark.slow
def test_eight_dreams_at_once_are_those_of_one_after_another(tmp_path: Path) -> None:
    small = ("ckpt=box", "dream.width=96", "dream.octaves=2", "dream.steps=2")
    dreams = [begin("dream", *small, f"seed={seed}", folder=tmp_path, before=stopped_clock) for seed in range(8)]
    assert [command.wait() for command in dreams] == [0] * 8, [command.said for command in dreams]
    made = {path.read_bytes() for path in tmp_path.glob("outputs/*/*/dream.png")}
    assert len(made) == 8
    alone = set()
    for seed in (0, 5):
        run("dream", *small, f"seed={seed}", f"output=alone/{seed}.png", folder=tmp_path)
        alone.add((tmp_path / f"alone/{seed}.png").read_bytes())
    assert alone < made


def test_eight_commands_at_once_build_one_cache(trained: Path, tmp_path: Path) -> None:
    """And each reads from it what one alone would."""
    arguments = ("data=rooms", f"data.root={trained / 'rooms'}", "data.rooms=null", "data.cache_dir=cache")
    small = ("data.image_size=32", "data.resize=32", "data.val_per_class=2")
    commands = [begin("data", *arguments, *small, folder=tmp_path) for _ in range(8)]
    assert [command.wait() for command in commands] == [0] * 8, [command.said for command in commands]
    stores = [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]
    assert len(stores) == 1
    (other,) = (path for path in (trained / "data/cache").iterdir() if path.suffix != ".lock")
    assert (stores[0] / "pixels.bin").read_bytes() == (other / "pixels.bin").read_bytes()
