"""What has to be installed is used, what is used has to be installed, and what is optional is optional."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def _imported(*folders: str) -> set[str]:
    """The modules that the Python files of `folders` import, at the top or inside a function."""
    found = set()
    for path in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return found


def _distributions(modules: set[str]) -> set[str]:
    """What has to be installed for them; tensorboard is what torch.utils.tensorboard writes with."""
    tops = {module.partition(".")[0] for module in modules} - set(sys.stdlib_module_names)
    installed = packages_distributions()
    found = {_normal(each) for top in tops for each in installed.get(top, [top])}
    if "torch.utils.tensorboard" in modules:
        found.add("tensorboard")
    return found - {"deepdream", "tests"}


def test_every_dependency_is_used_and_everything_used_is_one() -> None:
    # lightning_fabric is part of pytorch-lightning; OpenCV has four distributions of one module
    known = {"lightning-fabric": "pytorch-lightning", "opencv-python": "opencv-python-headless"}
    used = {known.get(name, name) for name in _distributions(_imported("deepdream"))}
    needed = _names(PROJECT["dependencies"])
    assert needed <= used <= needed.union(*map(_names, PROJECT["optional-dependencies"].values()))


def test_every_tool_for_development_is_used() -> None:
    tools = {"build", "import-linter", "mypy", "pytest-xdist", "ruff", "setuptools", "twine"}  # of the Makefile
    tools |= {"ipykernel", "setuptools-scm"}  # nbclient starts the one, setuptools calls the other
    makefile = (ROOT / "Makefile").read_text() + (ROOT / "tests" / "test_wheel.py").read_text()
    for word in ("lint-imports", "mypy", "-n 3", "ruff", "build", "setuptools"):
        assert word in makefile + (ROOT / "pyproject.toml").read_text()
    used = _distributions(_imported("deepdream", "tests", "benchmarks", "tools"))
    itself = {PROJECT["name"]}  # with some of its extras
    assert _names(PROJECT["optional-dependencies"]["dev"]) - tools - itself <= used


def test_constraints_pin_what_is_needed() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = _names([line for line in lines if "==" in line])
    extras = PROJECT["optional-dependencies"]
    needed = _names(PROJECT["dependencies"] + extras["docs"] + extras["sweep"] + extras["wandb"] + extras["mlflow"])
    assert needed <= pinned


# Without what only the extras bring: each app's help, then every module.
BARE = """
import os, sys, types
missing = types.ModuleType("hydra_plugins")
missing.__path__ = []
sys.modules["hydra_plugins"] = missing
for name in ("optuna", "submitit", "hypothesis", "pytest", "pytorch_grad_cam", "lime", "timm", "wandb", "mlflow"):
    sys.modules[name] = None

from importlib import import_module

def run(app, *arguments):
    os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.argv = [f"{app}.py", *arguments]
    try:
        import_module(f"deepdream.apps.{app}").main()
    except SystemExit as ended:
        return ended.code

for app in ("train", "dream", "evaluate", "explain"):
    assert not run(app, "--help")
assert run("train", "-m", "sweep=optuna") == 1
assert run("train", "hydra/launcher=submitit_slurm") == 1
heavy = {"torch", "pytorch_lightning", "captum", "sklearn", "matplotlib", "scipy", "av", "cv2"} & set(sys.modules)
assert not heavy, heavy

import pkgutil, deepdream
for module in pkgutil.walk_packages(deepdream.__path__, "deepdream."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder: Path = tmp_path_factory.mktemp("bare")
    return subprocess.run([sys.executable, "-c", BARE], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_package_and_the_help_of_each_app_do_without_the_extras(bare: subprocess.CompletedProcess[str]) -> None:
    assert bare.returncode == 0, bare.stderr
    assert bare.stdout.count("--cfg job` prints every key") == 4


@pytest.mark.slow
def test_what_needs_an_extra_says_how_to_get_it(bare: subprocess.CompletedProcess[str]) -> None:
    assert bare.stderr.splitlines() == [
        "error: hydra/sweeper/optuna is not installed; `pip install 'deepdream-lightning[sweep]'` brings it",
        "error: hydra/launcher/submitit_slurm is not installed; `pip install 'deepdream-lightning[sweep]'` brings it",
    ]
