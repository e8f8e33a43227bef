"""resume=RUN_DIR: from a run folder to the arguments with which Hydra composes that run again, in the same folder.

The folder of a sweep gives those of the whole sweep.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import ListConfig, OmegaConf

from deepdream.apps.overrides import flags_of, joined, quoted, recorded, unquoted
from deepdream.apps.run_folder import RunFolders, alone_in
from deepdream.apps.sweep_record import read_sweep
from deepdream.console import relative

RUNS = ("outputs/*/*/.hydra", "multirun/*/*/*/.hydra")
LAST = "last"
NO_RECORD = "hydra.output_subdir=null"  # Hydra then writes no .hydra/; the other processes of a run are started with it
MULTIRUN_FLAGS = ("-m", "--multirun")


def resumed(arguments: list[str]) -> list[str]:
    """`arguments` of train.py; where `resume=` is among them, those of that run, with `arguments` laid over them.

    Raises ValueError, in one line, where there is no such run, or where it is at work and its record would change; and
    for a sweep whose jobs would change.
    """
    keys = [argument for argument in arguments if argument.startswith("resume=") and argument != "resume=null"]
    if not keys:
        return arguments
    if flags := [argument for argument in arguments if argument in MULTIRUN_FLAGS]:
        raise ValueError(f"resume continues one run, and {flags[0]} starts several; leave one of the two out")
    given = str(unquoted(keys[-1].removeprefix("resume=")))
    run = newest_run() if given == LAST else Path(given)
    more = [argument for argument in arguments if argument not in keys]
    if (sweep := read_sweep(run)) is not None:
        return _sweep_again(run, sweep, more)
    earlier = _read(run / ".hydra" / "overrides.yaml", run)
    if not isinstance(earlier, ListConfig):  # a kill came before Hydra wrote it, which it does last
        raise ValueError(f"{relative(run)} was killed before it started; start it again with its first command")
    place = [f"resume={quoted(run)}", f"hydra.run.dir={quoted(run)}", "hydra.mode=RUN"]
    nothing_new = [] if more else [NO_RECORD]  # a kill cannot then tear the record of the run
    if more and NO_RECORD not in more:
        with alone_in(run):  # Hydra writes the record before the run takes the lock: never that of a run at work
            pass
    recorded_flags = flags_of(_read(run / ".hydra" / "hydra.yaml", run).hydra)
    kept_flags = [flag for flag in recorded_flags if not any(a.startswith(flag.partition("=")[0]) for a in arguments)]
    return [*kept_flags, *joined(recorded(earlier), [*more, *place, *nothing_new])]


def _sweep_again(folder: Path, earlier: list[str], more: list[str]) -> list[str]:
    for argument in more:
        if not argument.startswith(("hydra.", "hydra/")):
            raise ValueError(
                f"{relative(folder)} is a sweep, and {argument} would change its jobs; leave it out, or start another "
                "sweep; hydra.launcher.KEY=VALUE may be given"
            )
    RunFolders.goes_on = True
    RunFolders.held.enter_context(alone_in(folder))
    return joined(earlier, [*more, f"hydra.sweep.dir={quoted(folder)}"])


def newest_run() -> Path:
    """The folder of the run of train.py, below the current folder, that was last at work.

    Raises ValueError where there is none.
    """
    found = [path.parent for pattern in RUNS for path in Path().glob(pattern)]
    for run in sorted(found, key=_last_at_work, reverse=True):
        if _job_name(run).startswith("train"):
            return run
    raise ValueError("there is no run under outputs/ or multirun/; name the folder of one with resume=RUN_DIR")


def _job_name(run: Path) -> str:
    """The command that made `run`; "" where it was killed before that was written."""
    record = run / ".hydra" / "hydra.yaml"
    return str(OmegaConf.select(OmegaConf.load(record), "hydra.job.name", default="")) if record.is_file() else ""


def _last_at_work(run: Path) -> float:
    marks = (run / ".hydra", run / ".hydra" / "overrides.yaml", run / "checkpoints" / "last.ckpt")
    return max(path.stat().st_mtime for path in marks if path.exists())


def _read(path: Path, run: Path) -> Any:
    if not path.is_file():
        raise ValueError(
            f"{relative(run)} is not a run folder (missing {path.relative_to(run)}); resume=last takes the newest run "
            "under outputs/ and multirun/"
        )
    return OmegaConf.load(path)
