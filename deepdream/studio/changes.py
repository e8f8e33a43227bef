"""What an event of the pages changes."""

from __future__ import annotations

from typing import Any

import gradio as gr

Changes = dict[Any, Any]  # component -> its new value, or gr.update(...)
UNCHANGED: Changes = gr.skip()  # returned in place of Changes: every component stays as it is
