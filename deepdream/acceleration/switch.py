"""The one switch of this package: with it off, networks compute as PyTorch alone computes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

VARIABLE = "DEEPDREAM_ACCELERATION"  # "0" switches acceleration off for a whole process

_is_on: ContextVar[bool] = ContextVar("is_on", default=True)


def is_enabled() -> bool:
    """Whether networks are folded, fused, compiled and replayed."""
    return _is_on.get() and os.environ.get(VARIABLE) != "0"


@contextmanager
def disabled() -> Iterator[None]:
    """Switch acceleration off inside the block, for this thread: results are the same up to rounding, only slower."""
    token = _is_on.set(False)
    try:
        yield
    finally:
        _is_on.reset(token)
