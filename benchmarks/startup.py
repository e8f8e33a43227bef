"""How long a user waits for `--help` and for a dream of one step, against what no command can do without.

python benchmarks/startup.py [--quick]

help_vs_import_torch        `python train.py --help` over `python -c "import torch"`
dream_vs_torch_and_weights  a dream of one step, 64 pixels wide, over importing torch and reading the checkpoint
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "deepdream" / "weights" / "miniplaces.ckpt"  # of the network that dreams without ckpt=
HELP = [str(ROOT / "train.py"), "--help"]
TORCH = ["-c", "import torch"]
DREAM = [str(ROOT / "dream.py"), "dream.width=64", "dream.octaves=1", "dream.steps=1", "hydra.run.dir=run"]
TORCH_AND_WEIGHTS = ["-c", f"import torch; torch.load({str(WEIGHTS)!r}, weights_only=True)"]
COMMANDS = {
    "python train.py --help": HELP,
    "python train.py model.dpth=18": [str(ROOT / "train.py"), "model.dpth=18"],
    "import torch": TORCH,
    "a dream of one step": DREAM,
    "import torch, read the checkpoint": TORCH_AND_WEIGHTS,
}


def seconds(arguments: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=False)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 3 if parser.parse_args().quick else 9
    for arguments in COMMANDS.values():  # once unmeasured: the files are then in memory
        seconds(arguments)
    times = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(rounds)]
    for name in COMMANDS:
        print(f"{name:34} {statistics.median(t[name] for t in times):6.2f} s")
    help_command, _, torch_import, dream, torch_and_weights = COMMANDS
    ratios = {
        "help_vs_import_torch": statistics.median(t[help_command] / t[torch_import] for t in times),
        "dream_vs_torch_and_weights": statistics.median(t[dream] / t[torch_and_weights] for t in times),
    }
    print(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}))


if __name__ == "__main__":
    main()
