"""The look of the pages: Gradio's plainest theme with this machine's own fonts, so that nothing is fetched."""

from __future__ import annotations

from importlib.resources import files

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")

THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.violet,
    neutral_hue=gr.themes.colors.zinc,
    radius_size=gr.themes.sizes.radius_md,
    font=SANS,
    font_mono=MONO,
).set(
    body_text_color_subdued="*neutral_500",  # the theme's own grey is too light to read
    body_text_color_subdued_dark="*neutral_400",
    block_info_text_color="*neutral_500",
    block_info_text_color_dark="*neutral_400",
)

CSS = """
.gradio-container { max-width: 1360px !important; width: 100% !important; margin: 0 auto !important;
  padding: 0 clamp(10px, 3vw, 40px) 48px !important;
  overflow: clip !important /* where Gradio hides it, nothing inside can be sticky */ }
.gradio-container > .main { padding: 0 !important }
#masthead, #note, #live { padding: 0 !important }
:is(#masthead, #note, #live) .html-container { padding: 0 !important }
.masthead { font-size: 18px; padding: 16px 0 4px; letter-spacing: .01em }
.masthead b { font-weight: 700; color: var(--primary-600) }
.dark .masthead b { color: var(--primary-400) }

@media (min-width: 860px) { #stage { position: sticky; top: 12px; align-self: flex-start } }
#knobs .secondary-wrap input { text-overflow: ellipsis; padding-right: 22px }
#view { width: max-content }
#view .wrap { gap: 6px }
#actions, #result .row { gap: 8px }
#actions button { flex: 0 1 auto }
#note { min-height: 22px }
.note { margin: 0; font-size: 14px; color: var(--body-text-color-subdued) }
.note.error { color: var(--error-text-color, #b91c1c); font-weight: 500 }
.dark .note.error { color: #fca5a5 }

.growing { margin: 0; border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg);
  overflow: hidden; background: var(--background-fill-secondary) }
.growing img { display: block; width: 100%; max-height: 640px; object-fit: contain }
.growing figcaption { padding: 8px 12px; font-size: 13px; color: var(--body-text-color-subdued);
  font-variant-numeric: tabular-nums }
.growing .bar { height: 4px; background: var(--border-color-primary) }
.growing .bar i { display: block; height: 100%; background: var(--primary-500); transition: width .2s linear }
.growing .bar.wait { background: linear-gradient(90deg, transparent, var(--primary-500), transparent) 0 0 / 40% 100%
  no-repeat var(--border-color-primary); animation: wait 1.2s linear infinite }
@keyframes wait { from { background-position: -60% 0 } to { background-position: 160% 0 } }
@media (prefers-reduced-motion: reduce) { .growing .bar.wait { animation: none } }

#variations .caption-label, #gallery .caption-label, #tiles .caption-label { font-size: 11px; max-width: 100% }
#command .cm-content { font-size: 12.5px }
#variations .grid-wrap, #gallery .grid-wrap, #tiles .grid-wrap { max-height: none }
#variations .grid-wrap, #gallery .grid-wrap { padding-top: 34px }
@media (max-width: 640px) {
  #variations .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) !important }
  #gallery .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important }
  #photo { height: 300px !important }
}
"""

PAGES = ("understand", "network")
CSS += "".join((files("deepdream.studio") / "templates" / f"{page}.css").read_text("utf-8") for page in PAGES)
