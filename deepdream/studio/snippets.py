"""Small pieces of HTML of the pages; every text is escaped."""

from __future__ import annotations

import base64
from html import escape

from deepdream.studio.dream_jobs import Preview


def note(text: str, *, error: bool = False) -> str:
    """A line below the stage; an error is announced to screen readers."""
    if not text:
        return ""
    kind = 'class="note error" role="alert"' if error else 'class="note" role="status"'
    return f"<p {kind}>{escape(text)}</p>"


def growing(preview: Preview | None) -> str:
    """A dream that grows, with its bar. None: there is no preview yet."""
    if preview is None:
        return '<figure class="growing"><div class="bar wait"></div><figcaption>Looking at it ...</figcaption></figure>'
    address = f"data:image/jpeg;base64,{base64.b64encode(preview.jpeg).decode()}"
    left = "" if preview.left is None else f" · {_duration(preview.left)} left"
    return (
        f'<figure class="growing"><img src="{address}" alt="the dream so far">'
        f'<div class="bar" role="progressbar" aria-valuenow="{preview.done:.0%}">'
        f'<i style="width:{preview.done:.1%}"></i></div>'
        f"<figcaption>{escape(preview.caption)}{left}</figcaption></figure>"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
