"""What stands in a room of any kind, and the colours it comes in.

All classes of rooms draw their colours, lamps and film here, from one distribution: colour alone must not tell a
library from a bathroom, as it does not in photographs.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import numpy as np

from deepdream.scenes.perspective import FITTED, SOLID, Film, Floats, Paint, Scene

__all__ = [
    "Palette", "bin_", "carton", "ceiling_lamps", "chair", "clock", "curtains", "door", "pendant", "picture", "plant",
    "rug", "table", "take_film", "window",
]  # fmt: skip

Span = tuple[float, float]


class Palette:
    """The colours of one picture: two or three hues, everything in them; and its source of chance, `rng`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        base = rng.random()
        self.hues = [base, (base + rng.choice([0.04, 0.08, 0.42, 0.5, 0.58])) % 1, rng.random()]
        self.strength = rng.uniform(0.35, 1.0)
        self.dim = rng.random() < 0.35  # dark walls with light things, instead of light walls with dark things
        self.board = self.tone((0.25, 0.8), (0.2, 0.65), rng.uniform(0.05, 0.1) if rng.random() < 0.4 else None)
        self.leaf_hue = rng.uniform(0.2, 0.42) if rng.random() < 0.4 else rng.random()
        self.white = self.tone((0.85, 1.0), (0.0, 0.12))

    def tone(self, value: Span, saturation: Span, hue: float | None = None) -> Floats:
        """A linear RGB colour (3,) with value and saturation drawn from these ranges of sRGB."""
        rng = self.rng
        if hue is None:
            hue = self.hues[rng.choice(3, p=[0.55, 0.33, 0.12])]
        shade = colorsys.hsv_to_rgb(
            (hue + rng.normal(0, 0.015)) % 1, rng.uniform(*saturation) * self.strength, rng.uniform(*value)
        )
        return np.array(shade, np.float32) ** 2

    def light(self) -> Floats:
        return self.tone((0.3, 0.6), (0.1, 0.6)) if self.dim else self.tone((0.65, 0.95), (0.05, 0.45))

    def mid(self) -> Floats:
        return self.tone((0.4, 0.7), (0.1, 0.65))

    def dark(self) -> Floats:
        return self.tone((0.7, 0.95), (0.05, 0.4)) if self.dim else self.tone((0.15, 0.4), (0.1, 0.6))

    def accent(self) -> Floats:
        return self.tone((0.5, 0.95), (0.6, 1.0))

    def leaf(self) -> Floats:
        return self.tone((0.3, 0.75), (0.4, 0.9), self.leaf_hue)

    def metal(self) -> Floats:
        return self.tone((0.45, 0.8), (0.0, 0.12))

    def sky(self) -> Floats:
        return self.tone((0.8, 1.0), (0.05, 0.5), self.hues[0] if self.rng.random() < 0.5 else self.rng.random())

    def paint(self, colour: Floats | None = None, material: str = "plain", scale: float = 1.0, **more: float) -> Paint:
        """A paint of this colour (a middle one by default) with a second colour from the palette."""
        return Paint(
            self.mid() if colour is None else colour,
            self.light() if self.rng.random() < 0.5 else self.dark(),
            material,
            scale,
            glow=more.get("glow", 0.0),
            gloss=more.get("gloss", 0.0),
            turn=bool(more.get("turn", 0)),
        )

    def wood(self, scale: float = 1.0, *, turn: bool = False) -> Paint:
        """Boards of the picture's one kind of wood (or painted wood)."""
        return Paint(self.board, self.board * 0.4, "wood", scale, turn=turn)

    def floor(self, kinds: Sequence[str] = ("tiles", "checker", "planks", "stone", "carpet", "plain")) -> Paint:
        """A floor of one of these materials, at times polished."""
        rng = self.rng
        kind = str(rng.choice(kinds))
        scale = {"tiles": 0.5, "checker": 0.5, "planks": 0.16, "bricks": 0.3}.get(kind, 1.0) * rng.uniform(0.7, 1.5)
        gloss = 0.0 if kind == "carpet" else max(0.0, rng.uniform(-0.3, 0.6))
        colour = self.board if kind == "planks" else (self.mid() if rng.random() < 0.6 else self.dark())
        return Paint(colour, colour * rng.uniform(0.3, 0.8), kind, scale, gloss=gloss)

    def wall(self, kinds: Sequence[str] = ("plain", "plain", "stripes", "dots", "bricks", "tiles", "stone")) -> Paint:
        """A wall of one of these materials."""
        rng = self.rng
        kind = str(rng.choice(kinds))
        scale = {"stripes": 0.3, "dots": 0.3, "bricks": 0.4, "tiles": 0.35}.get(kind, 1.0) * rng.uniform(0.7, 1.5)
        colour = self.light()
        return Paint(colour, np.clip(colour * rng.uniform(0.45, 1.35), 0, 1).astype(np.float32), kind, scale)

    def ceiling(self) -> Paint:
        kind = str(self.rng.choice(["plain", "plain", "tiles"]))
        return Paint(self.light(), self.mid(), kind, 0.6)


def take_film(tones: Palette) -> Film:
    """Light and camera, drawn alike for every class."""
    rng = tones.rng
    cast = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.28), 1.0), np.float32)
    warm = np.array(colorsys.hsv_to_rgb(rng.uniform(0.04, 0.14), rng.uniform(0, 0.3), 1.0), np.float32)
    return Film(
        ambient=rng.uniform(0.25, 0.75),
        light=cast * warm * np.float32(rng.uniform(0.6, 1.1)),
        sky=(0.5 + 0.5 * cast) * np.float32(1.0),
        haze=rng.uniform(0.0, 0.025),
        exposure=rng.uniform(0.22, 0.55),
        vignette=rng.uniform(0.0, 0.35),
        saturation=rng.uniform(0.75, 1.2),
        contrast=rng.uniform(-0.1, 0.5),
        noise=rng.uniform(0.5, 7.0),
        mirrored=bool(rng.random() < 0.5),
    )


def lamp_paint(tones: Palette, power: float = 2.5) -> Paint:
    """A glowing surface."""
    return Paint(tones.tone((0.95, 1.0), (0.0, 0.25)), tones.white, glow=power)


def ceiling_lamps(scene: Scene, tones: Palette, spots: Sequence[tuple[float, float]], power: float = 1.0) -> None:
    """Lamps of one kind under the ceiling at these (x, z), each with its light."""
    paint, kind = lamp_paint(tones), tones.rng.integers(3)
    for x, z in spots:
        if kind == 0:
            scene.panel("ceiling", (x - 0.35, x + 0.35), (z - 0.35, z + 0.35), paint, out=0.02)
        elif kind == 1:
            scene.panel("ceiling", (x - 0.12, x + 0.12), (z - 0.7, z + 0.7), paint, out=0.03)
        else:
            scene.disc((x, scene.top - 0.05, z), 0.28, paint, layer=FITTED)
        scene.lamp((x, scene.top - 0.4, z), power)


def pendant(scene: Scene, tones: Palette, x: float, z: float, y: float, *, power: float = 0.7) -> None:
    """A shade that hangs from the ceiling with its lower edge at height y."""
    paint = tones.paint(tones.accent())
    at = scene._distance(x, y, z)
    scene.rod((x, y + 0.25, z), (x, scene.top, z), 0.012, tones.paint(tones.dark()), at=at + 0.01)
    scene.ball((x, y + 0.02, z), 0.09, lamp_paint(tones, 3.0), at=at + 0.005)
    scene.lathe(x, z, [(y, 0.2), (y + 0.12, 0.17), (y + 0.28, 0.04)], paint, at=at)
    scene.lamp((x, y - 0.1, z), power)


def window(scene: Scene, tones: Palette, wall: str, u: Span, v: Span, *, shine: float = 1.0) -> None:
    """A window with its frame, its view and, on a side wall, the sun's patch on the floor."""
    rng = tones.rng
    sky = Paint(tones.sky(), tones.mid(), "view", (v[1] - v[0]) / 1.6, glow=rng.uniform(1.2, 2.4) * shine)
    frame = tones.paint(tones.white if rng.random() < 0.7 else tones.board)
    edge = 0.07
    scene.panel(wall, (u[0] - edge, u[1] + edge), (v[0] - edge, v[1] + edge), frame, out=0.01)
    scene.panel(wall, u, v, sky, out=0.02)
    for k in range(1, panes := int(rng.integers(2, 4))):
        middle = u[0] + (u[1] - u[0]) * k / panes
        scene.panel(wall, (middle - 0.03, middle + 0.03), v, frame, out=0.03)
    if rng.random() < 0.5:
        middle = v[0] + (v[1] - v[0]) * 0.6
        scene.panel(wall, u, (middle - 0.03, middle + 0.03), frame, out=0.03)
    scene.slab(wall, (u[0] - 0.12, u[1] + 0.12), (v[0] - 0.12, v[0] - 0.06), 0.12, frame)
    middle, height = (u[0] + u[1]) / 2, (v[0] + v[1]) / 2
    if wall == "back":
        scene.lamp((middle, height, scene.end - 0.5), 0.5 * shine)
        return
    sign, x = (1, scene.left) if wall == "left" else (-1, scene.right)
    scene.lamp((x + sign * 0.5, height, middle), 0.6 * shine)
    slope, lean = rng.uniform(0.5, 1.1), rng.uniform(-0.4, 0.4)
    if rng.random() < 0.6:
        corners = [(u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1])]
        scene.sunlit.append([(x + sign * slope * b, 0.0, a + lean * b) for a, b in corners])


def curtains(scene: Scene, tones: Palette, wall: str, u: Span, v: Span) -> None:
    """Two drawn-back curtains beside a window that spans u, hung from v[1] down to v[0]."""
    cloth = tones.paint(tones.accent() if tones.rng.random() < 0.5 else tones.light(), "pleats", 0.16)
    share = (u[1] - u[0]) * tones.rng.uniform(0.15, 0.3)
    scene.panel(wall, (u[0] - 0.25, u[0] + share), v, cloth, out=0.05)
    scene.panel(wall, (u[1] - share, u[1] + 0.25), v, cloth, out=0.05)
    scene.slab(wall, (u[0] - 0.35, u[1] + 0.35), (v[1], v[1] + 0.05), 0.07, tones.paint(tones.dark()))


def door(scene: Scene, tones: Palette, wall: str, at: float, leaf: Paint, frame: Paint, *, wide: float = 0.95) -> None:
    """A door with frame, two panels and a handle, its middle at `at` along the wall."""
    half, high = wide / 2, min(2.1, scene.top - 0.2)
    scene.slab(wall, (at - half - 0.09, at + half + 0.09), (0, high + 0.09), 0.05, frame)
    scene.panel(wall, (at - half, at + half), (0, high), leaf, out=0.06)
    inset = Paint(leaf.colour * np.float32(0.72), leaf.second, leaf.material, leaf.scale)
    for low, top in ((0.2, 0.9), (1.1, high - 0.2)):
        scene.panel(wall, (at - half + 0.17, at + half - 0.17), (low, top), inset, out=0.065)
    scene.slab(wall, (at + half - 0.13, at + half - 0.05), (0.95, 1.08), 0.12, tones.paint(tones.metal()))


def picture(scene: Scene, tones: Palette, wall: str, u: float, v: float, wide: float, high: float) -> None:
    """A framed picture, poster or notice board, its middle at (u, v)."""
    rng = tones.rng
    scene.slab(wall, (u - wide / 2, u + wide / 2), (v - high / 2, v + high / 2), 0.04, tones.paint(tones.dark()))
    inner = (u - wide / 2 + 0.05, u + wide / 2 - 0.05), (v - high / 2 + 0.05, v + high / 2 - 0.05)
    motif = str(rng.choice(["view", "stone", "stripes", "dots", "plain", "checker"]))
    scale = min(wide, high) / rng.uniform(1.5, 4)
    scene.panel(wall, *inner, Paint(tones.light(), tones.accent(), motif, scale), out=0.045)


def clock(scene: Scene, tones: Palette, u: float, v: float) -> None:
    """A round clock on the back wall."""
    turns = np.linspace(0, 2 * math.pi, 18, endpoint=False)
    for radius, out, colour in ((0.22, 0.03, tones.dark()), (0.18, 0.04, tones.white)):
        points = [(u + radius * math.cos(a), v + radius * math.sin(a), scene.end - out) for a in turns]
        scene.face(points, tones.paint(colour), layer=FITTED)
    hand, z = tones.rng.uniform(0, 2 * math.pi), scene.end - 0.05
    for length, angle in ((0.14, hand), (0.1, hand * 12)):
        scene.rod((u, v, z), (u + length * math.cos(angle), v + length * math.sin(angle), z), 0.012,
                  tones.paint(tones.dark() * 0.2), layer=FITTED)  # fmt: skip


def plant(scene: Scene, tones: Palette, x: float, z: float, *, y: float = 0.0, size: float = 1.0, leaves: int = 16) -> None:
    """A pot with a plant of one of three habits; about `size` metres tall."""
    rng = tones.rng
    at = scene._distance(x, y, z)
    pot = 0.24 * size
    if y < 0.1:
        scene.shadow(x - pot / 2, x + pot / 2, z - pot / 2, z + pot / 2, 0.7 * size)
    scene.lathe(x, z, [(y, pot * 0.42), (y + pot * 1.05, pot * 0.62)], tones.paint(tones.mid()), at=at)
    leaf, habit = tones.leaf(), rng.integers(3)
    root = np.array([x, y + pot, z])
    for k in range(leaves):
        angle = 2 * math.pi * (k * 0.382 + rng.random() * 0.1)
        rise = (k + 0.5) / leaves
        aim = np.array([math.cos(angle), 0.0, 0.5 * math.sin(angle)])
        if habit == 0:  # a fountain of long leaves
            start, tip = root, root + size * (aim * (0.42 - 0.25 * rise) + [0, 0.25 + 0.5 * rise, 0])
            broad = 0.045
        elif habit == 1:  # a bush
            start = root + size * np.array([0, 0.08 + 0.45 * rise, 0]) + size * 0.1 * aim
            tip, broad = start + size * (aim * 0.26 + [0, rng.uniform(-0.05, 0.18), 0]), 0.075
        else:  # a stem with leaves that point up
            start = root + size * np.array([0, 0.65 * rise, 0])
            tip, broad = start + size * (aim * 0.2 * (1.2 - rise) + [0, 0.12, 0]), 0.05
        across = np.cross(tip - start, [0.0, 0.3, 1.0])
        across *= broad * size / max(float(np.linalg.norm(across)), 1e-6)
        middle = start + (tip - start) * 0.5 + [0, 0.05 * size, 0]
        shade = Paint((leaf * rng.uniform(0.55, 1.3)).astype(np.float32), leaf)
        scene.face([tuple(start), tuple(middle - across), tuple(tip), tuple(middle + across)], shade, at=at - 0.01)
    if habit == 2 and rng.random() < 0.6:
        scene.ball((x, y + pot + 0.75 * size, z), 0.08 * size, tones.paint(tones.accent()), at=at - 0.02)


def table(scene: Scene, tones: Palette, x: Span, z: Span, high: float, paint: Paint | None = None) -> float:
    """A table; returns its painting order."""
    paint = paint or tones.wood()
    at = scene._distance(sum(x) / 2, high / 2, sum(z) / 2)
    leg = 0.06
    for lx in (x[0], x[1] - leg):
        for lz in (z[1] - leg, z[0]):
            scene.box((lx, 0, lz), (lx + leg, high - 0.05, lz + leg), paint, at=at + 0.01, shade=False)
    scene.box((x[0] - 0.05, high - 0.06, z[0] - 0.05), (x[1] + 0.05, high, z[1] + 0.05), paint, at=at)
    scene.shadow(x[0], x[1], z[0], z[1], high)
    return at


def chair(scene: Scene, tones: Palette, x: float, z: float, paint: Paint, *, back: str = "near") -> None:
    """A chair with its back towards the camera ("near") or away from it ("far")."""
    w, at = 0.21, scene._distance(x, 0.4, z)
    behind = z - w if back == "near" else z + w - 0.05
    for lx in (x - w, x + w - 0.045):
        for lz in (z + w - 0.045, z - w):
            scene.box((lx, 0, lz), (lx + 0.045, 0.45, lz + 0.045), paint, at=at, shade=False)
    if back == "far":
        scene.box((x - w, 0.45, behind), (x + w, 0.95, behind + 0.05), paint, at=at, shade=False)
    scene.box((x - w, 0.42, z - w), (x + w, 0.48, z + w), paint, at=at)
    if back == "near":
        scene.box((x - w, 0.5, behind), (x + w, 0.95, behind + 0.05), paint, at=at, shade=False)
    scene.shadow(x - w, x + w, z - w, z + w, 0.5)


def rug(scene: Scene, tones: Palette, x: Span, z: Span) -> None:
    """A carpet with a border."""
    kind = str(tones.rng.choice(["dots", "stripes", "carpet", "checker"]))
    scene.panel("floor", x, z, tones.paint(tones.dark(), "carpet"), out=0.005)
    inner = (x[0] + 0.12, x[1] - 0.12), (z[0] + 0.12, z[1] - 0.12)
    scene.panel("floor", *inner, tones.paint(tones.accent(), kind, tones.rng.uniform(0.15, 0.4)), out=0.01)


def bin_(scene: Scene, tones: Palette, x: float, z: float) -> None:
    """A waste bin."""
    scene.shadow(x - 0.15, x + 0.15, z - 0.15, z + 0.15, 0.5)
    scene.lathe(x, z, [(0, 0.13), (0.5, 0.18)], tones.paint())


def carton(scene: Scene, tones: Palette, x: float, z: float) -> None:
    """A box on the floor."""
    a, b, c = tones.rng.uniform(0.2, 0.45, 3)
    scene.box((x - a / 2, 0, z - b / 2), (x + a / 2, c, z + b / 2), tones.paint(), layer=SOLID)
