"""Range checks: each raises ValueError, in one line that names the full key."""

from __future__ import annotations

import math
from collections.abc import Iterable

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def one_of(key: str, value: object, allowed: Iterable[str]) -> None:
    """`value` is one of the names in `allowed`."""
    names = list(allowed)
    if value not in names:
        raise ValueError(f"{key} is {value!r}; it must be one of {', '.join(names)}")


def finite(key: str, value: float) -> None:
    """Neither infinite nor NaN, which YAML can both write."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key} is {value}; it must be a finite number")


def at_least(key: str, value: float, low: float) -> None:
    """low <= value, and finite."""
    finite(key, value)
    if not value >= low:
        raise ValueError(f"{key} is {value}; it must be {low} or more")


def above(key: str, value: float, low: float) -> None:
    """low < value, and finite."""
    finite(key, value)
    if not value > low:
        raise ValueError(f"{key} is {value}; it must be more than {low}")


def fraction(key: str, value: float) -> None:
    """0 <= value <= 1."""
    between(key, value, 0, 1)


def between(key: str, value: float, low: float, high: float) -> None:
    """low <= value <= high."""
    if not low <= value <= high:
        raise ValueError(f"{key} is {value}; it must be between {low} and {high}")


def addresses(key: str, values: list[str]) -> None:
    """At least one address, each http or https."""
    if not values:
        raise ValueError(f"{key} is empty; it needs at least one address")
    for value in values:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"{key} has {value!r}; an address begins with http:// or https://")


def number(key: str, value: object) -> None:
    """A number, 0 or more: for keys that OmegaConf has no type for."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is {value!r}; it must be a number")
    at_least(key, value, 0)


def paths(key: str, value: object) -> None:
    """A text, a list of texts, or None; OmegaConf has no such type."""
    several = value if isinstance(value, list) else [value or ""]
    if not several or not all(isinstance(path, str) for path in several):
        raise ValueError(f"{key} is {value!r}; it must be a path, or a list of paths: {key}=[PATH,PATH]")
