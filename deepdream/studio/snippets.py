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


def growing(preview: Preview) -> str:
    """A dream that grows, with its bar."""
    left = "" if preview.left is None else f" · {_duration(preview.left)} left"
    bar = (
        f'<div class="bar" role="progressbar" aria-valuenow="{preview.done:.0%}">'
        f'<i style="width:{preview.done:.1%}"></i></div>'
    )
    return _figure(_image(preview.jpeg, "the dream so far"), bar, f"{preview.caption}{left}")


def awaited(photo: bytes | None) -> str:
    """The same before there is a preview: the photo, a JPEG, where there is one."""
    image = "" if photo is None else _image(photo, "the photo")
    return _figure(image, '<div class="bar wait"></div>', "Looking at it ...")


def _figure(image: str, bar: str, caption: str) -> str:
    return f'<figure class="growing">{image}{bar}<figcaption>{escape(caption)}</figcaption></figure>'


def _image(jpeg: bytes, alt: str) -> str:
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" alt="{alt}">'


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
