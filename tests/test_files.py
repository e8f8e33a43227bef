"""Files and folders that appear whole or not at all, and locks between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deepdream import files
from deepdream.files import (
    atomic_folder,
    atomic_path,
    exclusive,
    exclusive_or_refuse,
    require_space,
    write_atomically,
)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


class Killed(BaseException):
    """Like KeyboardInterrupt or SystemExit, no Exception."""


# A name that leaves no room for anything added to it, in bytes and not in characters.
LONG = ["ü" * 120 + ".png", "a" * 251 + ".png", "x." + "y" * 253]


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("name", ["a.png", ".hidden", *LONG], ids=["short", "hidden", "bytes", "long", "long suffix"])
def test_a_file_appears_whole_and_alone(tmp_path: Path, name: str, unique: bool) -> None:
    path = tmp_path / "new" / "folder" / name
    with atomic_path(path, unique=unique, sync=True) as partial:
        partial.write_bytes(b"half")
        assert not path.exists()
        assert partial.parent == path.parent
        partial.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert names(path.parent) == [name]


def test_the_partial_file_keeps_the_suffix_by_which_libraries_choose_the_format(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.png") as partial:
        assert partial.suffix == ".png"
        partial.touch()


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, Killed])
def test_an_existing_file_survives_a_failure(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half_of_it() -> None:
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        write_half_of_it()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_of_the_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("the disk fails")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="the disk fails"):
        write_atomically(path, b"new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "a", b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


KILLED = """
import os, signal, sys
from pathlib import Path
from deepdream.files import atomic_folder, atomic_path
with (atomic_path if sys.argv[1] == "path" else atomic_folder)(Path(sys.argv[2])) as partial:
    (partial if sys.argv[1] == "path" else partial / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill_while_writing(kind: str, path: Path) -> None:
    process = subprocess.run([sys.executable, "-c", KILLED, kind, str(path)], check=False)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("name", ["a.txt", LONG[0]], ids=["short", "long"])
def test_what_a_killed_writer_left_is_gone_after_the_next(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    _kill_while_writing("path", path)
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    write_atomically(path, b"new")
    assert path.read_text() == "new"
    assert names(tmp_path) == [name]


def test_a_reader_sees_one_of_the_files_that_many_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    contents = {bytes([n]) * 300_000 for n in range(6)}
    path.write_bytes(bytes(300_000))

    def write(content: bytes) -> None:
        for _ in range(20):
            with atomic_path(path, unique=True) as partial:
                partial.write_bytes(content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in contents
    for writer in writers:
        writer.join()
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("name", ["set", "s" * 250], ids=["short", "long"])
@pytest.mark.parametrize("before", [None, "empty", "full"])
def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path, name: str, before: str | None) -> None:
    folder = tmp_path / name
    if before is not None:
        folder.mkdir()
    if before == "full":
        (folder / "old").mkdir()
        (folder / "old" / "a").write_text("old")
    with atomic_folder(folder) as partial:
        (partial / "new").write_text("new")
        assert not (folder / "new").exists()
        assert before != "full" or (folder / "old" / "a").exists()
    assert names(folder) == ["new"]
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, Killed])
def test_an_existing_folder_survives_a_failure(tmp_path: Path, error: type[BaseException]) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "old").write_text("old")

    def write_half_of_it() -> None:
        with atomic_folder(folder) as partial:
            (partial / "new").write_text("half")
            raise error

    with pytest.raises(error):
        write_half_of_it()
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["set"]


def test_an_existing_folder_survives_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "old").write_text("old")
    rename = Path.rename

    def stop_at_the_new_one(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith("-replaced"):
            raise Killed
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stop_at_the_new_one)
    with pytest.raises(Killed), atomic_folder(folder) as partial:
        (partial / "new").write_text("new")
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["set"]


def test_what_a_killed_builder_left_is_removed_by_the_next_and_other_folders_stay(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    _kill_while_writing("folder", folder)
    (other,) = names(tmp_path)
    assert not folder.exists()
    for neighbour in ("set2", ".set", ".set.partial2"):
        (tmp_path / neighbour).mkdir()
    with atomic_folder(folder) as partial:
        assert other not in names(tmp_path)
        (partial / "a").touch()
    assert names(tmp_path) == [".set", ".set.partial2", "set", "set2"]


HOLD = """
import sys, time
from pathlib import Path
from deepdream.files import exclusive
with exclusive(Path(sys.argv[1])):
    print("inside", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def _hold(lock: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    return process


def test_one_process_at_a_time_is_inside_and_a_waiting_one_says_so_once(tmp_path: Path) -> None:
    waited: list[bool] = []
    with exclusive(tmp_path / "lock", on_wait=lambda: waited.append(True)):
        assert not waited
    with _hold(tmp_path / "lock", 0.5) as holder:
        with exclusive(tmp_path / "lock", on_wait=lambda: waited.append(True)):
            assert holder.wait(10) == 0
        assert waited == [True]


def test_a_kill_opens_the_lock(tmp_path: Path) -> None:
    with _hold(tmp_path / "lock", 60) as holder:
        with pytest.raises(ValueError, match="in use"), exclusive_or_refuse(tmp_path / "lock", "in use"):
            pytest.fail("two processes were inside")
        holder.kill()
        holder.wait()
    with exclusive_or_refuse(tmp_path / "lock", "in use"):
        pass


def test_a_failure_inside_opens_the_lock(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(Killed), exclusive_or_refuse(tmp_path / "lock", "in use"):
            raise Killed


def test_too_little_space_is_refused_with_both_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: files.shutil._ntuple_diskusage(10, 0, 2_000))
    require_space(tmp_path, 2_000, "the set")
    with pytest.raises(OSError, match=r"the set needs 5\.0 kB in .*, where 2\.0 kB are free; make room, or choose"):
        require_space(tmp_path, 5_000, "the set")
