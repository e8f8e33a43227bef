"""The gallery of the site: each section of docs/gallery.md as a card that knows its preset and network.

Both are read from the command under the image, so that they stand once; docs/site/gallery.js filters by them.
"""

from __future__ import annotations

import html as markup
import re

SECTION = re.compile(r"(?=<h3\b)")
IMAGE = re.compile(r'(<img [^>]*src="([^"]+)"[^>]*>)')


def with_cards(html: str) -> str:
    """The HTML of the gallery with each section in `<figure data-preset data-network>`."""
    before, *sections = SECTION.split(html)
    return f'{before}<div id="cards">{"".join(map(_card, sections))}</div>'


def _card(section: str) -> str:
    command = markup.unescape(re.sub(r"<[^>]+>", "", section))
    preset = re.search(r"\bdream=(\w+)", command)
    film = re.search(r"\bfilm=(\w+)", command)
    network = re.search(r"\bckpt=([\w./]+)", command)
    shown = film[0] if film else preset[1] if preset else "vivid"
    linked = IMAGE.sub(r'<a href="\2">\1</a>', section)
    return f'<figure data-preset="{shown}" data-network="{_name(network[1] if network else "")}">{linked}</figure>'


def _name(ckpt: str) -> str:
    """squeezenet1_0_imagenet.pth -> SqueezeNet; without ckpt= the bundled model."""
    known = {"": "miniplaces", "squeezenet1_0_imagenet.pth": "SqueezeNet (ImageNet)"}
    return known.get(ckpt, ckpt)
