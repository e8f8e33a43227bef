"""Run the notebooks of docs/notebooks and keep their outputs small: `python tools/notebooks.py [NAME ...]`.

Each runs in an empty folder, with a kernel of this Python. Images become JPEGs, what is printed on stderr is dropped.
Where [project.urls] in pyproject.toml has a repository on GitHub, the first cell links to Colab.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
LONGER_SIDE = 1000  # pixels of an image that is kept
QUALITY = 80
CELL_SECONDS = 1200
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"


def main() -> None:
    """Run those that are named, or all, and write them."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        if len(sys.argv) == 1 or path.name in sys.argv[1:] or path.stem in sys.argv[1:]:
            start = time.monotonic()
            notebook = executed(path)
            keep_small(notebook)
            link_to_colab(notebook, path, repository())
            nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
            print(f"{path.name}: {time.monotonic() - start:.0f} s, {path.stat().st_size / 1000:.0f} kB")


def executed(path: Path) -> Any:
    """The notebook with the outputs of a run in an empty folder. Raises nbclient's CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    # `!python` in a cell is this Python; its tables are as wide as a page.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["COLUMNS"] = "110"
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        NotebookClient(
            notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    return notebook


def keep_small(notebook: Any) -> None:
    """Keep of each output one image, as JPEG, and its text; in place."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        printed = "".join(each.text for each in cell.outputs if each.get("name") == "stdout")
        cell.outputs = [each for each in cell.outputs if each.output_type != "stream"]
        if text := without_progress(printed):
            stream = nbformat.v4.new_output("stream", name="stdout", text=text)  # type: ignore[no-untyped-call]
            cell.outputs.insert(0, stream)
        for output in cell.outputs:
            data = output.get("data")
            if data is None:
                continue
            output.metadata = {}
            encoded = data.get("image/png") or data.get("image/jpeg")
            if encoded is not None:
                output.data = {"image/jpeg": _small_jpeg(encoded), "text/plain": _without_address(data["text/plain"])}
            elif "text/html" in data:
                data["text/plain"] = data["text/plain"].partition("\n")[0]


def _small_jpeg(encoded: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def without_progress(printed: str) -> str:
    """What stays on a terminal when all is done: no colours, no progress bars.

    >>> without_progress("\\x1b[2Kreading \\x1b[91m━━\\x1b[0m 1/2\\r\\x1b[2K60 photos\\r\\n")
    '60 photos\\n'
    """
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", re.sub(r"\x1b\[2K", "\r", printed)).replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2].rstrip() for line in plain.split("\n")]
    kept = [line for line in lines if line and not re.match(r"[^┏┡└│]*[━╸╺]", line)]
    return "".join(f"{line}\n" for line in kept)


def _without_address(text: str) -> str:
    """<PIL.Image.Image image mode=RGB size=400x266 at 0x7F...> would differ from run to run."""
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", text)


def repository() -> str | None:
    """owner/name of the repository on GitHub that pyproject.toml names."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", urls["Repository"])
    return found[1] if found else None


def link_to_colab(notebook: Any, path: Path, repository: str | None) -> None:
    """Put the link into the first cell, in place of an earlier one; None takes it away."""
    lines = [line for line in notebook.cells[0].source.split("\n") if not line.startswith(BADGE)]
    if repository is not None:
        address = f"https://colab.research.google.com/github/{repository}/blob/main/docs/notebooks/{path.name}"
        lines[1:1] = ["", f"{BADGE}({address})"]
    notebook.cells[0].source = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


if __name__ == "__main__":
    main()
