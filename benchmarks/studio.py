"""What the studio promises, without the browser: `python benchmarks/studio.py [--quick]`.

ready_s              from the start of the computing process to its first answer, with the bundled model loaded
first_pixel_s        from the wish to the first preview of a growing dream, dream=vivid, 640 pixels wide
first_variation_s    from the wish to the first of the 12 variations
variations_s         to the last
stop_s               of a growing dream
stop_of_a_step_s     of a job that never looks up, so that the process is ended

With --quick the variations are left out. The load of the machine in the minute before is printed with the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from deepdream.hardware import cores, let_pages_be_large, let_threads_sleep
from deepdream.studio import settings
from deepdream.studio.computing import Task
from deepdream.studio.config import StudioConfig
from deepdream.studio.dream_jobs import dream, variations
from deepdream.studio.results import base_config, wish_of
from deepdream.studio.session import Photo, Session
from deepdream.studio.worker import Worker

CONFIG = StudioConfig(
    image=None,
    ckpt="box",
    host="127.0.0.1",
    port=0,
    open=False,
    password=None,
    max_upload=1,
    device="auto",
    precision="auto",
)
SEAT, REPEATS = "benchmark", 3


def nothing(task: Task) -> str:
    return "here"


def deaf(task: Task) -> None:
    task.report("begun")
    time.sleep(60)


def first(worker: Worker, *wish: Any) -> float:
    """Seconds to the first report; the job is then stopped."""
    start = time.monotonic()
    running = worker.run(SEAT, *wish)
    next(running)
    seconds = time.monotonic() - start
    worker.stop(SEAT)
    list(running)
    return seconds


def stop(worker: Worker, *wish: Any) -> float:
    """Seconds from the wish to stop to the end."""
    running = worker.run(SEAT, *wish)
    next(running)
    start = time.monotonic()
    worker.stop(SEAT)
    list(running)
    return time.monotonic() - start


def measure(folder: Path, *, is_quick: bool) -> dict[str, float]:
    session, photo = Session("benchmark", folder), Photo(folder / "china.png", "china", 640, 427)
    setting = settings.of_preset("vivid")
    config = base_config(setting, CONFIG, photo)

    def wish() -> Any:
        return wish_of(setting, CONFIG, session, photo)[0]

    found: dict[str, float] = {}
    start = time.monotonic()
    worker = Worker(CONFIG.ckpt)
    try:
        worker.result(SEAT, nothing)
        found["ready_s"] = time.monotonic() - start
        found["first_pixel_s"] = min(first(worker, dream, wish()) for _ in range(REPEATS))
        found["stop_s"] = max(stop(worker, dream, wish()) for _ in range(REPEATS))
        if not is_quick:
            start, times = time.monotonic(), []
            for _ in worker.run(SEAT, variations, config, folder / "sheet"):
                times.append(time.monotonic() - start)
            found["first_variation_s"], found["variations_s"] = times[0], times[-1]
        found["stop_of_a_step_s"] = stop(worker, deaf)
    finally:
        worker.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the variations")
    is_quick = parser.parse_args().quick
    let_threads_sleep()
    let_pages_be_large()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), is_quick=is_quick)
    load = os.getloadavg()[0]
    for name, value in found.items():
        print(f"{name:20} {value:8.2f}")
    print(f"{cores()} cores, load {load:.1f}")
    print(json.dumps({name: round(value, 3) for name, value in found.items()} | {"load": round(load, 1)}))


if __name__ == "__main__":
    main()
