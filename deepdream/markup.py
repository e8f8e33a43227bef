"""Names that users gave to files and classes, on their way into notations in which some characters mean something."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # what a spreadsheet begins a formula with
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?%?|[+-]?(?:inf|nan)", re.IGNORECASE)


def escaped(text: str) -> str:
    r"""`text` on one line: control characters, and bytes that are no UTF-8, are escaped.

    >>> escaped("a\tb\udcff")
    'a\\tb\\udcff'
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def cells(row: Iterable[Any]) -> list[Any]:
    """A row of a CSV file, in which a spreadsheet takes no text for a formula: an apostrophe stands before it.

    >>> cells(["=HYPERLINK(1)", "-0.5", "bar", -1])
    ["'=HYPERLINK(1)", '-0.5', 'bar', -1]
    """
    return [f"'{each}" if _is_formula(each) else each for each in row]


def text_of_cell(cell: str) -> str:
    """The text that `cells` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def _is_formula(cell: Any) -> bool:
    return isinstance(cell, str) and FORMULA.match(cell) is not None and NUMBER.fullmatch(cell) is None


def folder_names(tag: str) -> list[str]:
    """The parts of a tag such as dream/photo as names of folders, another one for each tag.

    What some file system refuses is written as in an address: "a:b" is "a%3Ab".
    """
    parts = [re.sub(r"[^\w.+ -]|%", _percent, part) for part in tag.split("/")]
    return [part.replace(".", "%2E") if not part.strip(".") else part for part in parts]


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))


def markdown(text: str) -> str:
    """`text` as Markdown shows it letter by letter, in a cell of a table too."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$&-])", r"\\\1", escaped(text))
