from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import TINY, data_of


@pytest.fixture(scope="session")
def tiny_run(trained: Path) -> tuple[str, ...]:
    """The arguments of a run of two epochs on rooms that are rendered already, in float32."""
    return (
        *TINY,
        *data_of(trained),
        "trainer.max_epochs=2",
        "trainer.precision=32-true",
        "ema.half_life_epochs=1",
        "evaluate=false",
    )
