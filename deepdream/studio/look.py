"""The look of the pages: Gradio's plainest theme with this machine's own fonts, so that nothing is fetched."""

from __future__ import annotations

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")

THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.violet,
    neutral_hue=gr.themes.colors.zinc,
    radius_size=gr.themes.sizes.radius_md,
    font=SANS,
    font_mono=MONO,
)

CSS = """
.gradio-container { max-width: 1440px !important; margin: 0 auto !important; padding: 0 16px 32px !important }
.masthead { font-size: 17px; letter-spacing: .01em; padding: 14px 2px 2px; opacity: .92 }
.masthead b { font-weight: 700 }
"""
