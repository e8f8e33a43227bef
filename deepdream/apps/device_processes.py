"""One process for each of several devices, on this machine, for a command that shares its images among them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from deepdream.apps.distributed import rank_of_this_process
from deepdream.hardware import best_device

T = TypeVar("T")


def on_devices(work: Callable[[Any], T], devices: int, device: str) -> T:
    """What `work(fabric)` returns in the first of `devices` processes, each with a `fabric.global_rank`.

    work: a function of a module, or a partial of one, because it is pickled. device: auto, cpu or cuda.

    Raises ValueError, in one line, where this process is one of several already.
    """
    if rank_of_this_process() is not None:
        raise ValueError(f"devices={devices} starts processes of its own; leave it out under torchrun or srun")
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator=best_device(device).type, devices=devices, strategy="ddp_spawn")
    # A partial, because Fabric copies the arguments of `launch` field by field, which a frozen Network refuses.
    result: T = fabric.launch(partial(_on_own_device, work=work))
    return result


def _on_own_device(fabric: Any, work: Callable[[Any], T]) -> T:
    if fabric.device.type == "cuda":
        import torch

        torch.cuda.set_device(fabric.device)
    result = work(fabric)
    fabric.barrier()
    return result
