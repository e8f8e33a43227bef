"""A microscope that is killed at any moment and begun again has the files of one that never was."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from deepdream import claims
from deepdream.microscope import visualizations
from deepdream.models import Network
from tests import forks  # noqa: F401  (what the processes below have imported)
from tests.microscope.conftest import contents, make, untrained

PASS, IMAGES, FIRST_PAGE, VISUALIZATIONS, CONCEPTS = 3, 12, 40, 150, 239  # the file at which the process is killed


def _make_until(files: int, rooms: Path, folder: Path) -> None:
    """Make the microscope, and die before the file of that number gets its name."""
    replace, left = os.replace, iter(range(files, -1, -1))

    def counted(source: Path, target: Path) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = counted
    make(untrained(), rooms, folder)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(number, marks=pytest.mark.slow, id=name)
        for name, number in {
            "visualizations": VISUALIZATIONS,
            "pass": PASS,
            "images": IMAGES,
            "page": FIRST_PAGE,
            "concepts": CONCEPTS,
        }.items()
    ],
)
def test_a_killed_run_continues_with_equal_files(
    files: int, network: Network, rooms: Path, site: Path, tmp_path: Path
) -> None:
    process = multiprocessing.get_context("forkserver").Process(
        target=_make_until, args=(files, rooms, tmp_path / "site")
    )
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    assert contents(tmp_path / "site") != contents(site)
    make(network, rooms, tmp_path / "site")
    assert contents(tmp_path / "site") == contents(site)


def _make_beside(machine: str, rooms: Path, folder: Path, start: float, dies: bool) -> None:
    """Make it as one of several processes, on a machine of this name; or die with a visualisation in its hands."""
    socket.gethostname = lambda: machine
    claims.LEASE = 3.0

    def wait_for_the_one_that_dies(page: Path) -> None:
        while not dies and not list(folder.glob("visualizations/*/.*.claim")):
            time.sleep(0.02)

    if dies:
        visualizations._save = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
    make(untrained(), rooms, folder, start=start, on_page=wait_for_the_one_that_dies)


@pytest.mark.slow
def test_processes_on_two_machines_share_a_microscope_though_one_is_killed(
    rooms: Path, site: Path, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("forkserver")
    folder = tmp_path / "site"
    places = (("first", 0.0, True), ("second", 0.5, False), ("first", 0.75, False))
    processes = [context.Process(target=_make_beside, args=(name, rooms, folder, *how)) for name, *how in places]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0, 0]
    assert contents(folder) == contents(site)
