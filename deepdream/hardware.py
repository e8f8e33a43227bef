"""The hardware of this machine: the device to compute on, and the precision that is fast and safe there."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def best_device(name: str = "auto") -> torch.device:
    """The device called `name` (cpu, cuda, mps); "auto" takes the fastest available.

    Raises ValueError where this machine does not have the device.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_available in available.items() if is_available))
    if not available.get(name.partition(":")[0], False):
        names = ", ".join(kind for kind, is_available in available.items() if is_available)
        raise ValueError(f"device={name} is not available on this machine; available: {names}")
    return torch.device(name)


def device_names() -> list[str]:
    """What this process can compute on, for the record of a run: the GPUs by name, or the processor."""
    import torch

    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        return ["mps"]
    return [str(cpu_features().get("cpu_name") or platform.processor() or platform.machine())]


def cpu_features() -> Mapping[str, Any]:
    """The instruction sets of the processor by PyTorch's names; nothing before PyTorch had a function for it (2.6)."""
    import torch

    return dict(torch.cpu.get_capabilities()) if hasattr(torch.cpu, "get_capabilities") else {}


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32: on a GPU since Ampere, on a CPU with AMX, on AMD's with AVX-512 BF16.

    Intel's AVX-512 BF16 without AMX is not enough. Measured on forward and backward passes of ResNet-18 at 112 px with
    PyTorch 2.13 and 2.14: bfloat16 is 1.9x as fast on an AMD EPYC with AVX-512 BF16, 0.7x on an Intel Xeon with it.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        has = cpu_features()
        return bool(has.get("amx_bf16") or (has.get("avx512_bf16") and "AMD" in str(has.get("cpu_name"))))
    return False


def best_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The number format for `precision` (auto, fp32, bf16, fp16); "auto" is bfloat16 where that is faster."""
    import torch

    if precision == "auto":
        return torch.bfloat16 if has_fast_bf16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


@contextmanager
def repeatable_convolutions() -> Iterator[None]:
    """Convolutions on a GPU give the same bits each time: cuDNN runs no benchmark and no nondeterministic kernel."""
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
    """Make OpenMP's threads sleep while they wait for one another. Call it before torch is imported.

    By default they spin, and occupy the core that another thread or a loading process needs. Measured on 2 cores: with
    other processes at work a training step takes 25 to 50 % of the time, on an idle machine the same time.
    They spin for about 50 microseconds before they sleep: the operations of a dream follow each other sooner than that,
    and waking a thread in a virtual machine takes as long. Measured: a dream takes 65 to 90 % of the time on an idle
    machine, 100 to 110 % beside another process. OMP_WAIT_POLICY set by the user wins.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def let_mps_fall_back() -> None:
    """Let PyTorch compute on the CPU what it lacks on Apple's GPU. Call it before torch is imported.

    Antialiased bicubic resizing is such an operation. PYTORCH_ENABLE_MPS_FALLBACK set by the user wins.
    """
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def let_pages_be_large() -> None:
    """Make PyTorch ask Linux for pages of 2 MB for large CPU tensors. Call it before torch is imported.

    A step allocates and frees hundreds of MB of feature maps, and each new page of 4 kB costs a page fault. Measured in
    a virtual machine: steps of a dream take 5 to 10 % less time. Has no effect on other systems; THP_MEM_ALLOC_ENABLE
    set by the user wins.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
