"""Rooms of a home: bathroom, bedroom, kitchen.

One function per class: it builds a scene from a palette, which is also its random generator. Sizes are in metres.
"""

from __future__ import annotations

import math

import numpy as np

from deepdream.rooms.furniture import (
    ceiling_lamps,
    chair,
    curtains,
    door,
    lamp_paint,
    pendant,
    picture,
    plant,
    rug,
    table,
    waste_bin,
    window,
)
from deepdream.rooms.palette import Palette, empty_room
from deepdream.rooms.scene import Paint, Scene

__all__ = ["bathroom", "bedroom", "kitchen"]


def bathroom(tones: Palette) -> Scene:
    """A tub along one wall, a basin under a mirror, a toilet; tiles."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (2.5, 3.2), (2.4, 2.7), (3.3, 4.0), eye=(1.4, 1.75), focal=(0.6, 0.78), lift=0.13)
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
    scene.object = "tub"
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
    bath = (
        tones.paint(tones.water(), "water", 0.8) if rng.random() < 0.5 else tones.paint(ware.colour * np.float32(0.85))
    )
    scene.face(oval(0.7, high + 0.002, 0.04), bath, at=at)
    scene.rod((cx, high + 0.25, z1 - 0.02), (cx, high + 0.25, z1 - 0.2), 0.03, metal, at=at - 0.1)
    scene.rod((cx, high + 0.25, z1 - 0.2), (cx, high + 0.15, z1 - 0.2), 0.025, metal, at=at - 0.1)
    scene.object = "shower"
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
    scene.object = "basin"
    bx = x1 + u(0.45, 0.6)
    wide = u(0.28, 0.38)
    if rng.random() < 0.5:
        scene.lathe(bx, z1 - 0.2, [(0, 0.14), (0.15, 0.08), (0.7, 0.09)], ware, at=z1 - 0.2)
    else:
        scene.box((bx - wide, 0, z1 - 0.45), (bx + wide, 0.7, z1), tones.paint(tones.mid(), "doors", wide), at=z1 - 0.2)
    scene.box((bx - wide, 0.7, z1 - 0.5), (bx + wide, 0.85, z1), ware, at=z1 - 0.25, shade=False)
    scene.face(
        [(bx + wide * 0.75 * math.cos(a), 0.852, z1 - 0.24 + 0.17 * math.sin(a)) for a in turns], hollow, at=z1 - 0.26
    )
    scene.rod((bx, 0.85, z1 - 0.06), (bx, 1.02, z1 - 0.06), 0.022, metal, at=z1 - 0.27)
    scene.rod((bx, 1.02, z1 - 0.06), (bx, 1.0, z1 - 0.22), 0.02, metal, at=z1 - 0.28)
    scene.object = "mirror"
    glass = Paint(tones.sky() * np.float32(0.55), tones.sky(), "mirror", 0.7, glow=0.5)
    mirror = (bx - u(0.3, 0.45), bx + u(0.3, 0.45))
    scene.slab("back", (mirror[0] - 0.05, mirror[1] + 0.05), (1.15, 2.05), 0.03, tones.paint(tones.metal()))
    scene.panel("back", mirror, (1.2, 2.0), glass, out=0.04)
    scene.slab("back", (mirror[0], mirror[1]), (2.1, 2.18), 0.1, lamp_paint(tones))
    scene.lamp((bx, 2.1, z1 - 0.5), 0.6)
    # Toilet by the right wall.
    scene.object = "toilet"
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
    scene.object = "towel"
    if rng.random() < 0.6:
        z = u(1.6, 2.6)
        scene.slab("right", (z, z + 0.6), (0.9, 1.5), 0.05, tones.paint(tones.accent(), "stripes", 0.2))
    if rng.random() < 0.6:
        x = u(-0.1, 0.2)
        rug(scene, tones, (x, x + 0.7), (z1 - 1.5, z1 - 0.9))
    if rng.random() < 0.4:
        waste_bin(scene, tones, scene.right - 0.25, z1 - 1.4)
    if rng.random() < 0.5:
        window(scene, tones, "left", (z0 + 0.3, z0 + 1.2), (1.4, 2.1))
    ceiling_lamps(scene, tones, [(u(-0.3, 0.3), u(1.2, 2.0))], 1.0)
    return scene


def bedroom(tones: Palette) -> Scene:
    """A bed with its headboard on the back wall, pillows, bedside tables with lamps, a window."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (3.8, 5.2), (2.5, 2.9), (4.6, 5.8), eye=(1.4, 1.8), focal=(0.62, 0.85), lift=0.14)
    scene.shell(
        tones.floor(("planks", "carpet", "tiles")), tones.wall(("plain", "stripes", "dots", "stone")), tones.ceiling()
    )
    x, half, z1 = u(-0.5, 0.5), u(0.75, 1.0), scene.end
    z0 = z1 - u(2.0, 2.2)
    if rng.random() < 0.7:
        rug(scene, tones, (x - half - u(0.3, 0.6), x + half + u(0.3, 0.6)), (z0 - u(0.4, 0.8), z0 + 1.0))
    scene.object = "bed"
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
        scene.object = "bed"
        pillow = sheet if rng.random() < 0.6 else tones.paint(tones.light())
        _pillow(scene, px, 0.55, z1 - 0.32, half * 0.42, 0.2, pillow, at - 0.05)
        if rng.random() < 0.5:
            _pillow(scene, px * 0.9, 0.55, z1 - 0.5, half * 0.28, 0.15, tones.paint(tones.accent()), at - 0.06)
        tx = x + sign * (half + 0.38)
        if abs(tx) < scene.right - 0.25:
            scene.object = "bedside table"
            chest = scene.box((tx - 0.24, 0, z1 - 0.45), (tx + 0.24, 0.5, z1), wood, at=z1 - 0.3)
            scene.panel("back", (tx - 0.2, tx + 0.2), (0.28, 0.44), tones.wood(), out=0.455)
            scene.object = "bedside lamp"
            scene.lathe(
                tx, z1 - 0.25, [(0.5, 0.08), (0.55, 0.03), (0.72, 0.03)], tones.paint(tones.metal()), at=chest - 0.1
            )
            lit = rng.random() < 0.7
            shade = lamp_paint(tones, 1.6) if lit else tones.paint(tones.light())
            scene.lathe(tx, z1 - 0.25, [(0.7, 0.19), (0.98, 0.11)], shade, at=chest - 0.11)
            if lit:
                scene.lamp((tx, 1.0, z1 - 0.35), 0.35)
    if rng.random() < 0.75:
        picture(scene, tones, "back", x, u(1.7, 1.9), u(0.7, 1.3), u(0.5, 0.7))
    wall = str(rng.choice(["left", "right"]))
    z = u(1.8, 2.6)
    window(scene, tones, wall, (z, z + u(1.0, 1.4)), (0.9, 2.1))
    if rng.random() < 0.8:
        curtains(scene, tones, wall, (z, z + 1.2), (0.1, 2.25))
    other = "right" if wall == "left" else "left"
    kind = rng.integers(3)
    scene.object = "wardrobe"
    if kind == 0:  # a wardrobe
        a = u(1.8, 2.6)
        x0, x1 = (scene.left, scene.left + 0.6) if other == "left" else (scene.right - 0.6, scene.right)
        front = Paint(tones.board, tones.metal(), "doors", 0.55)
        scene.box((x0, 0, a), (x1, 2.1, a + 1.65), tones.wood(), side=front, at=a + 0.8)
    elif kind == 1:
        plant(scene, tones, scene.right - 0.4 if other == "right" else scene.left + 0.4, u(2.2, 3), size=1.1)
    if rng.random() < 0.4:
        pendant(scene, tones, u(-0.4, 0.4), u(2.2, 2.8), scene.top - 0.6)
    else:
        ceiling_lamps(scene, tones, [(0.0, 2.2)], 1.0)
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
    scene = empty_room(tones, (3.2, 4.4), (2.5, 2.9), (4.0, 5.2), eye=(1.45, 1.75), focal=(0.6, 0.8), lift=0.1)
    scene.shell(
        tones.floor(("tiles", "checker", "planks", "stone")),
        tones.wall(("plain", "plain", "stripes", "stone")),
        tones.ceiling(),
    )
    z1, x0, x1, high, deep = scene.end, scene.left, scene.right, 0.88, 0.6
    front = Paint(tones.board if rng.random() < 0.5 else tones.light(), tones.metal(), "doors", u(0.42, 0.55))
    body = Paint(front.colour, front.second)
    work = tones.paint(tones.mid(), "stone" if rng.random() < 0.6 else "wood")
    metal, dark = tones.paint(tones.metal()), tones.paint(tones.tone((0.05, 0.2), (0, 0.4)))
    splash = Paint(tones.light(), tones.mid(), "tiles" if rng.random() < 0.7 else "checker", u(0.1, 0.18))
    scene.panel("back", (x0, x1), (high, 1.5), splash, out=0.005)
    scene.panel("left", (1.0, z1), (high, 1.5), splash, out=0.005)
    # The row along the back wall, with cooker and hood; the row along the left wall.
    scene.object = "cabinets"
    scene.box((x0, 0.1, z1 - deep), (x1, high - 0.04, z1), body, front=front, at=z1)
    scene.box((x0, high - 0.04, z1 - deep - 0.03), (x1, high, z1), work, at=z1 - 0.01, shade=False)
    near = u(1.2, 1.9)
    scene.box((x0, 0.1, near), (x0 + deep, high - 0.04, z1 - deep), body, side=front, at=z1 - 0.02)
    scene.box((x0, high - 0.04, near - 0.02), (x0 + deep + 0.03, high, z1 - deep), work, at=z1 - 0.03, shade=False)
    scene.object = "cooker"
    cx = u(-0.4, 0.5)
    scene.box((cx - 0.3, 0.05, z1 - deep - 0.02), (cx + 0.3, high + 0.01, z1 - deep), metal, at=z1 - 0.04)
    z = z1 - deep - 0.03
    scene.face(
        [(cx - 0.23, 0.2, z), (cx + 0.23, 0.2, z), (cx + 0.23, 0.58, z), (cx - 0.23, 0.58, z)], dark, at=z1 - 0.05
    )
    scene.rod((cx - 0.24, 0.66, z - 0.02), (cx + 0.24, 0.66, z - 0.02), 0.018, tones.paint(tones.white), at=z1 - 0.06)
    for k in range(4):
        scene.ball((cx - 0.2 + 0.133 * k, 0.78, z), 0.028, dark, at=z1 - 0.06)
        scene.disc((cx - 0.14 + 0.28 * (k % 2), high + 0.012, z1 - 0.42 + 0.26 * (k // 2)), 0.1, dark, at=z1 - 0.06)
    scene.object = "pot"
    if rng.random() < 0.7:
        px = cx + rng.choice([-0.14, 0.14])
        scene.lathe(px, z1 - 0.4, [(high + 0.02, 0.12), (high + 0.2, 0.12)], tones.paint(tones.accent()), at=z1 - 0.07)
    scene.object = "hood"
    if rng.random() < 0.6:
        hood = [(1.6, 0.36), (1.68, 0.36), (1.95, 0.14), (scene.top, 0.14)]
        scene.face(
            [(cx - r, y, z1 - 0.35) for y, r in hood] + [(cx + r, y, z1 - 0.35) for y, r in hood[::-1]],
            metal,
            at=z1 - 0.05,
        )
    else:
        scene.box((cx - 0.35, 1.55, z1 - 0.45), (cx + 0.35, 1.72, z1), metal, at=z1 - 0.05)
    # Wall cabinets and a window over the sink.
    scene.object = "cabinets"
    low, top = 1.5, min(2.25, scene.top - 0.1)
    upper = Paint(front.colour, front.second, "doors", front.scale)
    where = str(rng.choice(["left", "right"]))
    if where == "right":
        window(scene, tones, "back", (x0 + 0.25, cx - 0.55), (1.15, 2.05))
    else:
        scene.box((x0, low, z1 - 0.35), (cx - 0.42, top, z1), body, front=upper, at=z1 - 0.04, shade=False)
        window(scene, tones, "right", (1.8, 3.0), (1.0, 2.1))
    if x1 - cx > 1.2:
        scene.box((cx + 0.42, low, z1 - 0.35), (x1 - 0.75, top, z1), body, front=upper, at=z1 - 0.04, shade=False)
    scene.box((x0, low, near + 0.5), (x0 + 0.35, top, z1), body, side=upper, at=z1 - 0.05, shade=False)
    scene.object = "sink"
    sx, sz = x0 + 0.3, (near + z1 - deep) / 2
    basin = [(sx - 0.2, high + 0.003, sz - 0.3), (sx + 0.2, high + 0.003, sz - 0.3), (sx + 0.2, high + 0.003, sz + 0.3),
             (sx - 0.2, high + 0.003, sz + 0.3)]  # fmt: skip
    scene.face(basin, Paint(metal.colour * np.float32(0.4), metal.second), at=z1 - 0.06)
    scene.rod((x0 + 0.08, high, sz), (x0 + 0.08, high + 0.3, sz), 0.02, metal, at=z1 - 0.07)
    scene.rod((x0 + 0.08, high + 0.3, sz), (x0 + 0.25, high + 0.26, sz), 0.018, metal, at=z1 - 0.07)
    scene.object = "jars"
    for _ in range(rng.integers(1, 5)):  # jars
        jx, jz = (x0 + 0.2, u(near + 0.2, sz - 0.4)) if rng.random() < 0.5 else (x1 - u(0.8, 1.0), z1 - 0.2)
        h, r = u(0.12, 0.3), u(0.05, 0.09)
        scene.lathe(
            jx, jz, [(high, r), (high + h * 0.7, r), (high + h, r * 0.6)], tones.paint(tones.accent()), at=z1 - 0.08
        )
    # The fridge in the right corner.
    scene.object = "fridge"
    fridge = tones.paint(tones.white if rng.random() < 0.5 else tones.metal())
    fx, fz, fh = x1 - 0.7, z1 - 0.72, u(1.75, 2.0)
    scene.box((fx, 0, fz), (x1, fh, z1), fridge, at=z1 - 0.06)
    scene.box((fx - 0.01, fh * 0.36, fz - 0.015), (x1, fh * 0.36 + 0.025, fz), dark, at=z1 - 0.07, shade=False)
    for lo, hi in ((0.15, 0.32), (0.4, 0.62)):
        scene.rod((fx + 0.09, fh * lo, fz - 0.04), (fx + 0.09, fh * hi, fz - 0.04), 0.02, metal, at=z1 - 0.08)
    # A table, an island or nothing in the middle.
    scene.object = "island"
    kind = rng.integers(3)
    if kind == 0:
        tz, tx = u(1.9, 2.3), u(0.4, 0.8)
        at = table(scene, tones, (tx - 0.45, tx + 0.45), (tz, tz + 0.8), 0.74)
        for k in (-1, 1):
            chair(scene, tones, tx + 0.25 * k, tz + 0.9, tones.wood(), back="far")
        scene.object = "bowl"
        scene.lathe(tx, tz + 0.4, [(0.74, 0.08), (0.8, 0.18)], tones.paint(tones.accent()), at=at - 0.3)
    elif kind == 1:
        ix, iz = u(0.3, 0.6), z1 - deep - 1.6
        at = scene.box((ix - 0.5, 0.05, iz), (ix + 0.6, 0.86, iz + 0.6), body, front=front)
        scene.box((ix - 0.55, 0.86, iz - 0.05), (ix + 0.65, 0.91, iz + 0.65), work, at=at - 0.01, shade=False)
        for k in range(2):
            pendant(scene, tones, ix - 0.2 + 0.55 * k, iz + 0.3, scene.top - 0.75, power=0.4)
    if where == "right" and rng.random() < 0.8:
        if rng.random() < 0.5:
            door(scene, tones, "right", u(2.2, z1 - 1.5), tones.wood(), tones.paint(tones.light()))
        else:
            picture(scene, tones, "right", u(2.2, z1 - 1.4), 1.6, u(0.5, 0.9), u(0.5, 0.8))
    ceiling_lamps(scene, tones, [(0.0, 2.0)], 1.1)
    return scene
