"""Pages that were made before, a report or a microscope, as frames of the page Network.

Only folders that the server itself has chosen are served, each below an address that nobody can guess. A frame runs in
a sandbox, apart from the studio: see the attribute in templates/framed.html.j2.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

ROUTE = "/framed"
KEPT = 100  # folders


class FramedFolders:
    """The folders that are served, as an ASGI application mounted at ROUTE."""

    def __init__(self) -> None:
        self._folders: OrderedDict[str, StaticFiles] = OrderedDict()
        self._lock = threading.Lock()

    def address(self, page: Path) -> str:
        """The address of a page, beside whose file all that it needs stands, below ROUTE of the studio."""
        key = secrets.token_urlsafe(24)
        with self._lock:
            self._folders[key] = StaticFiles(directory=page.parent.resolve())
            while len(self._folders) > KEPT:
                self._folders.popitem(last=False)
        return f"{ROUTE[1:]}/{key}/{page.name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        key, _, _ = path.partition("/")
        folder = self._folders.get(key)
        if folder is None:
            await PlainTextResponse("not found", status_code=404)(scope, receive, send)
            return
        await folder({**scope, "root_path": f"{scope.get('root_path', '')}/{key}"}, receive, send)
