"""The page Network: runs below the current folder, a training as it goes on, images of confused classes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from deepdream.evaluating.csv_files import write_csv
from deepdream.studio import network_jobs, runs
from deepdream.studio.computing import Task, Turns
from deepdream.studio.framed import ROUTE, FramedFolders

CLASSES = ["=cmd", "bedroom", "kitchen"]


def made_run(folder: Path, *, epochs: int = 2) -> Path:
    """A run folder as train.py writes it, with four test images."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("- data=rooms\n- optimizer.lr=0.1\n")
    write_metrics(folder, epochs)
    figures = folder / "figures"
    figures.mkdir()
    paths = []
    for number in range(4):
        paths.append(folder / f"image {number}.png")
        Image.fromarray(np.full((40, 60, 3), 60 * number, np.uint8)).save(paths[-1])
    rows = [
        (paths[0], "bedroom", "kitchen", "0.4000"),
        (paths[1], "bedroom", "kitchen", "0.9000"),
        (paths[2], "=cmd", "=cmd", "0.7000"),
        (folder / "gone.png", "bedroom", "kitchen", "0.6000"),
    ]
    write_csv(figures / "predictions.csv", ["image", "class", "prediction", "probability"], [map(str, r) for r in rows])
    counts = [[1, 0, 0], [0, 0, 3], [0, 0, 0]]
    table = [[name, *row] for name, row in zip(CLASSES, counts, strict=True)]
    write_csv(figures / "confusion.csv", ["true class \\ predicted class", *CLASSES], table)
    return folder


def write_metrics(folder: Path, epochs: int) -> None:
    rows = [[epoch, 0.5 + epoch / 10, 1.0 - epoch / 10] for epoch in range(epochs)]
    write_csv(folder / "metrics.csv", ["epoch", "val/accuracy", "val/loss"], rows)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made_run(tmp_path / "outputs" / "2026-01-02" / "03-04-05")
    monkeypatch.chdir(tmp_path)
    return Path("outputs/2026-01-02/03-04-05")


def test_runs_are_found_newest_first_without_those_of_other_commands(run: Path) -> None:
    made_run(Path("multirun/2026-01-03/10-00-00/0"), epochs=5)
    Path("outputs/2026-01-09/00-00-00/explanations").mkdir(parents=True)
    newest, oldest = runs.found_runs()
    assert (newest.name, newest.epochs, newest.best) == ("2026-01-03/10-00-00/0", 5, 0.9)
    assert oldest.folder == run
    assert oldest.settings == ("data=rooms", "optimizer.lr=0.1")
    assert not oldest.has_report


def test_a_run_is_running_while_its_lock_is_taken(run: Path) -> None:
    assert not runs.is_running(run)
    lock = run / ".running"
    with FileLock(lock):
        os.utime(lock, (time.time() - 60,) * 2)
        assert runs.is_running(run)
    assert not runs.is_running(run)
    with FileLock(lock, timeout=0):  # looking has left it free
        pass


def test_what_a_training_writes_is_a_change_and_half_a_dream_is_none(run: Path) -> None:
    before = runs.changed(run)
    assert runs.changed(run) == before
    dreams = run / "figures" / "dreams"
    dreams.mkdir()
    Image.new("RGB", (64, 64)).save(dreams / "epoch_0001.png")
    first = runs.changed(run)
    assert first != before
    whole = (dreams / "epoch_0001.png").read_bytes()
    (dreams / "epoch_0002.png").write_bytes(whole[: len(whole) // 2])
    assert runs.latest_dream(run) == dreams / "epoch_0001.png"
    assert runs.changed(run) == first
    (dreams / "epoch_0002.png").write_bytes(whole)
    assert runs.latest_dream(run) == dreams / "epoch_0002.png"


def test_a_cell_of_the_confusion_has_its_images_the_most_confident_first(run: Path, tmp_path: Path) -> None:
    turns = Turns()
    with turns.taken():
        task = Task(lambda kind, value: None, turns, lambda name: pytest.fail("needs no network"))
        confusion = network_jobs.confusion(task, run)
        assert sorted(confusion.classes) == CLASSES
        row, column = confusion.classes.index("bedroom"), confusion.classes.index("kitchen")
        assert confusion.counts[row][column] == 3
        found = confusion.images_of(row, column)
        assert [each.probability for each in found] == [0.9, 0.6, 0.4]
        small = network_jobs.thumbnails(task, [each.image for each in found], tmp_path / "cell")
    assert [path is not None for path in small] == [True, False, True]  # one file is gone
    diagonal = confusion.classes.index("=cmd")
    assert len(confusion.images_of(diagonal, diagonal)) == 1


def test_only_a_folder_that_the_server_chose_is_framed(tmp_path: Path) -> None:
    (tmp_path / "microscope" / "data").mkdir(parents=True)
    (tmp_path / "microscope" / "index.html").write_text("<p>microscope</p>")
    (tmp_path / "microscope" / "data" / "site.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "microscope" / "link").symlink_to(tmp_path / "secret.txt")
    folders = FramedFolders()
    client = TestClient(Starlette(routes=[Mount(ROUTE, folders)]))
    address = f"/{folders.address(tmp_path / 'microscope' / 'index.html')}"
    assert client.get(address).text == "<p>microscope</p>"
    base = address.rpartition("/")[0]
    assert client.get(f"{base}/data/site.js").text == "1"
    for path in ("/link", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/data/../../secret.txt"):
        assert client.get(base + path).status_code == 404, path
    for path in ("/framed/", "/framed/index.html", f"/framed/{'A' * 32}/index.html", "/framed//etc/passwd"):
        assert client.get(path).status_code == 404, path


@pytest.mark.slow
def test_a_cell_opens_its_images_and_an_image_the_page_understand(run: Path, open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.get_by_role("tab", name="Network").click()
    page.wait_for_selector(".n-run")
    page.get_by_role("tab", name="Confusion").click()
    page.click(".n-confusion button[title='3 of 3 bedroom predicted as kitchen']")
    page.wait_for_function("document.querySelectorAll('#n-images img').length == 2")
    assert "3 images, 2 are shown" in page.inner_text("#n-cell")
    page.locator("#n-images img").first.click()
    page.wait_for_selector("#u-stage img", state="visible")
    page.wait_for_selector("ol.u-bars li")


@pytest.mark.slow
def test_a_running_training_refreshes_by_itself(run: Path, open_page: Callable[..., Any]) -> None:
    with FileLock(run / ".running"):
        os.utime(run / ".running", (time.time() - 60,) * 2)
        page = open_page()
        page.get_by_role("tab", name="Network").click()
        page.wait_for_selector(".n-run .n-live")
        assert page.locator("#n-dreamed img").count() == 0
        write_metrics(run, 7)
        (run / "figures" / "dreams").mkdir()
        Image.new("RGB", (64, 64), "teal").save(run / "figures" / "dreams" / "epoch_0005.png")
        page.wait_for_selector("#n-dreamed img")
        assert "after epoch 5" in page.inner_text("#n-dreamed")
        page.wait_for_selector(".n-run :text('7 epochs')")
    page.wait_for_selector(".n-run .n-live", state="detached")
