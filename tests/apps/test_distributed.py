"""Processes that torchrun, Slurm or a user starts, on this machine as if on two, are one run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT, TINY, run_app, start_app

TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
TRAIN = (str(ROOT / "train.py"), *TINY)
RECORDING = (
    "+callbacks.ranks._target_=tests.apps.ranks.WhatEachTrained",
    "+callbacks.pictures._target_=tests.apps.ranks.Pictures",
    "+callbacks.same._target_=tests.apps.ranks.SameWeights",
    "+callbacks.same.path=same.txt",
)
TWO_NODES = (*RECORDING, "trainer.num_nodes=2", "trainer.devices=1")


def together(commands: Sequence[Sequence[str]], environments: Sequence[dict[str, str]], cwd: Path) -> list[str]:
    """Run the commands at the same time; what each has printed, once all have ended well."""
    own = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command, environment in zip(commands, environments, strict=True)
    ]
    try:
        printed = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(printed)
    return printed


def free_port() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def as_by_slurm(port: str, node: int) -> dict[str, str]:
    """What srun sets, for two tasks on two machines."""
    return {
        "SLURM_JOB_ID": "123",
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "2",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_PROCID": str(node),
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": str(node),
        "MASTER_PORT": port,
    }


def assert_one_run(folder: Path, printed: Sequence[str]) -> Path:
    """The run, in the one folder there is, by two processes that shared the pictures and hold the same weights."""
    (run,) = folder.glob("outputs/*/*")
    assert [path.read_text() for path in sorted(run.glob("rank_*.txt"))] == [f"0.05 {run}"] * 2
    assert [path.read_text() for path in sorted(run.glob("pictures_*.txt"))] == ["32 24"] * 2
    assert (folder / "same.txt").read_text() == "2 0.0"
    assert (run / "figures" / "evaluation.json").is_file()
    lines = [text.count("training on 72 images") for text in printed]
    assert lines == [text.count("checkpoint:") for text in printed] == [1, 0], printed
    assert not printed[1].strip()
    return run


@pytest.mark.slow
def test_two_machines_are_one_run_under_torchrun_and_go_on_under_slurm(tmp_path: Path) -> None:
    port = free_port()
    start = (*TORCHRUN, "--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}")
    agents = [(*start, f"--node-rank={node}", *TRAIN, *TWO_NODES) for node in (0, 1)]
    run = assert_one_run(tmp_path, together(agents, [{}, {}], tmp_path))

    port = free_port()
    longer = (sys.executable, TRAIN[0], "resume=last", "trainer.max_epochs=2")
    together([longer, longer], [as_by_slurm(port, node) for node in (0, 1)], tmp_path)
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1
    assert len((run / "metrics.csv").read_text().splitlines()) == 3
    assert len(list(tmp_path.glob("outputs/*/*"))) == 1


@pytest.mark.slow
def test_two_processes_that_a_user_starts_by_hand_are_one_run(tmp_path: Path) -> None:
    port = free_port()
    known = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    places = [{**known, "NODE_RANK": str(node), "RANK": str(node)} for node in (0, 1)]
    command = (sys.executable, *TRAIN, *TWO_NODES)
    assert_one_run(tmp_path, together([command, command], places, tmp_path))


@pytest.mark.slow
def test_torchrun_on_one_machine(tmp_path: Path) -> None:
    command = (*TORCHRUN, "--standalone", "--nproc-per-node=2", *TRAIN, *RECORDING, "trainer.devices=2")
    (printed,) = together([command], [{}], tmp_path)
    assert_one_run(tmp_path, [printed, ""])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "2 processes were started, and trainer.devices and trainer.num_nodes make 1"),
        (("-m",), "-m starts the processes of its jobs itself"),
    ],
)
def test_a_launch_that_cannot_be_one_run_is_a_one_line_error(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    result = run_app("train", *TINY, *arguments, cwd=tmp_path, **as_by_slurm(free_port(), 0))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert message in line


@pytest.mark.slow
def test_only_rank_0_prints_what_is_wrong_with_the_configuration(tmp_path: Path) -> None:
    port = free_port()
    second = subprocess.Popen(
        (sys.executable, *TRAIN, *TWO_NODES, "trainer.max_epochs=0"),
        cwd=tmp_path,
        env={**os.environ, **as_by_slurm(port, 1)},
        stderr=subprocess.PIPE,
        text=True,
    )
    first = start_app("train", *TINY, *TWO_NODES, "trainer.max_epochs=0", cwd=tmp_path, **as_by_slurm(port, 0))
    try:
        line = second.communicate(timeout=240)[1].splitlines()[-1]  # after what torch says of its lost connection
    finally:
        second.kill()
    assert (first.returncode, second.returncode) == (1, 1)
    assert "trainer.max_epochs is 0" in first.stderr
    assert "rank 0 exited before the run started; see its error" in line
