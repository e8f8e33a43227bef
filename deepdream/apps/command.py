"""From a function of a checked config to a command: Hydra around it, and errors as one line.

This folder is the only place that knows Hydra.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from deepdream.apps.run_folder import own_folder
from deepdream.apps.sweep_jobs import JobFailed, failed_jobs, run_alone
from deepdream.hardware import let_pages_be_large, let_threads_sleep
from deepdream.schema import closest, one_line

log = logging.getLogger(__name__)

T = TypeVar("T")

OmegaConf.register_new_resolver("own_folder", own_folder, use_cache=True)  # conf/run_folder.yaml asks for it

# What Hydra misses where the extra "sweep" is not installed.
SWEEP_EXTRA = ("optuna", "joblib", "submitit_local", "submitit_slurm")
LONGEST_LINE = 1_000  # characters of an error's line

# Set by a user who wants Hydra's and our tracebacks.
FULL_ERROR = "HYDRA_FULL_ERROR"


def command(
    name: str,
    schema: type[T],
    *,
    arguments: Callable[[list[str]], list[str]] = list,
    objective: Callable[[Path], float] | None = None,
) -> Callable[[Callable[[T, Path], None]], Callable[[], None]]:
    """Make a command of `run(config, folder)`: conf/<name>.yaml, checked by `schema`, in a run folder of its own.

    arguments: makes those that Hydra gets of those on the command line.
    objective: makes each job of a sweep a process of its own; of its folder, the figure that a sweeper makes larger.

    The command ends with status 0, or 1 after one line on stderr that says what was wrong, or 130 after Ctrl-C; the
    arguments of a KeyboardInterrupt that `run` raises are printed: how to go on.
    With HYDRA_FULL_ERROR=1 the traceback is printed instead.
    """
    ConfigStore.instance().store(name=f"{name}_schema", node=schema)

    def decorate(run: Callable[[T, Path], None]) -> Callable[[], None]:
        def main() -> None:
            wants_traceback = os.environ.get(FULL_ERROR) == "1"
            let_threads_sleep()
            let_pages_be_large()
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="backslashreplace")  # so that the name of a file can always be printed

            def job(config: DictConfig) -> float | None:
                if not wants_traceback:
                    os.environ.pop(FULL_ERROR, None)  # a process begun here should not take it for the user's wish
                try:
                    folder = Path(HydraConfig.get().runtime.output_dir)
                    if objective is not None and HydraConfig.get().mode is RunMode.MULTIRUN:
                        run_alone(f"deepdream.apps.{name}", folder)
                        return objective(folder)
                    _run_job(run, config, folder, wants_traceback=wants_traceback)
                    return None
                finally:
                    os.environ[FULL_ERROR] = "1"

            os.environ[FULL_ERROR] = "1"  # Hydra then raises its errors instead of printing them its own way
            try:
                sys.argv[1:] = arguments(sys.argv[1:])
                hydra.main(version_base="1.3", config_path="pkg://deepdream.conf", config_name=name)(job)()
                if failed := failed_jobs():  # a sweeper may have gone on without a word
                    raise failed
            except KeyboardInterrupt as stop:
                sys.exit(_interrupted(stop))
            except Exception as error:
                if wants_traceback:
                    raise
                # A grid raises the first failure, and Optuna that no trial was completed.
                told = failed_jobs() if isinstance(error, JobFailed | ValueError) else None
                print(f"error: {describe(told or error)}", file=sys.stderr)
                sys.exit(1)

        return main

    return decorate


def _run_job(run: Callable[[T, Path], None], config: DictConfig, folder: Path, *, wants_traceback: bool) -> None:
    if not wants_traceback:
        threading.excepthook = _into_log
        logging.raiseExceptions = False  # the log is in the run's folder too, and its disk may be full
    try:
        run(OmegaConf.to_object(config), folder)  # type: ignore[arg-type]  # the schema's class, as it is registered
    except KeyboardInterrupt as stop:
        sys.exit(_interrupted(stop))
    except BrokenPipeError:  # nobody reads on: `python dream.py | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        if wants_traceback:
            raise
        text = traceback.format_exc().encode("utf-8", "backslashreplace").decode()  # a file's name may be no UTF-8
        log.info("the traceback\n%s", text)  # into the log file of the run
        if not is_expected(error):
            with contextlib.suppress(OSError):  # what was wrong counts for more
                (folder / "traceback.txt").write_text(text, encoding="utf-8")
                print(f"The traceback is in {shown(folder / 'traceback.txt')}", file=sys.stderr)
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # the sweep goes on with its other jobs, and fails at the end
        print(f"error: {describe(error)}{_way_out(error, folder)}", file=sys.stderr)
        sys.exit(1)


def _into_log(failed: threading.ExceptHookArgs) -> None:
    """What a thread fails with (TensorBoard's, that writes) is raised in the main thread, too, which says it."""
    trace = failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback
    log.info("a thread failed", exc_info=trace)


def _way_out(error: BaseException, folder: Path) -> str:
    """What to do about a disk that is full, where the error does not even say which one."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename:
        return ""
    return f"; make room for {shown(folder)}, or choose another place with hydra.run.dir=FOLDER"


def describe(error: BaseException) -> str:
    """What was wrong, in one line that names the full key where a key of the config is to blame."""
    cause = error.__cause__ or error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and isinstance(cause.parent_node, DictConfig):
        above = (cause.full_key or "").rpartition(".")[0]
        keys = closest(str(cause.key), map(str, cause.parent_node))
        known = ", ".join(f"{above}.{key}" if above else key for key in keys)
        return _line(f"{cause.full_key}: there is no such key; close ones are {known}")
    if isinstance(cause, MissingConfigException) and (cause.missing_cfg_file or "").rpartition("/")[2] in SWEEP_EXTRA:
        return f"{cause.missing_cfg_file} is not installed; `pip install .[sweep]` brings it"
    if isinstance(cause, OmegaConfBaseException):
        return _line(one_line(cause))
    text = str(error).partition("Config search path:")[0]
    return _line(text if is_expected(error) else f"{type(error).__name__}: {text}")


def _line(text: str) -> str:
    """`text` as one line for a terminal: what would move its cursor is escaped, and a long one loses its middle."""
    text = " ".join(text.split())
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE * 2 // 3]} ... {text[-LONGEST_LINE // 3 :]}"


def is_expected(error: BaseException) -> bool:
    """Whether an error says what was wrong with the input; any other is a fault, whose traceback is worth keeping."""
    if isinstance(error, OSError | HydraException | OmegaConfBaseException | JobFailed):
        return True
    frames = list(traceback.walk_tb(error.__traceback__))
    raised_here = bool(frames) and frames[-1][0].f_globals.get("__name__", "").startswith("deepdream.")
    return isinstance(error, ValueError) and raised_here


def shown(path: str | Path) -> str:
    """A path as a user would type it here: relative where it lies below the current folder."""
    path = Path(path).absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _interrupted(stop: KeyboardInterrupt) -> int:
    print("; ".join(["interrupted", *map(str, stop.args)]), file=sys.stderr)
    return 130
