"""One small microscope: two layers of an untrained ResNet on 24 synthetic rooms, with all that one can have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from deepdream.microscope import MicroscopeOptions, images_below, make_microscope
from deepdream.models import Network, ResNet
from deepdream.rooms import render_room

CLASSES = ["bathroom", "bedroom", "<img src=x onerror=document.title='unescaped'>", "kitchen"]
EVIL = "\"><script>document.title='unescaped'</script> & ' é.png".replace("/", "\u2215")


def untrained(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    model = ResNet(10, len(CLASSES), width=0.125, zero_init_residual=False).eval()
    return Network(model, CLASSES, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 64, "test network")


@pytest.fixture(scope="package")
def network() -> Network:
    return untrained()


@pytest.fixture(scope="package")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for name in ("bathroom", "bedroom", "kitchen"):
        (root / name).mkdir()
        for number in range(8):
            Image.fromarray(render_room(name, number, size=64)).save(root / name / f"{name}_{number}.png")
    (root / "kitchen" / "kitchen_0.png").rename(root / "kitchen" / EVIL)
    (root / "kitchen" / "damaged.png").write_bytes(b"no image")
    return root


OPTIONS = MicroscopeOptions(
    layers=["layer3", "layer4"], batch_size=8, workers=0, side=32, steps=1, visualizations=1, removals=3, concepts=2
)


def make(network: Network, rooms: Path, folder: Path, **more: Any) -> Path:
    about = {"title": "<b>test</b>", "notes": ["a <i>note</i>"]}
    return make_microscope(network, images_below(rooms, CLASSES), folder, OPTIONS, **about, **more)


@pytest.fixture(scope="package")
def site(network: Network, rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("microscope") / "site"
    make(network, rooms, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """The files that a page may show, by their paths."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".microscope" not in path.parts
    }


def data_of(site: Path, name: str) -> Any:
    """What a file of data/ brings."""
    text = (site / "data" / f"{name}.js").read_text()
    prefix = f'microscope.add("{name}",'
    assert text.startswith(prefix)
    return json.loads(text.removeprefix(prefix).removesuffix(");\n"))
