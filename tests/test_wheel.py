import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console scripts of the wheel, installed in an environment that shares only our dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("deepdream-*.whl")
    venv.create(folder / "venv", symlinks=True)
    (site_packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # A path file adds the dependencies but not our own editable install: path files in its folder are not read.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    python = folder / "venv" / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    where = _run(python, "-c", "import deepdream; print(deepdream.__file__)", cwd=folder)
    assert where.strip().startswith(str(folder))
    return python.parent


def test_an_installed_wheel_helps_trains_and_dreams(scripts: Path, tmp_path: Path) -> None:
    count = "from deepdream.models.named import places365_classes; print(len(places365_classes()))"
    assert _run(scripts / "python", "-c", count, cwd=tmp_path).strip() == "365"
    assert "python train.py" in _run(scripts / "deepdream-train", "--help", cwd=tmp_path)
    trained = _run(scripts / "deepdream-train", "experiment=demo", *TINY[1:], cwd=tmp_path)
    assert "epoch 1/1" in trained
    assert "checkpoint: outputs" in _run(scripts / "deepdream-evaluate", cwd=tmp_path)
    _run(
        scripts / "deepdream-dream", "dream.width=160", "dream.steps=2", "dream.octaves=2", "output=d.png", cwd=tmp_path
    )
    assert (tmp_path / "d.png").stat().st_size > 10_000


def _run(*command: object, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
