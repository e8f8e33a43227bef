"""The commands without what only Unix has: tests/apps/windows/sitecustomize.py takes it away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepdream.images import noise_image
from tests.conftest import ROOT, TINY

WINDOWS = ROOT / "tests" / "apps" / "windows"
# Several commands in one process, which imports torch once.
COMMANDS = """
import json, sys
from deepdream.apps import cli
for arguments in json.loads(sys.argv[1]):
    if status := cli.main(arguments):
        sys.exit(status)
"""


def on_windows(*commands: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    import json

    paths = os.pathsep.join([str(WINDOWS), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "cp1252", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def class_folders(root: Path) -> None:
    for number, name in enumerate(("blue", "red")):
        (root / name).mkdir(parents=True)
        for image in range(6):
            noise_image(40, 48, 10 * number + image).save(root / name / f"{image}.png")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_every_command_runs_without_what_windows_lacks(workers: int, tmp_path: Path) -> None:
    class_folders(tmp_path / "photos")
    ckpt = "ckpt=run/checkpoints/best.ckpt"
    small = ("dream.width=64", "dream.octaves=1", "dream.steps=1", "dream.layers=[layer2]")
    result = on_windows(
        ["data", "data=folder", "data.root=photos", "data.val_per_class=1", f"data.workers={workers}"],
        ["train", *TINY, f"data.workers={workers}", "hydra.run.dir=run", "evaluate=false"],
        ["evaluate", ckpt, f"workers={workers}"],
        ["dream", "photos/red/0.png", ckpt, *small, "output=dream.png"],
        ["explain", "photos/red/0.png", ckpt, "methods=[gradcam]", "logger=csv", "hydra.run.dir=explained"],
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "dream.png").is_file()
    assert list((tmp_path / "explained" / "csv" / "images").rglob("*.png"))


def test_the_imitation_takes_something_away(tmp_path: Path) -> None:
    script = "import os, signal, sys; sys.exit(hasattr(signal, 'SIGUSR1') or hasattr(os, 'fork'))"
    environment = {**os.environ, "PYTHONPATH": str(WINDOWS)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0
