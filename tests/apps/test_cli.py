"""python -m deepdream SUBCOMMAND."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from deepdream.apps import cli
from tests.conftest import ROOT, TINY


def deepdream(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deepdream", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_lists_every_subcommand_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == cli.main([]) == 0
    printed = capsys.readouterr().out
    width = max(map(len, cli.SUBCOMMANDS))
    for name, (_, what) in cli.SUBCOMMANDS.items():
        assert f"  {name:{width}}  {what}\n" in printed


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_every_subcommand_has_a_module_with_a_main(name: str) -> None:
    assert callable(import_module(cli.SUBCOMMANDS[name][0]).main)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("trian", "error: unknown subcommand `trian`. Did you mean `train`?\n"),
        (
            "model=resnet18",
            "error: unknown subcommand `model=resnet18`; choose one of train, dream, ",
        ),
    ],
)
def test_an_unknown_subcommand_is_a_one_line_error(name: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name]) == 1
    assert capsys.readouterr().err.startswith(line)


def test_a_subcommand_is_found_and_its_mistakes_are_answered_without_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    help_text = deepdream("--help", cwd=tmp_path)
    assert (help_text.returncode, help_text.stderr) == (0, "")
    mistake = deepdream("train", "model.dpth=18", cwd=tmp_path)
    assert mistake.returncode == 1
    assert mistake.stderr == "error: unknown key `model.dpth`. Did you mean `model.depth`?\n"


@pytest.mark.slow
def test_two_processes_train_under_the_subcommand(tmp_path: Path) -> None:
    arguments = (*TINY, "trainer.devices=2", "evaluate=false", "hydra.run.dir=run")
    result = deepdream("train", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()
