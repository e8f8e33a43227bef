"""A folder of images that several processes share, on two machines, is the folder that one process makes."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from deepdream import claims, shared_arrays
from deepdream.apps import explained_folder, folders
from deepdream.images import noise_image
from tests import forks
from tests.apps.test_distributed import TORCHRUN, free_port
from tests.apps.test_explain import QUICK, rows
from tests.conftest import ROOT, run_app

DREAM = (
    "ckpt=box",
    "image=photos",
    "dream.width=48",
    "dream.octaves=1",
    "dream.steps=3",
    "dream.layers=layer2",
    "logger=none",
)
ENV = {"OMP_NUM_THREADS": "1"}
PHOTOS = 8


def photos_in(folder: Path) -> Path:
    (folder / "photos").mkdir()
    for number in range(PHOTOS):
        noise_image(40, 48, number).save(folder / "photos" / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dreams that one process makes."""
    folder = photos_in(tmp_path_factory.mktemp("alone"))
    command = forks.begin("dream", *DREAM, "output=dreams", folder=folder, env=ENV)
    assert command.wait() == 0, command.said
    return files_in(folder / "dreams")


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def on_machine(name: str, dies: bool) -> None:
    """Make this process one of the machine `name`, which may die with its first dream computed and not yet written."""
    socket.gethostname = lambda: name
    claims.LEASE = 3.0
    if dies:
        folders.write_image = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGKILL)


def test_four_processes_on_two_machines_make_each_dream_once_though_one_is_killed(
    alone: dict[str, bytes], tmp_path: Path
) -> None:
    photos_in(tmp_path)
    machines = (("first", True), ("first", False), ("second", False), ("second", False))
    commands = [
        forks.begin("dream", *DREAM, "output=dreams", folder=tmp_path, before=partial(on_machine, *place), env=ENV)
        for place in machines
    ]
    statuses = [command.wait() for command in commands]
    assert statuses == [-signal.SIGKILL, 0, 0, 0], "".join(command.said for command in commands)
    assert files_in(tmp_path / "dreams") == alone  # and no claim is left
    made = Counter(name for command in commands for name in re.findall(r"^(\S+) -> ", command.stdout, re.M))
    assert set(made) == set(alone)
    assert set(made.values()) == {1}
    assert all(f"dreamed {PHOTOS} of {PHOTOS} images" in command.stdout for command in commands[1:])


def die_after_a_panel() -> None:
    """Kill this process when it has written its first panel, and not yet its numbers."""
    explained_folder.write_atomically = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_two_processes_explain_what_one_does_though_one_is_killed(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        noise_image(64, 64, number).save(tmp_path / "photos" / f"{number}.png")
    arguments = (f"ckpt={checkpoint}", "image=photos", "methods=[gradcam]", "logger=none", *QUICK)

    def begin(run: str, before: Callable[[], None] | None = None) -> forks.Command:
        return forks.begin("explain", *arguments, f"hydra.run.dir={run}", folder=tmp_path, before=before, env=ENV)

    def table(run: str) -> list[dict[str, str]]:
        return [{**row, "seconds": ""} for row in rows(tmp_path / run / "explanations.csv")]

    commands = [begin("shared", die_after_a_panel), begin("shared")]
    assert [command.wait() for command in commands] == [-signal.SIGKILL, 0], commands[1].said
    one = begin("alone")
    assert one.wait() == 0, one.said
    assert table("shared") == table("alone")
    assert files_in(tmp_path / "shared" / "explanations").keys() == files_in(tmp_path / "alone" / "explanations").keys()
    lines = [line for command in commands for line in command.stdout.splitlines() if "confidence" in line]
    assert len(lines) == len(set(lines)) == 3  # each image by one process
    again = begin("shared")
    assert again.wait() == 0, again.said
    assert "3 of 3 images are explained already" in again.stdout


def on_machine_that_dies(name: str) -> None:
    """Make this process one of the machine `name`, which dies when it has computed its first part."""
    on_machine(name, dies=False)
    kill = partial(os.kill, os.getpid(), signal.SIGKILL)
    shared_arrays.SharedArrays._save = lambda *arguments: kill()  # type: ignore[method-assign]


@pytest.mark.slow
@pytest.mark.parametrize(("app", "result"), [("predict", "predictions.csv"), ("evaluate", "figures/evaluation.json")])
def test_processes_predict_each_image_once_though_one_is_killed(
    app: str, result: str, checkpoint: Path, trained: Path, tmp_path: Path
) -> None:
    arguments = [f"ckpt={checkpoint}", "batch_size=4", "workers=0"]
    arguments += ["images=photos"] if app == "predict" else ["logger=none", f"root={trained / 'rooms'}"]
    (tmp_path / "photos").symlink_to(trained / "rooms" / "Images")

    def begin(folder: str, before: Callable[[], None] | None = None) -> forks.Command:
        return forks.begin(app, *arguments, *folder.split(), folder=tmp_path, before=before, env=ENV)

    (tmp_path / "outputs").mkdir()
    alone = begin("")
    assert alone.wait() == 0, alone.said
    (wanted,) = (tmp_path / "outputs").glob(f"*/*/{result}")
    commands = [
        begin("hydra.run.dir=shared", partial(on_machine_that_dies, "first")),
        begin("hydra.run.dir=shared", partial(on_machine, "second", dies=False)),
        begin("hydra.run.dir=shared", partial(on_machine, "first", dies=False)),
    ]
    assert [command.wait() for command in commands] == [-signal.SIGKILL, 0, 0], commands[1].said + commands[2].said
    assert (tmp_path / "shared" / result).read_bytes() == wanted.read_bytes()
    assert not list((tmp_path / "shared").rglob("*.claim"))
    heading = {"predict": "prediction +┃ photos", "evaluate": "metric +┃ +value"}[app]
    assert [bool(re.search(heading, command.stdout)) for command in commands[1:]].count(True) == 1  # by who wrote it
    again = begin("hydra.run.dir=shared")
    assert again.wait() == 0, again.said
    assert re.search(r"^(\d+) of \1 (photos|images) are predicted already", again.stdout, re.M), again.stdout
    assert (tmp_path / "shared" / result).read_bytes() == wanted.read_bytes()


@pytest.mark.parametrize(
    ("app", "key"),
    [
        *(("dream", "output"), ("microscope", "output")),
        *((app, "hydra.run.dir") for app in ("explain", "predict", "evaluate")),
    ],
)
def test_processes_of_one_launch_need_a_folder_that_they_share(app: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(2):
        noise_image(40, 48, number).save(tmp_path / "photos" / f"{number}.png")
    launch = {"MASTER_PORT": "1", "MASTER_ADDR": "127.0.0.1", "NODE_RANK": "1", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}
    arguments = {"evaluate": [], "predict": ["images=photos"], "microscope": ["images=photos"]}.get(
        app, ["image=photos"]
    )
    refused = run_app(app, *arguments, cwd=tmp_path, **launch)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"error: 2 processes were started, and share a folder of results; name it, the same for all, with {key}=FOLDER"
    ]


@pytest.mark.slow
def test_two_devices_share_a_folder(alone: dict[str, bytes], tmp_path: Path) -> None:
    photos_in(tmp_path)
    shared = run_app("dream", *DREAM, "output=dreams", "devices=2", "device=cpu", cwd=tmp_path, **ENV)
    assert shared.returncode == 0, shared.stderr
    assert f"dreamed {PHOTOS} of {PHOTOS} images" in shared.stdout
    assert set(files_in(tmp_path / "dreams")) == set(alone)
    for name, file in alone.items():  # the provenance differs by devices=2
        assert Image.open(tmp_path / "dreams" / name).tobytes() == Image.open(io.BytesIO(file)).tobytes()


@pytest.mark.slow
def test_torchrun_on_two_machines_goes_on_when_a_process_is_killed(alone: dict[str, bytes], tmp_path: Path) -> None:
    photos_in(tmp_path)
    start = (*TORCHRUN, "--nnodes=2", "--nproc-per-node=2", "--max-restarts=2", "--master-addr=127.0.0.1")
    port = free_port()
    agents = [
        subprocess.Popen(
            (*start, f"--master-port={port}", f"--node-rank={node}", str(ROOT / "dream.py"), *DREAM, "output=dreams"),
            cwd=tmp_path,
            env={**os.environ, **ENV, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in (0, 1)
    ]
    try:
        os.kill(_at_work(tmp_path / "dreams"), signal.SIGKILL)
        said = [agent.communicate(timeout=240)[0] for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
    assert [agent.returncode for agent in agents] == [0, 0], "\n".join(said)
    assert "exitcode: -9" in "".join(said)
    assert files_in(tmp_path / "dreams") == alone


def _at_work(folder: Path) -> int:
    """The process that holds a claim, once the first dream is there."""
    for _ in range(2400):
        if list(folder.glob("*.png")):
            for path in folder.glob(".*.claim"):
                if found := re.search(r"^pid=(\d+)$", path.read_text(errors="replace"), re.M):
                    return int(found[1])
        time.sleep(0.05)
    raise AssertionError("no process has begun")
