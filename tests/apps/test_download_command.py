"""python -m deepdream download: what it prints, and how it fails and resumes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepdream.apps.download import main
from tests.conftest import ROOT
from tests.scenes.archives import content, images, lists, official_files, official_tar
from tests.scenes.server import Answer, Server

MIT67 = Path(__file__).parents[3] / "shared" / "mit67"
ARCHIVE = "indoorCVPR_09.tar"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({ARCHIVE: official_tar()}) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "mit_indoor"


COMMAND = "import sys; from deepdream.apps.download import main; sys.exit(main())"


def _command(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def _with_lists(root: Path) -> Path:
    root.mkdir(parents=True)
    for name, text in lists().items():
        (root / name).write_bytes(text)
    return root


def test_the_command_downloads_and_prints_the_size(server: Server, root: Path) -> None:
    result = _command("--root", _with_lists(root), "--archive", server.url("gone.tar"), server.url(ARCHIVE))
    assert result.returncode == 0, result.stderr
    assert content(root) == official_files()
    size = f"{sum(map(len, images().values())) / 1000:.1f} kB"
    assert result.stdout.splitlines()[-1] == f"{root}: 3 classes, {size}; 9 training images, 3 test images"
    assert "note: the archive holds 12 of 15,620 images" in result.stdout
    again = _command("--root", root)
    assert again.stdout == f"{root}: 3 classes, {size}; 9 training images, 3 test images\n"


def test_the_command_prints_an_error_in_one_line(server: Server, root: Path) -> None:
    result = _command("--root", _with_lists(root), "--archive", server.url("gone.tar"))
    assert result.returncode == 1
    assert result.stderr == (f"error: {ARCHIVE} could not be downloaded: {server.url('gone.tar')}: 404 Not Found\n")


def test_ctrl_c_is_one_line_and_the_command_resumes(server: Server, root: Path) -> None:
    server.answers[ARCHIVE] = [Answer(pause=0.3)]
    arguments = ["--root", str(_with_lists(root)), "--archive", server.url(ARCHIVE)]
    command = [sys.executable, "-c", COMMAND, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part = root / ".partial" / f"{ARCHIVE}.part"
    while not (part.exists() and part.stat().st_size > 0):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "interrupted; the same command resumes the download\n"
    had = part.stat().st_size
    assert _command(*arguments).returncode == 0
    assert server.ranges(ARCHIVE) == [None, f"bytes={had}-"]


def test_the_command_starts_without_torch() -> None:
    script = (
        "import sys, deepdream.apps.download as app; app.scenes.read_data; app.scenes.ensure_downloaded; "
        "print({'torch', 'pytorch_lightning'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


def test_bad_arguments_are_refused_before_any_work(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--archive", "http://host/x.tar"])
    assert caught.value.code == 2
    assert "--root" in capsys.readouterr().err


@pytest.mark.skipif(not MIT67.exists(), reason="the official lists are not beside this checkout (../shared/mit67)")
def test_a_few_real_images_are_used_in_place_and_the_missing_ones_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(MIT67)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "of 6700 listed images are not in" in line
    assert "data.download=true with a new or empty data.root" in line
