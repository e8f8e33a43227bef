from __future__ import annotations

import pytest

from deepdream.key_kinds import kinds_of
from deepdream.schema import SCHEMAS, schema_of

NO_PATHS = {"data.url.images", "ground_truth.images"}  # an address, and a number
PATHS = {"ckpt", "image", "images", "guide", "mask", "masks", "output", "root", "run", "to", "reproduce", "resume"}


@pytest.mark.parametrize("app", SCHEMAS)
def test_a_key_that_takes_a_path_takes_every_path(app: str) -> None:
    kinds = {key: kind for key, kind in kinds_of(schema_of(app)).items() if key.rpartition(".")[2] in PATHS}
    assert kinds
    assert {key for key, kind in kinds.items() if kind.verbatim != "path"} <= NO_PATHS


def test_lists_and_outputs_are_known() -> None:
    kinds = kinds_of(schema_of("dream"))
    assert kinds["dream.layers"].is_list
    assert kinds["output"].is_output
    assert not kinds["seed"].verbatim
