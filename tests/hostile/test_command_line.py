"""Odd values on the command line, to the command itself, in this process: one line, status 1, nothing begun."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from deepdream.apps import dream, explain, train
from tests.conftest import run_app
from tests.hostile.checkpoints import checkpoint
from tests.hostile.guard import guard
from tests.hostile.pictures import programs
from tests.models.checkpoints import RunsCode

COMMANDS = {"dream": dream.main, "explain": explain.main, "train": train.main}
ODD = {
    "dream": [
        "dream.layers=[layer4",
        "dream.layers=[]",
        "dream.layers='",
        "dream.layers=${dream.layers}",
        "dream.layers=[layer4:99999999999999999999]",
        "dream=../../../etc/passwd",
        "dream=/etc/passwd",
        "dream=",
        "~dream",
        "~dream.layers",
        "=x",
        "",
        "a" * 5_000 + "=1",
        "dream.layers=[" + "a" * 50_000 + "]",
        "image=a\nb.png",
        "image=\x1b]0;title\x07.png",
        "image='\x1b[2J.png'",
        "image=a\udcff.png",
        "image='a\udcff.png'",
        "image=${oc.env:NO_SUCH_VARIABLE}",
        "image=${no_such_resolver:1}",
        "image=${image}",
        "image=???",
        "image='/dev/zero'",
        "dream.precision=\u202efp32",
        "é=1",
        "seed=nan",
        "seed=-1",
        "dream.step_size=nan",
        "dream.sigma=1e300",
        "dream.objective={mean: 1e999}",
        "dream.objective=[{term: __class__}]",
        "film.fps=0.00001",
        "film.rotate=inf",
        "output=/proc/none/x.png",
        "hydra/launcher=none",
        "--config-name=none",
    ],
    "explain": ["methods=[lime,__import__]", "methods=", "explain.lime_samples=-1", "image='\x1b[2J'"],
    "train": ["data.mean=[nan,0,0]", "optimizer.lr=inf", "resume=/etc", "data.url.archive=['file:///etc/passwd']"],
}


@pytest.mark.parametrize(("app", "argument"), [(app, each) for app, odd in ODD.items() for each in odd])
def test_an_odd_argument_is_answered_in_one_line(
    app: str,
    argument: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.save(checkpoint(), tmp_path / "best.ckpt")
    sound = ["ckpt=best.ckpt", "image=noise", "dream.width=64", "dream.steps=1"] if app == "dream" else []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # each command sets it, for its own time
    monkeypatch.setattr(sys, "argv", [f"{app}.py", *sound, argument])
    with guard(tmp_path), pytest.raises(SystemExit) as ended:
        COMMANDS[app]()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.isprintable(), repr(line)
    assert len(line) < 1_100


def test_a_file_name_in_any_script_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(checkpoint(), tmp_path / "best.ckpt")
    for name in ("Küche.png", "厨房.png", "a b.png", "it's.png", "a=b.png", "50%.png"):
        argument = "image='" + name.replace("'", "\\'") + "'"
        monkeypatch.setattr(sys, "argv", ["dream.py", "ckpt=best.ckpt", argument])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        with pytest.raises(SystemExit):
            dream.main()
        assert f"there is no file {name}" in capsys.readouterr().err


def test_hostile_files_in_a_folder_are_skipped(tmp_path: Path) -> None:
    for name in ("gs", "convert", "inkscape"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text("#!/bin/sh\ntouch ran\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "photos").mkdir()
    for name, content in programs():
        (tmp_path / "photos" / name).write_bytes(content)
    torch.save(checkpoint(), tmp_path / "best.ckpt")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    result = run_app("dream", "ckpt=best.ckpt", "image=photos", "output=out", cwd=tmp_path, PATH=path)
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["skipped"] * len(dict(programs()))
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_checkpoint_with_code_is_refused(tmp_path: Path) -> None:
    torch.save(checkpoint(more=RunsCode(tmp_path / "ran")), tmp_path / "evil.ckpt")
    result = run_app("explain", "ckpt=evil.ckpt", cwd=tmp_path)
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert "would run code when opened, and is refused" in result.stderr
    assert not (tmp_path / "ran").exists()
