"""Rooms for sport: bowling alley, swimming bath.

One function per class: it builds a scene from a palette, which is also its random generator. Sizes are in metres.
"""

from __future__ import annotations

import math

import numpy as np

from deepdream.rooms.furniture import ceiling_lamps, chair, clock
from deepdream.rooms.palette import Palette, empty_room
from deepdream.rooms.scene import FITTED, Paint, Scene

__all__ = ["bowling", "poolside"]


def bowling(tones: Palette) -> Scene:
    """Polished lanes between gutters that run to the pins; balls on their return in front."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(
        tones, (7.5, 9.5), (3.0, 3.8), (11, 13), eye=(1.5, 1.9), focal=(0.75, 1.0), aside=0.08, lift=0.08
    )
    scene.shell(Paint(tones.board, tones.board * 0.5, "planks", 0.14, gloss=u(0.3, 0.6)), tones.wall(), tones.ceiling())
    scene.object = "lanes"
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
    scene.object = "pit"
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
    scene.object = "pins"
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
    scene.object = "lanes"
    for x in [a + pitch / 2 for a in lanes]:  # dividers with return rails
        scene.box((x - 0.06, 0, z0 + 0.3), (x + 0.06, 0.06, z1), tones.paint(tones.metal()), layer=FITTED)
    scene.object = "ball return"
    if rng.random() < 0.75:  # ball return
        x, z = lanes[len(lanes) // 2] + pitch / 2 * rng.choice([-1, 1]), z0 - 0.1
        body = tones.paint(tones.dark())
        at = scene.box((x - 0.25, 0, z - 0.5), (x + 0.25, 0.42, z + 0.4), body)
        scene.box(
            (x - 0.3, 0.42, z - 0.6), (x + 0.3, 0.5, z + 0.5), tones.paint(tones.metal()), at=at - 0.01, shade=False
        )
        scene.object = "balls"
        for k in range(rng.integers(3, 7)):
            bx, bz = x + (k % 2 - 0.5) * 0.28, z + 0.35 - 0.15 * k
            scene.ball((bx, 0.62, bz), 0.125, tones.paint(tones.accent()), at=at - 0.1 - 0.02 * k)
    scene.object = "balls"
    if rng.random() < 0.6:  # a ball on its way
        x = float(rng.choice(lanes))
        z = u(z0 + 0.5, z0 + 3)
        scene.shadow(x - 0.1, x + 0.1, z - 0.1, z + 0.1, 0.2)
        scene.ball((x + u(-0.2, 0.2), 0.13, z), 0.13, tones.paint(tones.accent()))
    scene.object = "score screens"
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


def poolside(tones: Palette) -> Scene:
    """A pool in a tiled hall: lane ropes on rippling water, starting blocks, tall windows."""
    rng, u = tones.rng, tones.rng.uniform
    scene = empty_room(tones, (10, 14), (4.2, 5.8), (15, 20), eye=(2.0, 3.0), focal=(0.65, 0.9), aside=0.12, lift=0.12)
    deck = Paint(tones.light(), tones.mid(), "tiles", u(0.4, 0.7), gloss=u(0.1, 0.4))
    scene.shell(deck, tones.wall(("tiles", "plain", "bricks", "stone")), tones.ceiling())
    scene.object = "pool"
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
        scene.object = "pool"
        x = -half + (k + 0.5) * pitch
        scene.panel(
            "floor",
            (x - 0.12, x + 0.12),
            (z0 + 1, z1 - 1),
            Paint(wet.colour * np.float32(0.35), wet.second, "water", wet.scale, gloss=wet.gloss),
            out=0.008,
        )
        scene.object = "lane ropes"
        if k:  # rope of floats in two colours
            x = -half + k * pitch
            for n, z in enumerate(np.arange(z0, z1, 0.8)[::-1]):
                scene.rod((x, 0.03, float(z)), (x, 0.03, float(z) + 0.8), 0.07, a if n % 2 else b, layer=FITTED)
    scene.object = "starting blocks"
    far = rng.random() < 0.5
    for k in range(lanes):  # starting blocks
        x, z = -half + (k + 0.5) * pitch, (z1 + 0.4 if far else z0 - 0.75)
        if far or abs(x - scene.eye[0]) > 0.7:
            at = scene.box((x - 0.2, 0, z + 0.1), (x + 0.2, 0.45, z + 0.35), b)
            scene.box((x - 0.28, 0.45, z), (x + 0.28, 0.55, z + 0.5), a, at=at - 0.01, shade=False)
    scene.object = "window"
    wall = str(rng.choice(["left", "right"]))
    step = u(1.6, 2.4)
    sky = Paint(tones.sky(), tones.mid(), "view", 2.2, glow=u(0.6, 1.1))
    for z in np.arange(1.0, scene.end - step, step)[::-1]:
        scene.panel(wall, (float(z), float(z) + step * 0.85), (0.7, scene.top - 0.8), sky, out=0.02)
    for z in (3.0, scene.end * 0.6):
        scene.lamp((scene.right * (0.8 if wall == "right" else -0.8), 2.5, z), 1.0)
    scene.object = "beams"
    beam = tones.wood() if rng.random() < 0.5 else tones.paint(tones.metal())
    for z in np.arange(scene.end - 0.5, 1.5, -u(2.0, 3.0)):
        scene.box(
            (scene.left, scene.top - 0.35, float(z) - 0.12),
            (scene.right, scene.top, float(z) + 0.12),
            beam,
            layer=FITTED,
        )
    scene.object = "ladders"
    side = half + 0.15
    for x in (-side, side):  # ladders
        for z in (z1 - 2.5, z0 + 1.8):
            for dz in (0.5, 0.0):
                metal = tones.paint(tones.metal())
                scene.rod((x, 0, z + dz), (x, 0.8, z + dz), 0.04, metal)
                scene.rod((x, 0.8, z + dz), (x * 0.93, 0.8, z + dz), 0.04, metal)
                scene.rod((x * 0.93, 0.8, z + dz), (x * 0.93, 0, z + dz), 0.04, metal)
    scene.object = "flags"
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
