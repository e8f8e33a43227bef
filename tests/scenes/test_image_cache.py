import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream.images import read_sample
from deepdream.scenes.image_cache import PreparedCache, prepare_cache
from deepdream.scenes.integrity import read_records
from deepdream.scenes.layout import read_lists
from deepdream.scenes.splits import SceneLists
from tests.scenes.layout import write_scenes


@pytest.fixture
def lists(tmp_path: Path) -> SceneLists:
    return read_lists(write_scenes(tmp_path / "set", {"bar": (4, 2), "pub": (3, 1)}, size=(96, 64)))


def _prepare(lists: SceneLists, tmp_path: Path, shorter_side: int | None = 32) -> PreparedCache:
    return prepare_cache(lists, cache_dir=tmp_path / "cache", shorter_side=shorter_side)


def test_the_cache_holds_each_image_resized_with_its_aspect_ratio(lists: SceneLists, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = {entry: (int(rng.integers(20, 90)), int(rng.integers(20, 90))) for entry in lists.train + lists.test}
    for entry, size in sizes.items():
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(lists.images / entry)
    cache = _prepare(lists, tmp_path).images
    assert cache is not None
    assert len(cache) == 10
    for number, entry in enumerate(lists.train + lists.test):
        image = Image.open(lists.images / entry)
        shorter = min(image.size)
        if shorter > 32:
            image = image.resize([max(32, round(s * 32 / shorter)) for s in image.size], Image.Resampling.BICUBIC)
        expected = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        assert torch.equal(cache[number], expected), entry


def test_a_large_jpeg_is_decoded_at_reduced_size_and_looks_the_same(lists: SceneLists, tmp_path: Path) -> None:
    photo = read_sample("china")
    photo.save(lists.images / lists.train[0], format="JPEG", quality=95)
    cache = _prepare(lists, tmp_path, shorter_side=100).images
    assert cache is not None
    expected = np.asarray(photo.resize((150, 100), Image.Resampling.LANCZOS), np.float32)
    error = np.abs(cache[0].permute(1, 2, 0).numpy().astype(np.float32) - expected)
    assert cache[0].shape == (3, 100, 150)
    assert error.mean() < 4


def test_a_small_image_keeps_its_size(lists: SceneLists, tmp_path: Path) -> None:
    cache = _prepare(lists, tmp_path, shorter_side=200).images
    assert cache is not None
    assert cache[0].shape == (3, 64, 96)


def test_a_complete_cache_is_used_and_not_built_again(lists: SceneLists, tmp_path: Path) -> None:
    first, second = _prepare(lists, tmp_path), _prepare(lists, tmp_path)
    assert first.built
    assert not second.built
    assert first.records == second.records


@pytest.mark.parametrize(
    "change", ["content", "date", "list", "truncated", "no index", "no about.json", "damaged about.json"]
)
def test_a_stale_or_broken_cache_is_built_again(lists: SceneLists, tmp_path: Path, change: str) -> None:
    folder = _prepare(lists, tmp_path).folder
    path = lists.images / lists.train[0]
    if change == "content":
        Image.new("RGB", (70, 70), "red").save(path)
    elif change == "date":
        os.utime(path, (1, 1))
    elif change == "list":
        lists = replace(lists, train=lists.train[1:])
    elif change == "truncated":
        with (folder / "pixels.bin").open("r+b") as file:
            file.truncate(100)
    elif change == "no index":
        (folder / "index.npy").unlink()
    elif change == "no about.json":
        (folder / "about.json").unlink()
    else:
        (folder / "about.json").write_text("[]")
    again = _prepare(lists, tmp_path)
    assert again.built
    assert again.images is not None
    assert len(again.images) == len(lists.train + lists.test)
    assert not _prepare(lists, tmp_path).built


def test_other_sizes_stand_side_by_side(lists: SceneLists, tmp_path: Path) -> None:
    _prepare(lists, tmp_path, shorter_side=32)
    _prepare(lists, tmp_path, shorter_side=48)
    assert not _prepare(lists, tmp_path, shorter_side=32).built


def test_skipped_images_are_recorded_and_take_no_space(lists: SceneLists, tmp_path: Path) -> None:
    (lists.images / lists.train[1]).write_bytes(b"no image")
    prepared = _prepare(lists, tmp_path)
    assert [record.used for record in prepared.records] == [True, False] + [True] * 8
    assert prepared.images is not None
    assert (prepared.folder / "pixels.bin").stat().st_size == 9 * 32 * 48 * 3
    assert prepared.images[2].shape == (3, 32, 48)
    assert read_records(prepared.folder / "integrity.csv") == prepared.records


def test_without_cached_images_there_are_only_records(lists: SceneLists, tmp_path: Path) -> None:
    prepared = _prepare(lists, tmp_path, shorter_side=None)
    assert prepared.images is None
    assert {path.name for path in prepared.folder.iterdir()} == {"integrity.csv", "about.json"}
    assert not _prepare(lists, tmp_path, shorter_side=None).built


def test_a_worker_is_sent_the_path_of_the_cache_not_its_pixels(lists: SceneLists, tmp_path: Path) -> None:
    cache = _prepare(lists, tmp_path).images
    assert cache is not None
    pixels = cache[0]
    sent = pickle.dumps(cache)
    assert len(sent) < 1000
    assert torch.equal(pickle.loads(sent)[0], pixels)


def _prepare_and_report(lists: SceneLists, tmp_path: Path, queue: "multiprocessing.Queue[bool]") -> None:
    queue.put(_prepare(lists, tmp_path).built)


def test_of_several_processes_one_builds_and_the_others_wait(lists: SceneLists, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_prepare_and_report, args=(lists, tmp_path, queue)) for _ in range(4)]
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
from deepdream.scenes.image_cache import prepare_cache
def kill(done, total):
    if done == int(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)
prepare_cache(read_lists(sys.argv[1]), cache_dir=Path(sys.argv[2]), shorter_side=32, on_progress=kill)
"""


@pytest.mark.parametrize("after", [1, 10])
def test_a_killed_build_is_repaired_by_the_next_run(lists: SceneLists, tmp_path: Path, after: int) -> None:
    root, cache = lists.images.parent, tmp_path / "cache"
    run = subprocess.run([sys.executable, "-c", KILLED, str(root), str(cache), str(after)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert [path for path in cache.iterdir() if path.suffix != ".lock"], "it was killed in the middle"
    prepared = _prepare(lists, tmp_path)
    assert prepared.built
    assert {path.name for path in cache.iterdir() if path.suffix != ".lock"} == {prepared.folder.name}


def test_a_cache_that_cannot_be_written_is_named_with_the_key_to_change(lists: SceneLists, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError, match=r"data\.cache_dir is .*cache, where .* data\.cache_dir=DIR uses another folder"):
        _prepare(lists, tmp_path)


def test_about_json_names_the_source_of_the_pixels(lists: SceneLists, tmp_path: Path) -> None:
    about = json.loads((_prepare(lists, tmp_path).folder / "about.json").read_text())
    assert about["images"] == str(lists.images.resolve())
    assert about["shorter_side"] == 32
