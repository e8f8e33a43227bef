"""The frame around the pages: what they share, the tabs, and how a photo goes from one page to another."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from starlette.routing import Mount

from deepdream.studio import dream_page, framed, network_page, understand_page
from deepdream.studio.config import StudioConfig
from deepdream.studio.look import CSS, THEME
from deepdream.studio.session import Session, Workspace
from deepdream.studio.worker import Worker

PAGES = {"dream": dream_page.build, "understand": understand_page.build, "network": network_page.build}
SEATS = (*PAGES, "understand-place")  # of a tab: each may have a job
USER = "studio"  # who has the password
OLDEST = 24 * 3600  # seconds that a file of a tab that was never closed is kept


@dataclass
class Studio:
    """What the pages share.

    photos: for each page the photo that another page has sent it, a `gr.State` whose `change` the page listens to.
    selections: the `Selection` of layers or channels that another page wants to be dreamed.
    ckpt: the network of the command line, "last" resolved.
    tabs: the pages, `gr.Tabs` with their names as ids.
    """

    config: StudioConfig
    workspace: Workspace
    worker: Worker
    ckpt: str
    blocks: gr.Blocks = field(init=False)
    tabs: gr.Tabs = field(init=False)
    photos: dict[str, gr.State] = field(init=False)
    framed: framed.FramedFolders = field(default_factory=framed.FramedFolders)
    selections: gr.State = field(init=False)

    def session(self, request: gr.Request) -> Session:
        """The session of the tab that has sent a request."""
        return self.workspace.session(request.session_hash)

    def run(self, request: gr.Request, page: str, job: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        """`Worker.run` for a page of a tab."""
        return self.worker.run((request.session_hash, page), job, *arguments)

    def send(self, listener: Any, photo: Any, page: str) -> None:
        """On an event (`button.click`), send the photo in the state or component `photo` to another page, and open it.

        A None is not sent.
        """
        listener(
            lambda value: (value, gr.Tabs(selected=page)) if value is not None else (gr.skip(), gr.skip()),
            photo,
            [self.photos[page], self.tabs],
            show_progress="hidden",
            api_visibility="private",
        )


def build(studio: Studio) -> gr.Blocks:
    """The pages, not yet served."""
    # A file of a tab that never said that it closes goes after a day; all others with their tab.
    blocks: gr.Blocks
    with gr.Blocks(title="deepdream studio", analytics_enabled=False, delete_cache=(3600, OLDEST)) as blocks:
        studio.blocks = blocks
        gr.HTML('<header class="masthead"><b>deepdream</b> studio</header>', padding=False, elem_id="masthead")
        studio.photos = {page: gr.State() for page in PAGES}
        studio.selections = gr.State()
        with gr.Tabs(selected="dream") as studio.tabs:
            for name, page in PAGES.items():
                with gr.Tab(name.capitalize(), id=name, elem_id=f"page-{name}"):
                    page(studio)

        def end(request: gr.Request) -> None:
            for seat in SEATS:
                studio.worker.stop((request.session_hash, seat))
            studio.workspace.end(request.session_hash)

        blocks.unload(end)
    return blocks


def launch(blocks: gr.Blocks, studio: Studio) -> str:
    """Serve the pages from threads of their own; their address. Raises ValueError where the port is taken.

    No path of this machine can be asked for but those of the workspace, nothing is shared or counted elsewhere.
    """
    config = studio.config
    blocks.queue(default_concurrency_limit=None, api_open=False)  # handlers wait for the computing process
    try:
        _, address, _ = blocks.launch(
            server_name=config.host,
            server_port=config.port or _free_port(config.host),
            inbrowser=config.open,
            auth=None if config.password is None else (USER, config.password),
            max_file_size=config.max_upload * 10**6,
            theme=THEME,
            css=CSS,
            share=False,
            allowed_paths=[],
            enable_monitoring=False,
            app_kwargs={"routes": [Mount(framed.ROUTE, studio.framed)]},
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            run_history=False,
            footer_links=[],
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise ValueError(
            f"port={config.port} is taken, perhaps by another studio; choose another, or port=0 for any free one"
        ) from error
    return address


def _free_port(host: str) -> int:
    with socket.socket() as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])
