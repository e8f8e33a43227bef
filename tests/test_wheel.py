"""The sdist and the wheel: complete, and used in environments that have no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import lazy_loader
import pytest

from tests.conftest import ROOT, TINY

PYENV = Path.home() / ".pyenv" / "versions"
# One line of Python for each thing that a first hour has.
FIRST_HOUR = """
import deepdream as dd
dream = dd.dream("kitchen", width=96, octaves=2, steps=2)
dream.save("python.png")
print(dd.__version__, dd.__file__)
print(dd.explain("kitchen", methods="gradcam", confidence_samples=8).explained.prediction)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of the checkout and the wheel of the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def scripts(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console scripts of the wheel, installed in an environment that shares only our dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "venv", symlinks=True)
    (site_packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # A path file adds the dependencies but not our own editable install: path files in its folder are not read.
    (site_packages / "dependencies.pth").write_text(str(Path(lazy_loader.__file__).parents[1]))
    python = folder / "venv" / "bin" / "python"
    _run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", _wheel(built), cwd=folder
    )
    where = _run(python, "-c", "import deepdream; print(deepdream.__file__)", cwd=folder)
    assert where.strip().startswith(str(folder))
    return python.parent


def test_sdist_and_wheel_are_complete_and_valid(built: Path) -> None:
    (sdist,) = built.glob("deepdream_lightning-*.tar.gz")
    _run(sys.executable, "-m", "twine", "check", "--strict", sdist, _wheel(built), cwd=built)
    with tarfile.open(sdist) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    assert {"conf/dream/vivid.yaml", "constraints.txt", "environment.yml", "tests/test_wheel.py", "LICENSE"} <= inside
    assert not any(name.startswith(("docs/images/", "benchmarks/", ".github/")) for name in inside)
    packed = {path.relative_to(ROOT).as_posix() for path in _ours("deepdream", "conf", "hydra_plugins")}
    expected = {f"deepdream/{path}" if path.startswith("conf/") else path for path in packed}
    names = set(zipfile.ZipFile(_wheel(built)).namelist())
    assert expected <= names
    others = {name for name in names - expected if ".dist-info/" not in name}
    assert others == set()


@pytest.mark.slow
def test_an_installed_wheel_helps_trains_dreams_and_explains(built: Path, scripts: Path, tmp_path: Path) -> None:
    count = "from deepdream.models.named import places365_classes; print(len(places365_classes()))"
    assert _run(scripts / "python", "-c", count, cwd=tmp_path).strip() == "365"
    assert "python train.py" in _run(scripts / "deepdream-train", "--help", cwd=tmp_path)
    trained = _run(scripts / "deepdream-train", "experiment=demo", *TINY[1:], cwd=tmp_path)
    assert "epoch 1/1" in trained
    assert "checkpoint: outputs" in _run(scripts / "deepdream-evaluate", cwd=tmp_path)
    quick = ("dream.width=160", "dream.steps=2", "dream.octaves=2")
    _run(scripts / "deepdream-dream", *quick, "output=d.png", cwd=tmp_path)
    assert (tmp_path / "d.png").stat().st_size > 10_000
    _first_hour(_wheel(built), scripts / "python", tmp_path)


def _other_pythons() -> dict[str, Path]:
    """Version -> interpreter of each other admitted Python on this machine, on PATH or of pyenv."""
    found = {}
    for minor in (11, 12, 13, 14):
        # pyenv's before those on PATH, which may be its shims: they answer for one version only.
        paths = [*PYENV.glob(f"3.{minor}.*/bin/python"), shutil.which(f"python3.{minor}")]
        path = next((Path(each) for each in paths if each), None)
        if path is not None and minor != sys.version_info.minor:
            found[f"3.{minor}"] = path
    return found


@pytest.mark.slow
@pytest.mark.parametrize("python", _other_pythons())
def test_a_clean_environment_of_another_python_dreams_and_explains(built: Path, tmp_path: Path, python: str) -> None:
    """The dependencies come from where pip is configured to find them: gigabytes where that has no torch for a CPU."""
    subprocess.run([_other_pythons()[python], "-m", "venv", tmp_path / "venv"], check=True)
    interpreter = tmp_path / "venv" / "bin" / "python"
    online = {"http_proxy": None, "https_proxy": None}
    install = (interpreter, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt")
    _run(*install, _wheel(built), cwd=tmp_path, seconds=3600, changes=online)
    assert _run(interpreter, "-m", "pip", "check", cwd=tmp_path).strip() == "No broken requirements found."
    _first_hour(_wheel(built), interpreter, tmp_path)


def _first_hour(wheel: Path, python: Path, folder: Path) -> None:
    version, file, prediction = _run(python, "-c", FIRST_HOUR, cwd=folder).split()
    assert wheel.name.startswith(f"deepdream_lightning-{version}-")
    assert not file.startswith(str(ROOT))
    assert prediction == "kitchen"
    _run(python, "-m", "deepdream", "dream", "from=python.png", "output=again.png", cwd=folder)
    compare = "from PIL import Image as I; assert I.open('python.png').tobytes() == I.open('again.png').tobytes()"
    _run(python, "-c", compare, cwd=folder)


def _wheel(built: Path) -> Path:
    (wheel,) = built.glob("deepdream_lightning-*.whl")
    return wheel


def _ours(*folders: str) -> list[Path]:
    """The files of these folders that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]


def _run(*command: object, cwd: Path, seconds: float = 900, changes: dict[str, str | None] | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", *(changes or {})}}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
