"""A folder of its own for each run, and one process at a time at work in it."""

from __future__ import annotations

import shutil
import sys
from contextlib import AbstractContextManager, ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from deepdream.apps.overrides import quoted
from deepdream.apps.sweep_record import write_sweep
from deepdream.console import relative
from deepdream.files import exclusive_or_refuse

RUNNING = ".running"  # the lock in a run folder
CLOCK = "${now:"


class RunFolders(Callback):
    """Hydra's callback (conf/run_folder.yaml): a run or a sweep whose folder is named by the clock gets a new folder.

    It is made when the run starts, and never by composing or printing a configuration.
    """

    sweep: ClassVar[Path | None] = None  # the folder of the sweep that this process has started
    made: ClassVar[Path | None] = None  # the folder of a run that this process has made
    goes_on: ClassVar[bool] = False  # whether the sweep was begun by an earlier process
    held: ClassVar[ExitStack] = ExitStack()  # the lock of the sweep's folder, until this process ends

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Set hydra.run.dir."""
        is_made_here = _is_named_by_clock(config.hydra.run)
        config.hydra.run.dir = _own_folder(config.hydra.run)
        RunFolders.made = Path(config.hydra.run.dir) if is_made_here else None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Set hydra.sweep.dir, for the jobs too: a launcher composes each of them from the overrides."""
        folder = _own_folder(config.hydra.sweep)
        config.hydra.sweep.dir = folder
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(folder)}")
        RunFolders.sweep = Path(folder)
        write_sweep(RunFolders.sweep, sys.argv[1:], goes_on=RunFolders.goes_on)
        if not RunFolders.goes_on:
            RunFolders.held.enter_context(alone_in(RunFolders.sweep))


def _own_folder(node: DictConfig) -> str:
    """The folder that `node.dir` names; one that the clock names is made, as name_2, name_3 ... where it exists."""
    wanted = str(node.dir)
    if not _is_named_by_clock(node):
        return wanted
    path = Path(wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            own = path if number == 1 else path.with_name(f"{path.name}_{number}")
            try:
                own.mkdir()
            except FileExistsError:
                continue
            return str(own)
    except OSError:
        pass
    return wanted  # Hydra reports why it cannot be made, when it tries


def _is_named_by_clock(node: DictConfig) -> bool:
    return CLOCK in str(OmegaConf.to_container(node, resolve=False))


def remove_unused() -> None:
    """Remove the folder that this process has made for a run, and those above it, where only Hydra has written there.

    For a run that ends before it begins: its configuration is refused.
    """
    folder = RunFolders.made
    if folder is None or {path.name for path in folder.iterdir() if path.suffix != ".log"} - {".hydra"}:
        return
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # not empty: another run is there
        for above in (folder.parent, folder.parent.parent):
            above.rmdir()


def alone_in(folder: Path) -> AbstractContextManager[None]:
    """While this is open, no other run is at work in `folder`. Raises ValueError, in one line, where one is."""
    message = f"another process is training in {relative(folder)}; wait for its end, or choose another folder"
    return exclusive_or_refuse(folder / RUNNING, message)
