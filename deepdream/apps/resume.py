"""resume=RUN_DIR: from the folder of a run to the arguments that make Hydra compose it again, in the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import ListConfig, OmegaConf

from deepdream.apps.command import shown
from deepdream.apps.overrides import flags_of, joined, quoted
from deepdream.apps.run_folder import alone_in

RUNS = ("outputs/*/*/.hydra", "multirun/*/*/*/.hydra")
LAST = "last"
NO_RECORD = "hydra.output_subdir=null"  # of Hydra; the other processes of a run are begun with it too
FLAGS_OF_MANY = ("-m", "--multirun")


def resumed(arguments: list[str]) -> list[str]:
    """`arguments` of train.py; with `resume=` among them, those of that run too, which the others extend.

    Raises ValueError, in one line, where there is no such run, or one that is at work and would be changed.
    """
    keys = [argument for argument in arguments if argument.startswith("resume=") and argument != "resume=null"]
    if not keys:
        return arguments
    if many := [argument for argument in arguments if argument in FLAGS_OF_MANY]:
        raise ValueError(f"resume goes on with one run, and {many[0]} begins several; leave one of the two out")
    given = keys[-1].removeprefix("resume=").strip("'\"")
    run = newest_run() if given == LAST else Path(given)
    recorded = _read(run / ".hydra" / "overrides.yaml", run)
    if not isinstance(recorded, ListConfig):  # Hydra writes it last, and a kill came before
        raise ValueError(f"{shown(run)} was ended before it had begun; begin it again with the command of that time")
    more = [argument for argument in arguments if argument not in keys]
    place = [f"resume={quoted(run)}", f"hydra.run.dir={quoted(run)}", "hydra.mode=RUN"]
    nothing_new = [] if more else [NO_RECORD]  # a kill cannot then tear the record of the run
    if more and NO_RECORD not in more:
        with alone_in(run):  # Hydra writes the record before the run takes the lock: never that of a run at work
            pass
    flags = flags_of(_read(run / ".hydra" / "hydra.yaml", run).hydra)
    new_flags = [flag for flag in flags if not any(a.startswith(flag.partition("=")[0]) for a in arguments)]
    return [*new_flags, *joined(list(recorded), [*more, *place, *nothing_new])]


def newest_run() -> Path:
    """The folder of the run of train.py, below the current folder, that was last at work.

    Raises ValueError where there is none.
    """
    found = [path.parent for pattern in RUNS for path in Path().glob(pattern)]
    for run in sorted(found, key=_last_at_work, reverse=True):
        if _name_of_job(run).startswith("train"):
            return run
    raise ValueError("there is no run under outputs/ or multirun/; name the folder of one with resume=RUN_DIR")


def _name_of_job(run: Path) -> str:
    """The command that made `run`; "" where a kill came before that was written."""
    record = run / ".hydra" / "hydra.yaml"
    return str(OmegaConf.select(OmegaConf.load(record), "hydra.job.name", default="")) if record.is_file() else ""


def _last_at_work(run: Path) -> float:
    marks = (run / ".hydra", run / ".hydra" / "overrides.yaml", run / "checkpoints" / "last.ckpt")
    return max(path.stat().st_mtime for path in marks if path.exists())


def _read(path: Path, run: Path) -> Any:
    if not path.is_file():
        raise ValueError(
            f"{shown(run)} is no folder of a run: there is no {path.relative_to(run)} in it; resume=last takes the "
            "newest run under outputs/ and multirun/"
        )
    return OmegaConf.load(path)
