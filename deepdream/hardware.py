"""What this machine computes with: the device, and the precision that is fast and safe on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def best_device(name: str = "auto") -> torch.device:
    """The device called `name` (cpu, cuda, mps), or with "auto" the fastest that is there.

    Raises ValueError where the named device is not on this machine.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_there in there.items() if is_there))
    if not there.get(name.partition(":")[0], False):
        raise ValueError(f"device={name} is not on this machine; there is {', '.join(k for k in there if there[k])}")
    return torch.device(name)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32: on a GPU since Ampere, on a CPU with AMX, on AMD's with AVX-512 BF16.

    Intel's AVX-512 BF16 without AMX is not enough. Forward and backward passes of ResNet-18 at 112 px, PyTorch 2.13 and
    2.14: 1.9 times as fast in bfloat16 on an AMD EPYC with AVX-512 BF16, 0.7 times on an Intel Xeon with it.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        has = torch.cpu.get_capabilities()
        return bool(has.get("amx_bf16") or (has.get("avx512_bf16") and "AMD" in str(has.get("cpu_name"))))
    return False


def best_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The number format for `precision` (auto, fp32, bf16, fp16); "auto" is bfloat16 where the machine has it."""
    import torch

    if precision == "auto":
        return torch.bfloat16 if has_fast_bf16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


@contextmanager
def repeatable_convolutions() -> Iterator[None]:
    """Convolutions on a GPU yield the same bits each time: none is chosen by its speed, or adds up in any order."""
    import torch

    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def let_threads_sleep() -> None:
    """Have OpenMP's threads sleep while they wait for one another. To be called before torch is imported.

    By default they spin, and keep the very core that the other thread, or a loading process, needs. Seen on 2 cores:
    with other processes at work a training step takes a half to a quarter of the time, on an idle machine the same.
    Before they sleep they spin for some 50 microseconds: a dream's operations follow each other sooner than that, and
    to wake a thread, in a virtual machine, takes as long. Seen: on an idle machine a dream takes 0.65 to 0.9 of the
    time, beside another process 1.0 to 1.1. What the user has set stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def let_pages_be_large() -> None:
    """Have PyTorch ask Linux for pages of 2 MB for large tensors on a CPU. To be called before torch is imported.

    A step makes and drops hundreds of MB of maps, and each new page of 4 kB costs the kernel a turn. Seen in a virtual
    machine: steps of a dream take 5 to 10% less time. Elsewhere than on Linux nothing changes; what the user has set
    stays.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
