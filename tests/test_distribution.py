"""Name, version and addresses of the distribution stand in one place, or agree."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import yaml

import deepdream
from deepdream import distribution
from tests.conftest import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def test_the_version_is_that_of_the_installed_distribution(monkeypatch) -> None:
    assert PROJECT["name"] == distribution.NAME
    assert deepdream.__version__ == version(PROJECT["name"])
    monkeypatch.setattr(distribution, "NAME", "deepdream-not-installed")
    assert deepdream.__version__ == distribution.NOT_INSTALLED


def test_no_requirement_is_the_package_of_somebody_else() -> None:
    """`deepdream` on the package index is not ours: a requirement of that name would install it."""
    several = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for each in several for requirement in each}
    assert "deepdream" not in names
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *(ROOT / "deepdream").rglob("*.py"), ROOT / "Makefile"]
    for path in files:
        assert not re.search(r"pip install [\"']?deepdream(?!-lightning)\b", path.read_text(encoding="utf-8")), path


def test_the_last_release_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (last, day) = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)", changelog, re.MULTILINE)[0]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], str(citation["date-released"])) == (last, day)
    assert PYPROJECT["tool"]["setuptools_scm"]["fallback_version"] == last


def test_the_conda_environment_has_a_python_that_is_admitted() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (python,) = (each for each in environment["dependencies"] if str(each).startswith("python="))
    minor = int(python.rpartition(".")[2])
    low, high = (int(each) for each in re.findall(r"3\.(\d+)", PROJECT["requires-python"]))
    assert low <= minor < high
