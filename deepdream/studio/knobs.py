"""The knobs of the page Dream, and what they say as a Setting."""

from __future__ import annotations

from typing import Any

import gradio as gr

from deepdream.studio import networks, settings
from deepdream.studio.changes import Changes
from deepdream.studio.dream_jobs import About
from deepdream.studio.settings import Setting

EVERYWHERE, PAINTED = "everywhere", "painted"
MASKS = [
    ("Everywhere", EVERYWHERE),
    ("Where I paint", PAINTED),
    ("Where the network looks (Grad-CAM)", "gradcam"),
    ("Where it does not look", "not-gradcam"),
]
NAMED_MASKS = ("gradcam", "not-gradcam")
KEEP_SIZE = 0  # width: the photo's own


class Knobs:
    """The components, made where this is made; `components` in the order that `read` takes their values."""

    def __init__(self, first: Setting, ckpt: str) -> None:
        self._ckpt = ckpt
        with gr.Row():
            self.preset = gr.Dropdown(settings.presets(), value=first.preset, label="Preset", min_width=120)
            self.network = gr.Dropdown(
                networks.offered(ckpt), value=ckpt, label="Network", allow_custom_value=True, min_width=120
            )
        self.layers = gr.Dropdown(
            list(first.layers),
            value=list(first.layers),
            label="Layers",
            multiselect=True,
            allow_custom_value=True,
            info="early: strokes and textures; late: objects",
            elem_id="layers",
        )
        self.target = gr.Dropdown([], label="Class", allow_custom_value=True, visible=False)
        with gr.Accordion("Pick channels", open=False, elem_id="channels"):
            self.channel_layer = gr.Dropdown([], label="Strongest channels of", min_width=120)
            self.find_channels = gr.Button("Show", size="sm")
            self.tiles = gr.Gallery(
                columns=3, allow_preview=False, show_label=False, elem_id="tiles", buttons=[], height="auto"
            )
        self.strength = _slider("strength", "Strength", settings.STRENGTH_STEP, first)
        self.octaves = _slider("octaves", "Octaves", 1, first, "more: larger shapes")
        self.preserve = _slider("preserve", "Preserve the photo", 0.05, first)
        self.color = _slider("color", "Colour", 0.05, first, "0: the photo's; 1: the network's")
        with gr.Accordion("Size and seed", open=False):
            with gr.Row():
                self.width = gr.Number(
                    first.width or KEEP_SIZE, label="Width", info="0 keeps the photo's", precision=0, min_width=90
                )
                self.seed = gr.Number(0, label="Seed", minimum=0, precision=0, min_width=90)
            self.steps = _slider("steps", "Steps per octave", 1, first)
        with gr.Accordion("Where to dream", open=False, elem_id="where"):
            self.mask = gr.Radio(MASKS, value=EVERYWHERE, show_label=False, container=False)
            self.brush = gr.ImageEditor(
                type="numpy",
                image_mode="RGBA",
                label="Paint where to dream",
                brush=gr.Brush(colors=["#ffffff"], default_size=40, color_mode="fixed"),
                layers=False,
                transforms=(),
                sources=(),
                buttons=[],
                visible=False,
                elem_id="brush",
            )
        self.mask_file, self.others = gr.State(), gr.State(())  # a mask and keys of a recipe
        self.components = [
            self.network,
            self.preset,
            self.layers,
            self.target,
            self.strength,
            self.steps,
            self.octaves,
            self.width,
            self.preserve,
            self.color,
            self.seed,
            self.mask,
            self.mask_file,
            self.others,
        ]

    def read(self, values: tuple[Any, ...], *, painted: str | None, guide: str | None) -> Setting:
        """The setting of the values of `components`. painted, guide: the names of their files.

        Raises ValueError for a network that a page may not ask for.
        """
        network, preset, layers, target, strength, steps, octaves, width, preserve, color, seed, *rest = values
        where, mask_file, others = rest
        return Setting(
            ckpt=networks.checked(network, self._ckpt),
            preset=preset,
            layers=tuple(layers),
            target=(target or None) if preset in settings.WITH_TARGET else None,
            strength=strength,
            steps=int(steps),
            octaves=int(octaves),
            width=_checked_width(width),
            preserve=preserve,
            color=color,
            seed=int(seed or 0),
            mask={EVERYWHERE: None, PAINTED: painted or mask_file}.get(where, where),
            guide=guide if preset in settings.GUIDED else None,
            others=tuple(others),
        )

    def show(self, setting: Setting) -> Changes:
        """What turns the knobs to a setting; but for the network, which is chosen apart."""
        is_file = setting.mask is not None and setting.mask not in NAMED_MASKS
        return {
            self.preset: setting.preset,
            self.layers: gr.Dropdown(value=list(setting.layers)),
            self.target: gr.Dropdown(value=setting.target, visible=setting.preset in settings.WITH_TARGET),
            self.strength: setting.strength,
            self.steps: setting.steps,
            self.octaves: setting.octaves,
            self.width: setting.width or KEEP_SIZE,
            self.preserve: setting.preserve,
            self.color: setting.color,
            self.seed: setting.seed,
            self.mask: PAINTED if is_file else setting.mask or EVERYWHERE,
            self.mask_file: setting.mask if is_file else None,
            self.others: setting.others,
        }

    def show_network(self, about: About, preset: str) -> Changes:
        """The layers and classes of a network, and the layers that a preset takes there."""
        return {
            self.layers: gr.Dropdown(about.layers, value=list(about.defaults.get(preset, ()))),
            self.channel_layer: gr.Dropdown(about.layers, value=about.layers[-1] if about.layers else None),
            **self.show_target(about, preset),
        }

    def show_target(self, about: About, preset: str) -> Changes:
        """The classes of a network, where a preset dreams one."""
        first = about.classes[0] if about.classes else None
        return {self.target: gr.Dropdown(about.classes, value=first, visible=preset in settings.WITH_TARGET)}


def _slider(key: str, label: str, step: float, first: Setting, info: str | None = None) -> gr.Slider:
    low, high = settings.RANGES[key]
    return gr.Slider(
        low, high, value=getattr(first, key), step=step, label=label, info=info, buttons=[], elem_id=f"knob-{key}"
    )


def _checked_width(width: float | None) -> int | None:
    if not width:
        return None
    low, high = settings.WIDTHS
    if not low <= width <= high:
        raise ValueError(f"the width is {width:.0f}; it must be {low} to {high} pixels, or 0 for the photo's own")
    return int(width)
