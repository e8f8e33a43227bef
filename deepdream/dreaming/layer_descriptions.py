"""Layer descriptions: what a layer tends to dream, by the size of its receptive field."""

from __future__ import annotations

from deepdream.models.layers import Layer

# Observed in networks trained on rooms, see docs/dreams.md: the largest receptive field in pixels, and the description.
DESCRIPTIONS = (
    (20, "grain, edges, colour fringes"),
    (60, "hatching, woven threads, dots"),
    (130, "cloth, tiles, parallel lines"),
    (280, "beams, arches, shelves, repeated forms"),
    (10_000, "objects: windows, lamps, curtains, furniture"),
)


def describe_layer(layer: Layer) -> str:
    """What `layer` tends to dream; "" for one whose map does not scale with the image."""
    if layer.stride == 0:
        return ""
    receptive_field = layer.receptive_field or 14 * layer.stride
    return next(text for most, text in DESCRIPTIONS if receptive_field <= most)
