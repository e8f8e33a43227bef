"""Whatever is written where a user or a file may write something: it is understood, or answered in one line."""

from __future__ import annotations

import dataclasses
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from deepdream.apps.reproduce import reproduced
from deepdream.dreaming.config import DreamAppConfig, DreamConfig, FilmConfig
from deepdream.dreaming.selection import Selection, expand_patterns
from deepdream.explaining.config import ExplainConfig
from deepdream.models.config import ModelConfig
from deepdream.models.layers import Layer
from deepdream.provenance import OUTPUTS, read_provenance, write_image, write_png
from deepdream.scenes.layout import read_list
from deepdream.schema import preset, typed
from tests.hostile.guard import guard, outcome
from tests.hostile.test_pictures import config, kept_config
from tests.pictures import chunk, png

# The same examples each time, few enough for a test run, and no clock: a busy machine is no failure.
bounded = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.function_scoped_fixture,),
)
few = settings(bounded, max_examples=40)

text = st.text(st.characters(codec="utf-8"), max_size=30)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 10**30, 10**400, math.inf, -math.inf, math.nan, 1e308, 5e-324]),
    st.floats(),
    text,
    st.sampled_from(["", "null", "???", "${seed}", "${oc.env:HOME}", "!!python/name:os.system", "1e999", "\x1b[2J"]),
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)


# The lists of a data set


@bounded
@given(
    st.one_of(
        st.binary(max_size=200), text.map(str.encode), st.text("ab/.\n\r\0\\:\ufeff ", max_size=20).map(str.encode)
    )
)
@example(b"./a.jpg")
@example(b"a/.")
@example(b"/")
def test_a_list_names_files_below_its_folder_or_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "TrainImages.txt"
    path.write_bytes(content)
    entries = outcome(read_list, path)
    if isinstance(entries, str):
        assert "TrainImages.txt" in entries
        return
    assert entries
    assert len(set(entries)) == len(entries)
    root = tmp_path / "Images"
    assert all(root in Path(os.path.normpath(root / entry)).parents for entry in entries)


names = st.text(st.characters(codec="utf-8", exclude_characters="/\n\r"), min_size=1, max_size=12).filter(
    lambda name: name.strip() == name and name not in (".", "..") and not name.startswith("\ufeff")
)


@bounded
@given(st.lists(st.tuples(names, names).map("/".join), min_size=1, max_size=5, unique=True))
def test_a_list_is_read_back_unchanged(tmp_path: Path, entries: list[str]) -> None:
    path = tmp_path / "TrainImages.txt"
    path.write_bytes("\n".join(entries).encode())
    assert read_list(path) == tuple(entries)


# Layers

LAYERS = [Layer(name, "Conv2d", 8, 4, 1) for name in ("conv1", "layer1", "layer1.0", "layer1.0.conv1", "layer2", "3")]
layer_names = st.text("abcdefgh.0123456789_", min_size=1, max_size=20)


@bounded
@given(st.one_of(text, st.text("layer12.*:@,-+e0123456789 ", max_size=40)))
@example("1" * 100_000)
@example("*" * 100_000)
@example("*a" * 50_000 + "x")
@example("1e400*layer1")
@example("layer1:" + "9" * 5_000)
@example("[!a]ayer1*")
def test_a_selection_is_understood_or_refused_in_time(tmp_path: Path, written: str) -> None:
    with guard(tmp_path):
        chosen = outcome(lambda: expand_patterns([Selection.parse(written)], LAYERS))
    assert isinstance(chosen, str) or chosen
    for selection in () if isinstance(chosen, str) else chosen:
        assert selection.layer in {layer.name for layer in LAYERS}
        assert math.isfinite(selection.weight)


@bounded
@given(
    st.builds(
        Selection,
        layer_names,
        st.integers(0, 10**9 - 1),
        st.none() | st.tuples(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1)),
        st.integers(-99_999, 99_999).map(lambda n: n / 100),
    )
)
def test_a_selection_is_read_back_unchanged(selection: Selection) -> None:
    assert Selection.parse(str(selection)) == selection


# What a picture keeps

finite = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@few
@given(st.dictionaries(st.text(max_size=9), finite, max_size=4), st.sampled_from(OUTPUTS))
def test_provenance_is_read_back_unchanged(tmp_path: Path, kept: dict[str, Any], suffix: str) -> None:
    path = write_image(Image.new("RGB", (2, 2)), tmp_path / f"dream{suffix}", provenance=kept)
    assert read_provenance(path) == kept


@bounded
@given(st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP"]), st.binary(max_size=60), st.booleans())
def test_any_bytes_in_a_text_chunk_are_a_configuration_or_one_line(
    tmp_path: Path, kind: bytes, content: bytes, named: bool
) -> None:
    path = tmp_path / "dream.png"
    data = (b"deepdream\0" if named else b"") + content
    path.write_bytes(png(1, 1, chunk(kind, data), chunk(b"IDAT", zlib.compress(b"\0\0"))))
    assert isinstance(outcome(read_provenance, path), dict | str)


@few
@given(st.dictionaries(st.sampled_from(["config", "checkpoint", "version"]), json_values, max_size=3), json_values)
def test_any_configuration_in_an_image_is_checked_key_by_key(tmp_path: Path, kept: dict[str, Any], value: Any) -> None:
    key = ("image", "seed", "dream", "film", "ckpt", "no_such_key")[len(str(value)) % 6]
    kept.setdefault("config", {**kept_config(), key: value})
    try:
        path = write_png(Image.new("RGB", (2, 2)), tmp_path / "dream.png", provenance=kept)
    except ValueError:  # an integer that has more digits than Python writes
        return
    found = outcome(reproduced, config(path))
    assert isinstance(found, str | DreamAppConfig)


# The configuration

SCHEMAS = {
    DreamConfig: preset(DreamConfig, "dream", "vivid"),
    FilmConfig: preset(FilmConfig, "film", "none"),
    ExplainConfig: preset(ExplainConfig, "explain", "default"),
    ModelConfig: preset(ModelConfig, "model", "resnet18"),
}


@pytest.mark.parametrize("schema", SCHEMAS)
@bounded
@given(data=st.data())
def test_any_value_of_any_key_is_checked(schema: type, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([field.name for field in dataclasses.fields(schema)]))
    value = data.draw(json_values)
    made = outcome(typed, schema, dataclasses.asdict(SCHEMAS[schema]), {key: value})
    assert isinstance(made, str | schema)
    for number in () if isinstance(made, str) else _numbers(dataclasses.asdict(made)):
        assert math.isfinite(number)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        yield from (number for each in value.values() for number in _numbers(each))
    elif isinstance(value, list | tuple):
        yield from (number for each in value for number in _numbers(each))
