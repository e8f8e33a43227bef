"""Fonts for names in any script: a font of this machine that has their characters, or an escape where none has."""

from __future__ import annotations

from functools import cache
from io import BytesIO

from matplotlib import font_manager
from matplotlib.font_manager import FontEntry, FontProperties
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

LAST_RESORT = "Last Resort"  # comes with matplotlib, and has a box for every character
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def drawable(text: str) -> str:
    r"""`text` with an escape for each character that no font has, so that none becomes a box.

    >>> drawable("Küche\n\ue000")
    'Küche\\n\\ue000'
    """
    return "".join(each if _entry_for(each) is not None else _escape(each) for each in text)


def with_fallback(font: FontProperties, text: str) -> FontProperties:
    """`font` for matplotlib, followed by the fonts that have what it lacks of `text`."""
    if text.isascii():
        return font
    entries = filter(None, map(_entry_for, text))
    families = list(dict.fromkeys([*font.get_family(), *(entry.name for entry in entries)]))
    several = font.copy()
    several.set_family(families)
    return several


def pillow_font(text: str, size: int) -> tuple[str, Font]:
    """`text` as it can be drawn, and a font for Pillow that has all of it: its own one if possible."""
    text = drawable(text)
    if _pillows().issuperset(text):
        return text, ImageFont.load_default(size=size)
    for entry in _entries():
        if _characters(entry.fname).issuperset(text):
            return text, ImageFont.truetype(entry.fname, size)
    default = _entries()[0].fname
    has = _characters(default)
    return "".join(each if each in has else _escape(each) for each in text), ImageFont.truetype(default, size)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


@cache
def _entry_for(character: str) -> FontEntry | None:
    if not character.isprintable():
        return None
    return next((entry for entry in _entries() if character in _characters(entry.fname)), None)


@cache
def _entries() -> tuple[FontEntry, ...]:
    """The upright fonts of ordinary weight that matplotlib knows, its default one first."""
    manager = font_manager.fontManager
    default = manager.findfont(FontProperties(family="DejaVu Sans"))
    upright = [each for each in manager.ttflist if each.style == "normal" and each.weight in (400, "normal", "regular")]
    found = [each for each in upright if not each.name.startswith(LAST_RESORT)]
    return tuple(sorted(found, key=lambda entry: entry.fname != default))


@cache
def _characters(path: str) -> frozenset[str]:
    """What a font has; nothing for one that has only bitmaps, such as emojis in colour."""
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()


@cache
def _pillows() -> frozenset[str]:
    font = ImageFont.load_default(size=10)
    if not isinstance(font, ImageFont.FreeTypeFont):  # Pillow without FreeType has a bitmap of ASCII
        return frozenset(map(chr, range(32, 127)))
    assert isinstance(font.path, BytesIO)
    return frozenset(map(chr, FT2Font(BytesIO(font.path.getvalue())).get_charmap()))
