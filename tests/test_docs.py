"""The documentation holds together: links lead somewhere, commands have keys that exist, lines can be read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from deepdream import schema
from deepdream.apps.arguments import as_overrides
from deepdream.apps.cli import SUBCOMMANDS
from tests.conftest import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("multirun/*.md"), *ROOT.glob("deepdream/weights/*.md")]
)
HISTORY = "CHANGELOG.md"  # names what was, too
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SCRIPTS = ("train", "dream", "explain", "evaluate", "predict", "microscope", "studio")
IDS = {"ids": lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else None}


@pytest.mark.parametrize("page", PAGES, **IDS)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text)
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, **IDS)
def test_lines_have_at_most_120_characters(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT / "docs"], **IDS)
def test_a_page_is_in_the_navigation_and_opens_with_a_command(page: Path) -> None:
    assert f": {page.name}\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    first_section = re.split(r"\n##+ ", page.read_text(encoding="utf-8"))[0]
    assert "\n    " in first_section or "start" in first_section


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_files_and_folders_that_are_named_exist() -> None:
    missing = []
    for page in PAGES:
        if page.name != HISTORY:
            for name in re.findall(
                r"`((?:deepdream|tests|conf|benchmarks|tools|docs)/[\w/.-]*[\w/])`", page.read_text(encoding="utf-8")
            ):
                if not (ROOT / name).exists():
                    missing.append(f"{page.relative_to(ROOT)}: {name}")
    assert missing == []


def test_test_files_of_the_guarantees_exist() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    names = re.findall(r"`(?:tests/)?(\w+/test_\w+\.py)`", text)
    assert len(names) > 10
    assert [name for name in names if not (ROOT / "tests" / name).is_file()] == []


def _commands() -> list[tuple[str, str, list[str]]]:
    """Page, script and overrides of the commands of the documentation and the Makefile: each override at least once.

    Placeholders ($C) are left out. Of the values of a sweep the first is taken; keys of Hydra and its plugins are left
    out. docs/extending.md has a test of its own.
    """
    commands: list[tuple[str, str, list[str]]] = []
    seen: set[tuple[str, str]] = set()
    for page in [*PAGES, ROOT / "Makefile"]:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for script, rest in re.findall(rf"(?<!\$ )python ({'|'.join(SCRIPTS)})\.py([^\n`|;]*)", text):
            arguments = shlex.split(rest, comments=True)
            if page.name in (HISTORY, "extending.md") or "--config-dir" in arguments:
                continue
            overrides = [
                argument if "-m" not in arguments else re.sub(r"=([^\[{,]*),.*", r"=\1", argument)
                for argument in arguments
                if re.match(r"(?!hydra|sweep)\w[\w./@]*=[^$]*$", argument)
            ]
            if not {(script, override) for override in overrides} <= seen:
                commands.append((page.name, script, overrides))
                seen.update((script, override) for override in overrides)
    return commands


@pytest.mark.parametrize(("page", "script", "overrides"), _commands())
def test_commands_have_keys_that_exist(page: str, script: str, overrides: list[str]) -> None:
    schema.compose(script, as_overrides(script, overrides))


def test_enough_commands_are_found() -> None:
    assert len(_commands()) > 60
    assert {script for _, script, _ in _commands()} == set(SCRIPTS)


def test_a_wrong_key_in_a_command_is_found() -> None:
    with pytest.raises(ValueError, match=r"dream\.stpes"):
        schema.compose("dream", ["dream.stpes=3"])


def test_subcommands_that_are_named_exist() -> None:
    for page in PAGES:
        if page.name != HISTORY:
            for name in re.findall(r"python -m deepdream ([a-z]+)", page.read_text(encoding="utf-8")):
                assert name in SUBCOMMANDS, f"{page.name}: {name}"


def test_the_yaml_of_the_repository_is_valid() -> None:
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"]
    assert len(files) >= 5
    for path in files:
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), path
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert {"ruff-check", "ruff-format", "mypy", "lint-imports"} <= {hook["id"] for hook in hooks}


def test_the_workflow_covers_systems_and_pythons() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    unit = workflow["jobs"]["unit"]
    assert {name.partition("-")[0] for name in unit["strategy"]["matrix"]["os"]} == {"ubuntu", "macos", "windows"}
    assert unit["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    fast = re.search(r"^test-fast:.*\n\t.*(-m '[^']+')", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert fast
    assert fast[1].replace("'", '"') in unit["steps"][-1]["run"]


def test_issue_forms_have_unique_ids_and_required_fields() -> None:
    for name in ("bug_report.yml", "feature_request.yml"):
        form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / name).read_text(encoding="utf-8"))
        ids = [field["id"] for field in form["body"]]
        assert len(set(ids)) == len(ids)
        assert any(field.get("validations", {}).get("required") for field in form["body"])


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
