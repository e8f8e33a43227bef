"""A sweep on a Ray cluster, one of whose machines dies, ends with the table of one on a single machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.apps.test_sweep_resume import ENV, GRID, RUN, result, sweep
from tests.conftest import data_of
from tests.forks import begin


@pytest.mark.slow
def test_a_sweep_continues_when_a_machine_of_the_cluster_dies(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs `pip install .[ray]`")
    for name, value in {**ENV, "CUDA_VISIBLE_DEVICES": "", "RAY_USAGE_STATS_ENABLED": "0"}.items():
        monkeypatch.setenv(name, value)  # of the machines of the cluster
    arguments = ("-m", *RUN, *data_of(trained), *GRID)
    assert sweep(tmp_path / "alone", *arguments) == 0
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        machines = [cluster.add_node(num_cpus=1) for _ in range(3)]
        on_ray = ("hydra/launcher=ray", f"hydra.launcher.address='{cluster.address}'")
        command = begin("train", *arguments, *on_ray, folder=tmp_path / "ray", env=ENV)
        wait_for(tmp_path / "ray" / "many" / "0" / "checkpoints" / "last.ckpt")
        machine = kill_the_machine_of("hydra.job.num=0", machines)
        cluster.remove_node(machine, allow_graceful=False)
        assert command.wait(300) == 0, command.said
    finally:
        cluster.shutdown()
    assert command.stdout.count("resuming after the last complete epoch") == 1, command.said
    assert result(tmp_path / "ray") == result(tmp_path / "alone")


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < until, f"{path} has not appeared"
        time.sleep(0.02)


def kill_the_machine_of(job: str, machines: list[Any]) -> Any:
    """Kill all processes of the machine that the job with this argument runs on."""
    for machine in machines:
        processes = family(machine.all_processes["raylet"][0].process.pid)
        if any(job.encode() in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes):
            for pid in processes:
                os.kill(pid, signal.SIGKILL)
            return machine
    raise AssertionError(f"no machine runs {job}")


def family(pid: int) -> list[int]:
    """A process and those that it has started."""
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [pid, *(each for child in children for each in family(child))]


def without_ray() -> None:
    """Let `import ray` fail in this process."""
    sys.modules["ray"] = None  # type: ignore[assignment]


def test_without_ray_the_launcher_names_the_extra(tmp_path: Path) -> None:
    refused = begin("train", "-m", *RUN, *GRID, "hydra/launcher=ray", folder=tmp_path, before=without_ray)
    assert refused.wait() == 1
    expected = "error: hydra/launcher=ray needs the package ray; `pip install 'deepdream-lightning[ray]'` brings it"
    assert refused.stderr.splitlines()[-1] == expected
