"""Rooms to walk through: corridor, stairs, platform of an underground railway, wine cellar.

One function per class: it builds a scene from a palette, which is also its random generator. Sizes are in metres.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from deepdream.rooms.furniture import (
    carton,
    ceiling_lamps,
    door,
    lamp_paint,
    pendant,
    picture,
    plant,
    waste_bin,
    window,
)
from deepdream.rooms.palette import Palette, empty_room
from deepdream.rooms.scene import BACKGROUND, FITTED, SHELL, Floats, Paint, Scene

__all__ = ["corridor", "stairscase", "subway", "winecellar"]


def corridor(tones: Palette) -> Scene:
    """A long passage with doors on both sides and a row of lamps."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (1.9, 3.0), (2.4, 3.1), (12, 24), focal=(0.6, 0.95))
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
    scene.object = "rug"
    if rng.random() < 0.3:
        half = u(0.25, 0.35) * (scene.right - scene.left)
        scene.panel("floor", (-half, half), (-2, scene.end - 0.5), tones.paint(tones.accent(), "carpet"), out=0.004)
    leaf, frame = tones.paint(tones.mid() if rng.random() < 0.5 else tones.board), tones.paint(tones.light())
    step, start = u(2.4, 3.6), u(1.6, 2.6)
    for side in ("left", "right"):
        for at in np.arange(start + u(0, 1.0), scene.end - 0.8, step)[::-1]:
            door(scene, tones, side, float(at), leaf, frame)
            gap = float(at) + step / 2
            if gap < scene.end - 0.6 and rng.random() < 0.35:
                picture(scene, tones, side, gap, u(1.4, 1.7), u(0.5, 0.8), u(0.4, 0.7))
    if rng.random() < 0.5:
        window(scene, tones, "back", (-0.5, 0.5), (0.6, 2.0), shine=1.3)
    else:
        door(scene, tones, "back", 0.0, leaf, frame, wide=1.3)
    spots = np.linspace(1.5, scene.end - 1, int(scene.end / u(2.5, 3.6)))
    ceiling_lamps(scene, tones, [(0.0, float(z)) for z in spots[::-1]][-6:], 0.5)
    for _ in range(rng.integers(0, 3)):
        x = rng.choice([scene.left + 0.3, scene.right - 0.3])
        (plant, waste_bin, carton)[rng.integers(3)](scene, tones, float(x), u(2.5, 8))
    return scene


def stairscase(tones: Palette) -> Scene:
    """A flight of stairs that goes up ahead, with banisters, to a landing."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (2.6, 4.2), (4.6, 5.8), (7.5, 9), eye=(1.3, 1.7), focal=(0.55, 0.75), lift=-0.12)
    wall = tones.wall()
    scene.shell(tones.floor(), wall, tones.ceiling())
    scene.object = "stairs"
    count, rise, run, z0 = int(rng.integers(11, 15)), u(0.16, 0.19), u(0.24, 0.32), u(1.7, 2.4)
    whole = rng.random() < 0.45
    x0 = scene.left if whole else scene.left + u(0.0, 0.25)
    x1 = scene.right if whole else x0 + u(1.4, 2.1)
    step, riser = (tones.wood(), tones.paint(tones.light())) if rng.random() < 0.5 else (tones.paint(), tones.paint())
    shaded = Paint(riser.colour * np.float32(0.7), riser.second)
    runner = tones.paint(tones.accent(), "carpet") if rng.random() < 0.45 else None
    top = count * rise
    z1 = z0 + count * run
    for k in reversed(range(count)):
        y, z = k * rise, z0 + k * run
        at = 50.0 + k  # before all else that stands here, and from the top down
        scene.box((x0, y, z), (x1, y + rise, z + run + 0.02), step, front=shaded, side=riser, at=at, shade=False)
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
    scene.box(
        (x0, top - 0.2, z1), (x1 if rng.random() < 0.5 else scene.right, top, scene.end), step, at=80, shade=False
    )
    middle = (x0 + x1) / 2
    if rng.random() < 0.55:
        window(scene, tones, "back", (middle - 0.5, middle + 0.5), (top + 0.7, min(top + 1.9, scene.top - 0.2)))
    else:
        picture(scene, tones, "back", middle, top + 1.2, 0.9, 0.7)
    scene.object = "banister"
    rail, post = tones.wood(), tones.paint(tones.dark() if rng.random() < 0.6 else tones.white)
    thin, high = u(0.012, 0.03), u(0.85, 1.0)
    for x in (x0 + 0.06, x1 - 0.06):
        open_side = not (whole or x < middle)
        if open_side or whole:
            for k in reversed(range(count)):
                foot = (k + 1) * rise
                z = z0 + (k + 0.5) * run
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
            door(scene, tones, "back", (x1 + scene.right) / 2, tones.wood(), tones.paint(tones.light()), wide=0.8)
        if rng.random() < 0.5:
            plant(scene, tones, scene.right - 0.4, u(2.5, 4), size=1.1)
    scene.lamp((u(-0.5, 0.5), scene.top - 0.4, u(1, 2.5)), 1.6)
    scene.lamp((middle, scene.top - 0.5, scene.end - 1.5), 0.9)
    if rng.random() < 0.5:
        pendant(scene, tones, middle + u(-0.3, 0.3), z1 - 0.5, scene.top - u(0.8, 1.2))
    return scene


def subway(tones: Palette) -> Scene:
    """A platform with its edge line, rails in the trench, a train or a tunnel mouth, columns and signs."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (7.0, 8.5), (3.2, 4.0), (16, 22), eye=(1.5, 1.8), focal=(0.6, 0.8), aside=0.0, floor=-1.1)
    edge = u(-0.5, 0.3)
    scene.eye = (edge + u(0.5, 1.8), scene.eye[1], 0.0)
    wall = tones.wall(("tiles", "tiles", "plain", "bricks", "stone"))
    bed = Paint(tones.tone((0.15, 0.4), (0, 0.4)), tones.mid(), "stone", 0.5)
    scene.shell(bed, wall, tones.ceiling())
    x0, x1, z1 = scene.left, scene.right, scene.end
    scene.object = "platform"
    platform = tones.floor(("tiles", "stone", "plain", "checker"))
    scene.box((edge, -1.1, -3), (x1, 0, z1), tones.paint(tones.mid()), top=platform, layer=SHELL)
    scene.face([(edge, 0, -3), (x1, 0, -3), (x1, 0, z1), (edge, 0, z1)], platform, layer=SHELL)
    scene.panel("floor", (edge, edge + 0.12), (-3, z1), tones.paint(tones.light()), out=0.003)
    stripe = Paint(tones.accent(), tones.white, "checker" if rng.random() < 0.5 else "plain", 0.12)
    scene.panel("floor", (edge + 0.3, edge + 0.65), (-3, z1), stripe, out=0.003)
    # Tracks.
    scene.object = "tracks"
    middle = (x0 + edge) / 2
    sleeper, rail = tones.wood(), tones.paint(tones.metal())
    for z in np.arange(0.5, z1, 0.75)[::-1]:
        scene.box((middle - 1.1, -1.1, float(z)), (middle + 1.1, -1.0, float(z) + 0.3), sleeper, layer=FITTED)
    for x in (middle - 0.75, middle + 0.75):
        scene.box((x - 0.05, -1.0, -1), (x + 0.05, -0.86, z1), rail, layer=FITTED)
    # The tunnel mouth in the back wall and the platform's end.
    scene.object = "tunnel"
    hole = tones.paint(tones.tone((0.02, 0.12), (0, 0.3)))
    turns = np.linspace(0, math.pi, 14)
    r = min(1.75, edge - middle - 0.05)
    mouth = [(middle + r * math.cos(a), 0.9 + 1.1 * math.sin(a), z1 - 0.02) for a in turns]
    scene.face([(middle - r, -1.1, z1 - 0.02), (middle + r, -1.1, z1 - 0.02), *mouth], hole, layer=FITTED)
    # The wall across the track: panels with the line's band and signs.
    scene.object = BACKGROUND
    band = tones.paint(tones.accent())
    scene.panel("left", (-3, z1), (1.75, 2.05), band, out=0.01)
    scene.panel("right", (-3, z1), (1.75, 2.05), band, out=0.01)
    for z in np.arange(2.5, z1 - 2, u(3, 4.5))[::-1]:
        scene.object = "signs"
        sign = tones.paint(tones.light(), glow=u(0.2, 0.8))
        scene.panel(
            "left",
            (float(z), float(z) + 1.6),
            (0.4, 1.5),
            sign
            if rng.random() < 0.5
            else Paint(tones.light(), tones.accent(), str(rng.choice(["view", "dots", "stripes"])), 0.7, glow=0.4),
            out=0.02,
        )
        picture(scene, tones, "right", float(z) + 0.5, 1.1, 1.2, 0.9)
    train = rng.random() < 0.6
    scene.object = "train"
    if train:
        _train(scene, tones, middle, edge, u(1.5, 6.0) if rng.random() < 0.5 else u(6, 10))
    scene.object = "columns"
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
    scene.object = "benches"
    for z in np.arange(u(3, 5), z1 - 3, u(4, 6))[::-1]:  # benches by the wall
        z = float(z)
        scene.box((x1 - 0.5, 0.38, z), (x1 - 0.05, 0.46, z + 1.5), tones.wood(), at=z + 0.7)
    scene.object = "signs"
    if rng.random() < 0.7:  # the sign that hangs over the platform
        z, x = u(3.5, 5.5), edge + u(0.9, 1.6)
        scene.box(
            (x - 0.8, scene.top - 0.75, z),
            (x + 0.8, scene.top - 0.35, z + 0.1),
            tones.paint(tones.dark()),
            front=Paint(tones.accent(), tones.white, "plain", glow=0.8),
            at=z,
            shade=False,
        )
        scene.box(
            (x - 0.6, scene.top - 0.58, z - 0.02), (x + 0.3, scene.top - 0.5, z), tones.paint(tones.white), at=z - 0.02
        )
    scene.object = "ceiling lamp"
    lamp, row = lamp_paint(tones), edge + u(0.2, 1.2)
    for z in np.arange(1.5, z1, 2.2)[::-1]:
        scene.panel("ceiling", (row - 0.1, row + 0.1), (float(z), float(z) + u(1.3, 1.4)), lamp, out=0.06)
    for z in (2.5, 6.5, 11.0):
        scene.lamp((row, scene.top - 0.5, z), 1.0)
    return scene


def _train(scene: Scene, tones: Palette, middle: float, edge: float, nose: float) -> None:
    """A train at the platform, its front at z = nose; it goes on to the end of the station."""
    body, stripe = (
        tones.paint(tones.light() if tones.rng.random() < 0.5 else tones.metal()),
        tones.paint(tones.accent()),
    )
    a, b, low, high, z1 = 2 * middle - edge + 0.12, edge - 0.12, -0.75, 2.3, scene.end
    at = 60.0
    scene.box((a, low, nose), (b, high, z1), body, at=at, shade=False)
    glass = Paint(tones.sky() * np.float32(0.6), tones.mid(), "plain", glow=0.7)
    dark = tones.paint(tones.tone((0.05, 0.2), (0, 0.4)))
    z = nose - 0.01
    rows = ((0.5, 1.75, dark), (-0.2, 0.1, stripe))
    for y0, y1, paint in rows:
        scene.face([(a + 0.15, y0, z), (b - 0.15, y0, z), (b - 0.15, y1, z), (a + 0.15, y1, z)], paint, at=at - 1)
    lamp = lamp_paint(tones, 4.0)
    for x in (a + 0.4, b - 0.4):
        scene.ball((x, -0.3, nose - 0.05), 0.13, lamp, at=at - 2)
    scene.face(
        [(a + 0.5, 1.9, z), (b - 0.5, 1.9, z), (b - 0.5, 2.15, z), (a + 0.5, 2.15, z)],
        Paint(tones.accent(), tones.white, glow=1.5),
        at=at - 2,
    )
    scene.lamp((middle, 0.0, nose - 1.5), 0.5)
    x = b + 0.005
    scene.face([(x, -0.2, nose), (x, -0.2, z1), (x, 0.1, z1), (x, 0.1, nose)], stripe, at=at - 1)
    for z in np.arange(nose + 0.4, z1 - 1.0, 1.4):
        z = float(z)
        if round((z - nose - 0.4) / 1.4) % 3 == 1:  # a door
            leaf = Paint(stripe.colour * np.float32(0.8), stripe.second)
            scene.face([(x, -0.1, z), (x, -0.1, z + 1.1), (x, 1.9, z + 1.1), (x, 1.9, z)], leaf, at=at - 1.5)
            scene.face(
                [(x, 0.6, z + 0.15), (x, 0.6, z + 0.95), (x, 1.7, z + 0.95), (x, 1.7, z + 0.15)], glass, at=at - 2
            )
        else:
            scene.face([(x, 0.6, z), (x, 0.6, z + 1.1), (x, 1.6, z + 1.1), (x, 1.6, z)], glass, at=at - 2)


def winecellar(tones: Palette) -> Scene:
    """A vault with casks lying on both sides, or racks of bottles."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (3.6, 4.8), (2.9, 3.5), (8, 12), eye=(1.4, 1.7))
    kind = "bricks" if rng.random() < 0.6 else "stone"
    masonry = Paint(tones.light(), tones.mid() * 0.6, kind, u(0.35, 0.5) if kind == "bricks" else 1.0)
    scene.shell(tones.floor(("stone", "tiles", "bricks", "plain")), masonry, masonry)
    # The vault: a half barrel from the side walls' spring line up to the ceiling.
    spring, wide, z1 = u(1.2, 1.7), scene.right, scene.end
    rise, strips = scene.top - spring, 10
    arc = [(wide * math.cos(a), spring + rise * math.sin(a)) for a in np.linspace(0, math.pi, strips + 1)]
    walked = 0.0
    for (xa, ya), (xb, yb) in pairwise(arc):
        piece = math.hypot(xb - xa, yb - ya)
        axes = ((0.0, 0.0, 1.0), ((xb - xa) / piece, (yb - ya) / piece, 0.0))
        start = (xa - axes[1][0] * walked, ya - axes[1][1] * walked, 0.0)
        scene.face(
            [(xa, ya, -3), (xa, ya, z1), (xb, yb, z1), (xb, yb, -3)], masonry, layer=SHELL, axes=axes, origin=start
        )
        walked += piece
    rib = tones.paint(tones.mid(), "bricks", 0.3)
    for z in np.arange(z1 - 0.4, 1.0, -u(1.8, 2.6)):  # arches
        z = float(z)
        for (xa, ya), (xb, yb) in pairwise(arc):
            inner = [(x * 0.92, spring + (y - spring) * 0.92) for x, y in ((xb, yb), (xa, ya))]
            scene.face([(xa, ya, z), (xb, yb, z), *((x, y, z) for x, y in inner)], rib, layer=FITTED)
    scene.object = "casks"
    cask, hoop = tones.board if rng.random() < 0.6 else tones.mid(), tones.metal() * np.float32(0.5)
    side_paint = Paint(cask, hoop, "planks", 0.12)
    racks = rng.integers(4)  # 0: bottles left, 1: bottles right, else casks on both sides
    radius = u(0.36, 0.46)
    for number, sign in enumerate((-1, 1)):
        if racks == number:
            scene.object = "bottle rack"
            gap = u(0.11, 0.15)
            x = sign * (wide - 0.45)
            rack = Paint(tones.board, tones.dark() * 0.6, "bottles", gap)
            for z in np.arange(0.3, z1 - 0.5, 1.5)[::-1]:
                z = float(z)
                lo, hi = sorted((x, sign * wide))
                scene.box((lo, 0, z), (hi, 1.9, z + 1.4), tones.wood(), side=rack, at=z + 0.7)
            continue
        scene.object = "casks"
        x = sign * (wide - radius * u(1.1, 1.25))
        for z in np.arange(u(1.0, 1.5), z1 - 0.5, radius * 2.25)[::-1]:
            z = float(z)
            for y, tier in ((radius + 0.12, 0), (radius * 2.85 + 0.12, 1), (radius * 4.6 + 0.12, 2)):
                if tier and (rng.random() < 0.15 or y + radius > spring + rise * 0.6):
                    continue
                _cask(scene, x, y, z, radius, cask, hoop)
        scene.shadow(x - radius, x + radius, 0.8, z1 - 0.3, 1.0)
    if rng.random() < 0.5:
        door(scene, tones, "back", 0.0, tones.wood(), rib)
    else:
        for y, row in ((radius + 0.1, 3), (radius * 2.8, 2)):
            for k in range(row):
                x = (k - (row - 1) / 2) * radius * 2.1
                centre, stop = (x, y, z1 - 0.8), (x, y, z1)
                scene.cylinder(centre, stop, radius, side_paint, cap=Paint(cask, hoop, "ends", radius))
    if rng.random() < 0.35:  # an upright cask with a candle or a bottle on it
        x, z = u(-0.5, 0.5), u(2.2, 3.2)
        scene.shadow(x - 0.3, x + 0.3, z - 0.3, z + 0.3, 0.8)
        at = scene.distance(x, 0.4, z)
        scene.lathe(x, z, [(0, 0.25), (0.4, 0.31), (0.8, 0.25)], Paint(cask, hoop, "planks", 0.1), at=at)
        scene.lathe(
            x, z, [(0.8, 0.05), (1.0, 0.05), (1.1, 0.018), (1.2, 0.018)], tones.paint(tones.accent()), at=at - 0.01
        )
    scene.object = "ceiling lamp"
    for z in np.arange(2.0, z1, u(2.4, 3.2))[::-1][-3:]:
        scene.ball((0, scene.top - 0.3, float(z)), 0.12, lamp_paint(tones, 3.0))
        scene.lamp((0, scene.top - 0.5, float(z)), 0.8)
    return scene


def _cask(scene: Scene, x: float, y: float, z: float, radius: float, cask: Floats, hoop: Floats) -> None:
    """A cask that lies across the room, its tail to the nearer side wall and its head to the aisle."""
    sign = 1 if x > 0 else -1
    head, tail = x - sign * radius * 0.9, sign * scene.right
    at = scene.distance(x, y, z)
    side = Paint(cask, hoop, "staves", radius)
    ring = [(y + radius * math.sin(a), z + radius * math.cos(a)) for a in np.linspace(0, 2 * math.pi, 15)]
    piece = math.dist(ring[0], ring[1])
    for k, ((ya, za), (yb, zb)) in enumerate(pairwise(ring)):
        my, mz = (ya + yb) / 2 - y, (za + zb) / 2 - z
        if my * (scene.eye[1] - ya) + mz * (scene.eye[2] - za) > 0:
            around = (0.0, (yb - ya) / piece**2 * radius, (zb - za) / piece**2 * radius)  # one stave a strip
            origin = (head, ya - k * (yb - ya), za - k * (zb - za))
            scene.face(
                [(head, ya, za), (tail, ya, za), (tail, yb, zb), (head, yb, zb)],
                side,
                at=at,
                origin=origin,
                axes=((sign, 0.0, 0.0), around),
                bulge=((x, y, z), (1, 0, 0), radius),
            )
    scene.face([(head, a, b) for a, b in ring[:-1]], Paint(cask, hoop, "ends", radius), at=at, origin=(head, y, z))
