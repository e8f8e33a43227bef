"""Parametrized tests that run a few of their values in `make test`, and every value in `make test-all`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slow_but(kept: Collection[Any], values: Iterable[Any]) -> list[Any]:
    """`values` as parameters; all but those in `kept` are marked as slow."""
    return [value if value in kept else pytest.param(value, marks=pytest.mark.slow) for value in values]
