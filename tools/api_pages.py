"""The Python API as pages of the site: one for each package with public names, which its `__init__.pyi` lists.

mkdocstrings renders the docstrings, which are prose for the reader of the code; `ReadableDocstrings` marks up the two
forms that Markdown would run together: `name: meaning` lines become a list, examples a block of code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "deepdream"
MODULES = ("images",)  # single files whose functions the documentation uses
TWICE = ("interactive",)  # packages whose names are all names of `deepdream` too

PARAMETER = re.compile(r"(\w+(?:, \w+)*): (?=\S)")


@cache
def api_pages() -> dict[str, str]:
    """Path in the site -> Markdown: an overview, then a page for each package."""
    found = (path for path in PACKAGE.glob("**/__init__.pyi") if path.parent.name not in TWICE)
    faces = sorted(found, key=lambda path: (len(path.parts), path))
    pages = {}
    overview = ["# Python API\n", "Every public name, by package. Packages load when they are used.\n"]
    for path in [*faces, *(PACKAGE / f"{name}.py" for name in MODULES)]:
        place = path.parent if path.name == "__init__.pyi" else path.with_suffix("")
        module = ".".join(place.relative_to(ROOT).parts)
        source = path if path.suffix == ".py" else path.with_suffix(".py")
        summary = _summary(source)
        page = f"{module.removeprefix('deepdream').lstrip('.').replace('.', '_') or 'deepdream'}.md"
        overview.append(f"- [{module}]({page}): {summary}")
        pages[f"api/{page}"] = f"# {module}\n\n{summary}\n\n" + "\n".join(_entries(path, module))
    return {"api/index.md": "\n".join(overview), **pages}


def _entries(path: Path, module: str) -> Iterator[str]:
    """What mkdocstrings reads of a package: its public names under the file that defines them; of a file, all."""
    if path.suffix == ".py":
        yield f"::: {module}\n    options:\n      show_root_toc_entry: false\n      show_root_heading: false\n"
        return
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"::: {module}.{node.module}.{alias.name}\n" for alias in node.names)


def _summary(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


class ReadableDocstrings(griffe.Extension):
    """Marks up the docstrings of the package for Markdown."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for every object that is documented."""
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)


def readable(docstring: str) -> str:
    """A docstring of the package as Markdown.

    >>> print(readable("Blurs.\\n\\nx: an image.\\nsigma: in pixels, at\\n    least 1. seed: of the noise."))
    Blurs.
    <BLANKLINE>
    - `x`: an image.
    - `sigma`: in pixels, at least 1. `seed`: of the noise.
    """
    paragraphs = [_paragraph(part) for part in re.split(r"\n{2,}", docstring)]
    return "\n\n".join(paragraphs)


def _paragraph(text: str) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{text}\n```"
    if text.startswith("    "):
        return f"```python\n{_dedent(text)}\n```"
    lines = text.split("\n")
    if not PARAMETER.match(lines[0]):
        return text
    items: list[str] = []
    for line in lines:
        if PARAMETER.match(line):
            items.append(f"- {line}")
        elif line.startswith(("Raises ", "Returns ")):
            items.append(f"\n{line}")
        else:
            items[-1] += f" {line.strip()}"
    return "\n".join(map(_marked, items))


def _marked(item: str) -> str:
    """An item with `name: ` at its beginning, and at that of a sentence within it, as code."""
    return re.sub(r"(^- |\. )(\w+(?:, \w+)*): ", r"\1`\2`: ", item)


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.split("\n"))
