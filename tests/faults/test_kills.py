"""kill -9 at random moments of each long command: the next run matches an uninterrupted one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.faults import runs
from tests.forks import begin, run
from tests.scenes.archives import lists, official_tar
from tests.scenes.server import Answer, Server
from tests.slow import slow_but

QUICK = 1  # kills of each command in `make test`
ALL = 6  # in `make test-all`: 30 in all
COMMANDS = ("download", "cache", "training", "evaluation", "film")
RUN = Path("outputs/day/time")


@dataclass(frozen=True)
class Task:
    """A command. outcome: of its folder, the result that must be the same each time.

    arrange: fills its folder before. again: the arguments after a kill, where they differ.
    """

    app: str
    arguments: tuple[str, ...]
    outcome: Callable[[Path], object]
    arrange: Callable[[Path], None] = lambda folder: None
    again: Callable[[Path], tuple[str, ...]] | None = None


def _put_lists(folder: Path) -> None:
    (folder / "mit").mkdir(parents=True)
    for name, content in lists().items():
        (folder / "mit" / name).write_bytes(content)


def _cache(folder: Path) -> object:
    """The rendered rooms, and their cache, whose name and about.json depend on the path of its folder."""
    (cache,) = (path for path in (folder / "cache").iterdir() if path.suffix != ".lock")
    return runs.content(folder / "rooms"), {**runs.content(cache), "about.json": "names the folder"}


def _resume(folder: Path, anew: tuple[str, ...]) -> tuple[str, ...]:
    """As a user would: a run that has a folder is resumed, any other begun again."""
    record = folder / RUN / ".hydra" / "overrides.yaml"
    return ("resume=last",) if record.is_file() and record.stat().st_size else anew


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    files = {"set.tar": official_tar(), **lists()}
    with Server(files, ordinary=Answer(pause=0.005)) as server:
        yield server


@pytest.fixture(scope="module")
def tasks(checkpoint: Path, tiny_run: tuple[str, ...], server: Server) -> dict[str, Task]:
    train = (*tiny_run, f"hydra.run.dir={RUN}")
    small = ("dream.width=128", "dream.octaves=2", "dream.steps=2")
    film = (f"ckpt={checkpoint}", "film=zoom", "film.frames=6", *small, "output=film.mp4")
    rooms = tuple(value for value in TINY if value.startswith("data"))
    return {
        "download": Task(
            "download",
            ("--root", "mit", "--archive", server.url("set.tar")),
            lambda folder: runs.content(folder / "mit"),
            arrange=_put_lists,
        ),
        "cache": Task("data", (*rooms, "data.cache_dir=cache"), _cache),
        "training": Task(
            "train", train, lambda folder: runs.training(folder / RUN), again=lambda folder: _resume(folder, train)
        ),
        "evaluation": Task(
            "evaluate",
            (f"ckpt={checkpoint}", "hydra.run.dir=evaluated"),
            lambda folder: runs.content(folder / "evaluated"),
        ),
        "film": Task("dream", film, runs.content),
    }


@pytest.fixture(scope="module")
def undisturbed(
    tasks: dict[str, Task], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[object, float]]:
    """The outcome of a command that nobody kills, and its seconds."""
    known: dict[str, tuple[object, float]] = {}

    def outcome(name: str) -> tuple[object, float]:
        if name not in known:
            task, folder = tasks[name], tmp_path_factory.mktemp(name)
            task.arrange(folder)
            command = run(task.app, *task.arguments, folder=folder)
            known[name] = task.outcome(folder), time.monotonic() - command.begun
        return known[name]

    return outcome


@pytest.mark.parametrize("name", slow_but(["training"], COMMANDS))
@pytest.mark.parametrize("seed", slow_but(range(QUICK), range(ALL)))
def test_the_run_after_a_kill_matches_an_uninterrupted_one(
    name: str,
    seed: int,
    tasks: dict[str, Task],
    undisturbed: Callable[[str], tuple[object, float]],
    tmp_path: Path,
) -> None:
    task = tasks[name]
    expected, seconds = undisturbed(name)
    task.arrange(tmp_path)
    # One moment in each sixth of the command's time, so that no part of it is left out.
    moment = (seed + random.Random(f"{name} {seed}").random()) / ALL * seconds
    status = begin(task.app, *task.arguments, folder=tmp_path).kill_after(moment)
    print(f"{name}: killed after {moment:.2f} of {seconds:.2f} s, status {status}")
    arguments = task.again(tmp_path) if task.again else task.arguments
    run(task.app, *arguments, folder=tmp_path)
    assert task.outcome(tmp_path) == expected
