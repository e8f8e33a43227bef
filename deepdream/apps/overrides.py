"""The arguments with which Hydra composes the configuration of a run again."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

RESOLVERS = r"(?:hydra|now|oc\.\w+|python_version):"


def quoted(text: str | Path, keys: Collection[str] = ()) -> str:
    r"""A text as the value of an override, whatever characters it has.

    keys: `${key}`, `${key.below}` and those of Hydra's resolvers stay interpolations; by default none does.
    Hydra reads a backslash as itself, but for those in front of a quote, and OmegaConf those in front of `${`.

    >>> print(quoted(r"C:\photos\it's"))
    'C:\photos\it\'s'
    >>> print(quoted("${a}${seed}.jpg", ["seed"]))
    '\${a}${seed}.jpg'
    """
    kept = rf"(?!{RESOLVERS}|(?:{'|'.join(map(re.escape, keys))})[.}}])" if keys else ""
    escaped = re.sub(rf"(\\*)(\$\{{){kept}", lambda found: f"{found[1] * 2}\\{found[2]}", str(text))
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), escaped)
    return f"'{escaped}'"


def unquoted(value: str) -> Any:
    """What Hydra reads in the value of an override: the inverse of `quoted`."""
    parsed = OverridesParser.create().parse_override(f"key={value}").value()
    read: Any = OmegaConf.to_container(OmegaConf.create({"key": parsed}), resolve=True)
    return read["key"]


def recorded(overrides: Any) -> list[str]:
    r"""A list of overrides from a configuration as it was written: OmegaConf would resolve what is in them."""
    written = OmegaConf.to_container(overrides, resolve=False)
    assert isinstance(written, list)
    return list(map(str, written))


def flags_of(hydra: Any) -> list[str]:
    """--config-dir and --config-name of a run, from the `hydra` part of its configuration."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    values = {"--config-dir": next(iter(folders), None), "--config-name": hydra.job.config_name}
    return [f"{flag}={value}" for flag, value in values.items() if value]


def joined(earlier: list[str], later: list[str]) -> list[str]:
    """The overrides of both lists; of a key that both set, only the later one, because Hydra adds no key twice."""
    keys = {override.partition("=")[0] for override in later}
    return [override for override in earlier if override.partition("=")[0] not in keys] + later
