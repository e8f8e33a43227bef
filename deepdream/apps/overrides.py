"""The arguments with which Hydra composes the configuration of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def quoted(path: Path) -> str:
    """A path as the value of an override, whatever characters are in its name."""
    text = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def flags_of(hydra: Any) -> list[str]:
    """--config-dir and --config-name of a run, from the `hydra` part of its configuration."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    values = {"--config-dir": next(iter(folders), None), "--config-name": hydra.job.config_name}
    return [f"{flag}={value}" for flag, value in values.items() if value]


def joined(earlier: list[str], later: list[str]) -> list[str]:
    """The overrides of both lists; of a key that both set, only the later one, because Hydra adds no key twice."""
    keys = {override.partition("=")[0] for override in later}
    return [override for override in earlier if override.partition("=")[0] not in keys] + later
