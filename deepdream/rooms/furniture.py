"""What stands or hangs in a room of any class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np

from deepdream.rooms.palette import Palette
from deepdream.rooms.scene import FITTED, Paint, Scene, Span

__all__ = [
    "carton", "ceiling_lamps", "chair", "clock", "curtains", "door", "lamp_paint", "pendant", "picture", "plant", "rug",
    "table", "waste_bin", "window",
]  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


def _is_object(name: str) -> Callable[[Callable[Concatenate[Scene, P], R]], Callable[Concatenate[Scene, P], R]]:
    """A decorator: what the function adds to a scene is the object `name`."""

    def decorate(add: Callable[Concatenate[Scene, P], R]) -> Callable[Concatenate[Scene, P], R]:
        @wraps(add)
        def named(scene: Scene, /, *args: P.args, **kwargs: P.kwargs) -> R:
            before, scene.object = scene.object, name
            result = add(scene, *args, **kwargs)
            scene.object = before
            return result

        return named

    return decorate


def lamp_paint(tones: Palette, power: float = 2.5) -> Paint:
    """A glowing surface."""
    return Paint(tones.tone((0.95, 1.0), (0.0, 0.25)), tones.white, glow=power)


@_is_object("ceiling lamp")
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


@_is_object("pendant lamp")
def pendant(scene: Scene, tones: Palette, x: float, z: float, y: float, *, power: float = 0.7) -> None:
    """A shade that hangs from the ceiling with its lower edge at height y."""
    paint = tones.paint(tones.accent())
    at = scene.distance(x, y, z)
    scene.rod((x, y + 0.25, z), (x, scene.top, z), 0.012, tones.paint(tones.dark()), at=at + 0.01)
    scene.ball((x, y + 0.02, z), 0.09, lamp_paint(tones, 3.0), at=at + 0.005)
    scene.lathe(x, z, [(y, 0.2), (y + 0.12, 0.17), (y + 0.28, 0.04)], paint, at=at)
    scene.lamp((x, y - 0.1, z), power)


@_is_object("window")
def window(scene: Scene, tones: Palette, wall: str, u: Span, v: Span, *, shine: float = 1.0) -> None:
    """A window with its frame, its view and, on a side wall, the sun's patch on the floor."""
    rng = tones.rng
    sky = Paint(tones.sky(), tones.mid(), "view", (v[1] - v[0]) / 1.6, glow=rng.uniform(0.55, 1.1) * shine)
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
        scene.sun_patch([(x + sign * slope * b, 0.0, a + lean * b) for a, b in corners])


@_is_object("curtain")
def curtains(scene: Scene, tones: Palette, wall: str, u: Span, v: Span) -> None:
    """Two open curtains beside a window that spans u, hung from v[1] down to v[0]."""
    cloth = tones.paint(tones.accent() if tones.rng.random() < 0.5 else tones.light(), "pleats", 0.16)
    share = (u[1] - u[0]) * tones.rng.uniform(0.15, 0.3)
    scene.panel(wall, (u[0] - 0.25, u[0] + share), v, cloth, out=0.05)
    scene.panel(wall, (u[1] - share, u[1] + 0.25), v, cloth, out=0.05)
    scene.slab(wall, (u[0] - 0.35, u[1] + 0.35), (v[1], v[1] + 0.05), 0.07, tones.paint(tones.dark()))


@_is_object("door")
def door(scene: Scene, tones: Palette, wall: str, at: float, leaf: Paint, frame: Paint, *, wide: float = 0.95) -> None:
    """A door with frame, two panels and a handle, its middle at `at` along the wall."""
    half, high = wide / 2, min(2.1, scene.top - 0.2)
    scene.slab(wall, (at - half - 0.09, at + half + 0.09), (0, high + 0.09), 0.05, frame)
    scene.panel(wall, (at - half, at + half), (0, high), leaf, out=0.06)
    inset = Paint(leaf.colour * np.float32(0.72), leaf.second, leaf.material, leaf.scale)
    for low, top in ((0.2, 0.9), (1.1, high - 0.2)):
        scene.panel(wall, (at - half + 0.17, at + half - 0.17), (low, top), inset, out=0.065)
    scene.slab(wall, (at + half - 0.13, at + half - 0.05), (0.95, 1.08), 0.12, tones.paint(tones.metal()))


@_is_object("picture")
def picture(scene: Scene, tones: Palette, wall: str, u: float, v: float, wide: float, high: float) -> None:
    """A framed picture, poster or notice board, its middle at (u, v)."""
    rng = tones.rng
    scene.slab(wall, (u - wide / 2, u + wide / 2), (v - high / 2, v + high / 2), 0.04, tones.paint(tones.dark()))
    inner = (u - wide / 2 + 0.05, u + wide / 2 - 0.05), (v - high / 2 + 0.05, v + high / 2 - 0.05)
    motif = str(rng.choice(["view", "stone", "stripes", "dots", "plain", "checker"]))
    scale = min(wide, high) / rng.uniform(1.5, 4)
    scene.panel(wall, *inner, Paint(tones.light(), tones.accent(), motif, scale), out=0.045)


@_is_object("clock")
def clock(scene: Scene, tones: Palette, u: float, v: float) -> None:
    """A round clock on the back wall."""
    turns = np.linspace(0, 2 * math.pi, 18, endpoint=False)
    for radius, out, colour in ((0.22, 0.03, tones.dark()), (0.18, 0.04, tones.white)):
        points = [(u + radius * math.cos(a), v + radius * math.sin(a), scene.end - out) for a in turns]
        scene.face(points, tones.paint(colour), layer=FITTED)
    hand, z = tones.rng.uniform(0, 2 * math.pi), scene.end - 0.05
    for length, angle in ((0.14, hand), (0.1, hand * 12)):
        scene.rod(
            (u, v, z),
            (u + length * math.cos(angle), v + length * math.sin(angle), z),
            0.012,
            tones.paint(tones.dark() * 0.2),
            layer=FITTED,
        )


@_is_object("plant")
def plant(
    scene: Scene, tones: Palette, x: float, z: float, *, y: float = 0.0, size: float = 1.0, leaves: int = 16
) -> None:
    """A pot with a plant of one of three habits; about `size` metres tall."""
    rng = tones.rng
    at = scene.distance(x, y, z)
    pot = 0.24 * size
    if y < 0.1:
        scene.shadow(x - pot / 2, x + pot / 2, z - pot / 2, z + pot / 2, 0.7 * size)
    scene.lathe(x, z, [(y, pot * 0.42), (y + pot * 1.05, pot * 0.62)], tones.paint(tones.mid()), at=at)
    leaf, habit = tones.leaf(), rng.integers(3)
    turn = 2 * math.pi * (np.arange(leaves) * 0.382 + rng.random(leaves) * 0.1)
    rise = (np.arange(leaves)[:, None] + 0.5) / leaves  # (L, 1), from the lowest leaf to the highest
    aim = np.stack([np.cos(turn), np.zeros(leaves), 0.5 * np.sin(turn)], axis=1)  # (L, 3), outwards
    root, up = np.array([x, y + pot, z]), np.array([0.0, size, 0.0])
    if habit == 0:  # a fountain of long leaves
        start, broad = np.tile(root, (leaves, 1)), 0.05
        tip = root + size * aim * (0.42 - 0.25 * rise) + up * (0.25 + 0.5 * rise)
    elif habit == 1:  # a bush
        start, broad = root + size * 0.1 * aim + up * (0.08 + 0.45 * rise), 0.09
        tip = start + size * aim * 0.26 + up * rng.uniform(-0.05, 0.18, (leaves, 1))
    else:  # a stem with leaves that point up
        start, broad = root + up * 0.65 * rise, 0.06
        tip = start + size * aim * 0.2 * (1.2 - rise) + up * 0.12
    along = tip - start
    across = np.cross(along, [0.0, 0.3, 1.0])
    across *= broad * size / (np.linalg.norm(across, axis=1, keepdims=True) + 1e-6)
    near, far = start + 0.35 * along + 0.03 * up, start + 0.7 * along + 0.03 * up
    outline = np.stack([start, near - across, far - 0.7 * across, tip, far + 0.7 * across, near + across], axis=1)
    shades = (leaf * rng.uniform(0.5, 1.35, (leaves, 1))).astype(np.float32)
    for points, shade in zip(outline.tolist(), shades, strict=True):
        scene.face(points, Paint(shade, leaf), at=at - 0.01)
    if habit == 2 and rng.random() < 0.6:
        scene.ball((x, y + pot + 0.75 * size, z), 0.08 * size, tones.paint(tones.accent()), at=at - 0.02)


@_is_object("table")
def table(scene: Scene, tones: Palette, x: Span, z: Span, high: float, paint: Paint | None = None) -> float:
    """A table; returns its painting order."""
    paint = paint or tones.wood()
    at = scene.distance(sum(x) / 2, high / 2, sum(z) / 2)
    leg = 0.06
    for lx in (x[0], x[1] - leg):
        for lz in (z[1] - leg, z[0]):
            scene.box((lx, 0, lz), (lx + leg, high - 0.05, lz + leg), paint, at=at + 0.01, shade=False)
    scene.box((x[0] - 0.05, high - 0.06, z[0] - 0.05), (x[1] + 0.05, high, z[1] + 0.05), paint, at=at)
    scene.shadow(x[0], x[1], z[0], z[1], high)
    return at


@_is_object("chair")
def chair(scene: Scene, tones: Palette, x: float, z: float, paint: Paint, *, back: str = "near") -> None:
    """A chair with its back towards the camera ("near") or away from it ("far")."""
    w, at = 0.21, scene.distance(x, 0.4, z)
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


@_is_object("rug")
def rug(scene: Scene, tones: Palette, x: Span, z: Span) -> None:
    """A carpet with a border."""
    kind = str(tones.rng.choice(["dots", "stripes", "carpet", "checker"]))
    scene.panel("floor", x, z, tones.paint(tones.dark(), "carpet"), out=0.005)
    inner = (x[0] + 0.12, x[1] - 0.12), (z[0] + 0.12, z[1] - 0.12)
    scene.panel("floor", *inner, tones.paint(tones.accent(), kind, tones.rng.uniform(0.15, 0.4)), out=0.01)


@_is_object("waste bin")
def waste_bin(scene: Scene, tones: Palette, x: float, z: float) -> None:
    """A waste bin."""
    scene.shadow(x - 0.15, x + 0.15, z - 0.15, z + 0.15, 0.5)
    scene.lathe(x, z, [(0, 0.13), (0.5, 0.18)], tones.paint())


@_is_object("carton")
def carton(scene: Scene, tones: Palette, x: float, z: float) -> None:
    """A box on the floor."""
    a, b, c = tones.rng.uniform(0.2, 0.45, 3)
    scene.box((x - a / 2, 0, z - b / 2), (x + a / 2, c, z + b / 2), tones.paint())
