"""One decorated function in one file is a method, a check or an objective: known by name, listed, and never imported
before it is used.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from deepdream.dreaming.config import OBJECTIVES
from deepdream.explaining.config import CHECKS, METHODS
from deepdream.registry import OpenRegistry, only_ours
from tools.method_table import PAGE, with_table

MINE = '''
from deepdream.explaining import METHODS

@METHODS.register("brightness", "how bright is it", "no pass")
def brightness(context):
    """Each pixel's own brightness."""
    return context.image[0].sum(dim=0)

def unregistered(context):
    return context.image[0, 0]
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an importable module of a user."""
    name = f"mine_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    entries = dict(METHODS._entries)
    yield name
    METHODS.__dict__["_entries"] = entries


@pytest.mark.parametrize("registry", [METHODS, CHECKS, OBJECTIVES])
def test_what_is_read_from_the_source_is_what_its_import_registers(registry: OpenRegistry) -> None:
    before = {name: registry.entry(name) for name in registry}
    assert len(before) >= 5
    for name, entry in before.items():
        assert registry[name] is not None  # imported, which runs the decorator
        assert registry.entry(name) == entry
        assert entry.summary.endswith((".", ";", ":")) or len(entry.summary) > 20
    assert list(registry) == list(before)


def test_a_file_of_the_user_registers_by_the_same_decorator(mine: str) -> None:
    assert "brightness" not in METHODS
    METHODS.check(f"{mine}.brightness")
    assert METHODS.details(f"{mine}.brightness").title == "brightness"
    assert METHODS["brightness"] is METHODS[f"{mine}.brightness"]
    assert list(METHODS)[-1] == "brightness"


def test_a_name_that_is_nowhere_is_an_error_of_one_line(mine: str) -> None:
    for name, message in {
        "gradkam": r"method is 'gradkam'; it must be one of gradcam, .*, or file\.function of your own\. Did you mean",
        "nowhere.rise": r"method is 'nowhere\.rise': No module named 'nowhere'",
        f"{mine}.unregistered": r"registers no such function; write @METHODS\.register\(\.\.\.\) above its def",
    }.items():
        with pytest.raises(ValueError, match=message):
            METHODS.check(name)
    with pytest.raises(ValueError, match=r"method 'gradcam' is deepdream\.explaining\.cam_methods:gradcam already"):

        @METHODS.register("mine", "what", "1 pass")
        def gradcam() -> None: ...


def test_a_name_from_a_file_imports_nothing_of_a_user(mine: str) -> None:
    with only_ours(), pytest.raises(ValueError, match="not part of deepdream; if you trust it, write method=mine"):
        METHODS.check(f"{mine}.brightness")
    assert mine not in sys.modules


def test_names_are_checked_without_torch() -> None:
    code = (
        "import sys; from deepdream.explaining.config import METHODS, CHECKS; METHODS.check('lrp'); "
        "CHECKS.check('infidelity'); from deepdream.dreaming.config import OBJECTIVES; OBJECTIVES.check('logit'); "
        "assert not {'torch', 'captum'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_and_documentation_list_every_method() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run `make method-table`"
    assert all(f"| `{name}` |" in page for name in METHODS)
    help_text = str(OmegaConf.load(PAGE.parents[1] / "conf" / "explain.yaml").hydra.help.template)
    assert all(f"\n  {name} " in help_text for name in METHODS)
