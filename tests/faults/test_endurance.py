"""What a process holds does not grow with what it has done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

MEGABYTES = 10  # a network of the tests and its optimizer take 40; 60 dreams were seen to take 0.4, 20 trainings 4


@pytest.mark.parametrize(
    ("what", "count"),
    [
        pytest.param("dreams", 2000, marks=pytest.mark.slow),
        pytest.param("trainings", 50, marks=pytest.mark.slow),
        pytest.param("dreams", 60, marks=pytest.mark.slow),
    ],
)
def test_memory_files_and_threads_are_the_same_at_the_end_as_after_the_first_rounds(
    what: str, count: int, tmp_path: Path
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.faults.endurance", what, str(count)],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert result.returncode == 0, result.stderr
    held = json.loads(result.stdout.splitlines()[-1])
    print(f"{count} {what}: {held[1]} after a fifth, {held[-1]} at the end")
    early, late = held[1], held[-1]
    assert late[1:] == early[1:], held  # files and threads
    assert late[0] - early[0] < MEGABYTES, held
