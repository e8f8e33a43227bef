"""Processes that torchrun, Slurm or a user has started, on one machine or many, to be one run together.

Each of them runs the whole command. The first one chooses the folder, from the clock, and the others learn it from
there, at MASTER_ADDR and MASTER_PORT, before they begin.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from deepdream.apps.overrides import quoted

if TYPE_CHECKING:
    from torch._C._distributed_c10d import TCPStore

PATIENCE = timedelta(minutes=30)  # as long as torch waits for processes to meet
BY_LIGHTNING = "hydra.job.name=train_ddp_process_"  # among the arguments of a process that Lightning has started


@dataclass(frozen=True)
class Place:
    """This process among those that were started together. processes: of all machines; None where nobody has said."""

    node: int
    process: int
    processes: int | None
    address: str
    port: int

    @property
    def is_first(self) -> bool:
        """Whether the others do as this process says."""
        return self.node == 0 and self.process == 0


def in_one_folder(arguments: list[str]) -> list[str]:
    """`arguments` of train.py; where another process is the first, with the folder that it works in.

    Waits for the first one. Raises ValueError, in one line, where that one has ended, and for a sweep.
    """
    place = place_of_this_process()
    if place is None or any(argument.startswith(BY_LIGHTNING) for argument in arguments):
        return arguments
    if many := {"-m", "--multirun"}.intersection(arguments):
        raise ValueError(
            f"{many.pop()} starts the processes of its jobs itself; start it once, without torchrun or srun"
        )
    store = _store(place)
    if place.is_first:
        return arguments
    try:
        folder = quoted(Path(store.get(_key()).decode()))
    except RuntimeError as error:
        raise ValueError(
            f"process {place.process} of machine {place.node} has no run to take part in: the first process, which "
            "says why, has ended"
        ) from error
    own = [f"resume={folder}" if argument.startswith("resume=") else argument for argument in arguments]
    name = f"train_node_{place.node}_process_{place.process}"  # of its log file
    return [*own, f"hydra.run.dir={folder}", f"hydra.job.name={name}", "hydra.output_subdir=null"]


def tell_folder(folder: Path) -> None:
    """Tell the other processes the folder of this run, where this process is the first of several."""
    place = place_of_this_process()
    if place is not None and place.is_first:
        _store(place).set(_key(), str(folder))


def require_all(processes: int) -> None:
    """Raises ValueError, in one line, where another number than `processes` was started: they would train apart."""
    place = place_of_this_process()
    if place is not None and place.processes not in (None, processes):
        raise ValueError(
            f"{place.processes} processes were started, and trainer.devices and trainer.num_nodes make {processes}; "
            "give the processes of a machine as trainer.devices, and the machines as trainer.num_nodes"
        )


@cache
def place_of_this_process() -> Place | None:
    """Where this process stands; None for one that a user has started alone."""
    by_hand = "MASTER_PORT" in os.environ and not {"NODE_RANK", "GROUP_RANK", "LOCAL_RANK"}.isdisjoint(os.environ)
    by_slurm = "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1
    if not (by_hand or by_slurm):
        return None
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    # In Lightning's order: torchrun may have been started by Slurm.
    kind = next(k for k in (TorchElasticEnvironment, SLURMEnvironment, LightningEnvironment) if k.detect())
    environment = kind()
    processes = os.environ.get("WORLD_SIZE") if kind is LightningEnvironment else environment.world_size()
    return Place(
        node=environment.node_rank(),
        process=environment.local_rank(),
        processes=None if processes is None else int(processes),
        address=environment.main_address,
        port=environment.main_port,
    )


@cache
def _store(place: Place) -> TCPStore:
    """Where the processes meet: kept by the first one, until it ends, or by torchrun. Lightning uses the same."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch exports it without saying so

    keeps = place.is_first and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        return TCPStore(
            place.address, place.port, is_master=keeps, timeout=PATIENCE, wait_for_workers=False, multi_tenant=keeps
        )
    except RuntimeError as error:
        raise ValueError(
            f"the processes of this run cannot meet at {place.address}, port {place.port} (MASTER_ADDR, MASTER_PORT): "
            f"{str(error).splitlines()[0]}"
        ) from error


def _key() -> str:
    """Of the folder; another one after torchrun has started the processes again."""
    return f"deepdream/folder/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
