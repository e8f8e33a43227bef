"""How long a user waits for `python train.py --help`, against `python -c "import torch"`.

python benchmarks/startup.py [--quick]

help_vs_import_torch  seconds over seconds (below 1 is faster than the import of torch alone)
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "python train.py --help": ["train.py", "--help"],
    "python train.py model.dpth=18": ["train.py", "model.dpth=18"],
    'python -c "import torch"': ["-c", "import torch"],
}


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=False)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 3 if parser.parse_args().quick else 9
    for arguments in COMMANDS.values():  # once unmeasured: the files are then in memory
        seconds(arguments)
    times = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(rounds)]
    for name in COMMANDS:
        print(f"{name:32} {statistics.median(t[name] for t in times):6.2f} s")
    help_command, _, torch_import = COMMANDS
    ratio = statistics.median(t[help_command] / t[torch_import] for t in times)
    print(json.dumps({"help_vs_import_torch": round(ratio, 3)}))


if __name__ == "__main__":
    main()
