"""The rooms themselves: one function a class, each draws a Scene from a Palette and its source of chance.

What makes a class is its shape alone: a corridor is its doors, a wine cellar its casks and its vault. Colours, lamps
and film come from `furniture`, which knows no classes. Sizes are in metres.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from deepdream.scenes import furniture as f
from deepdream.scenes.furniture import Palette, Span
from deepdream.scenes.perspective import FITTED, SHELL, SOLID, Paint, Scene

__all__ = ["INTERIORS"]


def _scene(
    tones: Palette, width: Span, height: Span, depth: Span, *, eye: Span = (1.35, 1.75), focal: Span = (0.55, 0.8),
    aside: float = 0.16, lift: float = 0.0, floor: float = 0.0,
) -> Scene:  # fmt: skip
    """An empty room with sizes from these ranges; the camera stands up to `aside` widths off the middle."""
    u = tones.rng.uniform
    wide, high = u(*width), u(*height)
    return Scene(
        width=wide,
        height=high,
        depth=u(*depth),
        eye=(u(-aside, aside) * wide, min(u(*eye), high - 0.3), 0.0),
        focal=u(*focal),
        shift=(u(-0.1, 0.1), u(-0.07, 0.07) + lift),
        yaw=u(-0.1, 0.1),
        floor=floor,
    )


def _wall(tones: Palette) -> str:
    return "left" if tones.rng.random() < 0.5 else "right"


def corridor(tones: Palette) -> Scene:
    """A long passage with doors on both sides and a row of lamps."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (1.9, 3.0), (2.4, 3.1), (12, 24), focal=(0.6, 0.95))
    wall = tones.wall()
    scene.shell(tones.floor(), wall, tones.ceiling())
    if rng.random() < 0.5:
        band = tones.paint(tones.mid(), *(("planks", 0.12) if rng.random() < 0.4 else ("plain", 1.0)))
        high = u(0.7, 1.2)
        for side in ("left", "right"):
            scene.panel(side, (-3, scene.end), (0, high), band, out=0.005)
            scene.slab(side, (-1, scene.end), (high, high + 0.06), 0.03, tones.paint(tones.dark()))
    else:
        skirting = tones.paint(tones.dark())
        for side in ("left", "right"):
            scene.slab(side, (-1, scene.end), (0, 0.13), 0.03, skirting)
    if rng.random() < 0.3:
        half = u(0.25, 0.35) * (scene.right - scene.left)
        scene.panel("floor", (-half, half), (-2, scene.end - 0.5), tones.paint(tones.accent(), "carpet"), out=0.004)
    leaf, frame = tones.paint(tones.mid() if rng.random() < 0.5 else tones.board), tones.paint(tones.light())
    step, start = u(2.4, 3.6), u(1.6, 2.6)
    for side in ("left", "right"):
        for at in np.arange(start + u(0, 1.0), scene.end - 0.8, step)[::-1]:
            f.door(scene, tones, side, float(at), leaf, frame)
            gap = float(at) + step / 2
            if gap < scene.end - 0.6 and rng.random() < 0.35:
                f.picture(scene, tones, side, gap, u(1.4, 1.7), u(0.5, 0.8), u(0.4, 0.7))
    if rng.random() < 0.5:
        f.window(scene, tones, "back", (-0.5, 0.5), (0.6, 2.0), shine=1.3)
    else:
        f.door(scene, tones, "back", 0.0, leaf, frame, wide=1.3)
    spots = np.linspace(1.5, scene.end - 1, int(scene.end / u(2.5, 3.6)))
    f.ceiling_lamps(scene, tones, [(0.0, float(z)) for z in spots[::-1]][-6:], 0.5)
    for _ in range(rng.integers(0, 3)):
        x = rng.choice([scene.left + 0.3, scene.right - 0.3])
        rng.choice([f.plant, f.bin_, f.carton])(scene, tones, float(x), u(2.5, 8))
    return scene


def stairscase(tones: Palette) -> Scene:
    """A flight of stairs that goes up ahead, with banisters, to a landing."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (2.6, 4.2), (4.6, 5.8), (7.5, 9), eye=(1.3, 1.7), focal=(0.55, 0.75), lift=-0.12)
    wall = tones.wall()
    scene.shell(tones.floor(), wall, tones.ceiling())
    count, rise, run, z0 = int(rng.integers(11, 15)), u(0.16, 0.19), u(0.24, 0.32), u(1.7, 2.4)
    whole = rng.random() < 0.45
    x0 = scene.left if whole else scene.left + u(0.0, 0.25)
    x1 = scene.right if whole else x0 + u(1.4, 2.1)
    step, riser = (tones.wood(), tones.paint(tones.light())) if rng.random() < 0.5 else (tones.paint(), tones.paint())
    runner = tones.paint(tones.accent(), "carpet") if rng.random() < 0.45 else None
    top = count * rise
    z1 = z0 + count * run
    for k in reversed(range(count)):
        y, z = k * rise, z0 + k * run
        at = 50.0 + k  # before all else that stands here, and from the top down
        scene.box((x0, y, z), (x1, y + rise, z + run + 0.02), step, front=riser, side=riser, at=at, shade=False)
        scene.box((x0, y + rise - 0.035, z - 0.03), (x1, y + rise, z), step, at=at, shade=False)
        if runner is not None:
            a, b = x0 + 0.22 * (x1 - x0), x1 - 0.22 * (x1 - x0)
            for points in (
                [(a, y + rise, z - 0.03), (b, y + rise, z - 0.03), (b, y + rise, z + run), (a, y + rise, z + run)],
                [(a, y, z - 0.032), (b, y, z - 0.032), (b, y + rise, z - 0.032), (a, y + rise, z - 0.032)],
            ):
                scene.face(points, runner, at=at)
        if not whole:  # the side of the flight, down to the floor
            scene.face([(x1, 0, z), (x1, 0, z + run), (x1, y + rise, z + run), (x1, y + rise, z)], riser, at=at)
    scene.box((x0, top - 0.2, z1), (x1 if rng.random() < 0.5 else scene.right, top, scene.end), step, at=80, shade=False)
    middle = (x0 + x1) / 2
    if rng.random() < 0.55:
        f.window(scene, tones, "back", (middle - 0.5, middle + 0.5), (top + 0.7, min(top + 1.9, scene.top - 0.2)))
    else:
        f.picture(scene, tones, "back", middle, top + 1.2, 0.9, 0.7)
    rail, post = tones.wood(turn=True), tones.paint(tones.dark() if rng.random() < 0.6 else tones.white)
    thin, high = u(0.012, 0.03), u(0.85, 1.0)
    for x in (x0 + 0.06, x1 - 0.06):
        open_side = not (whole or x < middle)
        if open_side or whole:
            for k in reversed(range(count)):
                foot = (k + 1) * rise
                z = z0 + (k + 0.5) * run
                if open_side or rng.random() < 2:
                    scene.rod((x, foot, z), (x, foot + high - rise / 2, z), thin, post, at=z - 0.2)
        for k in reversed(range(count)):
            a, b = z0 + k * run, z0 + (k + 1) * run
            low, up = k * rise + high + rise / 2, (k + 1) * rise + high + rise / 2
            scene.rod((x, low, a), (x, up, b), 0.045, rail, at=a - 0.25)
        if open_side or whole:
            scene.box((x - 0.07, 0, z0 - 0.12), (x + 0.07, high + 0.25, z0 + 0.02), rail, at=z0 - 0.3)
            scene.ball((x, high + 0.32, z0 - 0.05), 0.1, rail, at=z0 - 0.31)
    if not whole:
        if rng.random() < 0.5:
            f.door(scene, tones, "back", (x1 + scene.right) / 2, tones.wood(), tones.paint(tones.light()), wide=0.8)
        if rng.random() < 0.5:
            f.plant(scene, tones, scene.right - 0.4, u(2.5, 4), size=1.1)
    scene.lamp((u(-0.5, 0.5), scene.top - 0.4, u(1, 2.5)), 1.6)
    scene.lamp((middle, scene.top - 0.5, scene.end - 1.5), 0.9)
    if rng.random() < 0.5:
        f.pendant(scene, tones, middle + u(-0.3, 0.3), z1 - 0.5, scene.top - u(0.8, 1.2))
    return scene


def _shelf(scene: Scene, tones: Palette, side: str, z: Span, deep: float, high: float, gap: float) -> None:
    """A bookcase against a side wall."""
    x0, x1 = (scene.left, scene.left + deep) if side == "left" else (scene.right - deep, scene.right)
    books = Paint(tones.accent(), tones.mid(), "spines", gap)
    wood = tones.wood()
    at = sum(z) / 2
    scene.box((x0, 0, z[0]), (x1, high, z[1]), wood, side=books, at=at)
    scene.box((x0, high, z[0] - 0.04), (x1 + 0.04 if side == "left" else x1, high + 0.1, z[1]), wood, at=at - 0.01)
    face = x1 + 0.02 if side == "left" else x0 - 0.02
    scene.face([(face, 0, z[0]), (face, 0, z[0] + 0.07), (face, high, z[0] + 0.07), (face, high, z[0])], wood, at=at)


def library(tones: Palette) -> Scene:
    """An aisle between bookcases, or a reading room with books on its walls."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (3.4, 5.5), (3.0, 4.0), (8, 13))
    scene.shell(tones.floor(("planks", "carpet", "checker", "stone")), tones.wall(), tones.ceiling())
    high, gap, deep = min(u(2.3, 3.0), scene.top - 0.2), u(0.34, 0.42), u(0.35, 0.6)
    length = u(1.8, 3.0)
    for side in ("left", "right"):
        for z in np.arange(u(-1.2, -0.2), scene.end - 1.0, length + u(0.05, 0.5))[::-1]:
            _shelf(scene, tones, side, (float(z), min(float(z) + length, scene.end)), deep, high, gap)
    x0, x1 = scene.left + deep, scene.right - deep
    if rng.random() < 0.6:
        books = Paint(tones.accent(), tones.dark(), "spines", gap)
        scene.panel("back", (x0, x1), (0, high), books, out=0.3)
        scene.slab("back", (x0, x1), (high, high + 0.1), 0.35, tones.wood())
    else:
        f.window(scene, tones, "back", (-0.7, 0.7), (1.0, scene.top - 0.5), shine=1.2)
    kind = rng.integers(3)
    if kind == 0:  # reading tables in a row, with lamps
        wide = u(0.4, 0.55)
        for z in np.arange(u(2.6, 3.2), scene.end - 1.5, u(2.0, 2.6))[::-1]:
            at = f.table(scene, tones, (-wide, wide), (float(z), float(z) + 1.2), 0.76)
            for lz in (float(z) + 0.9, float(z) + 0.3):
                scene.lathe(0, lz, [(0.76, 0.07), (0.79, 0.02), (1.05, 0.02)], tones.paint(tones.metal()), at=at - 0.2)
                scene.lathe(0, lz, [(1.02, 0.17), (1.18, 0.08)], f.lamp_paint(tones, 1.2), at=at - 0.21)
            for x in (-wide - 0.3, wide + 0.3):
                f.chair(scene, tones, x, float(z) + 0.6, tones.wood())
    elif kind == 1:  # a ladder
        x = x0 + 0.35
        z = u(2.0, 3.5)
        rail = tones.wood(turn=True)
        for dz in (0.45, 0.0):
            scene.rod((x, 0, z + dz), (x0 + 0.05, high, z + dz), 0.03, rail, at=z - 1.5)
        for k in range(1, 9):
            t = k / 9
            y, xx = t * high, x + (x0 + 0.05 - x) * t
            scene.rod((xx, y, z), (xx, y, z + 0.45), 0.02, rail, at=z - 1.5)
    else:  # low stacks of books and a cart
        for _ in range(3):
            x, z = u(x0 + 0.3, x1 - 0.3), u(2.5, 6)
            for k in range(rng.integers(2, 6)):
                scene.box((x - 0.16, k * 0.07, z - 0.12), (x + u(0.1, 0.18), k * 0.07 + 0.065, z + 0.12),
                          tones.paint(tones.accent()), at=z - 0.01 * k)  # fmt: skip
    f.ceiling_lamps(scene, tones, [(0.0, float(z)) for z in np.arange(2, scene.end, 2.6)][::-1][-4:], 0.7)
    return scene


def bathroom(tones: Palette) -> Scene:
    """A tub along one wall, a basin under a mirror, a toilet; tiles."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (2.5, 3.2), (2.4, 2.7), (3.3, 4.0), eye=(1.4, 1.7), focal=(0.5, 0.62), lift=0.04)
    tiles = Paint(tones.light(), tones.mid() * 0.5, "tiles", u(0.15, 0.3))
    scene.shell(tones.floor(("tiles", "checker")), tiles, tones.ceiling())
    if rng.random() < 0.5:
        for wall in ("left", "right", "back"):
            span = (scene.left, scene.right) if wall == "back" else (-3.0, scene.end)
            scene.panel(wall, span, (1.5, scene.top), tones.paint(tones.light()), out=0.004)
            scene.panel(wall, span, (1.42, 1.5), tones.paint(tones.accent()), out=0.006)
    ware = tones.paint(tones.white if rng.random() < 0.75 else tones.light())
    hollow = Paint(ware.colour * np.float32(0.62), ware.second)
    metal = tones.paint(tones.metal())
    # The tub, along the left wall.
    x0, x1, z1, z0, high = scene.left, scene.left + u(0.75, 0.9), scene.end, scene.end - u(1.7, 2.1), u(0.5, 0.6)
    apron = ware if rng.random() < 0.6 else tones.paint(tones.mid(), "tiles", 0.2)
    at = scene.box((x0, 0, z0), (x1, high, z1), apron, top=ware, at=(z0 + z1) / 2 + 0.3)
    turns = np.linspace(0, 2 * math.pi, 22, endpoint=False)
    cx, cz = (x0 + x1) / 2, (z0 + z1) / 2

    def oval(grow: float, y: float, shift: float = 0.0) -> list[tuple[float, float, float]]:
        rx, rz = (x1 - x0) / 2 * grow, (z1 - z0) / 2 * (grow + 0.06)
        return [
            (cx + rx * np.sign(math.cos(a)) * abs(math.cos(a)) ** 0.6, y,
             cz + shift + rz * np.sign(math.sin(a)) * abs(math.sin(a)) ** 0.6)
            for a in turns
        ]  # fmt: skip

    scene.face(oval(0.84, high + 0.001), hollow, at=at)
    bath = tones.paint(tones.sky(), "water", 0.8) if rng.random() < 0.5 else tones.paint(ware.colour * np.float32(0.85))
    scene.face(oval(0.72, high - 0.12, -0.03), bath, at=at)
    scene.rod((cx, high + 0.25, z1 - 0.02), (cx, high + 0.25, z1 - 0.2), 0.03, metal, at=at - 0.1)
    scene.rod((cx, high + 0.25, z1 - 0.2), (cx, high + 0.15, z1 - 0.2), 0.025, metal, at=at - 0.1)
    if rng.random() < 0.6:  # shower curtain on its bar
        cloth = tones.paint(tones.accent(), "pleats", 0.12)
        y1 = min(2.1, scene.top - 0.1)
        scene.rod((x1, y1, z0 - 0.1), (x1, y1, z1), 0.02, metal, at=at - 0.3)
        z_open = z1 - u(0.35, 0.7)
        scene.face([(x1, 0.3, z_open), (x1, 0.3, z1), (x1, y1, z1), (x1, y1, z_open)], cloth, at=at - 0.29)
    else:
        scene.rod((cx, 2.0, z1 - 0.05), (cx, high + 0.3, z1 - 0.05), 0.015, metal, at=at - 0.1)
        scene.lathe(cx, z1 - 0.2, [(1.93, 0.13), (2.0, 0.03)], metal, at=at - 0.15)
    # Basin and mirror on the back wall.
    bx = x1 + u(0.45, 0.6)
    wide = u(0.28, 0.38)
    if rng.random() < 0.5:
        scene.lathe(bx, z1 - 0.2, [(0, 0.14), (0.15, 0.08), (0.7, 0.09)], ware, at=z1 - 0.2)
    else:
        scene.box((bx - wide, 0, z1 - 0.45), (bx + wide, 0.7, z1), tones.paint(tones.mid(), "doors", wide), at=z1 - 0.2)
    scene.box((bx - wide, 0.7, z1 - 0.5), (bx + wide, 0.85, z1), ware, at=z1 - 0.25, shade=False)
    scene.face([(bx + wide * 0.75 * math.cos(a), 0.852, z1 - 0.24 + 0.17 * math.sin(a)) for a in turns], hollow,
               at=z1 - 0.26)  # fmt: skip
    scene.rod((bx, 0.85, z1 - 0.06), (bx, 1.02, z1 - 0.06), 0.022, metal, at=z1 - 0.27)
    scene.rod((bx, 1.02, z1 - 0.06), (bx, 1.0, z1 - 0.22), 0.02, metal, at=z1 - 0.28)
    glass = Paint(tones.sky() * np.float32(0.55), tones.sky(), "mirror", 0.7, glow=0.5)
    mirror = (bx - u(0.3, 0.45), bx + u(0.3, 0.45))
    scene.slab("back", (mirror[0] - 0.05, mirror[1] + 0.05), (1.15, 2.05), 0.03, tones.paint(tones.metal()))
    scene.panel("back", mirror, (1.2, 2.0), glass, out=0.04)
    scene.slab("back", (mirror[0], mirror[1]), (2.1, 2.18), 0.1, f.lamp_paint(tones))
    scene.lamp((bx, 2.1, z1 - 0.5), 0.6)
    # Toilet by the right wall.
    tz, tx = z1 - u(0.35, 0.6), scene.right - 0.3
    at = scene.box((tx - 0.22, 0.4, tz + 0.1), (tx + 0.22, 0.85, tz + 0.3), ware, at=tz)
    scene.box((tx - 0.24, 0.85, tz + 0.08), (tx + 0.24, 0.89, tz + 0.3), ware, at=tz - 0.01)
    front = tz - 0.18
    scene.lathe(tx, front, [(0, 0.17), (0.2, 0.14), (0.4, 0.24)], ware, at=tz - 0.1)
    scene.shadow(tx - 0.2, tx + 0.2, front - 0.2, tz + 0.3, 0.6)
    for grow, paint in ((1.0, ware), (0.68, hollow)):
        points = [(tx + 0.24 * grow * math.cos(a), 0.42, front + 0.3 * grow * math.sin(a)) for a in turns]
        scene.face(points, paint, at=tz - 0.15)
    # Small things.
    if rng.random() < 0.6:
        z = u(1.6, 2.6)
        scene.slab("right", (z, z + 0.6), (0.9, 1.5), 0.05, tones.paint(tones.accent(), "stripes", 0.2))
    if rng.random() < 0.6:
        x = u(-0.1, 0.2)
        f.rug(scene, tones, (x, x + 0.7), (z1 - 1.5, z1 - 0.9))
    if rng.random() < 0.4:
        f.bin_(scene, tones, scene.right - 0.25, z1 - 1.4)
    if rng.random() < 0.5:
        f.window(scene, tones, "left", (z0 + 0.3, z0 + 1.2), (1.4, 2.1))
    f.ceiling_lamps(scene, tones, [(u(-0.3, 0.3), u(1.2, 2.0))], 1.0)
    return scene


def auditorium(tones: Palette) -> Scene:
    """Rows of seats that fall towards a stage with a curtain, a screen or a speaker's desk."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (9, 14), (4.5, 6.0), (13, 16), eye=(1.7, 2.3), focal=(0.6, 0.8), aside=0.1, floor=-2.2)
    ground = tones.floor(("carpet", "planks", "stone"))
    scene.shell(ground, tones.wall(("plain", "stripes", "planks", "stone")), tones.ceiling())
    front, slope = scene.end - u(4.2, 5.0), u(0.16, 0.22)

    def level(z: float) -> float:
        return -slope * max(min(z, front), -2.0)

    low = level(front)
    wide = scene.right
    scene.face([(-wide, level(-2), -2), (wide, level(-2), -2), (wide, low, front), (-wide, low, front)], ground,
               layer=SHELL)  # fmt: skip
    scene.face([(-wide, low, front), (wide, low, front), (wide, low, scene.end), (-wide, low, scene.end)], ground,
               layer=SHELL)  # fmt: skip
    for side in ("left", "right"):  # wall panels and lamps between them
        for z in np.arange(1.5, front + 1, u(1.8, 2.4))[::-1]:
            scene.slab(side, (float(z), float(z) + 0.9), (low + 1.0, scene.top - 0.8), 0.12, tones.wood())
    stage = low + u(0.6, 0.9)
    edge = front + 1.6
    floor = Paint(tones.board, tones.board * 0.5, "planks", 0.2, turn=True, gloss=0.3)
    scene.box((-wide, low, edge), (wide, stage, scene.end), tones.wood(), top=floor, layer=FITTED)
    half, top = wide * u(0.62, 0.8), scene.top - u(0.5, 1.0)
    cloth = tones.paint(tones.accent(), "pleats", u(0.25, 0.4))
    scene.panel("back", (-half, half), (stage, top), cloth if rng.random() < 0.5 else tones.paint(tones.dark()), out=0.01)
    if rng.random() < 0.65:
        screen = Paint(tones.sky(), tones.mid(), str(rng.choice(["view", "plain", "stone"])), 1.5, glow=u(1.2, 2.2))
        scene.panel("back", (-half * 0.6, half * 0.6), (stage + 0.7, top - 0.3), tones.paint(tones.dark() * 0.2), out=0.02)
        scene.panel("back", (-half * 0.56, half * 0.56), (stage + 0.8, top - 0.4), screen, out=0.03)
        scene.lamp((0, (stage + top) / 2, scene.end - 1), 0.8)
    for sign in (-1, 1):  # the drawn curtain and its pelmet
        a, b = sorted((sign * half, sign * half * u(0.62, 0.75)))
        z = scene.end - 0.6
        scene.face([(a, stage, z), (b, stage, z), (b, top, z), (a, top, z)], cloth, layer=FITTED)
        a, b = sorted((sign * half, sign * wide))
        scene.face([(a, low, edge), (b, low, edge), (b, scene.top, edge), (a, scene.top, edge)], tones.wood(), layer=FITTED)
    z = scene.end - 0.65
    scene.face([(-half, top - 0.5, z), (half, top - 0.5, z), (half, top, z), (-half, top, z)], cloth, layer=FITTED)
    z = edge - 0.02
    scene.face([(-wide, top, z), (wide, top, z), (wide, scene.top, z), (-wide, scene.top, z)], tones.wood(), layer=FITTED)
    if rng.random() < 0.6:  # a speaker's desk
        x = u(-0.5, 0.5) * half
        scene.box((x - 0.35, stage, edge + 0.6), (x + 0.35, stage + 1.1, edge + 1.0), tones.wood(), at=edge + 0.8)
    seat, rim = tones.accent() if rng.random() < 0.7 else tones.mid(), tones.paint(tones.board)
    aisle = u(0.5, 0.7) if rng.random() < 0.6 else 0.0
    pitch, gap = u(0.62, 0.75), u(0.95, 1.15)
    for z in np.arange(u(1.3, 1.8), front, gap)[::-1]:
        z, y = float(z), level(float(z))
        reach = min(wide - 0.5, 1.0 + 0.95 * z)
        places = np.arange(aisle + pitch / 2, reach, pitch)
        for x in sorted((*places, *(-places)), key=lambda x: -abs(x - scene.eye[0])):
            shade = Paint((seat * u(0.85, 1.15)).astype(np.float32), seat, "carpet")
            a, b = float(x) - pitch * 0.43, float(x) + pitch * 0.43
            back = [(a, y + 0.1, z), (b, y + 0.1, z), (b, y + 0.75, z), (b - 0.1, y + 0.95, z), (a + 0.1, y + 0.95, z),
                    (a, y + 0.75, z)]  # fmt: skip
            at = scene._distance(float(x), y + 0.5, z)
            scene.face([(p, q - 0.02, r + 0.12) for p, q, r in back], rim, at=at + 0.02)
            scene.face(back, shade, at=at)
            scene.face([(a + 0.1, y + 0.95, z), (b - 0.1, y + 0.95, z), (b - 0.1, y + 0.93, z + 0.12),
                        (a + 0.1, y + 0.93, z + 0.12)], Paint(np.minimum(seat * 1.6, 1), seat), at=at - 0.01)  # fmt: skip
    spots = [(x, z) for z in (7.0, 3.5) for x in (-wide / 2, wide / 2)]
    f.ceiling_lamps(scene, tones, spots, 0.9)
    scene.lamp((0, scene.top - 0.6, edge), 1.2)
    return scene


def bowling(tones: Palette) -> Scene:
    """Polished lanes between gutters that run to the pins; balls on their return in front."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (7.5, 9.5), (3.0, 3.8), (11, 13), eye=(1.5, 1.9), focal=(0.75, 1.0), aside=0.08)
    scene.shell(Paint(tones.board, tones.board * 0.5, "planks", 0.14, gloss=u(0.3, 0.6)), tones.wall(), tones.ceiling())
    z0, z1 = u(1.8, 2.6), scene.end - 1.4
    lane, gutter = u(1.05, 1.25), 0.26
    pitch = lane + 2 * gutter + 0.12
    plank = Paint(tones.tone((0.65, 0.95), (0.1, 0.5)), tones.board * 0.5, "planks", lane / 12, gloss=u(0.35, 0.8))
    dip, mark = tones.paint(tones.tone((0.08, 0.25), (0, 0.4))), tones.paint(tones.tone((0.1, 0.3), (0, 0.8)))
    start = u(-0.5, 0.5) * pitch
    lanes = [start + k * pitch for k in range(-4, 5) if abs(start + k * pitch) < scene.right - lane / 2]
    scene.panel("floor", (scene.left, scene.right), (z0 - 0.05, z0), mark, out=0.003)
    for x in lanes:
        scene.panel("floor", (x - lane / 2 - gutter, x + lane / 2 + gutter), (z0, z1 + 1), dip, out=0.003)
        scene.panel("floor", (x - lane / 2, x + lane / 2), (z0, z1 + 1), plank, out=0.006)
        for k in range(-3, 4):  # aiming arrows
            ax, az = x + k * lane / 7.5, z0 + 2.2 - abs(k) * 0.22
            scene.face([(ax - 0.045, 0.008, az), (ax, 0.008, az + 0.35), (ax + 0.045, 0.008, az)], mark, layer=FITTED)
    # The pit at the end: dark, pins in front, a lit panel above.
    over = u(1.0, 1.2)
    scene.panel("back", (scene.left, scene.right), (0, over), tones.paint(tones.tone((0.05, 0.2), (0, 0.5))), out=0.01)
    motif = Paint(tones.accent(), tones.light(), str(rng.choice(["view", "checker", "stripes", "dots", "plain"])), u(0.5, 1),
                  glow=u(0.5, 1.3))  # fmt: skip
    scene.box((scene.left, over, z1 - 0.1), (scene.right, u(2.1, 2.5), z1), motif, at=z1 + 0.5)
    pin, ring = Paint(tones.tone((0.95, 1), (0, 0.08)), tones.white, glow=0.5), tones.paint(tones.accent())
    for x in lanes:
        standing = rng.random() < 0.85
        for row in reversed(range(4)):
            for k in range(row + 1):
                if not standing and rng.random() < 0.6:
                    continue
                px, pz = x + (k - row / 2) * 0.27, z1 + 0.1 + row * 0.22
                profile = [(0, 0.05), (0.16, 0.1), (0.34, 0.055), (0.42, 0.045), (0.5, 0.065), (0.55, 0.03)]
                scene.lathe(px, pz, profile, pin, at=pz)
        scene.lamp((x, over, z1 - 0.3), 0.12) if len(scene.lamps) < 3 else None
    for x in [a + pitch / 2 for a in lanes]:  # dividers with return rails
        scene.box((x - 0.06, 0, z0 + 0.3), (x + 0.06, 0.06, z1), tones.paint(tones.metal()), layer=FITTED)
    if rng.random() < 0.75:  # ball return
        x, z = lanes[len(lanes) // 2] + pitch / 2 * rng.choice([-1, 1]), z0 - 0.1
        body = tones.paint(tones.dark())
        at = scene.box((x - 0.25, 0, z - 0.5), (x + 0.25, 0.42, z + 0.4), body)
        scene.box((x - 0.3, 0.42, z - 0.6), (x + 0.3, 0.5, z + 0.5), tones.paint(tones.metal()), at=at - 0.01, shade=False)
        for k in range(rng.integers(3, 7)):
            bx, bz = x + (k % 2 - 0.5) * 0.28, z + 0.35 - 0.15 * k
            scene.ball((bx, 0.62, bz), 0.125, tones.paint(tones.accent()), at=at - 0.1 - 0.02 * k)
    if rng.random() < 0.6:  # a ball on its way
        x = float(rng.choice(lanes))
        z = u(z0 + 0.5, z0 + 3)
        scene.shadow(x - 0.1, x + 0.1, z - 0.1, z + 0.1, 0.2)
        scene.ball((x + u(-0.2, 0.2), 0.13, z), 0.13, tones.paint(tones.accent()))
    if rng.random() < 0.6:  # score screens
        for x in lanes:
            screen = tones.paint(tones.sky(), "checker", 0.2, glow=1.2)
            scene.box((x - 0.4, scene.top - 0.75, z0 + 0.6), (x + 0.4, scene.top - 0.2, z0 + 0.7), tones.paint(tones.dark()),
                      front=screen, at=z0 + 0.6, shade=False)  # fmt: skip
    f.ceiling_lamps(scene, tones, [(x, z) for z in (6.5, 3.0) for x in (-1.8, 1.8)], 0.7)
    return scene


def greenhouse(tones: Palette) -> Scene:
    """A gabled house of glass, with plants on benches on both sides of a path."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (4.2, 6.0), (3.6, 4.6), (9, 14), eye=(1.45, 1.8))
    rib = tones.white if rng.random() < 0.5 else tones.dark()
    glass = Paint(tones.sky(), rib, "panes", u(0.5, 0.8), glow=u(0.7, 1.2))
    scene.shell(tones.floor(("stone", "bricks", "tiles", "plain")), glass, glass)
    eaves, ridge, x0, x1, z1 = u(2.0, 2.5), scene.top, scene.left, scene.right, scene.end
    climb = math.hypot(x1, ridge - eaves)
    bar = tones.paint(rib)
    for x in (x0, x1):
        down = ((0.0, 0.0, 1.0), (-x / climb, (ridge - eaves) / climb, 0.0))
        scene.face([(x, eaves, -3), (x, eaves, z1), (0, ridge, z1), (0, ridge, -3)], glass, layer=SHELL, axes=down,
                   origin=(x, eaves, 0))  # fmt: skip
    low = u(0.5, 0.8)
    base = tones.paint(tones.mid(), "bricks" if rng.random() < 0.6 else "plain", 0.35)
    for wall in ("left", "right"):
        scene.panel(wall, (-3, z1), (0, low), base, out=0.01)
    scene.panel("back", (x0, x1), (0, low), base, out=0.01)
    f.door(scene, tones, "back", 0.0, Paint(glass.colour, rib, "panes", 0.5, glow=0.8), bar)
    for z in np.arange(z1, 0.4, -u(1.4, 2.2)):  # trusses
        z = float(z) - 0.02
        for x in (x0, x1):
            scene.rod((x * 0.99, 0, z), (x * 0.99, eaves, z), 0.045, bar, layer=FITTED)
            scene.rod((x * 0.99, eaves, z), (0, ridge, z), 0.045, bar, layer=FITTED)
        if rng.random() < 0.8:
            scene.rod((x0, eaves, z), (x1, eaves, z), 0.025, bar, layer=FITTED)
    scene.rod((0, ridge - 0.03, 0.3), (0, ridge - 0.03, z1), 0.06, bar, layer=FITTED)
    deep, high = (x1 - x0) * u(0.24, 0.3), u(0.6, 0.85)
    bench = tones.wood() if rng.random() < 0.5 else tones.paint(tones.metal())
    step = u(0.65, 0.9)
    for sign in (-1, 1):
        a, b = sorted((sign * x1, sign * (x1 - deep)))
        for z in np.arange(0.6, z1 - step, step)[::-1]:
            z = float(z)
            at = z + 0.6
            scene.box((a, high - 0.08, z), (b, high, z + step), bench, at=at, shade=False)
            edge = b - 0.06 if sign < 0 else a
            scene.box((edge, 0, z + step / 2), (edge + 0.06, high, z + step / 2 + 0.06), bench, at=at + 0.01, shade=False)
            for k in range(2):
                x = sign * (x1 - deep * (0.72 - 0.45 * k))
                f.plant(scene, tones, x, z + u(0.2, 0.5), y=high, size=u(0.55, 1.0), leaves=10)
        scene.shadow(a, b, 0.3, z1, high)
    if rng.random() < 0.5:
        for z in np.arange(2.5, z1, u(1.8, 2.6))[::-1]:
            x, y = u(-0.4, 0.4), u(2.0, 2.4)
            scene.rod((x, y + 0.3, float(z)), (x, ridge, float(z)), 0.01, bar, at=float(z) + 0.1)
            f.plant(scene, tones, x, float(z), y=y, size=0.6, leaves=12)
    scene.lamp((u(-1, 1), ridge - 0.6, 3.0), 1.5)
    scene.lamp((0, ridge - 0.6, z1 - 2), 1.2)
    return scene


def winecellar(tones: Palette) -> Scene:
    """A vault with casks lying on both sides, or racks of bottles."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (3.6, 4.8), (2.9, 3.5), (8, 12), eye=(1.4, 1.7))
    kind = "bricks" if rng.random() < 0.6 else "stone"
    masonry = Paint(tones.light(), tones.mid() * 0.6, kind, u(0.35, 0.5) if kind == "bricks" else 1.0)
    scene.shell(tones.floor(("stone", "tiles", "bricks", "plain")), masonry, masonry)
    # The vault: a half barrel from the side walls' spring line up to the ceiling.
    spring, wide, z1 = u(1.2, 1.7), scene.right, scene.end
    rise, strips = scene.top - spring, 10
    arc = [(wide * math.cos(a), spring + rise * math.sin(a)) for a in np.linspace(0, math.pi, strips + 1)]
    walked = 0.0
    for (xa, ya), (xb, yb) in zip(arc, arc[1:], strict=False):
        piece = math.hypot(xb - xa, yb - ya)
        axes = ((0.0, 0.0, 1.0), ((xb - xa) / piece, (yb - ya) / piece, 0.0))
        start = (xa - axes[1][0] * walked, ya - axes[1][1] * walked, 0.0)
        scene.face([(xa, ya, -3), (xa, ya, z1), (xb, yb, z1), (xb, yb, -3)], masonry, layer=SHELL, axes=axes, origin=start)
        walked += piece
    rib = tones.paint(tones.mid(), "bricks", 0.3)
    for z in np.arange(z1 - 0.4, 1.0, -u(1.8, 2.6)):  # arches
        z = float(z)
        for (xa, ya), (xb, yb) in zip(arc, arc[1:], strict=False):
            inner = [(x * 0.92, spring + (y - spring) * 0.92) for x, y in ((xb, yb), (xa, ya))]
            scene.face([(xa, ya, z), (xb, yb, z), *((x, y, z) for x, y in inner)], rib, layer=FITTED)
    cask, hoop = tones.board if rng.random() < 0.6 else tones.mid(), tones.metal() * np.float32(0.5)
    side_paint = Paint(cask, hoop, "planks", 0.12)
    racks = rng.integers(4)  # 0: bottles left, 1: bottles right, else casks on both sides
    radius = u(0.36, 0.46)
    for number, sign in enumerate((-1, 1)):
        if racks == number:
            gap = u(0.11, 0.15)
            x = sign * (wide - 0.45)
            rack = Paint(tones.board, tones.dark() * 0.6, "bottles", gap)
            for z in np.arange(0.3, z1 - 0.5, 1.5)[::-1]:
                z = float(z)
                lo, hi = sorted((x, sign * wide))
                scene.box((lo, 0, z), (hi, 1.9, z + 1.4), tones.wood(), side=rack, at=z + 0.7)
            continue
        x = sign * (wide - radius * u(1.1, 1.25))
        for z in np.arange(u(1.0, 1.5), z1 - 0.5, radius * 2.25)[::-1]:
            z = float(z)
            for y, tier in ((radius + 0.12, 0), (radius * 2.85 + 0.12, 1), (radius * 4.6 + 0.12, 2)):
                if tier and (rng.random() < 0.15 or y + radius > spring + rise * 0.6):
                    continue
                _cask(scene, tones, x, y, z, radius, side_paint, hoop, sign, tier)
        scene.shadow(x - radius, x + radius, 0.8, z1 - 0.3, 1.0)
    if rng.random() < 0.5:
        f.door(scene, tones, "back", 0.0, tones.wood(), rib)
    else:
        for y, row in ((radius + 0.1, 3), (radius * 2.8, 2)):
            for k in range(row):
                x = (k - (row - 1) / 2) * radius * 2.1
                centre, stop = (x, y, z1 - 0.8), (x, y, z1)
                scene.cylinder(centre, stop, radius, side_paint, cap=Paint(cask, hoop, "ends", radius))
    if rng.random() < 0.35:  # an upright cask with a candle or a bottle on it
        x, z = u(-0.5, 0.5), u(2.2, 3.2)
        scene.shadow(x - 0.3, x + 0.3, z - 0.3, z + 0.3, 0.8)
        at = scene._distance(x, 0.4, z)
        scene.lathe(x, z, [(0, 0.25), (0.4, 0.31), (0.8, 0.25)], Paint(cask, hoop, "planks", 0.1), at=at)
        scene.lathe(x, z, [(0.8, 0.05), (1.0, 0.05), (1.1, 0.018), (1.2, 0.018)], tones.paint(tones.accent()), at=at - 0.01)
    for z in np.arange(2.0, z1, u(2.4, 3.2))[::-1][-3:]:
        scene.ball((0, scene.top - 0.3, float(z)), 0.12, f.lamp_paint(tones, 3.0))
        scene.lamp((0, scene.top - 0.5, float(z)), 0.8)
    return scene


def _cask(
    scene: Scene, tones: Palette, x: float, y: float, z: float, radius: float, paint: Paint, hoop: np.ndarray, sign: int,
    tier: int,
) -> None:  # fmt: skip
    """A cask that lies across the room with its head to the aisle."""
    head = x - sign * radius * 0.9
    tail = sign * scene.right
    at = scene._distance(x, y, z)
    turns = np.linspace(0, 2 * math.pi, 17)
    ring = [(y + radius * math.sin(a), z + radius * math.cos(a)) for a in turns]
    belt = Paint(hoop, hoop)
    for (ya, za), (yb, zb) in zip(ring, ring[1:], strict=False):
        my, mz = (ya + yb) / 2 - y, (za + zb) / 2 - z
        if my * (scene.eye[1] - ya) + mz * (scene.eye[2] - za) <= 0:
            continue
        bulge = ((x, y, z), (1, 0, 0), radius)
        scene.face([(head, ya, za), (tail, ya, za), (tail, yb, zb), (head, yb, zb)], paint, at=at, bulge=bulge)
        for start in (0.08, 0.35):
            a, b = head + sign * radius * start, head + sign * radius * (start + 0.14)
            scene.face([(a, ya, za), (b, ya, za), (b, yb, zb), (a, yb, zb)], belt, at=at, bulge=bulge)
    points = [(head, a, b) for a, b in ring[:-1]]
    scene.face(points, Paint(paint.colour, hoop, "ends", radius), at=at, origin=(head, y, z))


def bedroom(tones: Palette) -> Scene:
    """A bed with its headboard on the back wall, pillows, bedside tables with lamps, a window."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (3.8, 5.2), (2.5, 2.9), (4.6, 5.8), eye=(1.4, 1.75), focal=(0.5, 0.65), lift=0.05)
    scene.shell(tones.floor(("planks", "carpet", "tiles")), tones.wall(("plain", "stripes", "dots", "stone")),
                tones.ceiling())  # fmt: skip
    x, half, z1 = u(-0.5, 0.5), u(0.75, 1.0), scene.end
    z0 = z1 - u(2.0, 2.2)
    if rng.random() < 0.7:
        f.rug(scene, tones, (x - half - u(0.3, 0.6), x + half + u(0.3, 0.6)), (z0 - u(0.4, 0.8), z0 + 1.0))
    wood = tones.wood()
    at = (z0 + z1) / 2
    head = tones.paint(tones.accent(), "plain") if rng.random() < 0.5 else wood
    scene.box((x - half - 0.06, 0, z1 - 0.1), (x + half + 0.06, u(0.95, 1.35), z1), head, at=at + 1)
    scene.box((x - half, 0.08, z0), (x + half, 0.32, z1), wood, at=at + 0.02)
    sheet = tones.paint(tones.white)
    scene.box((x - half + 0.02, 0.32, z0 + 0.02), (x + half - 0.02, 0.52, z1 - 0.1), sheet, at=at + 0.01)
    cloth = tones.paint(tones.accent(), str(rng.choice(["plain", "stripes", "dots", "checker", "carpet"])), u(0.2, 0.4))
    scene.box((x - half - 0.03, u(0.15, 0.28), z0 - 0.03), (x + half + 0.03, 0.57, z1 - u(0.75, 0.95)), cloth, at=at)
    fold = z1 - 0.95
    scene.box((x - half - 0.04, 0.3, fold), (x + half + 0.04, 0.6, fold + 0.25), sheet, at=at - 0.01, shade=False)
    for sign in (-1, 1):
        px = x + sign * half * 0.48
        pillow = sheet if rng.random() < 0.6 else tones.paint(tones.light())
        _pillow(scene, px, 0.55, z1 - 0.32, half * 0.42, 0.2, pillow, at - 0.05)
        if rng.random() < 0.5:
            _pillow(scene, px * 0.9, 0.55, z1 - 0.5, half * 0.28, 0.15, tones.paint(tones.accent()), at - 0.06)
        tx = x + sign * (half + 0.38)
        if abs(tx) < scene.right - 0.25:
            chest = scene.box((tx - 0.24, 0, z1 - 0.45), (tx + 0.24, 0.5, z1), wood, at=z1 - 0.3)
            scene.panel("back", (tx - 0.2, tx + 0.2), (0.28, 0.44), tones.wood(), out=0.455)
            scene.lathe(tx, z1 - 0.25, [(0.5, 0.08), (0.55, 0.03), (0.72, 0.03)], tones.paint(tones.metal()), at=chest - 0.1)
            lit = rng.random() < 0.7
            shade = f.lamp_paint(tones, 1.6) if lit else tones.paint(tones.light())
            scene.lathe(tx, z1 - 0.25, [(0.7, 0.19), (0.98, 0.11)], shade, at=chest - 0.11)
            if lit:
                scene.lamp((tx, 1.0, z1 - 0.35), 0.35)
    if rng.random() < 0.75:
        f.picture(scene, tones, "back", x, u(1.7, 1.9), u(0.7, 1.3), u(0.5, 0.7))
    wall = _wall(tones)
    z = u(1.8, 2.6)
    f.window(scene, tones, wall, (z, z + u(1.0, 1.4)), (0.9, 2.1))
    if rng.random() < 0.8:
        f.curtains(scene, tones, wall, (z, z + 1.2), (0.1, 2.25))
    other = "right" if wall == "left" else "left"
    kind = rng.integers(3)
    if kind == 0:  # a wardrobe
        a = u(1.8, 2.6)
        x0, x1 = (scene.left, scene.left + 0.6) if other == "left" else (scene.right - 0.6, scene.right)
        front = Paint(tones.board, tones.metal(), "doors", 0.55)
        scene.box((x0, 0, a), (x1, 2.1, a + 1.65), tones.wood(), side=front, at=a + 0.8)
    elif kind == 1:
        f.plant(scene, tones, scene.right - 0.4 if other == "right" else scene.left + 0.4, u(2.2, 3), size=1.1)
    if rng.random() < 0.4:
        f.pendant(scene, tones, u(-0.4, 0.4), u(2.2, 2.8), scene.top - 0.6)
    else:
        f.ceiling_lamps(scene, tones, [(0.0, 2.2)], 1.0)
    return scene


def _pillow(scene: Scene, x: float, y: float, z: float, half: float, high: float, paint: Paint, at: float) -> None:
    """A cushion that leans against the headboard."""
    steps = np.linspace(0, 2 * math.pi, 20, endpoint=False)
    points = []
    for a in steps:
        c, s = math.cos(a), math.sin(a)
        dx, dy = half * np.sign(c) * abs(c) ** 0.45, high * np.sign(s) * abs(s) ** 0.55
        points.append((x + dx, y + high + dy, z + 0.5 * dy))
    scene.face(points, paint, at=at, bulge=((x, y + high * 0.8, z + 0.4), (1, 0, 0), 0.55))


def kitchen(tones: Palette) -> Scene:
    """Worktops over cabinets, a cooker under its hood, wall cabinets, a fridge, a table or an island."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (3.2, 4.4), (2.5, 2.9), (4.0, 5.2), eye=(1.45, 1.7), focal=(0.5, 0.66), lift=0.03)
    scene.shell(tones.floor(("tiles", "checker", "planks", "stone")), tones.wall(("plain", "plain", "stripes", "stone")),
                tones.ceiling())  # fmt: skip
    z1, x0, x1, high, deep = scene.end, scene.left, scene.right, 0.88, 0.6
    front = Paint(tones.board if rng.random() < 0.5 else tones.light(), tones.metal(), "doors", u(0.42, 0.55))
    body = Paint(front.colour, front.second)
    work = tones.paint(tones.mid(), "stone" if rng.random() < 0.6 else "wood")
    metal, dark = tones.paint(tones.metal()), tones.paint(tones.tone((0.05, 0.2), (0, 0.4)))
    splash = Paint(tones.light(), tones.mid(), "tiles" if rng.random() < 0.7 else "checker", u(0.1, 0.18))
    scene.panel("back", (x0, x1), (high, 1.5), splash, out=0.005)
    scene.panel("left", (1.0, z1), (high, 1.5), splash, out=0.005)
    # The row along the back wall, with cooker and hood; the row along the left wall.
    scene.box((x0, 0.1, z1 - deep), (x1, high - 0.04, z1), body, front=front, at=z1)
    scene.box((x0, high - 0.04, z1 - deep - 0.03), (x1, high, z1), work, at=z1 - 0.01, shade=False)
    near = u(1.2, 1.9)
    scene.box((x0, 0.1, near), (x0 + deep, high - 0.04, z1 - deep), body, side=front, at=z1 - 0.02)
    scene.box((x0, high - 0.04, near - 0.02), (x0 + deep + 0.03, high, z1 - deep), work, at=z1 - 0.03, shade=False)
    cx = u(-0.4, 0.5)
    scene.box((cx - 0.3, 0.05, z1 - deep - 0.02), (cx + 0.3, high + 0.01, z1 - deep), metal, at=z1 - 0.04)
    z = z1 - deep - 0.03
    scene.face([(cx - 0.23, 0.2, z), (cx + 0.23, 0.2, z), (cx + 0.23, 0.58, z), (cx - 0.23, 0.58, z)], dark, at=z1 - 0.05)
    scene.rod((cx - 0.24, 0.66, z - 0.02), (cx + 0.24, 0.66, z - 0.02), 0.018, tones.paint(tones.white), at=z1 - 0.06)
    for k in range(4):
        scene.ball((cx - 0.2 + 0.133 * k, 0.78, z), 0.028, dark, at=z1 - 0.06)
        scene.disc((cx - 0.14 + 0.28 * (k % 2), high + 0.012, z1 - 0.42 + 0.26 * (k // 2)), 0.1, dark, at=z1 - 0.06)
    if rng.random() < 0.7:
        px = cx + rng.choice([-0.14, 0.14])
        scene.lathe(px, z1 - 0.4, [(high + 0.02, 0.12), (high + 0.2, 0.12)], tones.paint(tones.accent()), at=z1 - 0.07)
    if rng.random() < 0.6:
        hood = [(1.6, 0.36), (1.68, 0.36), (1.95, 0.14), (scene.top, 0.14)]
        scene.face([(cx - r, y, z1 - 0.35) for y, r in hood] + [(cx + r, y, z1 - 0.35) for y, r in hood[::-1]], metal,
                   at=z1 - 0.05)  # fmt: skip
    else:
        scene.box((cx - 0.35, 1.55, z1 - 0.45), (cx + 0.35, 1.72, z1), metal, at=z1 - 0.05)
    # Wall cabinets and a window over the sink.
    low, top = 1.5, min(2.25, scene.top - 0.1)
    upper = Paint(front.colour, front.second, "doors", front.scale)
    where = _wall(tones)
    if where == "right":
        f.window(scene, tones, "back", (x0 + 0.25, cx - 0.55), (1.15, 2.05))
    else:
        scene.box((x0, low, z1 - 0.35), (cx - 0.42, top, z1), body, front=upper, at=z1 - 0.04, shade=False)
        f.window(scene, tones, "right", (1.8, 3.0), (1.0, 2.1))
    if x1 - cx > 1.2:
        scene.box((cx + 0.42, low, z1 - 0.35), (x1 - 0.75, top, z1), body, front=upper, at=z1 - 0.04, shade=False)
    scene.box((x0, low, near + 0.5), (x0 + 0.35, top, z1), body, side=upper, at=z1 - 0.05, shade=False)
    sx, sz = x0 + 0.3, (near + z1 - deep) / 2
    basin = [(sx - 0.2, high + 0.003, sz - 0.3), (sx + 0.2, high + 0.003, sz - 0.3), (sx + 0.2, high + 0.003, sz + 0.3),
             (sx - 0.2, high + 0.003, sz + 0.3)]  # fmt: skip
    scene.face(basin, Paint(metal.colour * np.float32(0.4), metal.second), at=z1 - 0.06)
    scene.rod((x0 + 0.08, high, sz), (x0 + 0.08, high + 0.3, sz), 0.02, metal, at=z1 - 0.07)
    scene.rod((x0 + 0.08, high + 0.3, sz), (x0 + 0.25, high + 0.26, sz), 0.018, metal, at=z1 - 0.07)
    for _ in range(rng.integers(1, 5)):  # jars
        jx, jz = (x0 + 0.2, u(near + 0.2, sz - 0.4)) if rng.random() < 0.5 else (u(cx + 0.4, x1 - 0.8), z1 - 0.2)
        h, r = u(0.12, 0.3), u(0.05, 0.09)
        scene.lathe(jx, jz, [(high, r), (high + h * 0.7, r), (high + h, r * 0.6)], tones.paint(tones.accent()), at=z1 - 0.08)
    # The fridge in the right corner.
    fridge = tones.paint(tones.white if rng.random() < 0.5 else tones.metal())
    fx, fz, fh = x1 - 0.7, z1 - 0.72, u(1.75, 2.0)
    scene.box((fx, 0, fz), (x1, fh, z1), fridge, at=z1 - 0.06)
    scene.box((fx - 0.01, fh * 0.36, fz - 0.015), (x1, fh * 0.36 + 0.025, fz), dark, at=z1 - 0.07, shade=False)
    for lo, hi in ((0.15, 0.32), (0.4, 0.62)):
        scene.rod((fx + 0.09, fh * lo, fz - 0.04), (fx + 0.09, fh * hi, fz - 0.04), 0.02, metal, at=z1 - 0.08)
    # A table, an island or nothing in the middle.
    kind = rng.integers(3)
    if kind == 0:
        tz, tx = u(1.9, 2.3), u(0.4, 0.8)
        at = f.table(scene, tones, (tx - 0.45, tx + 0.45), (tz, tz + 0.8), 0.74)
        for k in (-1, 1):
            f.chair(scene, tones, tx + 0.25 * k, tz + 0.9, tones.wood(), back="far")
        scene.lathe(tx, tz + 0.4, [(0.74, 0.08), (0.8, 0.18)], tones.paint(tones.accent()), at=at - 0.3)
    elif kind == 1:
        ix, iz = u(0.3, 0.6), z1 - deep - 1.6
        at = scene.box((ix - 0.5, 0.05, iz), (ix + 0.6, 0.86, iz + 0.6), body, front=front)
        scene.box((ix - 0.55, 0.86, iz - 0.05), (ix + 0.65, 0.91, iz + 0.65), work, at=at - 0.01, shade=False)
        for k in range(2):
            f.pendant(scene, tones, ix - 0.2 + 0.55 * k, iz + 0.3, scene.top - 0.75, power=0.4)
    f.ceiling_lamps(scene, tones, [(0.0, 2.0)], 1.1)
    return scene


def poolside(tones: Palette) -> Scene:
    """A pool in a tiled hall: lane ropes on rippling water, starting blocks, tall windows."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (10, 14), (4.2, 5.8), (15, 20), eye=(1.6, 2.4), focal=(0.6, 0.85), aside=0.12)
    deck = Paint(tones.light(), tones.mid(), "tiles", u(0.4, 0.7), gloss=u(0.1, 0.4))
    scene.shell(deck, tones.wall(("tiles", "plain", "bricks", "stone")), tones.ceiling())
    half, z0, z1 = scene.right - u(1.4, 2.2), u(2.2, 3.0), scene.end - u(1.5, 2.5)
    rim = tones.paint(tones.white if rng.random() < 0.6 else tones.dark())
    scene.panel("floor", (-half - 0.3, half + 0.3), (z0 - 0.3, z1 + 0.3), rim, out=0.004)
    wet = Paint(tones.tone((0.45, 0.9), (0.35, 0.9)), tones.light(), "water", u(0.9, 1.6), gloss=u(0.4, 0.8))
    inside = Paint(tones.light(), tones.mid(), "tiles", 0.3)
    scene.panel("floor", (-half, half), (z0, z1), inside, out=0.006)
    scene.face([(-half, 0.007, z0 + 0.05), (half, 0.007, z0 + 0.05), (half, 0.007, z1 - 0.25), (-half, 0.007, z1 - 0.25)],
               wet, layer=FITTED)  # fmt: skip
    lanes = int(rng.integers(4, 7))
    pitch = 2 * half / lanes
    a, b = tones.paint(tones.accent()), tones.paint(tones.white)
    for k in range(lanes):
        x = -half + (k + 0.5) * pitch
        scene.panel("floor", (x - 0.12, x + 0.12), (z0 + 1, z1 - 1), Paint(wet.colour * np.float32(0.35), wet.second,
                    "water", wet.scale, gloss=wet.gloss), out=0.008)  # fmt: skip
        if k:  # rope of floats in two colours
            x = -half + k * pitch
            for n, z in enumerate(np.arange(z0, z1, 0.8)[::-1]):
                scene.rod((x, 0.03, float(z)), (x, 0.03, float(z) + 0.8), 0.07, a if n % 2 else b, layer=FITTED)
    far = rng.random() < 0.5
    for k in range(lanes):  # starting blocks
        x, z = -half + (k + 0.5) * pitch, (z1 + 0.4 if far else z0 - 0.75)
        if far or abs(x - scene.eye[0]) > 0.7:
            at = scene.box((x - 0.2, 0, z + 0.1), (x + 0.2, 0.45, z + 0.35), b)
            scene.box((x - 0.28, 0.45, z), (x + 0.28, 0.55, z + 0.5), a, at=at - 0.01, shade=False)
    wall = _wall(tones)
    step = u(1.6, 2.4)
    for z in np.arange(1.0, scene.end - step, step)[::-1]:
        sky = Paint(tones.sky(), tones.mid(), "view", 2.2, glow=u(1.3, 1.9))
        scene.panel(wall, (float(z), float(z) + step * 0.85), (0.7, scene.top - 0.8), sky, out=0.02)
    for z in (3.0, scene.end * 0.6):
        scene.lamp((scene.right * (0.8 if wall == "right" else -0.8), 2.5, z), 1.0)
    beam = tones.wood() if rng.random() < 0.5 else tones.paint(tones.metal())
    for z in np.arange(scene.end - 0.5, 1.5, -u(2.0, 3.0)):
        scene.box((scene.left, scene.top - 0.35, float(z) - 0.12), (scene.right, scene.top, float(z) + 0.12), beam,
                  layer=FITTED)  # fmt: skip
    side = half + 0.15
    for x in (-side, side):  # ladders
        for z in (z1 - 2.5, z0 + 1.8):
            for dz in (0.5, 0.0):
                metal = tones.paint(tones.metal())
                scene.rod((x, 0, z + dz), (x, 0.8, z + dz), 0.04, metal)
                scene.rod((x, 0.8, z + dz), (x * 0.93, 0.8, z + dz), 0.04, metal)
                scene.rod((x * 0.93, 0.8, z + dz), (x * 0.93, 0, z + dz), 0.04, metal)
    if rng.random() < 0.5:  # backstroke flags
        z = z0 + u(2, 3.5)
        for k in range(14):
            x = -half + 2 * half * k / 14
            y = 2.0 - 0.25 * math.sin(math.pi * k / 14)
            scene.face([(x, y, z), (x + 0.35, y, z), (x + 0.17, y - 0.4, z)], a if k % 2 else b, at=z)
    if rng.random() < 0.6:
        f.clock(scene, tones, u(-2, 2), 2.6)
    if rng.random() < 0.5:
        f.chair(scene, tones, -scene.right + 0.6, u(4, 7), b)
    f.ceiling_lamps(scene, tones, [(x, z) for z in (9.0, 4.0) for x in (-2.0, 2.0)], 0.9)
    return scene


def subway(tones: Palette) -> Scene:
    """A platform with its edge line, rails in the trench, a train or a tunnel mouth, columns and signs."""
    rng, u = tones.rng, tones.rng.uniform
    scene = _scene(tones, (7.0, 8.5), (3.2, 4.0), (16, 22), eye=(1.5, 1.8), focal=(0.6, 0.8), aside=0.0, floor=-1.1)
    edge = u(-0.5, 0.3)
    scene.eye[0] = edge + u(0.5, 1.8)
    wall = tones.wall(("tiles", "tiles", "plain", "bricks", "stone"))
    bed = Paint(tones.tone((0.15, 0.4), (0, 0.4)), tones.mid(), "stone", 0.5)
    scene.shell(bed, wall, tones.ceiling())
    x0, x1, z1 = scene.left, scene.right, scene.end
    platform = tones.floor(("tiles", "stone", "plain", "checker"))
    scene.box((edge, -1.1, -3), (x1, 0, z1), tones.paint(tones.mid()), top=platform, layer=SHELL)
    scene.face([(edge, 0, -3), (x1, 0, -3), (x1, 0, z1), (edge, 0, z1)], platform, layer=SHELL)
    scene.panel("floor", (edge, edge + 0.12), (-3, z1), tones.paint(tones.light()), out=0.003)
    stripe = Paint(tones.accent(), tones.white, "checker" if rng.random() < 0.5 else "plain", 0.12)
    scene.panel("floor", (edge + 0.3, edge + 0.65), (-3, z1), stripe, out=0.003)
    # Tracks.
    middle = (x0 + edge) / 2
    sleeper, rail = tones.wood(), tones.paint(tones.metal())
    for z in np.arange(0.5, z1, 0.75)[::-1]:
        scene.box((middle - 1.1, -1.1, float(z)), (middle + 1.1, -1.0, float(z) + 0.3), sleeper, layer=FITTED)
    for x in (middle - 0.75, middle + 0.75):
        scene.box((x - 0.05, -1.0, -1), (x + 0.05, -0.86, z1), rail, layer=FITTED)
    # The tunnel mouth in the back wall and the platform's end.
    hole = tones.paint(tones.tone((0.02, 0.12), (0, 0.3)))
    turns = np.linspace(0, math.pi, 14)
    r = min(1.75, edge - middle - 0.05)
    mouth = [(middle + r * math.cos(a), 0.9 + 1.1 * math.sin(a), z1 - 0.02) for a in turns]
    scene.face([(middle - r, -1.1, z1 - 0.02), (middle + r, -1.1, z1 - 0.02), *mouth], hole, layer=FITTED)
    # The wall across the track: panels with the line's band and signs.
    band = tones.paint(tones.accent())
    scene.panel("left", (-3, z1), (1.75, 2.05), band, out=0.01)
    scene.panel("right", (-3, z1), (1.75, 2.05), band, out=0.01)
    for z in np.arange(2.5, z1 - 2, u(3, 4.5))[::-1]:
        sign = tones.paint(tones.light(), glow=u(0.2, 0.8))
        scene.panel("left", (float(z), float(z) + 1.6), (0.4, 1.5), sign if rng.random() < 0.5 else
                    Paint(tones.light(), tones.accent(), str(rng.choice(["view", "dots", "stripes"])), 0.7, glow=0.4),
                    out=0.02)  # fmt: skip
        f.picture(scene, tones, "right", float(z) + 0.5, 1.1, 1.2, 0.9)
    train = rng.random() < 0.6
    if train:
        _train(scene, tones, middle, edge, u(1.5, 6.0) if rng.random() < 0.5 else u(6, 10))
    post = tones.paint(tones.mid(), "tiles" if rng.random() < 0.5 else "plain", 0.25)
    if rng.random() < 0.65:
        x, thick, round_ = edge + u(1.5, 2.2), u(0.16, 0.26), rng.random() < 0.5
        for z in np.arange(u(3.0, 4.0), z1, u(2.8, 3.8))[::-1]:
            z = float(z)
            if round_:
                scene.shadow(x - thick, x + thick, z - thick, z + thick, scene.top)
                scene.lathe(x, z, [(0, thick), (scene.top, thick)], post, at=z)
            else:
                scene.box((x - thick, 0, z), (x + thick, scene.top, z + 2 * thick), post, at=z)
    for z in np.arange(u(3, 5), z1 - 3, u(4, 6))[::-1]:  # benches by the wall
        z = float(z)
        scene.box((x1 - 0.5, 0.38, z), (x1 - 0.05, 0.46, z + 1.5), tones.wood(), at=z + 0.7)
    if rng.random() < 0.7:  # the sign that hangs over the platform
        z, x = u(3.5, 5.5), edge + u(0.9, 1.6)
        scene.box((x - 0.8, scene.top - 0.75, z), (x + 0.8, scene.top - 0.35, z + 0.1), tones.paint(tones.dark()),
                  front=Paint(tones.accent(), tones.white, "plain", glow=0.8), at=z, shade=False)  # fmt: skip
        scene.box((x - 0.6, scene.top - 0.58, z - 0.02), (x + 0.3, scene.top - 0.5, z), tones.paint(tones.white), at=z - 0.02)
    lamp, row = f.lamp_paint(tones), edge + u(0.2, 1.2)
    for z in np.arange(1.5, z1, 2.2)[::-1]:
        scene.panel("ceiling", (row - 0.1, row + 0.1), (float(z), float(z) + u(1.3, 1.4)), lamp, out=0.06)
    for z in (2.5, 6.5, 11.0):
        scene.lamp((row, scene.top - 0.5, z), 1.0)
    return scene


def _train(scene: Scene, tones: Palette, middle: float, edge: float, nose: float) -> None:
    """A train at the platform, its front at z = nose; it goes on to the end of the station."""
    body, stripe = tones.paint(tones.light() if tones.rng.random() < 0.5 else tones.metal()), tones.paint(tones.accent())
    a, b, low, high, z1 = 2 * middle - edge + 0.12, edge - 0.12, -0.75, 2.3, scene.end
    at = 60.0
    scene.box((a, low, nose), (b, high, z1), body, at=at, shade=False)
    glass = Paint(tones.sky() * np.float32(0.6), tones.mid(), "plain", glow=0.7)
    dark = tones.paint(tones.tone((0.05, 0.2), (0, 0.4)))
    z = nose - 0.01
    rows = ((0.5, 1.75, dark), (-0.2, 0.1, stripe))
    for y0, y1, paint in rows:
        scene.face([(a + 0.15, y0, z), (b - 0.15, y0, z), (b - 0.15, y1, z), (a + 0.15, y1, z)], paint, at=at - 1)
    lamp = f.lamp_paint(tones, 4.0)
    for x in (a + 0.4, b - 0.4):
        scene.ball((x, -0.3, nose - 0.05), 0.13, lamp, at=at - 2)
    scene.face([(a + 0.5, 1.9, z), (b - 0.5, 1.9, z), (b - 0.5, 2.15, z), (a + 0.5, 2.15, z)],
               Paint(tones.accent(), tones.white, glow=1.5), at=at - 2)  # fmt: skip
    scene.lamp((middle, 0.0, nose - 1.5), 0.5)
    x = b + 0.005
    scene.face([(x, -0.2, nose), (x, -0.2, z1), (x, 0.1, z1), (x, 0.1, nose)], stripe, at=at - 1)
    for z in np.arange(nose + 0.4, z1 - 1.0, 1.4):
        z = float(z)
        if int(round((z - nose - 0.4) / 1.4)) % 3 == 1:  # a door
            leaf = Paint(stripe.colour * np.float32(0.8), stripe.second)
            scene.face([(x, -0.1, z), (x, -0.1, z + 1.1), (x, 1.9, z + 1.1), (x, 1.9, z)], leaf, at=at - 1.5)
            scene.face([(x, 0.6, z + 0.15), (x, 0.6, z + 0.95), (x, 1.7, z + 0.95), (x, 1.7, z + 0.15)], glass, at=at - 2)
        else:
            scene.face([(x, 0.6, z), (x, 0.6, z + 1.1), (x, 1.6, z + 1.1), (x, 1.6, z)], glass, at=at - 2)


INTERIORS: dict[str, Callable[[Palette], Scene]] = {
    "auditorium": auditorium,
    "bathroom": bathroom,
    "bedroom": bedroom,
    "bowling": bowling,
    "corridor": corridor,
    "greenhouse": greenhouse,
    "kitchen": kitchen,
    "library": library,
    "poolinside": poolside,
    "stairscase": stairscase,
    "subway": subway,
    "winecellar": winecellar,
}
