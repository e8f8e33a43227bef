"""Run docs/extending.md as written: create its files, run its commands, execute its Python."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT, TINY
from tests.forks import run

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
# File name -> text, of each fenced block whose first line names a file.
FILES = {match[1]: match[0] for match in re.finditer(r"(?<=\n)# ([\w/]+\.(?:py|yaml))\n.*?(?=```)", PAGE, re.DOTALL)}
COMMANDS = re.findall(r"^    python (.+)$", PAGE.replace("\\\n", " "), re.MULTILINE)
QUICK = {
    "train.py": [key for key in TINY if not key.startswith(("data=", "data.root", "data.rooms"))] + ["evaluate=false"],
    "explain.py": ["explain.integrated_gradients_steps=4", "explain.completeness=1", "explain.confidence_samples=8"],
    "dream.py": ["ckpt=best.ckpt", "dream.width=160", "dream.steps=2"],
}


def test_each_addition_is_short() -> None:
    assert sorted(FILES) == [
        *("contrast.py", "focal.py", "largest.py"),
        *("mine/callbacks/pets.yaml", "mine/data/pets.yaml", "mine/dream/embers.yaml"),
        *("pets.py", "rise.py", "tiny.py"),
    ]
    for name in ("pets.py", "tiny.py", "focal.py", "mine/data/pets.yaml", "mine/dream/embers.yaml"):
        lines = FILES[name].splitlines()[1:]  # without the comment that names the file
        assert len([line for line in lines if line]) < 15, name
    callback = FILES["largest.py"] + FILES["mine/callbacks/pets.yaml"]
    for text in (callback, *FILES.values()):
        assert len(text.splitlines()) < 30


@pytest.mark.slow
def test_the_page_works_as_written(tmp_path: Path) -> None:
    _write_photos(tmp_path / "photos")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    printed = {}
    for command in COMMANDS:
        script, *arguments = shlex.split(command)
        if script == "-m":
            subprocess.run([sys.executable, "-m", *arguments], cwd=tmp_path, check=True)
            continue
        app = script.removesuffix(".py")
        quick = _without_keys_of(arguments, QUICK[script])
        printed[command] = run(app, *arguments, *quick, folder=tmp_path, before=_import_from_here).said
        for best in tmp_path.glob("outputs/*/*/checkpoints/best.ckpt"):
            best.rename(tmp_path / ("other.ckpt" if any(a.startswith("model") for a in arguments) else "best.ckpt"))
    assert "frozen: stem, layer1, layer2, layer3; " in "".join(printed.values())
    runs = [path.parent for path in tmp_path.glob("outputs/*/*/metrics.csv")]
    logged = [EventAccumulator(str(run / "tensorboard")).Reload() for run in runs]
    largest = [events.Scalars("largest/fc") for events in logged if "largest/fc" in events.Tags()["scalars"]]
    assert [[event.value > 0 for event in events] for events in largest] == [[True]]
    (explanations,) = tmp_path.glob("outputs/*/*/explanations.csv")
    assert "rise.rise" in explanations.read_text(encoding="utf-8")
    for name in ("embers.png", "contrast.png"):
        assert np.asarray(Image.open(tmp_path / name)).std() > 10


def _without_keys_of(arguments: list[str], quick: list[str]) -> list[str]:
    """`quick` without what `arguments` choose themselves: a model, or a data module."""
    chosen = [
        group for group in ("model", "data") if any(a.startswith((f"{group}=custom", f"{group}.")) for a in arguments)
    ]
    return [key for key in quick if not key.startswith(tuple(chosen))]


def _import_from_here() -> None:
    """As `python train.py` finds the files beside it, or those on PYTHONPATH."""
    sys.path.insert(0, os.getcwd())


def _write_photos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / label / f"{number}.jpg")
