"""What Hydra 1.3 lacks: the help of Python 3.14, and a start that composes the configuration only once."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.types import RunMode
from omegaconf import DictConfig

RUN = f"hydra.mode={RunMode.RUN.name}"  # what Hydra adds to the overrides where nothing sets the mode


@contextmanager
def unchecked_help() -> Iterator[None]:
    """Python 3.14 checks the help text of an argument when it is added, and Hydra 1.3.8 gives an object, not a text."""
    if not hasattr(argparse.ArgumentParser, "_check_help"):
        yield
        return
    with patch.object(argparse.ArgumentParser, "_check_help", lambda self, action: None):
        yield


@contextmanager
def composed_once() -> Iterator[None]:
    """Hydra composes the configuration to learn its mode, and then once more to run it: 0.2 to 0.3 s of every start.

    Inside the block a single run takes what was composed for the mode. Configurations, errors and recorded overrides
    are those of Hydra alone; a sweep composes as before.
    """
    compose = ConfigLoaderImpl.load_configuration
    kept: dict[tuple[str | None, ...], DictConfig] = {}

    def load(
        loader: ConfigLoaderImpl, config_name: str | None, overrides: list[str], run_mode: RunMode, **options: Any
    ) -> DictConfig:
        arguments = (config_name, *(override for override in overrides if override != RUN))
        if not options.get("validate_sweep_overrides", True):  # only the mode is wanted
            try:
                kept[arguments] = compose(loader, config_name, overrides, RunMode.RUN)
            except Exception:  # the values of a sweep, or a mistake, which the run will raise
                return compose(loader, config_name, overrides, run_mode, **options)
            return kept[arguments]
        config = kept.pop(arguments, None) if run_mode is RunMode.RUN else None
        if config is None:
            return compose(loader, config_name, overrides, run_mode, **options)
        if config.hydra.mode is None:
            config.hydra.mode = RunMode.RUN
            config.hydra.overrides.hydra.append(RUN)
        return config

    with patch.object(ConfigLoaderImpl, "load_configuration", load):
        yield
