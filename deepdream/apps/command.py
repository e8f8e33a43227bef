"""From a function of a checked config to a command: Hydra around it, and errors as one line.

This folder is the only place that knows Hydra's command line.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import logging
import os
import shlex
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from deepdream.apps.arguments import CHECKPOINTS, as_overrides
from deepdream.apps.hydra_fixes import brief_help, composed_once, unchecked_help
from deepdream.apps.interrupts import KeptInterrupts
from deepdream.apps.renamed import new_name
from deepdream.apps.run_folder import remove_unused
from deepdream.apps.sweep_jobs import JobFailed, failed_jobs, run_alone
from deepdream.apps.sweep_record import read_sweep
from deepdream.console import invocation, print_error, printable, relative
from deepdream.distribution import install_extra
from deepdream.hardware import let_mps_fall_back, let_pages_be_large, let_threads_sleep
from deepdream.schema import CONF, HYDRA_VERSION, UnknownName, as_value_error, checked, register

log = logging.getLogger(__name__)

T = TypeVar("T")

# What Hydra misses where the extra "sweep" is not installed.
SWEEP_EXTRA = ("optuna", "joblib", "submitit_local", "submitit_slurm")

# New objects, in place of Python's 700, after which it looks for unused ones that name each other. Those of imports
# stay, and looking through them took a tenth of the time of `import torch`.
GARBAGE = 10_000

SIGPIPE = 13  # Windows has no such signal, but a closed pipe has

FULL_ERROR = "HYDRA_FULL_ERROR"  # "1": the user wants tracebacks. Hydra, which reads it too, then raises its errors


def command(
    name: str,
    *,
    arguments: Callable[[list[str]], list[str]] = list,
    objective: Callable[[Path], float] | None = None,
) -> Callable[[Callable[[T, Path], None]], Callable[[], None]]:
    """Make a command of `run(config, folder)`: conf/<name>.yaml, checked by its dataclass, in a run folder of its own.

    arguments: changes the overrides that Hydra gets.
    objective: makes each job of a sweep a process of its own; the number that a sweeper maximises, from its folder.

    The command ends with status 0, or 1 after a one-line error on stderr, or 130 after Ctrl-C; the arguments of a
    KeyboardInterrupt that `run` raises are printed. With HYDRA_FULL_ERROR=1 an error's traceback is printed instead.
    """

    def decorate(run: Callable[[T, Path], None]) -> Callable[[], None]:
        def main() -> None:
            users_wish = os.environ.get(FULL_ERROR)
            gc.set_threshold(GARBAGE)
            let_threads_sleep()
            let_pages_be_large()
            let_mps_fall_back()
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="backslashreplace")  # so that any file name can be printed

            def job(config: DictConfig) -> float | None:
                with _environment(FULL_ERROR, users_wish):
                    folder = Path(HydraConfig.get().runtime.output_dir)
                    if objective is not None and HydraConfig.get().mode is RunMode.MULTIRUN:
                        run_alone(f"deepdream.apps.{name}", folder)
                        return objective(folder)
                    _run_job(run, config, folder, wants_traceback=users_wish == "1")
                    return None

            try:
                with _environment(FULL_ERROR, "1"), unchecked_help(), brief_help(), composed_once(), KeptInterrupts():
                    register(name)
                    sys.argv[1:] = arguments(as_overrides(name, sys.argv[1:]))
                    hydra.main(version_base=HYDRA_VERSION, config_path=f"pkg://{CONF}", config_name=name)(job)()
                if failed := failed_jobs():  # some sweepers ignore a failed job
                    raise failed
            except KeyboardInterrupt as stop:
                sys.exit(_interrupted(stop))
            except BrokenPipeError:
                sys.exit(_reader_gone())
            except Exception as error:
                if users_wish == "1":
                    raise
                # A grid raises the first failure, and Optuna that no trial was completed.
                failed = failed_jobs() if isinstance(error, JobFailed | ValueError) else None
                print_error(_missing_key(name, error) or describe(failed or error))
                sys.exit(1)

        return main

    return decorate


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    """An environment variable has this value, or none, inside the block."""
    before = os.environ.get(name)
    _set_variable(name, value)
    try:
        yield
    finally:
        _set_variable(name, before)


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _run_job(run: Callable[[T, Path], None], config: DictConfig, folder: Path, *, wants_traceback: bool) -> None:
    if not wants_traceback:
        threading.excepthook = _log_thread_failure
        sys.unraisablehook = _log_ignored_failure
        logging.raiseExceptions = False  # the log is in the run folder too, and its disk may be full
    is_refused = True
    try:
        with KeptInterrupts():
            valid = checked(config)
            is_refused = False
            run(valid, folder)
    except KeyboardInterrupt as stop:
        sys.exit(_interrupted(stop))
    except BrokenPipeError:
        sys.exit(_reader_gone())
    except Exception as error:
        if wants_traceback:
            raise
        text = traceback.format_exc().encode("utf-8", "backslashreplace").decode()  # a file name may be no UTF-8
        log.info("the traceback\n%s", text)  # into the log file of the run
        if not is_expected(error):
            with contextlib.suppress(OSError):  # the error itself counts for more
                (folder / "traceback.txt").write_text(text, encoding="utf-8")
                print(f"The traceback is in {relative(folder / 'traceback.txt')}", file=sys.stderr)
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # the sweep continues with its other jobs, and fails at the end
        print_error(f"{describe(error)}{_way_out(error, folder)}")
        if is_refused:
            remove_unused()
        sys.exit(1)


def _log_thread_failure(failed: threading.ExceptHookArgs) -> None:
    """Log it only: what a writing thread of TensorBoard fails with is raised in the main thread as well."""
    trace = failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback
    log.info("a thread failed", exc_info=trace)


def _log_ignored_failure(failed: sys.UnraisableHookArgs) -> None:
    """Log it only: torch raises the end of a loading process wherever the main thread is, also while it deletes."""
    trace = failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback
    log.info("%s: %r", failed.err_msg or "ignored", failed.object, exc_info=trace)


def _way_out(error: BaseException, folder: Path) -> str:
    """What to do about a full disk, where the error does not even name the file."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename:
        return ""
    return f"; make room for {relative(folder)}, or choose another place with hydra.run.dir=FOLDER"


def _missing_key(app: str, error: Exception) -> str | None:
    """For an argument without a key that `as_overrides` does not know: the key that may be meant."""
    if not isinstance(error, OverrideParseException) or not error.override or "=" in error.override:
        return None
    argument, path = error.override, Path(error.override)
    if app == "train" and path.suffix in CHECKPOINTS:
        key = "model.pretrained"
    elif path.is_dir():
        key = (
            "root" if app == "evaluate" else "resume" if (path / ".hydra").is_dir() or read_sweep(path) else "data.root"
        )
    else:
        return f"`{argument}` has no key; `{invocation(app)} --help` lists the keys"
    return f"`{argument}` has no key; write {shlex.quote(f'{key}={argument}')}"


def describe(error: Exception) -> str:
    """What was wrong, in one line that names the full key where a key of the config is to blame."""
    if isinstance(error, MissingConfigException) and (error.missing_cfg_file or "").rpartition("/")[2] in SWEEP_EXTRA:
        return f"{error.missing_cfg_file} is not installed; `{install_extra('sweep')}` brings it"
    is_null_above = isinstance(error, AssertionError) and "Unexpected type for root: NoneType" in str(error)
    if is_null_above or isinstance(error, HydraException | OmegaConfBaseException):
        error = as_value_error(error)
    elif not is_expected(error):
        return printable(f"{type(error).__name__}: {error}")
    if isinstance(error, UnknownName):
        key, equals, value = error.name.partition("=")
        return printable(new_name(key, value if equals else None) or str(error))
    return printable(str(error))


def is_expected(error: BaseException) -> bool:
    """Whether an error says what was wrong with the input; any other is a fault, whose traceback is worth keeping."""
    if isinstance(error, OSError | HydraException | OmegaConfBaseException | JobFailed):
        return True
    frames = list(traceback.walk_tb(error.__traceback__))
    raised_here = bool(frames) and frames[-1][0].f_globals.get("__name__", "").startswith("deepdream.")
    return isinstance(error, ValueError) and raised_here


def _interrupted(stop: KeyboardInterrupt) -> int:
    print("; ".join(["interrupted", *map(str, stop.args)]), file=sys.stderr)
    return 130


def _reader_gone() -> int:
    """The status after a closed pipe, `python dream.py | head -1`; Python would fail once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 128 + SIGPIPE
