"""python -m tests.faults.endurance dreams|trainings COUNT: many in one process, and what it holds after each tenth.

Prints a JSON list of [memory in MB, open files, threads].
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.models import load_network
from tests.conftest import TINY

PRESETS = ("vivid", "gordic", "inceptionism", "laplacian", "class", "visualize", "maco")
OF_A_CLASS = ("class", "maco")
SMALL = {"octaves": 1, "steps": 2}


def dream(number: int) -> None:
    """One of 48 px, each with a Dreamer of its own, on one network."""
    preset = PRESETS[number % len(PRESETS)]
    config = DreamConfig.preset(preset, **SMALL, target="kitchen" if preset in OF_A_CLASS else None)
    Dreamer(NETWORK, config, device="cpu")(torch.rand(3, 48, 48), seed=number)


def train(number: int) -> None:
    """One of an epoch, by the command's own function, into a folder of its own."""
    from deepdream.apps.train import main

    sys.argv = ["train.py", *TINY, "trainer.limit_train_batches=1", "evaluate=false", f"seed={number}"]
    main()


def held() -> tuple[float, int, int]:
    """Megabytes, files and threads of this process, once all that is free has been given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or what malloc keeps for later comes and goes by 80 MB
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    size = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return round(size, 1), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def main(what: str, count: int) -> None:
    """What is held after each tenth of `count` rounds."""
    rounds: dict[str, Callable[[int], None]] = {"dreams": dream, "trainings": train}
    found = []
    for number in range(count):
        rounds[what](number)
        if (number + 1) % (count // 10) == 0:
            found.append(held())
    print(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    NETWORK = load_network("box")
    main(sys.argv[1], int(sys.argv[2]))
