"""Write the table of attribution methods into docs/understanding.md: `python tools/method_table.py`.

It is read from the decorators of the methods; a test compares the two.
"""

from __future__ import annotations

import re
from pathlib import Path

from deepdream.explaining.config import METHODS

PAGE = Path(__file__).parents[1] / "docs" / "understanding.md"
HEAD = "| method | title | question | cost |\n|---|---|---|---|\n"


def table() -> str:
    """The head and a row for each method."""
    rows = []
    for name in METHODS:
        method = METHODS.details(name)
        rows.append(f"| `{name}` | {method.title} | {method.question} | {method.cost} |\n")
    return HEAD + "".join(rows)


def with_table(page: str) -> str:
    """`page` with the table in place of the one that it has."""
    return re.sub(re.escape(HEAD) + r"(\|.*\n)*", lambda _: table(), page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {PAGE.relative_to(Path.cwd())}")
