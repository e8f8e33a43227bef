from __future__ import annotations

import gzip
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deepdream.download import DownloadError, RetryPolicy
from deepdream.scenes import DataConfig, SceneDataModule, UrlConfig
from deepdream.scenes.layout import read_data, read_lists
from deepdream.scenes.public_data import ensure_downloaded
from tests.conftest import ROOT
from tests.scenes.archives import (
    CLASSES,
    PER_CLASS,
    content,
    images,
    lists,
    member,
    official_files,
    official_members,
    official_tar,
    tar,
)
from tests.scenes.layout import write_scenes
from tests.scenes.server import Answer, Server
from tests.scenes.test_layout import write_miniplaces

MIT67 = Path(__file__).parents[3] / "shared" / "mit67"
QUICK = RetryPolicy(timeout=20, attempts=3, pause=0.001)
ARCHIVE = "indoorCVPR_09.tar"
OFFICIAL = DataConfig.preset("mit_indoor").url
assert OFFICIAL is not None


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({ARCHIVE: official_tar(), **lists()}) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "mit_indoor"


def _url(server: Server, **changed: object) -> UrlConfig:
    url = replace(
        OFFICIAL,
        archive=[server.url(ARCHIVE)],
        train_list=[server.url("TrainImages.txt")],
        test_list=[server.url("TestImages.txt")],
        train_sha256=hashlib.sha256(lists()["TrainImages.txt"]).hexdigest(),
        test_sha256=hashlib.sha256(lists()["TestImages.txt"]).hexdigest(),
        classes=len(CLASSES),
        images=len(images()),
    )
    return replace(url, **changed)


def _ensure(root: Path, url: UrlConfig, retry: RetryPolicy = QUICK) -> None:
    ensure_downloaded(DataConfig.preset(root=str(root), url=url), retry=retry)


def _tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that is in a folder, hidden files too: when it changed, its mode and its content."""
    return {str(path.relative_to(folder)): _state(path) for path in folder.rglob("*")}


def _state(path: Path) -> tuple[int, int, bytes]:
    return path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else b""


COMPLETE = official_files()


def test_the_data_set_is_downloaded_and_nothing_else_stays(
    server: Server, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _ensure(root, _url(server))
    assert content(root) == COMPLETE
    assert sorted(os.listdir(root)) == ["Images", "TestImages.txt", "TrainImages.txt"]
    found = read_lists(root)
    assert found.classes == CLASSES
    assert (len(found.train), len(found.test)) == (9, 3)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"downloading MIT Indoor Scenes (2.4 GB) into {root}; data.download=false never downloads")
    assert last.startswith(f"MIT Indoor Scenes is in {root}: 12 images, ")


def test_a_complete_data_set_is_not_requested_again(server: Server, root: Path) -> None:
    _ensure(root, _url(server))
    server.requests.clear()
    before = _tree(root)
    _ensure(root, _url(server))
    assert _tree(root) == before
    assert server.requests == []


@pytest.mark.parametrize("prefix", ["indoorCVPR_09/Images/", "./Images/"])
def test_an_archive_that_nests_its_images_becomes_the_official_layout(server: Server, root: Path, prefix: str) -> None:
    server.files[ARCHIVE] = official_tar(prefix)
    _ensure(root, _url(server))
    assert content(root) == COMPLETE


def test_the_download_survives_broken_and_stalled_connections_and_ignored_ranges(server: Server, root: Path) -> None:
    server.answers[ARCHIVE] = [Answer(cut=40_000), Answer(stall=30_000), Answer(status=502), Answer(ranges=False)]
    _ensure(root, _url(server), replace(QUICK, timeout=0.7))
    assert content(root) == COMPLETE
    assert server.ranges(ARCHIVE) == [None, "bytes=40000-", "bytes=70000-", "bytes=70000-"]


@pytest.mark.parametrize("nested", [False, True], ids=["official", "nested"])
def test_an_existing_copy_is_used_in_place_and_not_changed(server: Server, root: Path, nested: bool) -> None:
    write_scenes(root / "indoorCVPR_09" if nested else root, {"bar": (2, 1)})
    for path in [*root.rglob("*"), root]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = _tree(root)
    try:
        _ensure(root, _url(server))
        assert len(read_lists(root).train) == 2
        assert _tree(root) == before
        assert server.requests == []
    finally:
        for path in [root, *root.rglob("*")]:
            path.chmod(0o755)


def test_leftovers_of_a_kill_after_the_end_are_removed_whatever_was_added_since(server: Server, root: Path) -> None:
    write_scenes(root, {"bar": (2, 1)})
    (root / ".partial").mkdir()
    (root / ".partial" / ARCHIVE).write_bytes(b"2.4 GB")
    (root / "Annotations").mkdir()
    _ensure(root, _url(server))
    assert sorted(os.listdir(root)) == ["Annotations", "Images", "TestImages.txt", "TrainImages.txt"]
    assert server.requests == []


@pytest.mark.parametrize("other", ["thesis.tex", "photos/a.jpg", "indoorCVPR_09.zip"])
def test_a_folder_of_something_else_is_left_alone(server: Server, root: Path, other: str) -> None:
    (root / other).parent.mkdir(parents=True)
    (root / other).write_text("years of work")
    before = _tree(root)
    with pytest.raises(FileNotFoundError, match="which has no Images folder but something else; MIT Indoor Scenes"):
        _ensure(root, _url(server))
    assert _tree(root) == before
    assert server.requests == []


def test_lists_and_archive_of_the_user_are_used_and_kept(server: Server, root: Path) -> None:
    root.mkdir(parents=True)
    (root / ARCHIVE).write_bytes(official_tar())
    (root / ".DS_Store").write_bytes(b"")
    for name, text in lists().items():
        (root / name).write_bytes(text)
    before = _tree(root)
    _ensure(root, _url(server))
    assert server.requests == []
    assert content(root) == {**COMPLETE, ARCHIVE: official_tar(), ".DS_Store": b""}
    assert before.items() <= _tree(root).items()


def test_an_archive_of_the_user_is_never_removed(server: Server, root: Path) -> None:
    root.mkdir(parents=True)
    (root / ARCHIVE).write_bytes(official_tar()[:20_000])
    with pytest.raises(ValueError, match="is not a complete tar archive"):
        _ensure(root, _url(server))
    assert (root / ARCHIVE).stat().st_size == 20_000
    assert server.ranges(ARCHIVE) == []


ESCAPES = [
    [member("../../escaped", b"x")],
    [member("Images/bar/../../../escaped", b"x")],
    [member("Images/up", b"", type=b"2", linkname="../.."), member("Images/up/escaped", b"x")],
    [member("Images/bar/b", b"", type=b"1", linkname="../../../../escaped"), member("Images/bar/b", b"x")],
    [member("Images/bar/pipe", b"", type=b"6")],
]


@pytest.mark.parametrize("members", ESCAPES, ids=["up", "up from a class", "link", "hard link", "pipe"])
def test_a_hostile_archive_writes_nothing_and_the_next_mirror_is_tried(
    server: Server, root: Path, tmp_path: Path, members: list[object]
) -> None:
    server.files["hostile.tar"] = tar([*official_members(), *members])
    before = _tree(tmp_path)
    with pytest.raises(DownloadError, match=r"is refused, because its member .*; the download was removed"):
        _ensure(root, _url(server, archive=[server.url("hostile.tar")]))
    assert not (root / "Images").exists()
    left = {name for name in _tree(tmp_path).keys() - before.keys() if (tmp_path / name).is_file()}
    assert all(name.startswith("data/mit_indoor/.partial") for name in left)
    assert not [name for name in left if ARCHIVE in name]
    _ensure(root, _url(server, archive=[server.url("hostile.tar"), server.url(ARCHIVE)]))
    assert content(root) == COMPLETE


def test_an_archive_that_lacks_listed_images_names_them(server: Server, root: Path) -> None:
    server.files[ARCHIVE] = tar([m for m in official_members() if "bar/bar_" not in m[0].name])
    with pytest.raises(DownloadError, match=r"lacks 3 of 12 listed images: bar/bar_0\.jpg, bar/bar_1\.jpg") as caught:
        _ensure(root, _url(server))
    assert str(root / "MissingImages.txt") in str(caught.value)
    assert (root / "MissingImages.txt").read_text() == "bar/bar_0.jpg\nbar/bar_1.jpg\nbar/bar_2.jpg\n"
    server.files[ARCHIVE] = official_tar()
    _ensure(root, _url(server))
    assert content(root) == COMPLETE


def test_fewer_images_than_expected_are_noted_if_all_listed_ones_are_there(
    server: Server, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _ensure(root, _url(server, classes=67, images=15_620))
    out = capsys.readouterr().out
    assert "note: the archive holds 3 of 67 classes" in out
    assert "note: the archive holds 12 of 15,620 images" in out
    assert content(root) == COMPLETE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<html>\n<p>moved</p>", "line 1 is '<html>'; it must be `class/file`"),
        (b"bar/bar_0.jpg", r"its sha256 is [0-9a-f]{64}; data\.url\.train_sha256 is .* \(null takes any\)"),
    ],
    ids=["a web page", "another list"],
)
def test_a_list_that_is_not_the_official_one_is_refused(server: Server, root: Path, text: bytes, message: str) -> None:
    server.files["wrong/TrainImages.txt"] = text
    wrong = server.url("wrong/TrainImages.txt")
    with pytest.raises(DownloadError, match=message):
        _ensure(root, _url(server, train_list=[wrong]))
    _ensure(root, _url(server, train_list=[wrong, server.url("TrainImages.txt")]))
    assert content(root) == COMPLETE


def test_an_archive_damaged_on_the_disk_is_downloaded_again(
    server: Server, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / ".partial").mkdir(parents=True)
    (root / ".partial" / ARCHIVE).write_bytes(official_tar()[:50_000])
    _ensure(root, _url(server))
    assert content(root) == COMPLETE
    assert "it is removed and downloaded again" in capsys.readouterr().out


def test_no_network_is_one_line_and_the_next_run_completes(server: Server, root: Path) -> None:
    with Server({}) as gone:
        url = _url(gone)
    with pytest.raises(DownloadError, match=r"TrainImages\.txt could not be downloaded: .*Connection refused"):
        _ensure(root, url)
    _ensure(root, _url(server))
    assert content(root) == COMPLETE


def test_the_data_module_downloads_it(server: Server, root: Path) -> None:
    config = DataConfig.preset(root=str(root), download=True, url=_url(server), val_per_class=1, workers=0)
    data = SceneDataModule(config)
    data.prepare_data()
    data.prepare_data()
    assert data.classes == list(CLASSES)
    assert len(server.requests) == 3


def test_without_download_nothing_is_requested(server: Server, root: Path) -> None:
    data = SceneDataModule(DataConfig.preset(root=str(root), download=False, url=_url(server)))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        data.prepare_data()
    assert not root.exists()
    assert server.requests == []


def _archive(folder: str, names: list[str]) -> bytes:
    return gzip.compress(tar([member(f"{folder}/{name}", name.encode()) for name in names]), mtime=0)


IMAGENETTE = [
    *(
        f"{split}/{label}/{k}.JPEG"
        for split in ("train", "val")
        for label in ("n01440764", "n02102040")
        for k in (1, 2)
    ),
    *("noisy_imagenette.csv", "train/.DS_Store"),
]


@pytest.fixture
def imagenette(root: Path) -> Iterator[tuple[Server, DataConfig]]:
    """A small archive in the form of Imagenette, and the configuration that downloads it."""
    archive = _archive("imagenette2-160", IMAGENETTE)
    with Server({"imagenette2-160.tgz": archive}) as server:
        config = DataConfig.preset("imagenette", root=str(root))
        assert config.url is not None
        config.url.archive = [server.url("imagenette2-160.tgz")]
        config.url.checksum = f"md5:{hashlib.md5(archive).hexdigest()}"
        yield server, config


def test_imagenette_is_downloaded_and_its_classes_are_named(imagenette: tuple[Server, DataConfig], root: Path) -> None:
    server, config = imagenette
    server.answers["imagenette2-160.tgz"] = [Answer(cut=200)]
    ensure_downloaded(config, retry=QUICK)
    assert sorted(content(root)) == sorted(f"imagenette2-160/{name}" for name in IMAGENETTE[:-2])
    assert content(root)["imagenette2-160/val/n01440764/2.JPEG"] == b"val/n01440764/2.JPEG"
    lists = read_data(config)
    assert lists.classes == ("tench", "English springer")
    assert (len(lists.train), len(lists.test), lists.val) == (4, 4, ())
    server.requests.clear()
    for place in (root, root / "imagenette2-160"):
        config.root = str(place)
        ensure_downloaded(config, retry=QUICK)
        assert read_data(config).classes == ("tench", "English springer")
    assert server.requests == []


def test_an_archive_with_another_checksum_is_refused(imagenette: tuple[Server, DataConfig], root: Path) -> None:
    server, config = imagenette
    server.files["imagenette2-160.tgz"] = _archive("imagenette2-160", IMAGENETTE[:-1])
    with pytest.raises(
        DownloadError, match=r"its md5 is \w+; data\.url\.checksum is \w+ \(null takes any\); the download"
    ):
        ensure_downloaded(config, retry=QUICK)
    assert not (root / "imagenette2-160").exists()


@pytest.mark.parametrize("end", ["", "garbage"])
def test_a_truncated_or_damaged_gzip_archive_is_refused(
    imagenette: tuple[Server, DataConfig], root: Path, end: str
) -> None:
    server, config = imagenette
    assert config.url is not None
    config.url.checksum = None
    server.files["imagenette2-160.tgz"] = server.files["imagenette2-160.tgz"][:-40] + end.encode()
    with pytest.raises(DownloadError, match="is not a complete tar archive"):
        ensure_downloaded(config, retry=QUICK)
    assert not (root / "imagenette2-160").exists()


def test_miniplaces_is_downloaded_with_its_lists(root: Path, tmp_path: Path) -> None:
    write_miniplaces(tmp_path / "served")
    names = sorted(
        path.relative_to(tmp_path / "served" / "images") for path in tmp_path.glob("served/images/*/**/*.jpg")
    )
    files = {"data.tar.gz": _archive("images", [name.as_posix() for name in names])}
    files |= {name: (tmp_path / "served" / name).read_bytes() for name in ("train.txt", "val.txt")}
    with Server(files) as server:
        config = DataConfig.preset("miniplaces", root=str(root))
        assert config.url is not None
        config.url = replace(
            config.url,
            archive=[server.url("data.tar.gz")],
            train_list=[server.url("train.txt")],
            test_list=[server.url("val.txt")],
            **dict.fromkeys(("train_sha256", "test_sha256")),
        )
        ensure_downloaded(config, retry=QUICK)
    assert sorted(os.listdir(root)) == ["images", "train.txt", "val.txt"]
    lists = read_data(config)
    assert lists.classes == ("abbey", "bakery_shop", "coast")
    assert (len(lists.train), len(lists.test)) == (8, 4)


def test_a_list_that_the_download_does_not_have_is_named_before_any_request(server: Server, root: Path) -> None:
    config = DataConfig.preset(root=str(root), url=_url(server), train_list="TrainImages80.txt")
    with pytest.raises(FileNotFoundError, match=r"data\.train_list is TrainImages80\.txt, which is not in"):
        ensure_downloaded(config, retry=QUICK)
    assert server.requests == []


# The beginning of the scripts below: a download in a process of its own.
PRELUDE = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from deepdream.download import RetryPolicy
from deepdream.scenes.config import DataConfig
from deepdream.scenes.public_data import ensure_downloaded
root, server = Path(sys.argv[1]), sys.argv[2]
lists = dict(train_list=[server + "TrainImages.txt"], test_list=[server + "TestImages.txt"])
lists |= dict(train_sha256=None, test_sha256=None, classes=None, images=None)
config = DataConfig.preset(root=str(root))
config.url = replace(config.url, archive=[server + "indoorCVPR_09.tar"], **lists)
retry = RetryPolicy(timeout=20, attempts=3, pause=0.01)
"""


def _start(script: str, root: Path, server: Server, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRELUDE + script, str(root), server.url(""), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


@pytest.mark.slow
def test_four_processes_at_once_download_once(server: Server, root: Path) -> None:
    server.answers[ARCHIVE] = [Answer(pause=0.1)]
    processes = [_start("ensure_downloaded(config, retry=retry)", root, server) for _ in range(4)]
    printed = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, printed
    assert content(root) == COMPLETE
    assert sorted(name for name, _ in server.requests) == sorted([ARCHIVE, *lists()])
    assert sum(text.count("downloading MIT Indoor Scenes") for text in printed) == 1
    assert all(text.count("waiting for another process") <= 1 for text in printed)


# Each step that changes a file or folder below root raises an audit event: that is where the kills come.
KILLED_AT_EVERY_STEP = """
import shutil
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}

def in_a_process(stop_at):
    pid = os.fork()
    if pid == 0:
        steps = 0
        def hook(event, arguments):
            nonlocal steps
            if event in EVENTS and str(root) in str(arguments[0]):
                steps += 1
                if steps == stop_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        ensure_downloaded(config, retry=retry)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def content():
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

def partial():
    return (root / "Images").exists() and sum(path.is_file() for path in root.glob("Images/*/*")) != 12

assert in_a_process(0) == 0
whole = content()
stop_at = 1
while True:
    shutil.rmtree(root)
    ended = in_a_process(stop_at)
    assert not partial(), stop_at
    if ended == 0:
        break
    assert ended == -signal.SIGKILL, (stop_at, ended)
    assert in_a_process(0) == 0, stop_at
    assert content() == whole, (stop_at, content().keys())
    stop_at += 1
print(stop_at - 1)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_is_completed_by_the_next_run(server: Server, root: Path) -> None:
    process = _start(KILLED_AT_EVERY_STEP, root, server)
    printed = process.communicate(timeout=240)[0]
    assert process.returncode == 0, printed
    assert int(printed.splitlines()[-1]) > 40
    assert content(root) == COMPLETE


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_moment_is_completed_by_the_next_run(server: Server, root: Path, seed: int) -> None:
    rng = random.Random(seed)
    server.ordinary = Answer(pause=0.01)
    process = _start("print('go', flush=True); ensure_downloaded(config, retry=retry)", root, server)
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    time.sleep(rng.uniform(0.005, 0.25))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _ensure(root, _url(server))
    assert content(root) == COMPLETE
    assert sorted(os.listdir(root)) == ["Images", "TestImages.txt", "TrainImages.txt"]


@pytest.mark.skipif(not MIT67.exists(), reason="the official lists are not beside this checkout (../shared/mit67)")
def test_the_checksums_in_conf_are_those_of_the_official_lists() -> None:
    for name, digest in (("TrainImages", OFFICIAL.train_sha256), ("TestImages", OFFICIAL.test_sha256)):
        assert hashlib.sha256((MIT67 / f"{name}.txt").read_bytes()).hexdigest() == digest


def test_images_per_class_are_as_the_tests_above_count_them() -> None:
    assert len(images()) == len(CLASSES) * PER_CLASS == 12
