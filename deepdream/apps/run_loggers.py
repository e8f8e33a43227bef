"""The loggers of a run: built from conf/logger, told what the run is, closed with its outcome."""

from __future__ import annotations

import csv
import json
import logging
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from deepdream.console import relative
from deepdream.distribution import install_extra
from deepdream.environment import environment
from deepdream.files import write_atomically
from deepdream.loggers import log_hyper_parameters

log = logging.getLogger(__name__)

ENVIRONMENT = "environment.json"  # in the run folder: what the run was started with
RUN_IDS = "logger_runs.json"  # in the run folder: entry of conf/logger -> id of its run
EXTRAS = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow"}  # -> the package, and the extra that brings it
SQLITE = "sqlite:///"

Entries = Mapping[str, Mapping[str, Any]]  # conf/logger: name -> arguments
Loggers = dict[str, Any]  # name -> logger


def build_loggers(entries: Entries, folder: Path, tags: Sequence[str], *, resumed_at: int | None = None) -> Loggers:
    """The Lightning loggers of conf/logger. They write nothing before they are used.

    resumed_at: the step of the checkpoint that the run in `folder` continues from. W&B and MLflow then continue their
        run, and TensorBoard drops what was logged after that checkpoint.

    Raises ValueError, in one line, where a package is missing.
    """
    ids = _read_ids(folder) if resumed_at is not None else {}
    loggers = {}
    for name, entry in entries.items():
        arguments = {**entry, "purge_step": resumed_at} if _kind(entry) == "TensorBoardLogger" else dict(entry)
        loggers[name] = _build(name, arguments, tags, ids.get(name))
    return loggers


def open_loggers(entries: Entries, tags: Sequence[str]) -> Loggers:
    """The loggers of a command that does not train.

    TensorBoard's is a SummaryWriter: importing Lightning takes seconds. Raises ValueError as `build_loggers` does.
    """
    loggers: Loggers = {}
    for name, entry in entries.items():
        if _kind(entry) == "TensorBoardLogger":
            from torch.utils.tensorboard import SummaryWriter

            loggers[name] = SummaryWriter(Path(entry["save_dir"], entry["name"] or "", str(entry["version"])))
        else:
            loggers[name] = _build(name, dict(entry), tags, None)
    return loggers


@contextmanager
def recorded(
    loggers: Loggers, config: Mapping[str, Any], folder: Path, *, resumed_at: int | None = None
) -> Iterator[list[Any]]:
    """Log the configuration and the environment, keep the ids of the runs, close the loggers with the outcome.

    Yields the loggers. Call it in one process of a run only. resumed_at: as for `build_loggers`.
    """
    record = environment()
    write_atomically(folder / ENVIRONMENT, f"{json.dumps(record, indent=2)}\n".encode())
    try:
        for logger in loggers.values():
            if resumed_at is not None and type(logger).__name__ == "CSVLogger":
                _keep_rows(logger, before=resumed_at)
        log_hyper_parameters(loggers.values(), {**config, "environment": record})
        if ids := {name: logger.version for name, logger in loggers.items() if type(logger).__name__ in EXTRAS}:
            write_atomically(folder / RUN_IDS, f"{json.dumps(ids)}\n".encode())
        yield list(loggers.values())
    except BaseException as failure:
        status = "KILLED" if isinstance(failure, KeyboardInterrupt | SystemExit) else "failed"  # MLflow's words
        for logger in loggers.values():
            try:
                _close(logger, status)
            except Exception:  # what has failed first counts for more
                log.info("a logger was not closed", exc_info=True)
        raise
    for logger in loggers.values():
        _close(logger, "success")


def places_to_look(loggers: Loggers, folder: Path) -> list[str]:
    """A line for each logger that says where its metrics and images are."""
    lines = []
    for logger in loggers.values():
        match type(logger).__name__:
            case "TensorBoardLogger" | "SummaryWriter":
                lines.append(f"look:       tensorboard --logdir {shlex.quote(relative(folder))}")
            case "CSVLogger":
                lines.append(f"metrics:    {relative(Path(logger.log_dir) / logger.experiment.NAME_METRICS_FILE)}")
            case "MLFlowLogger":
                lines.append(f"look:       mlflow ui --backend-store-uri {shlex.quote(logger._tracking_uri)}")
            case "WandbLogger":
                run = logger.experiment
                upload = f"upload:     wandb sync {shlex.quote(relative(Path(run.dir).parent))}"
                lines.append(upload if run.offline else f"look:       {run.url}")
    return lines


def _build(name: str, arguments: dict[str, Any], tags: Sequence[str], run_id: str | None) -> Any:
    kind = _kind(arguments)
    package = EXTRAS.get(kind)
    if package is not None and find_spec(package) is None:
        raise ValueError(f"logger.{name} needs {package}, which is not installed; `{install_extra(package)}` brings it")
    if kind == "WandbLogger":
        arguments["id"] = arguments.get("id") or run_id or secrets.token_hex(4)
        if not arguments.get("offline") and not _may_upload():
            arguments["mode"] = "offline"
    elif kind == "MLFlowLogger":
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # not how it makes the tables of a new file
        arguments["run_id"] = arguments.get("run_id") or run_id
        arguments["tags"] = {**dict.fromkeys(tags, "true"), **(arguments.get("tags") or {})}
        arguments["artifact_location"] = arguments.get("artifact_location") or _beside(str(arguments["tracking_uri"]))
    return instantiate(arguments)


def _kind(entry: Mapping[str, Any]) -> str:
    return str(entry.get("_target_")).rpartition(".")[2]


def _may_upload() -> bool:
    """Whether W&B has an API key, or the user has set its mode. It would otherwise ask for a key, or fail."""
    import wandb

    return "WANDB_MODE" in os.environ or bool(wandb.login(prompt=False, verify=False))


def _beside(tracking_uri: str) -> str | None:
    """The folder of images beside MLflow's SQLite file, whose folder is made; None leaves the choice to a server."""
    if not tracking_uri.startswith(SQLITE):
        return None
    store = Path(tracking_uri.removeprefix(SQLITE)).absolute()
    store.parent.mkdir(parents=True, exist_ok=True)
    return store.with_suffix("").as_uri()


def _keep_rows(logger: Any, *, before: int) -> None:
    """Hand a CSVLogger, which would remove its file, the rows of earlier steps."""
    path = Path(logger.log_dir, "metrics.csv")
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) < before]
    logger.experiment.metrics = [{key: value for key, value in row.items() if value} for row in rows]
    logger.save()


def _read_ids(folder: Path) -> dict[str, str]:
    path = folder / RUN_IDS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _close(logger: Any, status: str) -> None:
    if not hasattr(logger, "finalize"):  # SummaryWriter
        logger.close()
        return
    logger.finalize(status)
    if type(logger).__name__ == "WandbLogger":
        import wandb

        wandb.finish(exit_code=0 if status == "success" else 1)
