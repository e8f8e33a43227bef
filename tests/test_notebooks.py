"""The notebooks of docs/notebooks run from top to bottom, and are committed with small outputs."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "tools" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.slow
@each_notebook
def test_a_notebook_runs_offline_from_top_to_bottom(tool: ModuleType, path: Path) -> None:
    ran = tool.executed(path)
    images = [
        output for cell in ran.cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", ())
    ]
    assert len(images) >= 4


def test_there_are_four_and_their_page_lists_them() -> None:
    assert len(PATHS) == 4
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+\.ipynb)\)", page)) == {path.name for path in PATHS}


@each_notebook
def test_the_committed_outputs_are_whole_and_small(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run `make notebooks`"
    outputs = [output for cell in cells for output in cell.outputs]
    assert sum("image/jpeg" in output.get("data", ()) for output in outputs) >= 4
    assert not any(output.output_type == "error" for output in outputs)
    assert not re.search(r"/(?:tmp|home|root|work)/|0x[0-9a-f]{8}", json.dumps([cell.outputs for cell in cells]))


@each_notebook
def test_a_notebook_teaches_in_short_cells(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert sum(len(text.split()) for text in texts) > 250
    assert max(len(cell.source.splitlines()) for cell in code_cells(path)) <= 25
    for link in re.findall(r"\]\(([\w.]+\.ipynb)\)", "\n".join(texts)):
        assert (FOLDER / link).is_file()


def test_a_repository_on_github_gives_each_a_link_to_colab(tool: ModuleType) -> None:
    path = PATHS[0]
    notebook = nbformat.read(path, as_version=4)
    before = notebook.cells[0].source
    tool.link_to_colab(notebook, path, "somebody/deepdream")
    expected = f"colab.research.google.com/github/somebody/deepdream/blob/main/docs/notebooks/{path.name})"
    assert notebook.cells[0].source.splitlines()[2].endswith(expected)
    tool.link_to_colab(notebook, path, None)
    assert notebook.cells[0].source == before
    committed = f"](https://colab.research.google.com/github/{tool.repository()}/"
    assert (tool.repository() is None) == (committed not in before)
