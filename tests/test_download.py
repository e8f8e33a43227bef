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

from deepdream.download import DownloadError, RetryPolicy, download
from tests.scenes.server import Answer, Server

CONTENT = np.random.default_rng(0).bytes(1_000_000)
QUICK = RetryPolicy(timeout=20, attempts=3, pause=0.001)
NOTICING = RetryPolicy(timeout=0.7, attempts=3, pause=0.001)  # for servers that stall


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


def test_a_file_is_downloaded_and_its_bytes_are_counted(server: Server, path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    download([server.url("set.tar")], path, on_bytes=lambda done, total: steps.append((done, total)), retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert _only(path)
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert server.ranges("set.tar") == [None]


def test_an_interrupted_transfer_resumes_where_it_was(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(cut=300_000), Answer(cut=1), Answer(cut=500_000)]
    retries: list[str] = []
    download([server.url("set.tar")], path, on_retry=retries.append, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.ranges("set.tar") == [None, "bytes=300000-", "bytes=300001-", "bytes=800001-"]
    assert "interrupted after 300.0 kB of 1.0 MB; retrying in" in retries[0]


def test_attempts_that_progress_are_not_counted(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(cut=90_000)] * 11
    download([server.url("set.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 12


def test_a_stall_is_noticed_and_the_bytes_before_it_are_kept(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(stall=400_000)]
    retries: list[str] = []
    download([server.url("set.tar")], path, on_retry=retries.append, retry=NOTICING)
    assert path.read_bytes() == CONTENT
    assert server.ranges("set.tar") == [None, "bytes=400000-"]
    assert "no data for 0.7 s" in retries[0]


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
    download([server.url("set.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.parametrize("condition", [True, False], ids=["If-Range", "If-Range ignored"])
def test_a_file_that_changes_between_two_requests_is_never_mixed(server: Server, path: Path, condition: bool) -> None:
    server.answers["set.tar"] = [Answer(cut=300_000)]
    server.ordinary = Answer(condition=condition)
    changed = CONTENT[::-1]

    def change(line: str) -> None:
        server.files["set.tar"] = changed

    download([server.url("set.tar")], path, on_retry=change, retry=QUICK)
    assert path.read_bytes() == changed


def test_a_file_that_shrinks_below_the_downloaded_part_starts_over(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(cut=300_000)]
    server.ordinary = Answer(condition=False)

    def shrink(line: str) -> None:
        server.files["set.tar"] = b"short"

    download([server.url("set.tar")], path, on_retry=shrink, retry=QUICK)
    assert path.read_bytes() == b"short"
    assert server.ranges("set.tar") == [None, "bytes=300000-", None]


def test_a_length_that_is_too_long_is_an_error_after_bounded_attempts(server: Server, path: Path) -> None:
    server.ordinary = Answer(extra=1000)
    with pytest.raises(DownloadError, match=r"set\.tar could not be downloaded: .*no progress"):
        download([server.url("set.tar")], path, retry=QUICK)
    assert not path.exists()
    assert len(server.requests) < 10


def test_a_length_that_is_too_short_is_found_by_the_check(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(extra=-1000)]

    def check(part: Path) -> None:
        if part.read_bytes() != CONTENT:
            raise ValueError("set.tar is not complete")

    download([server.url("set.tar"), server.url("mirror.tar")], path, check=check, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert [name for name, _ in server.requests] == ["set.tar", "mirror.tar"]


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_permanent_error_leads_to_the_next_mirror_at_once(server: Server, path: Path, status: int) -> None:
    server.answers["set.tar"] = [Answer(status=status)]
    download([server.url("set.tar"), server.url("mirror.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert [name for name, _ in server.requests] == ["set.tar", "mirror.tar"]


def test_a_temporary_error_is_retried(server: Server, path: Path) -> None:
    server.answers["set.tar"] = [Answer(status=503), Answer(status=429)]
    download([server.url("set.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT


def test_a_redirect_is_followed_with_its_range(server: Server, path: Path) -> None:
    there = Answer(status=302, location=server.url("mirror.tar"))
    server.answers = {"set.tar": [there, there], "mirror.tar": [Answer(cut=300_000)]}
    download([server.url("set.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.ranges("mirror.tar") == [None, "bytes=300000-"]


@pytest.mark.medium
def test_when_all_mirrors_fail_the_error_of_each_is_in_one_line(server: Server, path: Path) -> None:
    with Server({}) as gone:
        closed = gone.url("set.tar")
    server.answers["set.tar"] = [Answer(stall=100_000), *[Answer(stall=0)] * 9]
    with pytest.raises(DownloadError) as caught:
        download([server.url("none"), closed, "ftp://host/set.tar", server.url("set.tar")], path, retry=NOTICING)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{server.url('none')}: 404 Not Found" in message
    assert f"{closed}: Connection refused (no progress in 3 attempts)" in message
    assert "ftp://host/set.tar: not an http:// or https:// address" in message
    assert f"{server.url('set.tar')}: no data for 0.7 s (no progress in 3 attempts)" in message
    assert message.endswith("100.0 kB are kept, and the next run resumes from there")


def test_the_next_run_tries_the_mirror_of_the_partial_download_first(server: Server, path: Path) -> None:
    urls = [server.url("set.tar"), server.url("mirror.tar")]
    server.answers = {"set.tar": [Answer(status=404)], "mirror.tar": [Answer(cut=600_000), *[Answer(cut=0)] * 3]}
    with pytest.raises(DownloadError):
        download(urls, path, retry=QUICK)
    server.requests.clear()
    download(urls, path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.requests == [("mirror.tar", "bytes=600000-")]


def test_bytes_of_two_mirrors_are_never_joined(server: Server, path: Path) -> None:
    server.files["mirror.tar"] = CONTENT[::-1]
    server.answers["set.tar"] = [Answer(cut=600_000), *[Answer(status=500)] * 3]
    download([server.url("set.tar"), server.url("mirror.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT[::-1]


def test_a_part_that_was_complete_before_the_kill_needs_no_request(server: Server, path: Path) -> None:
    notes = {"url": server.url("set.tar"), "validator": '"any"', "total": len(CONTENT)}
    path.with_name("set.tar.part").write_bytes(CONTENT)
    path.with_name("set.tar.part.json").write_text(json.dumps(notes))
    download([server.url("set.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize("notes", [None, "", "{", "[]", '{"url": null}'])
def test_a_part_without_valid_notes_starts_over(server: Server, path: Path, notes: str | None) -> None:
    path.with_name("set.tar.part").write_bytes(b"of who knows what")
    if notes is not None:
        path.with_name("set.tar.part.json").write_text(notes)
    download([server.url("set.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert _only(path)


def test_too_little_disk_space_is_an_error_before_anything_is_written(server: Server, path: Path) -> None:
    server.ordinary = Answer(extra=10**18)
    with pytest.raises(OSError, match=r"set\.tar needs 2\.0 EB in .*, where .* are free; make room") as caught:
        download([server.url("set.tar"), server.url("mirror.tar")], path, copies=2, retry=QUICK)
    assert not isinstance(caught.value, DownloadError)
    assert not path.exists()
    assert path.with_name("set.tar.part").stat().st_size == 0
    assert len(server.requests) == 1


def test_a_file_that_fails_the_check_is_removed(server: Server, path: Path) -> None:
    def check(part: Path) -> None:
        raise ValueError("it is a web page")

    with pytest.raises(DownloadError, match="it is a web page; the download was removed"):
        download([server.url("set.tar")], path, check=check, retry=QUICK)
    assert os.listdir(path.parent) == []


def test_an_invalid_address_is_an_error(path: Path) -> None:
    for url in ("http://", "http://[", "http://host:port/x", "http://a b/"):
        with pytest.raises(DownloadError, match="could not be downloaded"):
            download([url], path, retry=QUICK)


SCRIPT = """
import sys
from pathlib import Path
from deepdream.download import RetryPolicy, download
download([sys.argv[1]], Path(sys.argv[2]), retry=RetryPolicy(timeout=5, attempts=3, pause=0.01))
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_the_download_of_a_stopped_process_is_resumed_by_the_next(
    server: Server, path: Path, stop: signal.Signals
) -> None:
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
    download([server.url("set.tar")], path, retry=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.ranges("set.tar") == [None, f"bytes={had}-"]


def _wait(happened: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not happened():
        assert process.poll() is None
        time.sleep(0.002)
