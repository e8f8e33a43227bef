from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from deepdream.environment import environment, git_state


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_commit_of_the_checkout_and_whether_it_was_changed(tmp_path: Path) -> None:
    code, installed = tmp_path / "code", tmp_path / "venv"
    for folder in (code, installed):
        folder.mkdir()
        (folder / "module.py").write_text("first\n")
    assert git_state(code) is None
    (tmp_path / ".gitignore").write_text("venv/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=first")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    assert git_state(code) == {"commit": commit, "dirty": False}
    assert git_state(installed) is None  # in the checkout of another project
    (code / "module.py").write_text("second\n")
    assert git_state(code) == {"commit": commit, "dirty": True}


def test_record_without_git_names_packages_and_devices(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    record = environment()
    assert record["git"] is None
    assert record["packages"]["torch"] == version("torch")
    assert "pytest" not in record["packages"]
    assert record["devices"] != [""]
