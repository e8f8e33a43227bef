"""What many tests share: the commands as a user runs them, and one small trained network."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deepdream.files import exclusive
from tests import forks

ROOT = forks.ROOT

# No test, nor a command that one starts, reaches the internet: its way leads to a port where nobody listens.
os.environ.update(dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"), no_proxy="127.0.0.1")

# A suite that a shell started in its background ignores Ctrl-C, and every command of its tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Tests of a GPU ask for one by `-m gpu`; all others shall say the same on every machine."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    gc.disable()


def pytest_collection_finish() -> None:
    """What was imported until here stays: the garbage collector need not look through it in every test."""
    gc.freeze()
    gc.enable()


# Tests that start commands or train, explain or dream for seconds: `make test-fast` leaves them out.
MEDIUM = (
    *("apps/", "callbacks/", "evaluating/", "explaining/", "faults/", "hostile/", "interactive/", "microscope/"),
    *("rooms/", "studio/", "test_dependencies.py", "test_docs.py", "test_extending.py", "test_markup.py"),
    *("test_site.py", "test_wheel.py", "acceleration/test_fused.py", "acceleration/test_switch.py"),
    *("dreaming/test_architectures.py", "dreaming/test_dreamer.py", "dreaming/test_films.py"),
    *("dreaming/test_golden.py", "dreaming/test_preservation.py", "dreaming/test_presets.py"),
    *("dreaming/test_report.py", "dreaming/test_tiles.py", "dreaming/test_video_round_trip.py"),
    *("models/test_foreign.py", "models/test_hub.py", "models/test_named.py", "models/test_resnet.py"),
    *("scenes/test_public_data.py", "test_docstrings.py", "test_words.py"),
    *("training/test_classifier.py", "training/test_foreign_networks.py", "training/test_schedulers.py"),
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import these where they are left out: half of the time of `make test-fast`."""
    name = collection_path.relative_to(ROOT).as_posix().removeprefix("tests/") + "/" * collection_path.is_dir()
    return (name.startswith(MEDIUM) and "not medium" in config.option.markexpr) or None


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in these folders and files as medium."""
    for item in items:
        if item.path.relative_to(ROOT / "tests").as_posix().startswith(MEDIUM):
            item.add_marker(pytest.mark.medium)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests of a GPU where none is, or where it is hidden."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU; `make test-gpu` runs it where there is one")


RunApp = Callable[..., subprocess.CompletedProcess[str]]

# A run of seconds: rooms of 32 px, a network of ten layers.
TINY = (
    "data=rooms",
    "data.root=rooms",
    "data.rooms.train_per_class=8",
    "data.rooms.test_per_class=2",
    "data.rooms.size=32",
    "data.val_per_class=2",
    "data.image_size=32",
    "data.resize=32",
    "data.batch_size=16",
    "data.workers=0",
    "model=resnet10",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
    "trainer.accelerator=cpu",
)


def run_app(app: str, *arguments: str, cwd: Path, seconds: float = 240, **env: str) -> subprocess.CompletedProcess[str]:
    """`python <app>.py arguments` in `cwd`, as a user would, with what it printed; see tests/forks.py."""
    command = forks.begin(app, *arguments, folder=cwd, env=env)
    status = command.wait(seconds)
    return subprocess.CompletedProcess((app, *arguments), status, command.stdout, command.stderr)


def start_app(app: str, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, from the interpreter's first line on: two seconds more."""
    return subprocess.run(
        [sys.executable, str(ROOT / f"{app}.py"), *arguments],
        cwd=cwd,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **env},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder in which `python train.py` ran once on rooms: it holds rooms/ and outputs/<date>/<time>/.

    Of the workers of a run one trains, and each has a copy.
    """
    base = tmp_path_factory.getbasetemp()
    original = (base if worker_id == "master" else base.parent) / "trained"
    done = original.with_suffix(".done")
    with exclusive(original.with_suffix(".lock")):
        if not done.exists():
            original.mkdir()
            result = run_app("train", *TINY, cwd=original)
            assert result.returncode == 0, result.stdout + result.stderr
            done.touch()
    copy = tmp_path_factory.mktemp("copy") / "trained"
    shutil.copytree(original, copy, ignore=shutil.ignore_patterns("rooms"))
    (copy / "rooms").symlink_to(original / "rooms")  # no test changes them, and the cache knows them by their path
    return copy


def data_of(trained: Path) -> tuple[str, str]:
    """The arguments for the rooms of that run, drawn and decoded already."""
    return f"data.root={trained / 'rooms'}", f"data.cache_dir={trained / 'data' / 'cache'}"


@pytest.fixture(scope="session")
def checkpoint(trained: Path) -> Path:
    """The best checkpoint of that run."""
    (path,) = trained.glob("outputs/*/*/checkpoints/best.ckpt")
    return path


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Playwright's Browser: one for all tests of pages, as Playwright runs once in a process. Skips where none is."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install .[dev]")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
