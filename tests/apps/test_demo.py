import json
from pathlib import Path

import pytest

from tests.conftest import run_app


@pytest.mark.slow
def test_the_demo_learns_what_colour_alone_does_not_tell(tmp_path: Path) -> None:
    """The other end is in tests/scenes/test_rooms.py: logistic regression on colour histograms stays under 50 %."""
    result = run_app("train", "experiment=demo", cwd=tmp_path, seconds=1800)
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("outputs/*/*/figures/evaluation.json")
    assert json.loads(path.read_text())["accuracy"] >= 0.95
