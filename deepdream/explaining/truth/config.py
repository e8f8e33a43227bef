"""The registry of measures: how well an attribution agrees with the true effects. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deepdream.registry import OpenRegistry


@dataclass(frozen=True)
class Measure:
    """A measure: a function (attribution (H, W), Effects) -> float; NaN where a room or a map does not admit it.

    label: its name in plots. best: the values that are better. Of "high" the oracle has 1, of "low" 0.
    is_graded: it counts towards the skill of a method.
    """

    label: str
    best: Literal["high", "low"]
    is_graded: bool = True

    @property
    def title(self) -> str:
        """The label with the direction of the better values."""
        return f"{self.label} {'↑' if self.best == 'high' else '↓'}"


MEASURES = OpenRegistry("MEASURES", "measure", "deepdream.explaining.truth", Measure)
