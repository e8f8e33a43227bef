"""Cases of tests in a low precision, which take up to a minute each where the machine has no fast arithmetic for it."""

from __future__ import annotations

import pytest
import torch
from _pytest.mark import ParameterSet

from deepdream.hardware import has_fast_bf16


def where_fast_bf16(precision: str) -> ParameterSet:
    """The case of `precision`; on a CPU that is slow at bfloat16 it is one for `make test-all`."""
    marks = (pytest.mark.medium,) if has_fast_bf16(torch.device("cpu")) else (pytest.mark.slow,)
    return pytest.param(precision, marks=marks)
