"""docs/images/architecture.svg shows the rooms and imports that the package has."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"
FONT_SIZES = {"name": 15, "caption": 12, "files": 9}


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "tools" / "architecture.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def picture(architecture: ModuleType) -> ElementTree.Element:
    return ElementTree.fromstring(architecture.draw())


def test_the_committed_picture_is_that_of_the_imports(architecture: ModuleType) -> None:
    assert architecture.PICTURE.read_text(encoding="utf-8") == architecture.draw(), "run `make architecture`"


@pytest.mark.medium
def test_every_room_and_file_is_on_the_picture(picture: ElementTree.Element) -> None:
    texts = {element.text for element in picture.iter(f"{SVG}text")}
    package = ROOT / "deepdream"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert len(rooms) >= 10
    assert rooms <= texts
    assert {path.name for path in package.glob("*.py") if not path.name.startswith("_")} <= texts


def test_each_import_between_rooms_is_one_dot(architecture: ModuleType, picture: ElementTree.Element) -> None:
    rooms, _ = architecture.read_rooms()
    imports = architecture.read_imports()
    dots = [element for element in picture.iter(f"{SVG}circle")]
    assert len(dots) == sum(len(imports[room] & set(rooms)) for room in rooms)
    assert {"models", "scenes"} <= imports["training"]
    assert "models" in imports["dreaming"]


def test_no_label_is_wider_than_its_box(picture: ElementTree.Element) -> None:
    elements = list(picture)
    for box, *labels in ((element, *elements[i + 1 : i + 4]) for i, element in enumerate(elements)):
        if box.get("class") in ("room", "hub"):
            for label in labels:
                width = 0.57 * FONT_SIZES[label.get("class")] * len(label.text or "")  # of a wide sans-serif
                assert width <= float(box.get("width")) - 16, label.text


def test_imports_are_read_in_all_their_forms(architecture: ModuleType, tmp_path: Path) -> None:
    rooms = ("apps", "models", "training", "dreaming", "scenes")
    for room in rooms:
        (tmp_path / "deepdream" / room).mkdir(parents=True)
        (tmp_path / "deepdream" / room / "__init__.py").touch()
    (tmp_path / "deepdream" / "images.py").touch()
    (tmp_path / "deepdream" / "apps" / "train.py").write_text(
        "import deepdream.models.network\nfrom deepdream import training\nfrom .. import images\n\n"
        "def run():\n    from ..dreaming.dreamer import Dreamer\n    from . import folders\n"
    )
    layers = ", ".join(f'"deepdream.{room}"' for room in (*rooms, "images"))
    (tmp_path / "pyproject.toml").write_text(f'[[tool.importlinter.contracts]]\ntype = "layers"\nlayers = [{layers}]')
    assert architecture.read_imports(tmp_path)["apps"] == {"models", "training", "images", "dreaming"}
    (tmp_path / "deepdream" / "unlisted.py").touch()
    with pytest.raises(ValueError, match=re.escape("not in the layers") + ".*unlisted"):
        architecture.draw(tmp_path)
