"""The distribution that pip installs: its name, its version, its extras."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

NAME = "deepdream-lightning"  # of pyproject.toml; "deepdream" on the package index is somebody else's
NOT_INSTALLED = "0+unknown"  # of a checkout that is used without an installation


def version() -> str:
    """The version of the installed distribution: that of the git tag it was built from, see pyproject.toml."""
    try:
        return installed_version(NAME)
    except PackageNotFoundError:
        return NOT_INSTALLED


def install_extra(extra: str) -> str:
    """The command that installs the packages of an extra.

    >>> install_extra("timm")
    "pip install 'deepdream-lightning[timm]'"
    """
    return f"pip install '{NAME}[{extra}]'"
