"""Large rooms with one purpose: auditorium, greenhouse, library.

One function per class: it builds a scene from a palette, which is also its random generator. Sizes are in metres.
"""

from __future__ import annotations

import math

import numpy as np

from deepdream.rooms.furniture import ceiling_lamps, chair, door, lamp_paint, plant, table, window
from deepdream.rooms.palette import Palette, empty_room
from deepdream.rooms.scene import FITTED, SHELL, Paint, Scene, Span

__all__ = ["auditorium", "greenhouse", "library"]


def auditorium(tones: Palette) -> Scene:
    """Rows of seats that fall towards a stage with a curtain, a screen or a speaker's desk."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (9, 14), (4.5, 6.0), (13, 16), eye=(1.7, 2.3), focal=(0.6, 0.8), aside=0.1, floor=-2.2)
    ground = tones.floor(("carpet", "planks", "stone"))
    scene.shell(ground, tones.wall(("plain", "stripes", "planks", "stone")), tones.ceiling())
    front, slope = scene.end - u(4.2, 5.0), u(0.16, 0.22)

    def level(z: float) -> float:
        return -slope * max(min(z, front), -2.0)

    low = level(front)
    wide = scene.right
    scene.face(
        [(-wide, level(-2), -2), (wide, level(-2), -2), (wide, low, front), (-wide, low, front)], ground, layer=SHELL
    )
    scene.face(
        [(-wide, low, front), (wide, low, front), (wide, low, scene.end), (-wide, low, scene.end)], ground, layer=SHELL
    )
    scene.object = "wall panels"
    for side in ("left", "right"):  # wall panels and lamps between them
        for z in np.arange(1.5, front + 1, u(1.8, 2.4))[::-1]:
            scene.slab(side, (float(z), float(z) + 0.9), (low + 1.0, scene.top - 0.8), 0.12, tones.wood())
    scene.object = "stage"
    stage = low + u(0.6, 0.9)
    edge = front + 1.6
    floor = Paint(tones.board, tones.board * 0.5, "planks", 0.2, turn=True, gloss=0.3)
    scene.box((-wide, low, edge), (wide, stage, scene.end), tones.wood(), top=floor, layer=FITTED)
    half, top = wide * u(0.62, 0.8), scene.top - u(0.5, 1.0)
    cloth = tones.paint(tones.accent(), "pleats", u(0.25, 0.4))
    scene.panel(
        "back", (-half, half), (stage, top), cloth if rng.random() < 0.5 else tones.paint(tones.dark()), out=0.01
    )
    scene.object = "screen"
    if rng.random() < 0.65:
        screen = Paint(tones.sky(), tones.mid(), str(rng.choice(["view", "plain", "stone"])), 1.5, glow=u(0.7, 1.3))
        scene.panel(
            "back", (-half * 0.6, half * 0.6), (stage + 0.7, top - 0.3), tones.paint(tones.dark() * 0.2), out=0.02
        )
        scene.panel("back", (-half * 0.56, half * 0.56), (stage + 0.8, top - 0.4), screen, out=0.03)
        scene.lamp((0, (stage + top) / 2, scene.end - 1), 0.8)
    scene.object = "curtain"
    for sign in (-1, 1):  # the open curtain and its pelmet
        a, b = sorted((sign * half, sign * half * u(0.62, 0.75)))
        z = scene.end - 0.6
        scene.face([(a, stage, z), (b, stage, z), (b, top, z), (a, top, z)], cloth, layer=FITTED)
        a, b = sorted((sign * half, sign * wide))
        scene.face(
            [(a, low, edge), (b, low, edge), (b, scene.top, edge), (a, scene.top, edge)], tones.wood(), layer=FITTED
        )
    z = scene.end - 0.65
    scene.face([(-half, top - 0.5, z), (half, top - 0.5, z), (half, top, z), (-half, top, z)], cloth, layer=FITTED)
    z = edge - 0.02
    scene.face(
        [(-wide, top, z), (wide, top, z), (wide, scene.top, z), (-wide, scene.top, z)], tones.wood(), layer=FITTED
    )
    scene.object = "desk"
    if rng.random() < 0.6:  # a speaker's desk
        x = u(-0.5, 0.5) * half
        scene.box((x - 0.35, stage, edge + 0.6), (x + 0.35, stage + 1.1, edge + 1.0), tones.wood(), at=edge + 0.8)
    scene.object = "seats"
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
            at = scene.distance(float(x), y + 0.5, z)
            scene.face([(p, q - 0.02, r + 0.12) for p, q, r in back], rim, at=at + 0.02)
            scene.face(back, shade, at=at)
            scene.face(
                [
                    (a + 0.1, y + 0.95, z),
                    (b - 0.1, y + 0.95, z),
                    (b - 0.1, y + 0.93, z + 0.12),
                    (a + 0.1, y + 0.93, z + 0.12),
                ],
                Paint(np.minimum(seat * 1.6, 1), seat),
                at=at - 0.01,
            )
    spots = [(x, z) for z in (7.0, 3.5) for x in (-wide / 2, wide / 2)]
    ceiling_lamps(scene, tones, spots, 0.9)
    scene.lamp((0, scene.top - 0.6, edge), 1.2)
    return scene


def greenhouse(tones: Palette) -> Scene:
    """A gabled house of glass, with plants on benches on both sides of a path."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (4.2, 6.0), (3.6, 4.6), (7.5, 11), eye=(1.45, 1.8))
    rib = tones.white if rng.random() < 0.5 else tones.dark()
    glass = Paint(tones.sky(), rib, "panes", u(0.5, 0.8), glow=u(0.3, 0.7))
    scene.shell(tones.floor(("stone", "bricks", "tiles", "plain")), glass, glass)
    eaves, ridge, x0, x1, z1 = u(2.0, 2.5), scene.top, scene.left, scene.right, scene.end
    climb = math.hypot(x1, ridge - eaves)
    bar = tones.paint(rib)
    for x in (x0, x1):
        down = ((0.0, 0.0, 1.0), (-x / climb, (ridge - eaves) / climb, 0.0))
        scene.face(
            [(x, eaves, -3), (x, eaves, z1), (0, ridge, z1), (0, ridge, -3)],
            glass,
            layer=SHELL,
            axes=down,
            origin=(x, eaves, 0),
        )
    low = u(0.5, 0.8)
    base = tones.paint(tones.mid(), "bricks" if rng.random() < 0.6 else "plain", 0.35)
    for wall in ("left", "right"):
        scene.panel(wall, (-3, z1), (0, low), base, out=0.01)
    scene.panel("back", (x0, x1), (0, low), base, out=0.01)
    door(scene, tones, "back", 0.0, Paint(glass.colour, rib, "panes", 0.5, glow=0.8), bar)
    scene.object = "trusses"
    for z in np.arange(z1, 0.4, -u(1.4, 2.2)):  # trusses
        z = float(z) - 0.02
        for x in (x0, x1):
            scene.rod((x * 0.99, 0, z), (x * 0.99, eaves, z), 0.045, bar, layer=FITTED)
            scene.rod((x * 0.99, eaves, z), (0, ridge, z), 0.045, bar, layer=FITTED)
        if rng.random() < 0.8:
            scene.rod((x0, eaves, z), (x1, eaves, z), 0.025, bar, layer=FITTED)
    scene.rod((0, ridge - 0.03, 0.3), (0, ridge - 0.03, z1), 0.06, bar, layer=FITTED)
    scene.object = "benches"
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
            scene.box(
                (edge, 0, z + step / 2), (edge + 0.06, high, z + step / 2 + 0.06), bench, at=at + 0.01, shade=False
            )
            for k in range(2):
                x = sign * (x1 - deep * (0.72 - 0.45 * k))
                plant(scene, tones, x, z + u(0.2, 0.5), y=high, size=u(0.7, 1.25), leaves=max(4, int(15 - 1.6 * z)))
        scene.shadow(a, b, 0.3, z1, high)
    scene.object = "plant"
    if rng.random() < 0.5:
        for z in np.arange(2.5, z1, u(1.8, 2.6))[::-1]:
            x, y = u(-0.4, 0.4), u(2.0, 2.4)
            scene.rod((x, y + 0.3, float(z)), (x, ridge, float(z)), 0.01, bar, at=float(z) + 0.1)
            plant(scene, tones, x, float(z), y=y, size=0.6, leaves=12)
    scene.lamp((u(-1, 1), ridge - 0.6, 2.0), 2.4)
    scene.lamp((0, ridge - 0.6, z1 - 3), 1.8)
    return scene


def library(tones: Palette) -> Scene:
    """An aisle between bookcases, or a reading room with books on its walls."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (3.4, 5.5), (3.0, 4.0), (8, 13))
    scene.shell(tones.floor(("planks", "carpet", "checker", "stone")), tones.wall(), tones.ceiling())
    high, gap, deep = min(u(2.3, 3.0), scene.top - 0.2), u(0.34, 0.42), u(0.35, 0.6)
    length = u(1.8, 3.0)
    scene.object = "bookcases"
    books = Paint(tones.tone((0.4, 0.8), (0.4, 0.9)), tones.tone((0.3, 0.8), (0.2, 0.9)), "spines", gap)
    for side in ("left", "right"):
        for z in np.arange(u(-1.2, -0.2), scene.end - 1.0, length + u(0.05, 0.5))[::-1]:
            _shelf(scene, tones, side, (float(z), min(float(z) + length, scene.end)), deep, high, books)
    x0, x1 = scene.left + deep, scene.right - deep
    if rng.random() < 0.6:
        scene.panel("back", (x0, x1), (0, high), books, out=0.3)
        scene.slab("back", (x0, x1), (high, high + 0.1), 0.35, tones.wood())
    else:
        window(scene, tones, "back", (-0.7, 0.7), (1.0, scene.top - 0.5), shine=1.2)
    kind = rng.integers(3)
    if kind == 0:  # reading tables in a row, with lamps
        wide = u(0.4, 0.55)
        for z in np.arange(u(2.6, 3.2), scene.end - 1.5, u(2.0, 2.6))[::-1]:
            at = table(scene, tones, (-wide, wide), (float(z), float(z) + 1.2), 0.76)
            scene.object = "reading lamps"
            for lz in (float(z) + 0.9, float(z) + 0.3):
                scene.lathe(0, lz, [(0.76, 0.07), (0.79, 0.02), (1.05, 0.02)], tones.paint(tones.metal()), at=at - 0.2)
                scene.lathe(0, lz, [(1.02, 0.17), (1.18, 0.08)], lamp_paint(tones, 1.2), at=at - 0.21)
            for x in (-wide - 0.3, wide + 0.3):
                chair(scene, tones, x, float(z) + 0.6, tones.wood())
    elif kind == 1:  # a ladder
        scene.object = "ladder"
        x = x0 + 0.35
        z = u(2.0, 3.5)
        rail = tones.wood()
        for dz in (0.45, 0.0):
            scene.rod((x, 0, z + dz), (x0 + 0.05, high, z + dz), 0.03, rail, at=z - 1.5)
        for k in range(1, 9):
            t = k / 9
            y, xx = t * high, x + (x0 + 0.05 - x) * t
            scene.rod((xx, y, z), (xx, y, z + 0.45), 0.02, rail, at=z - 1.5)
    else:  # low stacks of books and a cart
        scene.object = "books"
        for _ in range(3):
            x, z = u(x0 + 0.3, x1 - 0.3), u(2.5, 6)
            for k in range(rng.integers(2, 6)):
                scene.box(
                    (x - 0.16, k * 0.07, z - 0.12),
                    (x + u(0.1, 0.18), k * 0.07 + 0.065, z + 0.12),
                    tones.paint(tones.accent()),
                    at=z - 0.01 * k,
                )
    ceiling_lamps(scene, tones, [(0.0, float(z)) for z in np.arange(2, scene.end, 2.6)][::-1][-4:], 0.7)
    return scene


def _shelf(scene: Scene, tones: Palette, side: str, z: Span, deep: float, high: float, books: Paint) -> None:
    """A bookcase against a side wall."""
    x0, x1 = (scene.left, scene.left + deep) if side == "left" else (scene.right - deep, scene.right)
    wood = tones.wood()
    at = sum(z) / 2
    scene.box((x0, 0, z[0]), (x1, high, z[1]), wood, side=books, at=at)
    scene.box((x0, high, z[0] - 0.04), (x1 + 0.04 if side == "left" else x1, high + 0.1, z[1]), wood, at=at - 0.01)
    face = x1 + 0.02 if side == "left" else x0 - 0.02
    scene.face([(face, 0, z[0]), (face, 0, z[0] + 0.07), (face, high, z[0] + 0.07), (face, high, z[0])], wood, at=at)
