"""Run docs/extending.md as written: create its files, run its commands, execute its Python."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT, TINY, start_app

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
# File name -> text, of each fenced block whose first line names a file.
FILES = {match[1]: match[0] for match in re.finditer(r"(?<=\n)# ([\w/]+\.(?:py|yaml))\n.*?(?=```)", PAGE, re.DOTALL)}
COMMANDS = re.findall(r"^    python (.+)$", PAGE, re.MULTILINE)
QUICK = {
    "train.py": [key for key in TINY if not key.startswith(("data=", "data.root", "data.rooms"))] + ["evaluate=false"],
    "explain.py": ["explain.integrated_gradients_steps=4", "explain.completeness=1", "explain.confidence_samples=8"],
    "dream.py": ["ckpt=best.ckpt", "dream.width=160", "dream.steps=2"],
}


def test_each_addition_has_fewer_than_thirty_lines() -> None:
    assert sorted(FILES) == [
        *("contrast.py", "largest.py"),
        *("mine/callbacks/pets.yaml", "mine/data/pets.yaml", "mine/dream/embers.yaml"),
        "rise.py",
    ]
    callback = FILES["largest.py"] + FILES["mine/callbacks/pets.yaml"]
    for text in (callback, *FILES.values()):
        assert len(text.splitlines()) < 30


def test_the_page_works_as_written(tmp_path: Path) -> None:
    _write_photos(tmp_path / "photos")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for command in COMMANDS:
        script, *arguments = shlex.split(command)
        if script == "-m":
            subprocess.run([sys.executable, "-m", *arguments], cwd=tmp_path, check=True)
            continue
        path = f"{ROOT}{os.pathsep}{tmp_path}"
        result = start_app(script.removesuffix(".py"), *arguments, *QUICK[script], cwd=tmp_path, PYTHONPATH=path)
        assert result.returncode == 0, result.stdout + result.stderr
        for best in tmp_path.glob("outputs/*/*/checkpoints/best.ckpt"):
            best.rename(tmp_path / "best.ckpt")
    (checkpoints,) = tmp_path.glob("outputs/*/*/checkpoints")
    events = EventAccumulator(str(checkpoints.with_name("tensorboard"))).Reload()
    assert [event.value > 0 for event in events.Scalars("largest/fc")] == [True]
    (explanations,) = tmp_path.glob("outputs/*/*/explanations.csv")
    assert "rise.rise" in explanations.read_text(encoding="utf-8")
    for name in ("embers.png", "contrast.png"):
        assert np.asarray(Image.open(tmp_path / name)).std() > 10


def _write_photos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / label / f"{number}.jpg")
