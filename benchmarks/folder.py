"""How a folder of photos goes faster with a second process: `python benchmarks/folder.py [--quick]`.

two_vs_linear  photos per second of two commands `dream.py image=photos output=dreams` that share their output, over
               twice those of one command
two_vs_apart   the same, over two commands that dream photos of their own at the same time: what the sharing costs, on a
               machine whose cores slow each other down

Each process has one thread. Photos per second are counted while all processes are at work, without their start. The
three kinds of a round follow each other, and the median of the ratios of the rounds is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from deepdream.images import noise_image

ROOT = Path(__file__).parents[1]
HEIGHT, WIDTH = 192, 256  # pixels of a photo
DREAM = ("dream.width=256", "dream.octaves=2", "dream.steps=4", "device=cpu", "logger=none")


def make_photos(folder: Path, count: int) -> Path:
    """A folder of `count` photos, of smooth noise."""
    folder.mkdir(parents=True)
    for number in range(count):
        noise_image(HEIGHT, WIDTH, number).save(folder / f"{number:03}.png")
    return folder


def photos_per_second(commands: list[tuple[Path, Path]]) -> float:
    """Of commands that run at the same time, each given as (photos, dreams), together.

    Counted from when the last of them has its first dream until the first of them has its last.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, ROOT / "dream.py", f"image={photos}", f"output={dreams}", *DREAM],
            cwd=dreams.parent,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Linux shares a busy machine among sessions, not among processes
        )
        for photos, dreams in commands
    ]
    times = []
    for process, (_, dreams) in zip(processes, commands, strict=True):
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"dream.py ended with status {process.returncode}")
        names = re.findall(r"^(\S+) -> ", printed, re.MULTILINE)
        times.append(sorted((dreams / name).stat().st_mtime for name in names))
    begin, end = max(own[0] for own in times), min(own[-1] for own in times)
    return sum(begin < time <= end for own in times for time in own) / (end - begin)


def one_round(folder: Path, count: int) -> tuple[float, float, float]:
    """Photos per second of one command, of two that share a folder of twice as many, and of two apart."""
    few, many = make_photos(folder / "few", count), make_photos(folder / "many", 2 * count)
    return (
        photos_per_second([(few, folder / "one")]),
        photos_per_second([(many, folder / "shared")] * 2),
        photos_per_second([(few, folder / "left"), (few, folder / "right")]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of few photos")
    rounds, count = (1, 6) if parser.parse_args().quick else (3, 30)
    with tempfile.TemporaryDirectory() as folder:
        rates = [one_round(Path(folder, str(number)), count) for number in range(rounds)]
    for name, column in zip(("one process", "two share", "two apart"), zip(*rates, strict=True), strict=True):
        print(f"{name:12} {median(column):6.2f} photos/s   ({min(column):.2f} to {max(column):.2f})")
    ratios = {
        "two_vs_linear": median(shared / (2 * one) for one, shared, _ in rates),
        "two_vs_apart": median(shared / apart for _, shared, apart in rates),
    }
    print(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}))


if __name__ == "__main__":
    main()
