"""Parts of a long list: equal in every process, kept when they are of the same source, computed again otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepdream.shared_arrays import Arrays, SharedArrays


def squares(folder: Path, source: str = "one", count: int = 10) -> tuple[SharedArrays, list[range]]:
    """The squares of the first numbers, in parts of four, and the parts that were computed now."""
    shared = SharedArrays(folder, count, batch_size=4, source=lambda part: source)
    computed = []

    def arrays(part: range, on_batch: Callable[[int], object]) -> Arrays:
        computed.append(part)
        on_batch(len(part))
        return {"squares": np.array(part) ** 2}

    shared.compute(arrays)
    return shared, computed


def values(shared: SharedArrays) -> list[int]:
    return [int(value) for arrays in shared.read() for value in arrays["squares"]]


def test_parts_follow_one_another_and_are_computed_once(tmp_path: Path) -> None:
    shared, computed = squares(tmp_path)
    assert computed == shared.parts == [range(4), range(4, 8), range(8, 10)]
    assert values(shared) == [number**2 for number in range(10)]
    again, computed = squares(tmp_path)
    assert (again.kept, computed, values(again)) == (10, [], values(shared))


def test_of_a_long_list_a_part_is_a_64th_in_whole_batches(tmp_path: Path) -> None:
    parts = SharedArrays(tmp_path, 100_000, batch_size=32, source=str).parts
    assert len(parts) in range(60, 69)
    assert {len(part) % 32 for part in parts[:-1]} == {0}
    assert [index for part in parts for index in part] == list(range(100_000))


@pytest.mark.parametrize("damage", ["truncated", "other source", "other length"])
def test_what_is_damaged_or_of_something_else_is_computed_again(damage: str, tmp_path: Path) -> None:
    squares(tmp_path, count=9 if damage == "other length" else 10)
    if damage == "truncated":
        file = tmp_path / "0000004.npz"
        file.write_bytes(file.read_bytes()[:100])
    shared, computed = squares(tmp_path, source="two" if damage == "other source" else "one")
    expected = {"truncated": shared.parts[1:2], "other source": shared.parts, "other length": shared.parts[2:]}
    assert computed == expected[damage]
    assert values(shared) == [number**2 for number in range(10)]


def test_the_number_that_is_done_counts_the_parts_of_earlier_runs(tmp_path: Path) -> None:
    squares(tmp_path)
    (tmp_path / "0000004.npz").unlink()
    shared, done = SharedArrays(tmp_path, 10, batch_size=4, source=lambda part: "one"), []

    def arrays(part: range, on_batch: Callable[[int], object]) -> Arrays:
        on_batch(2)
        return {"squares": np.array(part) ** 2}

    shared.compute(arrays, on_done=done.append)
    assert done == [8, 10]
