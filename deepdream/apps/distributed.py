"""Processes that torchrun, Slurm or a user has started, on one machine or several, to be one run together.

Each of them runs the whole command. Rank 0 chooses the run folder, from the clock, and the other ranks receive it from
rank 0, at MASTER_ADDR and MASTER_PORT, before they start.
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
class Rank:
    """This process among those that were started together.

    index: among all; 0 where it is not known. world_size: over all nodes; None where it is not known.
    """

    node: int
    local: int
    index: int
    world_size: int | None
    address: str
    port: int

    @property
    def is_zero(self) -> bool:
        """Whether this is rank 0, which chooses the run folder."""
        return self.node == 0 and self.local == 0


def in_one_folder(arguments: list[str]) -> list[str]:
    """`arguments` of train.py; on another rank than 0 with the run folder of rank 0, for which it waits.

    Raises ValueError, in one line, where rank 0 has exited, and for a sweep.
    """
    rank = rank_of_this_process()
    if rank is None or any(argument.startswith(BY_LIGHTNING) for argument in arguments):
        return arguments
    if flags := {"-m", "--multirun"}.intersection(arguments):
        raise ValueError(
            f"{flags.pop()} starts the processes of its jobs itself; start it once, without torchrun or srun"
        )
    store = _store(rank)
    if rank.is_zero:
        return arguments
    try:
        folder = quoted(store.get(_key()).decode())
    except RuntimeError as error:
        raise ValueError(
            f"rank {rank.local} of node {rank.node}: rank 0 exited before the run started; see its error"
        ) from error
    own = [f"resume={folder}" if argument.startswith("resume=") else argument for argument in arguments]
    name = f"train_node_{rank.node}_process_{rank.local}"  # of its log file
    return [*own, f"hydra.run.dir={folder}", f"hydra.job.name={name}", "hydra.output_subdir=null"]


def tell_folder(folder: Path) -> None:
    """Send the run folder to the other ranks, where this process is rank 0 of several."""
    rank = rank_of_this_process()
    if rank is not None and rank.is_zero:
        _store(rank).set(_key(), str(folder))


def require_all(processes: int) -> None:
    """Raise ValueError, in one line, where another number of processes was started: they would train apart."""
    rank = rank_of_this_process()
    if rank is not None and rank.world_size not in (None, processes):
        raise ValueError(
            f"{rank.world_size} processes were started, and trainer.devices and trainer.num_nodes make {processes}; "
            "give the processes of a machine as trainer.devices, and the machines as trainer.num_nodes"
        )


def share_of_folder(place: str | None, *, key: str, device: str) -> Rank | None:
    """This process among those that share a folder of images, on a GPU of its own; None where it is the only one.

    place: where the results go, as the user has named it by `key`. It alone connects the processes: each claims images
    there, so that any of them may die, and none waits for rank 0.

    Raises ValueError, in one line, where the user has named none.
    """
    rank = rank_of_this_process()
    if rank is None or rank.world_size == 1:
        return None
    if place is None:
        raise ValueError(
            f"{rank.world_size or 'several'} processes were started, and share a folder of results; name it, the same "
            f"for all, with {key}=FOLDER"
        )
    if device in ("auto", "cuda"):
        import torch

        if torch.cuda.is_available():
            # Slurm may show each process nothing but its own GPU.
            torch.cuda.set_device(rank.local % torch.cuda.device_count())
    return rank


def start_of(rank: Rank | None) -> float:
    """The share of a list after which this process begins, where each of several goes over the whole list."""
    return rank.index / rank.world_size if rank is not None and rank.world_size else 0.0


@cache
def rank_of_this_process() -> Rank | None:
    """The rank of this process; None for one that was started alone."""
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
    is_by_hand = kind is LightningEnvironment  # which learns its index and world size later, from the Trainer
    world_size = os.environ.get("WORLD_SIZE") if is_by_hand else environment.world_size()
    return Rank(
        node=environment.node_rank(),
        local=environment.local_rank(),
        index=int(os.environ.get("RANK", "0")) if is_by_hand else environment.global_rank(),
        world_size=None if world_size is None else int(world_size),
        address=environment.main_address,
        port=environment.main_port,
    )


@cache
def _store(rank: Rank) -> TCPStore:
    """Where the ranks meet: hosted by rank 0 until it ends, or by torchrun. Lightning uses the same one."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch exports it without saying so

    is_host = rank.is_zero and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        return TCPStore(
            rank.address, rank.port, is_master=is_host, timeout=PATIENCE, wait_for_workers=False, multi_tenant=is_host
        )
    except RuntimeError as error:
        raise ValueError(
            f"the processes of this run cannot meet at {rank.address}, port {rank.port} (MASTER_ADDR, MASTER_PORT): "
            f"{str(error).splitlines()[0]}"
        ) from error


def _key() -> str:
    """The name of the folder in the store: another one after torchrun has restarted the processes."""
    return f"deepdream/folder/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
