"""What a layer tends to dream, by how far it sees."""

from __future__ import annotations

from deepdream.models.layers import Layer

# Seen in networks trained on rooms, see docs/dreams.md; up to so many pixels of receptive field, or of 14 strides.
CHARACTERS = (
    (20, "grain, edges, colour fringes"),
    (60, "hatching, woven threads, dots"),
    (130, "cloth, tiles, parallel lines"),
    (280, "beams, arches, shelves, repeated forms"),
    (10_000, "things: windows, lamps, curtains, furniture"),
)


def character(layer: Layer) -> str:
    """What `layer` tends to dream; nothing for one whose map does not follow the picture."""
    if layer.stride == 0:
        return ""
    sees = layer.receptive_field or 14 * layer.stride
    return next(text for most, text in CHARACTERS if sees <= most)
