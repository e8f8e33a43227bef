"""A microscope that is killed at any moment and begun again has the files of one that never was."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from deepdream.models import Network
from tests import forks  # noqa: F401  (what the processes below have imported)
from tests.microscope.conftest import contents, make, untrained

PASS, IMAGES, FIRST_PAGE, VISUALIZATIONS, CONCEPTS = 3, 12, 40, 150, 239  # the file at which the process is killed


def _make_until(files: int, rooms: Path, folder: Path) -> None:
    """Make the microscope, and die before the file of that number gets its name."""
    import deepdream.microscope.streaming as streaming

    streaming.SAVE_EVERY = 0.0
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
        pytest.param(VISUALIZATIONS, id="visualizations"),
        *(
            pytest.param(number, marks=pytest.mark.slow, id=name)
            for name, number in {"pass": PASS, "images": IMAGES, "page": FIRST_PAGE, "concepts": CONCEPTS}.items()
        ),
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
