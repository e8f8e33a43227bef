"""A command downloads its data set, from a server on this machine."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from torch import nn

from deepdream.apps.evaluate import data_of
from deepdream.models import Network
from tests.conftest import ROOT, TINY, run_app
from tests.scenes.layout import write_scenes
from tests.scenes.server import Server

ARCHIVE = "indoorCVPR_09.tar"
KEYS = ("archive", "train_list", "test_list")
LISTS = ("TrainImages.txt", "TestImages.txt")


@pytest.mark.slow
def test_two_processes_train_on_a_data_set_that_is_downloaded_once(tmp_path: Path) -> None:
    with Server(_served(write_scenes(tmp_path / "served", {"bar": (10, 2), "pub": (10, 2)}))) as server:
        urls = [f"data.url.{key}=[{server.url(name)}]" for key, name in zip(KEYS, (ARCHIVE, *LISTS), strict=True)]
        sums = ["data.url.train_sha256=null", "data.url.test_sha256=null"]
        settings = [setting for setting in TINY if "rooms" not in setting]
        result = run_app("train", *settings, *urls, *sums, "trainer.devices=2", "evaluate=false", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert sorted(name for name, _ in server.requests) == sorted([ARCHIVE, *LISTS])
    assert result.stdout.count("downloading MIT Indoor Scenes (2.4 GB) into data/mit_indoor; data.download=false") == 1
    assert (tmp_path / "data" / "mit_indoor" / "Images" / "pub" / "train_9.png").is_file()


def test_evaluation_downloads_nothing_into_the_data_folder_of_the_training(tmp_path: Path) -> None:
    data = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "data" / "mit_indoor.yaml"))
    assert isinstance(data, dict)
    data |= {"root": str(tmp_path / "of_that_time"), "seed": 0, "fingerprint": ""}
    ours = (0.5, 0.5, 0.5)
    network = Network(nn.Identity(), ["bar"], ours, ours, 32, "made here", hyper_parameters={"data": data})
    with pytest.raises(FileNotFoundError, match="which does not exist; expected there"):
        data_of(network)
    assert not (tmp_path / "of_that_time").exists()


def _served(root: Path) -> dict[str, bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(root / "Images", "Images")
    return {ARCHIVE: stream.getvalue(), **{name: (root / name).read_bytes() for name in LISTS}}
