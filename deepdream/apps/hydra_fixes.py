"""What Hydra 1.3 lacks: help under Python 3.14, and no work at its start for what nobody sees."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra.types import RunMode
from omegaconf import DictConfig

RUN = f"hydra.mode={RunMode.RUN.name}"  # what Hydra adds to the overrides where nothing sets the mode


@contextmanager
def unchecked_help() -> Iterator[None]:
    """Python 3.14 checks the help text of an argument when it is added, and Hydra 1.3.8 gives an object, not a text."""
    if not hasattr(argparse.ArgumentParser, "_check_help"):
        yield
        return
    with _replaced(argparse.ArgumentParser, "_check_help", lambda self, action: None):
        yield


@contextmanager
def brief_help() -> Iterator[None]:
    """Hydra lists the choices of every group for `--help`, in two seconds, also where the template shows none."""
    get_help = Hydra.get_help

    def without_groups(hydra: Hydra, help_cfg: DictConfig, *arguments: Any, **options: Any) -> str:
        if "CONFIG_GROUPS" in help_cfg.template:
            return get_help(hydra, help_cfg, *arguments, **options)
        with _replaced(Hydra, "format_config_groups", lambda self, predicate: ""):
            return get_help(hydra, help_cfg, *arguments, **options)

    with _replaced(Hydra, "get_help", without_groups):
        yield


@contextmanager
def composed_once() -> Iterator[None]:
    """Hydra composes the configuration to learn its mode, and then once more to run it: 0.2 to 0.3 s of every start.

    Inside the block a single run takes what was composed for the mode, or its error. Configurations, errors and
    recorded overrides are those of Hydra alone; a sweep composes as before.
    """
    compose = ConfigLoaderImpl.load_configuration
    kept: dict[tuple[str | None, ...], DictConfig | Exception] = {}

    def load(
        loader: ConfigLoaderImpl, config_name: str | None, overrides: list[str], run_mode: RunMode, **options: Any
    ) -> DictConfig:
        arguments = (config_name, *(override for override in overrides if override != RUN))
        if not options.get("validate_sweep_overrides", True):  # only the mode is wanted
            try:
                config = kept[arguments] = compose(loader, config_name, overrides, RunMode.RUN)
            except Exception as error:  # the values of a sweep, or a mistake, which the run raises
                kept[arguments] = error
                return compose(loader, config_name, overrides, run_mode, **options)
            return config
        known = kept.pop(arguments, None) if run_mode is RunMode.RUN else None
        if known is None:
            return compose(loader, config_name, overrides, run_mode, **options)
        if isinstance(known, Exception):
            raise known
        if known.hydra.mode is None:
            known.hydra.mode = RunMode.RUN
            known.hydra.overrides.hydra.append(RUN)
        return known

    with _replaced(ConfigLoaderImpl, "load_configuration", load):
        yield


@contextmanager
def _replaced(owner: type, name: str, value: Callable[..., Any]) -> Iterator[None]:
    """An attribute of a class is `value` inside the block. unittest.mock does the same, and imports asyncio for it."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
