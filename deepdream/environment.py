"""What a run is started with: the commit of this code, the versions of its packages, the machine and its device."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import deepdream
from deepdream import distribution
from deepdream.hardware import device_names

PACKAGE = Path(deepdream.__file__).parent


def environment() -> dict[str, Any]:
    """The record as plain data: command, git commit, package versions, Python, system, devices.

    git is None for an installed wheel. git.dirty: tracked files differ from the commit.
    """
    return {
        "command": sys.argv,
        "git": git_state(PACKAGE),
        "python": platform.python_version(),
        "system": " ".join((platform.system(), platform.release(), platform.machine())),  # platform() starts a process
        "devices": device_names(),
        "packages": {"deepdream": deepdream.__version__, **_dependencies()},
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """{"commit": "13b7...", "dirty": False} of the checkout that tracks the files of `folder`; None without one.

    A folder that is only ignored in somebody's checkout, as an environment often is, has none.
    """
    if not _git(folder, "ls-files", "."):
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None where it fails, or is not installed."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _dependencies() -> dict[str, str]:
    """The installed ones among what pyproject.toml names, but for the tools of development."""
    try:
        required = requires(distribution.NAME) or []
    except PackageNotFoundError:  # a checkout that is not installed
        return {}
    found = {}
    for requirement in required:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        with suppress(PackageNotFoundError):  # an extra
            if 'extra == "dev"' not in requirement:
                found[name] = version(name)
    return found
