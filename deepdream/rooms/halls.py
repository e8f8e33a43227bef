"""Large rooms with one purpose: auditorium, bowling alley, greenhouse, library, swimming bath.

One function per class: it builds a scene from a palette, which is also its random generator. Sizes are in metres.
"""

from __future__ import annotations

import math

import numpy as np

from deepdream.rooms.furniture import ceiling_lamps, chair, clock, door, lamp_paint, plant, table, window
from deepdream.rooms.palette import Palette, empty_room
from deepdream.rooms.scene import FITTED, SHELL, Paint, Scene, Span

__all__ = ["auditorium", "bowling", "greenhouse", "library", "poolside"]


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
    for side in ("left", "right"):  # wall panels and lamps between them
        for z in np.arange(1.5, front + 1, u(1.8, 2.4))[::-1]:
            scene.slab(side, (float(z), float(z) + 0.9), (low + 1.0, scene.top - 0.8), 0.12, tones.wood())
    stage = low + u(0.6, 0.9)
    edge = front + 1.6
    floor = Paint(tones.board, tones.board * 0.5, "planks", 0.2, turn=True, gloss=0.3)
    scene.box((-wide, low, edge), (wide, stage, scene.end), tones.wood(), top=floor, layer=FITTED)
    half, top = wide * u(0.62, 0.8), scene.top - u(0.5, 1.0)
    cloth = tones.paint(tones.accent(), "pleats", u(0.25, 0.4))
    scene.panel(
        "back", (-half, half), (stage, top), cloth if rng.random() < 0.5 else tones.paint(tones.dark()), out=0.01
    )
    if rng.random() < 0.65:
        screen = Paint(tones.sky(), tones.mid(), str(rng.choice(["view", "plain", "stone"])), 1.5, glow=u(0.7, 1.3))
        scene.panel(
            "back", (-half * 0.6, half * 0.6), (stage + 0.7, top - 0.3), tones.paint(tones.dark() * 0.2), out=0.02
        )
        scene.panel("back", (-half * 0.56, half * 0.56), (stage + 0.8, top - 0.4), screen, out=0.03)
        scene.lamp((0, (stage + top) / 2, scene.end - 1), 0.8)
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


def bowling(tones: Palette) -> Scene:
    """Polished lanes between gutters that run to the pins; balls on their return in front."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(
        tones, (7.5, 9.5), (3.0, 3.8), (11, 13), eye=(1.5, 1.9), focal=(0.75, 1.0), aside=0.08, lift=0.08
    )
    scene.shell(Paint(tones.board, tones.board * 0.5, "planks", 0.14, gloss=u(0.3, 0.6)), tones.wall(), tones.ceiling())
    z0, z1 = u(2.6, 3.3), scene.end - 1.4
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
    motif = Paint(
        tones.accent(),
        tones.light(),
        str(rng.choice(["view", "checker", "stripes", "dots", "plain"])),
        u(0.5, 1),
        glow=u(0.5, 1.3),
    )
    scene.box((scene.left, over, z1 - 0.1), (scene.right, u(2.1, 2.5), z1), motif, at=z1 + 0.5)
    pin = Paint(tones.tone((0.95, 1), (0, 0.08)), tones.white, glow=0.5)
    for x in lanes:
        standing = rng.random() < 0.85
        for row in reversed(range(4)):
            for k in range(row + 1):
                if not standing and rng.random() < 0.6:
                    continue
                px, pz = x + (k - row / 2) * 0.27, z1 + 0.1 + row * 0.22
                profile = [(0, 0.05), (0.16, 0.1), (0.34, 0.055), (0.42, 0.045), (0.5, 0.065), (0.55, 0.03)]
                scene.lathe(px, pz, profile, pin, at=pz)
    for x in [a + pitch / 2 for a in lanes]:  # dividers with return rails
        scene.box((x - 0.06, 0, z0 + 0.3), (x + 0.06, 0.06, z1), tones.paint(tones.metal()), layer=FITTED)
    if rng.random() < 0.75:  # ball return
        x, z = lanes[len(lanes) // 2] + pitch / 2 * rng.choice([-1, 1]), z0 - 0.1
        body = tones.paint(tones.dark())
        at = scene.box((x - 0.25, 0, z - 0.5), (x + 0.25, 0.42, z + 0.4), body)
        scene.box(
            (x - 0.3, 0.42, z - 0.6), (x + 0.3, 0.5, z + 0.5), tones.paint(tones.metal()), at=at - 0.01, shade=False
        )
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
            scene.box(
                (x - 0.4, scene.top - 0.75, z0 + 0.6),
                (x + 0.4, scene.top - 0.2, z0 + 0.7),
                tones.paint(tones.dark()),
                front=screen,
                at=z0 + 0.6,
                shade=False,
            )
    ceiling_lamps(scene, tones, [(x, z) for z in (6.5, 3.0) for x in (-1.8, 1.8)], 0.7)
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
            scene.box(
                (edge, 0, z + step / 2), (edge + 0.06, high, z + step / 2 + 0.06), bench, at=at + 0.01, shade=False
            )
            for k in range(2):
                x = sign * (x1 - deep * (0.72 - 0.45 * k))
                plant(scene, tones, x, z + u(0.2, 0.5), y=high, size=u(0.7, 1.25), leaves=max(4, int(15 - 1.6 * z)))
        scene.shadow(a, b, 0.3, z1, high)
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
            for lz in (float(z) + 0.9, float(z) + 0.3):
                scene.lathe(0, lz, [(0.76, 0.07), (0.79, 0.02), (1.05, 0.02)], tones.paint(tones.metal()), at=at - 0.2)
                scene.lathe(0, lz, [(1.02, 0.17), (1.18, 0.08)], lamp_paint(tones, 1.2), at=at - 0.21)
            for x in (-wide - 0.3, wide + 0.3):
                chair(scene, tones, x, float(z) + 0.6, tones.wood())
    elif kind == 1:  # a ladder
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


def poolside(tones: Palette) -> Scene:
    """A pool in a tiled hall: lane ropes on rippling water, starting blocks, tall windows."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (10, 14), (4.2, 5.8), (15, 20), eye=(2.0, 3.0), focal=(0.65, 0.9), aside=0.12, lift=0.12)
    deck = Paint(tones.light(), tones.mid(), "tiles", u(0.4, 0.7), gloss=u(0.1, 0.4))
    scene.shell(deck, tones.wall(("tiles", "plain", "bricks", "stone")), tones.ceiling())
    half, z0, z1 = scene.right - u(1.4, 2.2), u(2.2, 3.0), scene.end - u(1.5, 2.5)
    rim = tones.paint(tones.white if rng.random() < 0.6 else tones.dark())
    scene.panel("floor", (-half - 0.3, half + 0.3), (z0 - 0.3, z1 + 0.3), rim, out=0.004)
    wet = Paint(tones.water(), tones.light(), "water", u(0.9, 1.6), gloss=u(0.4, 0.8))
    inside = Paint(tones.light(), tones.mid(), "tiles", 0.3)
    scene.panel("floor", (-half, half), (z0, z1), inside, out=0.006)
    scene.face(
        [(-half, 0.007, z0 + 0.05), (half, 0.007, z0 + 0.05), (half, 0.007, z1 - 0.25), (-half, 0.007, z1 - 0.25)],
        wet,
        layer=FITTED,
    )
    lanes = int(rng.integers(4, 7))
    pitch = 2 * half / lanes
    a, b = tones.paint(tones.accent()), tones.paint(tones.white)
    for k in range(lanes):
        x = -half + (k + 0.5) * pitch
        scene.panel(
            "floor",
            (x - 0.12, x + 0.12),
            (z0 + 1, z1 - 1),
            Paint(wet.colour * np.float32(0.35), wet.second, "water", wet.scale, gloss=wet.gloss),
            out=0.008,
        )
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
    wall = str(rng.choice(["left", "right"]))
    step = u(1.6, 2.4)
    sky = Paint(tones.sky(), tones.mid(), "view", 2.2, glow=u(0.6, 1.1))
    for z in np.arange(1.0, scene.end - step, step)[::-1]:
        scene.panel(wall, (float(z), float(z) + step * 0.85), (0.7, scene.top - 0.8), sky, out=0.02)
    for z in (3.0, scene.end * 0.6):
        scene.lamp((scene.right * (0.8 if wall == "right" else -0.8), 2.5, z), 1.0)
    beam = tones.wood() if rng.random() < 0.5 else tones.paint(tones.metal())
    for z in np.arange(scene.end - 0.5, 1.5, -u(2.0, 3.0)):
        scene.box(
            (scene.left, scene.top - 0.35, float(z) - 0.12),
            (scene.right, scene.top, float(z) + 0.12),
            beam,
            layer=FITTED,
        )
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
        clock(scene, tones, u(-2, 2), 2.6)
    if rng.random() < 0.5:
        chair(scene, tones, -scene.right + 0.6, u(4, 7), b)
    ceiling_lamps(scene, tones, [(x, z) for z in (9.0, 4.0) for x in (-2.0, 2.0)], 0.9)
    return scene
