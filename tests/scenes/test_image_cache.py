import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream.images import read_sample
from deepdream.scenes.image_cache import Prepared, prepare
from deepdream.scenes.integrity import read_scan
from deepdream.scenes.layout import SceneLists, read_lists
from tests.scenes.layout import write_scenes


@pytest.fixture
def lists(tmp_path: Path) -> SceneLists:
    return read_lists(write_scenes(tmp_path / "set", {"bar": (4, 2), "pub": (3, 1)}, size=(96, 64)))


def _prepare(lists: SceneLists, tmp_path: Path, shorter_side: int | None = 32) -> Prepared:
    return prepare(lists, cache=tmp_path / "cache", shorter_side=shorter_side)


def test_the_store_holds_each_picture_shrunk_with_its_proportions(lists: SceneLists, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = {entry: (int(rng.integers(20, 90)), int(rng.integers(20, 90))) for entry in lists.train + lists.test}
    for entry, size in sizes.items():
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(lists.images / entry)
    store = _prepare(lists, tmp_path).store
    assert store is not None
    assert len(store) == 10
    for number, entry in enumerate(lists.train + lists.test):
        picture = Image.open(lists.images / entry)
        shorter = min(picture.size)
        if shorter > 32:
            picture = picture.resize([max(32, round(s * 32 / shorter)) for s in picture.size], Image.Resampling.BICUBIC)
        expected = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        assert torch.equal(store[number], expected), entry


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(lists: SceneLists, tmp_path: Path) -> None:
    photo = read_sample("china")
    photo.save(lists.images / lists.train[0], format="JPEG", quality=95)
    store = _prepare(lists, tmp_path, shorter_side=100).store
    assert store is not None
    expected = np.asarray(photo.resize((150, 100), Image.Resampling.LANCZOS), np.float32)
    error = np.abs(store[0].permute(1, 2, 0).numpy().astype(np.float32) - expected)
    assert store[0].shape == (3, 100, 150)
    assert error.mean() < 4


def test_a_picture_that_is_small_already_is_kept_as_it_is(lists: SceneLists, tmp_path: Path) -> None:
    store = _prepare(lists, tmp_path, shorter_side=200).store
    assert store is not None
    assert store[0].shape == (3, 64, 96)


def test_a_second_time_it_is_found_and_not_made_again(lists: SceneLists, tmp_path: Path) -> None:
    first, second = _prepare(lists, tmp_path), _prepare(lists, tmp_path)
    assert first.built
    assert not second.built
    assert first.findings == second.findings


@pytest.mark.parametrize("change", ["content", "date", "list", "truncated", "no index", "no note", "damaged note"])
def test_what_is_stale_or_broken_is_made_again(lists: SceneLists, tmp_path: Path, change: str) -> None:
    folder = _prepare(lists, tmp_path).folder
    picture = lists.images / lists.train[0]
    if change == "content":
        Image.new("RGB", (70, 70), "red").save(picture)
    elif change == "date":
        os.utime(picture, (1, 1))
    elif change == "list":
        lists = SceneLists(lists.images, lists.classes, lists.train[1:], lists.test)
    elif change == "truncated":
        with (folder / "pixels.bin").open("r+b") as file:
            file.truncate(100)
    elif change == "no index":
        (folder / "index.npy").unlink()
    elif change == "no note":
        (folder / "about.json").unlink()
    else:
        (folder / "about.json").write_text("[]")
    again = _prepare(lists, tmp_path)
    assert again.built
    assert again.store is not None
    assert len(again.store) == len(lists.train + lists.test)
    assert not _prepare(lists, tmp_path).built


def test_other_sizes_stand_side_by_side(lists: SceneLists, tmp_path: Path) -> None:
    _prepare(lists, tmp_path, shorter_side=32)
    _prepare(lists, tmp_path, shorter_side=48)
    assert not _prepare(lists, tmp_path, shorter_side=32).built


def test_bad_pictures_are_counted_and_take_no_room(lists: SceneLists, tmp_path: Path) -> None:
    (lists.images / lists.train[1]).write_bytes(b"no picture")
    prepared = _prepare(lists, tmp_path)
    assert [finding.used for finding in prepared.findings] == [True, False] + [True] * 8
    assert prepared.store is not None
    assert (prepared.folder / "pixels.bin").stat().st_size == 9 * 32 * 48 * 3
    assert prepared.store[2].shape == (3, 32, 48)
    assert read_scan(prepared.folder / "scan.csv") == prepared.findings


def test_without_a_store_there_is_only_the_scan(lists: SceneLists, tmp_path: Path) -> None:
    prepared = _prepare(lists, tmp_path, shorter_side=None)
    assert prepared.store is None
    assert {path.name for path in prepared.folder.iterdir()} == {"scan.csv", "about.json"}
    assert not _prepare(lists, tmp_path, shorter_side=None).built


def test_a_worker_is_sent_the_name_of_the_store_not_its_pixels(lists: SceneLists, tmp_path: Path) -> None:
    store = _prepare(lists, tmp_path).store
    assert store is not None
    pixels = store[0]
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    assert torch.equal(pickle.loads(sent)[0], pixels)


def _prepare_and_tell(lists: SceneLists, tmp_path: Path, queue: "multiprocessing.Queue[bool]") -> None:
    queue.put(_prepare(lists, tmp_path).built)


def test_of_several_processes_one_builds_and_the_others_wait(lists: SceneLists, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_prepare_and_tell, args=(lists, tmp_path, queue)) for _ in range(4)]
    for process in processes:
        process.start()
    built = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(built) == [False, False, False, True]


KILLED = """
import os, signal, sys
from pathlib import Path
from deepdream.images import read_sample
from deepdream.scenes.layout import read_lists
from deepdream.scenes.image_cache import prepare
def kill(done, total):
    if done == int(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)
prepare(read_lists(sys.argv[1]), cache=Path(sys.argv[2]), shorter_side=32, on_picture=kill)
"""


@pytest.mark.parametrize("after", [1, 10])
def test_a_kill_leaves_nothing_that_the_next_run_does_not_mend(lists: SceneLists, tmp_path: Path, after: int) -> None:
    root, cache = lists.images.parent, tmp_path / "cache"
    run = subprocess.run([sys.executable, "-c", KILLED, str(root), str(cache), str(after)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert [path for path in cache.iterdir() if path.suffix != ".lock"], "it was killed in the middle"
    prepared = _prepare(lists, tmp_path)
    assert prepared.built
    assert {path.name for path in cache.iterdir() if path.suffix != ".lock"} == {prepared.folder.name}


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(lists: SceneLists, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError, match=r"data\.cache is .*cache, where .* data\.cache=DIR puts them elsewhere"):
        _prepare(lists, tmp_path)


def test_the_note_beside_the_pixels_says_what_they_are_of(lists: SceneLists, tmp_path: Path) -> None:
    note = json.loads((_prepare(lists, tmp_path).folder / "about.json").read_text())
    assert note["pictures_of"] == str(lists.images.resolve())
    assert note["shorter_side"] == 32
