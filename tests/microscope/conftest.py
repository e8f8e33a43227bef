"""One small microscope: two layers of an untrained ResNet on 24 synthetic rooms, with two visualisations a channel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from deepdream.microscope import MicroscopeOptions, images_below, make_microscope
from deepdream.models import Network, ResNet
from deepdream.rooms import render_room

CLASSES = ["bathroom", "bedroom", "<img src=x onerror=document.title='unescaped'>", "kitchen"]
EVIL = "\"><script>document.title='unescaped'</script> & ' é.png".replace("/", "\u2215")


@pytest.fixture(scope="package")
def network() -> Network:
    torch.manual_seed(0)
    model = ResNet(10, len(CLASSES), width=0.125, zero_init_residual=False).eval()
    return Network(model, CLASSES, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 64, "test network")


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


OPTIONS = {"layers": ["layer3", "layer4"], "batch_size": 8, "workers": 0, "side": 32, "steps": 2}


@pytest.fixture(scope="package")
def site(network: Network, rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("microscope") / "site"
    options = MicroscopeOptions(**OPTIONS)
    make_microscope(
        network, images_below(rooms, CLASSES), folder, options, title="<b>test</b>", notes=["a <i>note</i>"]
    )
    return folder
