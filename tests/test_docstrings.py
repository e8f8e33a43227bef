"""The examples in docstrings give the result that they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import deepdream

EXAMPLES = [
    module.name
    for module in pkgutil.walk_packages(deepdream.__path__, "deepdream.")
    if ">>>" in (importlib.util.find_spec(module.name).loader.get_source(module.name) or "")
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_give_the_result_that_they_show(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("package", ["deepdream.dreaming", "deepdream.explaining", "deepdream.models"])
def test_each_room_of_the_python_api_has_an_example(package: str) -> None:
    assert any(name.startswith(package) for name in EXAMPLES)
