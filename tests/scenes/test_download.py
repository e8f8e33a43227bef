from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deepdream.scenes.download import DownloadError, Patience, download
from tests.scenes.server import Answer, Server

CONTENT = np.random.default_rng(0).bytes(1_000_000)
QUICK = Patience(timeout=20, attempts=3, pause=0.001)
NOTICING = Patience(timeout=0.7, attempts=3, pause=0.001)  # for servers that stall


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"set.tar": CONTENT, "mirror.tar": CONTENT}) as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "set.tar"


def _only(path: Path) -> bool:
    """Whether nothing but the file is left."""
    return os.listdir(path.parent) == [path.name]


def test_a_file_arrives_whole_and_its_bytes_are_counted(server: Server, path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    download([server.url("set.tar")], path, on_bytes=lambda done, total: steps.append((done, total)), patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert _only(path)
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert server.ranges("set.tar") == [None]


def test_a_transfer_that_breaks_off_goes_on_where_it_was(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(cut=300_000), Answer(cut=1), Answer(cut=500_000)]
    troubles: list[str] = []
    download([server.url("set.tar")], path, on_trouble=troubles.append, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.ranges("set.tar") == [None, "bytes=300000-", "bytes=300001-", "bytes=800001-"]
    assert "broke off after 300.0 kB of 1.0 MB; trying again in" in troubles[0]


def test_tries_that_get_further_are_not_counted(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(cut=90_000)] * 11
    download([server.url("set.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 12


def test_a_stall_is_noticed_and_what_came_before_it_is_kept(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(stall=400_000)]
    troubles: list[str] = []
    download([server.url("set.tar")], path, on_trouble=troubles.append, patience=NOTICING)
    assert path.read_bytes() == CONTENT
    assert server.ranges("set.tar") == [None, "bytes=400000-"]
    assert "nothing came for 0.7 s" in troubles[0]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(ranges=False),
        Answer(announced=False),
        Answer(announced=False, tag=False),
        Answer(tag=False),
        Answer(condition=False),
    ],
    ids=["ignores ranges", "no length", "no length, no tag", "no tag", "ignores If-Range"],
)
def test_a_server_with_fewer_abilities_gives_the_same_file(server: Server, path: Path, answer: Answer) -> None:
    server.answers["set.tar"] = [Answer(cut=300_000, tag=answer.tag)]
    server.ordinary = answer
    download([server.url("set.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.parametrize("condition", [True, False], ids=["If-Range", "If-Range ignored"])
def test_a_file_that_changes_between_two_requests_is_never_mixed(server: Server, path: Path, condition: bool) -> None:
    server.answers["set.tar"] = [Answer(cut=300_000)]
    server.ordinary = Answer(condition=condition)
    changed = CONTENT[::-1]

    def change(trouble: str) -> None:
        server.files["set.tar"] = changed

    download([server.url("set.tar")], path, on_trouble=change, patience=QUICK)
    assert path.read_bytes() == changed


def test_a_file_that_shrinks_to_less_than_has_arrived_starts_over(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(cut=300_000)]
    server.ordinary = Answer(condition=False)

    def shrink(trouble: str) -> None:
        server.files["set.tar"] = b"short"

    download([server.url("set.tar")], path, on_trouble=shrink, patience=QUICK)
    assert path.read_bytes() == b"short"
    assert server.ranges("set.tar") == [None, "bytes=300000-", None]


def test_too_long_a_length_is_an_error_after_bounded_tries(server: Server, path: Path) -> None:
    server.ordinary = Answer(extra=1000)
    with pytest.raises(DownloadError, match=r"set\.tar could not be downloaded: .*got no further"):
        download([server.url("set.tar")], path, patience=QUICK)
    assert not path.exists()
    assert len(server.requests) < 10


def test_too_short_a_length_is_found_by_the_check(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(extra=-1000)]

    def check(part: Path) -> None:
        if part.read_bytes() != CONTENT:
            raise ValueError("set.tar is not whole")

    download([server.url("set.tar"), server.url("mirror.tar")], path, check=check, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert [name for name, _ in server.requests] == ["set.tar", "mirror.tar"]


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_final_no_sends_to_the_next_mirror_at_once(server: Server, path: Path, status: int) -> None:
    server.answers["set.tar"] = [Answer(status=status)]
    download([server.url("set.tar"), server.url("mirror.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert [name for name, _ in server.requests] == ["set.tar", "mirror.tar"]


def test_a_passing_fault_is_tried_again(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(status=503), Answer(status=429)]
    download([server.url("set.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT


def test_a_redirect_is_followed_with_its_range(server: Server, path: Path) -> None:
    there = Answer(status=302, location=server.url("mirror.tar"))
    server.answers = {"set.tar": [there, there], "mirror.tar": [Answer(cut=300_000)]}
    download([server.url("set.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.ranges("mirror.tar") == [None, "bytes=300000-"]


def test_no_mirror_left_names_what_each_said_in_one_line(server: Server, path: Path) -> None:
    with Server({}) as gone:
        closed = gone.url("set.tar")
    server.answers["set.tar"] = [Answer(stall=100_000), *[Answer(stall=0)] * 9]
    with pytest.raises(DownloadError) as caught:
        download([server.url("none"), closed, "ftp://host/set.tar", server.url("set.tar")], path, patience=NOTICING)
    said = str(caught.value)
    assert "\n" not in said
    assert f"{server.url('none')}: 404 Not Found" in said
    assert f"{closed}: Connection refused (3 tries in a row got no further)" in said
    assert "ftp://host/set.tar: not an http:// or https:// address" in said
    assert f"{server.url('set.tar')}: nothing came for 0.7 s (3 tries in a row got no further)" in said
    assert said.endswith("100.0 kB are kept, and the next run goes on from there")


def test_the_next_run_goes_on_first_with_the_mirror_that_has_given_something(server: Server, path: Path) -> None:
    urls = [server.url("set.tar"), server.url("mirror.tar")]
    server.answers = {"set.tar": [Answer(status=404)], "mirror.tar": [Answer(cut=600_000), *[Answer(cut=0)] * 3]}
    with pytest.raises(DownloadError):
        download(urls, path, patience=QUICK)
    server.requests.clear()
    download(urls, path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.requests == [("mirror.tar", "bytes=600000-")]


def test_bytes_of_one_mirror_are_never_continued_with_those_of_another(server: Server, path: Path) -> None:
    server.files["mirror.tar"] = CONTENT[::-1]
    server.answers["set.tar"] = [Answer(cut=600_000), *[Answer(status=500)] * 3]
    download([server.url("set.tar"), server.url("mirror.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT[::-1]


def test_all_had_arrived_before_the_kill_so_nothing_is_asked(server: Server, path: Path) -> None:
    notes = {"url": server.url("set.tar"), "validator": '"any"', "total": len(CONTENT)}
    path.with_name("set.tar.part").write_bytes(CONTENT)
    path.with_name("set.tar.part.json").write_text(json.dumps(notes))
    download([server.url("set.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize("notes", [None, "", "{", "[]", '{"url": null}'])
def test_a_part_that_nothing_is_known_of_starts_over(server: Server, path: Path, notes: str | None) -> None:
    path.with_name("set.tar.part").write_bytes(b"of who knows what")
    if notes is not None:
        path.with_name("set.tar.part.json").write_text(notes)
    download([server.url("set.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert _only(path)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(server: Server, path: Path) -> None:
    server.ordinary = Answer(extra=10**18)
    with pytest.raises(OSError, match=r"set\.tar needs 2\.0 EB in .*, where .* are free; make room") as caught:
        download([server.url("set.tar"), server.url("mirror.tar")], path, copies=2, patience=QUICK)
    assert not isinstance(caught.value, DownloadError)
    assert not path.exists()
    assert path.with_name("set.tar.part").stat().st_size == 0
    assert len(server.requests) == 1


def test_what_fails_the_check_is_removed_and_nothing_stays(server: Server, path: Path) -> None:
    def check(part: Path) -> None:
        raise ValueError("it is a web page")

    with pytest.raises(DownloadError, match="it is a web page; what had arrived was removed"):
        download([server.url("set.tar")], path, check=check, patience=QUICK)
    assert os.listdir(path.parent) == []


def test_an_address_that_is_none_is_said(path: Path) -> None:
    for url in ("http://", "http://[", "http://host:port/x", "http://a b/"):
        with pytest.raises(DownloadError, match="could not be downloaded"):
            download([url], path, patience=QUICK)


SCRIPT = """
import sys
from pathlib import Path
from deepdream.scenes.download import Patience, download
download([sys.argv[1]], Path(sys.argv[2]), patience=Patience(timeout=5, attempts=3, pause=0.01))
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_process_leaves_what_the_next_goes_on_with(server: Server, path: Path, stop: signal.Signals) -> None:
    server.answers["set.tar"] = [Answer(pause=0.05)]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, server.url("set.tar"), str(path)], stderr=subprocess.DEVNULL
    )
    part = path.with_name("set.tar.part")
    _wait(lambda: part.exists() and part.stat().st_size > 200_000, process)
    process.send_signal(stop)
    process.wait()
    assert not path.exists()
    had = part.stat().st_size
    download([server.url("set.tar")], path, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.ranges("set.tar") == [None, f"bytes={had}-"]


def _wait(happened: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not happened():
        assert process.poll() is None
        time.sleep(0.002)
