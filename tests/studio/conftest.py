"""One studio for all tests of its pages: a small untrained network, photos of 192 pixels."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepdream.schema import compose
from tests.hostile.checkpoints import checkpoint

PATIENCE = 90_000  # milliseconds; the machine may be busy


def photo(side: int = 192) -> Image.Image:
    small = np.random.default_rng(3).integers(0, 256, (6, 9, 3), np.uint8)
    return Image.fromarray(small).resize((side, side * 2 // 3), Image.Resampling.BICUBIC)


@dataclass
class Served:
    """The studio of the tests. calls: addresses outside of this machine that its process has called."""

    address: str
    studio: Any
    folder: Path
    ckpt: Path
    calls: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    pytest.importorskip("gradio", reason="gradio is not installed: pip install .[studio]")
    import torch

    from deepdream.studio.app import serve

    folder = tmp_path_factory.mktemp("studio")
    ckpt = folder / "tiny.ckpt"
    torch.manual_seed(0)
    torch.save(checkpoint(), ckpt)
    photo().save(folder / "first.png")
    calls: list[str] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            calls.append(str(address))
        connect(self, address)

    socket.socket.connect = watched
    try:
        config = compose("studio", [f"ckpt={ckpt}", f"image={folder / 'first.png'}", "port=0", "open=false"])
        with serve(config) as (address, studio):
            yield Served(address.rstrip("/"), studio, folder, ckpt, calls)
        assert not studio.workspace.folder.exists()
    finally:
        socket.socket.connect = connect


Open = Callable[..., Any]


@pytest.fixture
def open_page(served: Served, browser: Any) -> Iterator[Open]:
    """A function that opens a tab; at the end no page had an error or asked anything of another machine."""
    contexts, faults = [], []

    def opened(width: int = 1280, scheme: str = "light", address: str = "") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: faults.append(str(error)))
        ours = (f"{served.address}/", "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(ours) or faults.append(request.url))
        page.goto(address or served.address)
        page.wait_for_selector("#stage img")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []
    assert served.calls == []


def drop(page: Any, path: Path, place: str = "#stage") -> None:
    """Drop a file on an image or file component."""
    page.locator(f"{place} input[type=file]").first.set_input_files(str(path))


def command_of(page: Any) -> list[str]:
    """The arguments of the command that the page shows, after the name of the program."""
    line = " ".join(page.locator("#command .cm-line").all_inner_texts())
    return shlex.split(re.sub(r"^.*? dream ", "", line))


def downloaded(page: Any, button: str = "#download") -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    return Path(waiting.value.path())
