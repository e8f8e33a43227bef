"""Pieces of HTML that a page shows and that can be pressed; made from templates that escape every text."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import gradio as gr
from jinja2 import Environment, PackageLoader, StrictUndefined

UNCHANGED: dict[Any, Any] = gr.skip()  # what a handler returns for no change: Gradio refuses an empty dictionary

# A press on an element with data-choice sends that, a press on one with data-place where it is, x and y in [0, 1].
# A file that is dropped is uploaded as Gradio's own components do it.
SCRIPT = """
element.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-choice]");
  const place = event.target.closest("[data-place]");
  if (chosen) {
    trigger("click", {choice: chosen.dataset.choice});
  } else if (place) {
    const box = place.getBoundingClientRect();
    trigger("click", {x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height});
  }
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  element.addEventListener(name, (event) => {
    event.preventDefault();
    element.classList.toggle("u-over", over && element.id === "u-stage");
  });
}
element.addEventListener("drop", async (event) => {
  const file = event.dataTransfer.files[0];
  if (file) trigger("upload", await upload(file));
});
"""


def fragment(name: str, value: str = "", **settings: Any) -> gr.HTML:
    """A component for rendered fragments. name: its id.

    Its `click` has the event data `choice`, or `x` and `y`; its `upload` those of an uploaded file.
    """
    return gr.HTML(value, elem_id=name, js_on_load=SCRIPT, **settings)


def pressed(event: gr.EventData, key: str) -> Any:
    """What the press on a fragment has sent as `key`; None where a browser sends something else."""
    return event._data.get(key) if isinstance(event._data, dict) else None


def rendered(template: str, **values: Any) -> str:
    """The template deepdream/studio/templates/<template>.html.j2 with these values."""
    return _environment().get_template(f"{template}.html.j2").render(**values).strip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("deepdream.studio"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"jpeg": _data_url, "percent": _percent, "spoken": _spoken}
    return environment


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _percent(share: float) -> str:
    """
    >>> _percent(0.5), _percent(0.004)
    ('50 %', '0.4 %')
    """
    return f"{100 * share:.{1 if 0 < share < 0.0095 else 0}f} %"


def _spoken(name: str) -> str:
    return name.replace("_", " ")
