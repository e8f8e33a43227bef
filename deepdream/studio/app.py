"""python studio.py: dream, explain and follow a training in a browser."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deepdream.apps.checkpoints import chosen_checkpoint
from deepdream.apps.command import command
from deepdream.apps.run_folder import remove_unused
from deepdream.distribution import install_extra
from deepdream.studio.config import StudioConfig
from deepdream.studio.session import Workspace
from deepdream.studio.worker import Worker

if TYPE_CHECKING:
    from deepdream.studio.frame import Studio


@command("studio")
def main(config: StudioConfig, folder: Path) -> None:
    """Serve the pages until Ctrl-C, or until a service manager ends the process."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # the folders are emptied
    try:
        with serve(config) as (address, _):
            print(f"studio:     {address}   (Ctrl-C ends it)", flush=True)
            if not config.is_local and config.password is None:
                print(
                    f"warning: everybody who reaches {config.host} can use this machine, and is asked nothing; "
                    "set password=PASSWORD"
                )
            threading.Event().wait()
    finally:
        remove_unused()


@contextmanager
def serve(config: StudioConfig) -> Iterator[tuple[str, Studio]]:
    """The address of the pages and what they share, while they are served.

    Raises ValueError where the extra "studio" is missing, or the port is taken.
    """
    ckpt = chosen_checkpoint(config.ckpt)
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
    workspace = Workspace()  # before Gradio is imported, which keeps its files in it
    worker = Worker(ckpt)  # at the same time as Gradio, which also takes seconds to import
    try:
        try:
            from deepdream.studio import frame
        except ImportError as error:
            raise ValueError(
                f"the studio needs the package {error.name}; `{install_extra('studio')}` brings it"
            ) from error
        studio = frame.Studio(config, workspace, worker, ckpt)
        pages = frame.build(studio)
        try:
            yield frame.launch(pages, studio), studio
        finally:
            pages.close(verbose=False)
    finally:
        worker.close()
        workspace.close()
