"""What a process holds does not grow with what it has done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

MEGABYTES = 40  # the allocator's coming and going; a network of the tests takes 20, a picture's activations less


@pytest.mark.parametrize(
    ("what", "count"),
    [
        pytest.param("dreams", 2000, marks=pytest.mark.slow),
        pytest.param("trainings", 50, marks=pytest.mark.slow),
        ("dreams", 60),
    ],
)
def test_memory_files_and_threads_are_the_same_at_the_end_as_after_the_first(
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
    (first, *others) = json.loads(result.stdout.splitlines()[-1])
    print(f"{count} {what}: {first} after a tenth, {others[-1]} at the end")
    assert others[-1][1:] == first[1:], (first, others)
    # A leak grows: half of the growth of a whole run lies in its second half.
    middle = others[len(others) // 2 - 1]
    assert min(other[0] for other in others[-3:]) - middle[0] < MEGABYTES / 4
    assert others[-1][0] - first[0] < MEGABYTES
