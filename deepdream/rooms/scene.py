"""A room before it is rendered: faces and solids with their paint, and lamps.

Metres throughout: x to the right, y up, z away from the camera, which stands near z = 0 at `Scene.eye`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKGROUND", "FITTED", "SHELL", "SOLID", "Face", "Floats", "Paint", "Point", "Scene", "Span"]

Floats = NDArray[np.float32]
Point = Sequence[float]
Span = tuple[float, float]

SHELL, FITTED, SOLID = 0, 1, 2  # painting order: the room, what is flat on its walls, what stands in it
SIDES = 14  # of a polygon that stands for a circle
BACKGROUND = "background"  # the object of the walls, and of all that is part of them


@dataclass(frozen=True, slots=True)
class Paint:
    """What a face is made of. Colours are linear RGB in [0, 1]; `second` is the material's other colour.

    `scale` is the size in metres of one tile, board, book, ...; `turn` swaps the two directions of the material;
    `glow` is light that the face sends out by itself; `gloss` in [0, 1] is how much an upward face mirrors.
    """

    colour: Floats
    second: Floats
    material: str = "plain"
    scale: float = 1.0
    turn: bool = False
    glow: float = 0.0
    gloss: float = 0.0


@dataclass(frozen=True, slots=True)
class Face:
    """A flat polygon and how it is painted."""

    points: Sequence[Point]
    paint: Paint
    order: tuple[int, float]
    origin: Point  # where the texture coordinates start
    axes: tuple[Point, Point] | None  # directions of the texture; None: the two room axes that the face lies in
    bulge: tuple[Point, Point, float] | None  # a point on the axis, the axis (0, 0, 0 for a ball), the radius
    object: str  # what it is a part of


class Scene:
    """A room of width x height x depth metres, seen from inside; add faces and solids, then `render` it.

    All that is added belongs to the object that `object` names at that moment: "bed", "window". Objects of one kind
    share their name. Lamps belong to none: the light stays when an object is left out.

    eye is the camera's position; focal is in image widths (0.5 is wide, 1.0 is narrow); shift moves the vanishing
    point, in image widths to the right and up; yaw turns the camera to the right, in radians.
    """

    def __init__(
        self,
        *,
        width: float,
        height: float,
        depth: float,
        eye: Point,
        focal: float,
        shift: tuple[float, float] = (0.0, 0.0),
        yaw: float = 0.0,
        floor: float = 0.0,
    ) -> None:
        self.left, self.right, self.floor, self.top, self.end = -width / 2, width / 2, floor, height, depth
        self.eye, self.focal, self.shift, self.yaw = eye, focal, shift, yaw
        self.faces: list[Face] = []
        self.lamps: list[tuple[Point, float]] = []
        self.object = BACKGROUND
        self.shadows: list[tuple[str, list[Point]]] = []  # objects, and their tops that shade y = 0
        self.sunlit: list[tuple[str, list[Point]]] = []  # windows, and the sun's patches on y = 0

    def face(
        self,
        points: Sequence[Point],
        paint: Paint,
        *,
        layer: int = SOLID,
        at: float | None = None,
        origin: Point = (0.0, 0.0, 0.0),
        axes: tuple[Point, Point] | None = None,
        bulge: tuple[Point, Point, float] | None = None,
    ) -> None:
        """Add one flat polygon, seen from both sides. Solids are painted from the largest `at` (mean z) to the least,
        the other layers in the order of the calls."""
        if layer != SOLID:
            at = 0.0
        elif at is None:
            at = sum(point[2] for point in points) / len(points)
        self.faces.append(Face(points, paint, (layer, -at), origin, axes, bulge, self.object))

    def distance(self, x: float, y: float, z: float) -> float:
        """Painting order of a solid: mostly z; of two side by side, the one nearer to the axis of view comes last."""
        return z + 0.02 * abs(x - self.eye[0]) + 0.02 * abs(y - self.eye[1])

    def box(
        self,
        lo: Point,
        hi: Point,
        paint: Paint,
        *,
        top: Paint | None = None,
        front: Paint | None = None,
        side: Paint | None = None,
        layer: int = SOLID,
        at: float | None = None,
        shade: bool = True,
    ) -> float:
        """Add a cuboid; only faces that the camera can see are kept. Returns its painting order for what lies on it."""
        (x0, y0, z0), (x1, y1, z1) = lo, hi
        at = self.distance((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2) if at is None else at
        ex, ey, ez = self.eye
        if ex < x0 or ex > x1:
            x = x0 if ex < x0 else x1
            points = [(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)]
            self.face(points, side or paint, layer=layer, at=at, origin=lo)
        if ey > y1 or ey < y0:
            y = y1 if ey > y1 else y0
            points = [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]
            self.face(points, (top or paint) if ey > y1 else paint, layer=layer, at=at, origin=lo)
        if ez < z0:
            points = [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)]
            self.face(points, front or paint, layer=layer, at=at, origin=lo)
        if shade and -0.01 <= y0 < 0.6 and layer == SOLID:
            self.shadow(x0, x1, z0, z1, y1)
        return at

    def shadow(self, x0: float, x1: float, z0: float, z1: float, height: float) -> None:
        """Let a cuboid of this footprint darken the floor under and behind it."""
        top: list[Point] = [(x0, height, z0), (x1, height, z0), (x1, height, z1), (x0, height, z1)]
        self.shadows.append((self.object, top))

    def sun_patch(self, points: list[Point]) -> None:
        """Let the sun fall on this part of the floor."""
        self.sunlit.append((self.object, points))

    def rod(
        self, start: Point, stop: Point, radius: float, paint: Paint, *, layer: int = SOLID, at: float | None = None
    ) -> None:
        """Add a thin round bar between two points: a strip turned to the camera, shaded as a cylinder."""
        (ax, ay, az), (bx, by, bz), (ex, ey, ez) = start, stop, self.eye
        dx, dy, dz = bx - ax, by - ay, bz - az
        mx, my, mz = (ax + bx) / 2, (ay + by) / 2, (az + bz) / 2
        sx, sy, sz = mx - ex, my - ey, mz - ez
        px, py, pz = dy * sz - dz * sy, dz * sx - dx * sz, dx * sy - dy * sx  # at right angles to bar and sight
        wide = radius / max(math.sqrt(px * px + py * py + pz * pz), 1e-6)
        px, py, pz = px * wide, py * wide, pz * wide
        length = max(math.sqrt(dx * dx + dy * dy + dz * dz), 1e-6)
        points = [
            (ax - px, ay - py, az - pz), (ax + px, ay + py, az + pz),
            (bx + px, by + py, bz + pz), (bx - px, by - py, bz - pz),
        ]  # fmt: skip
        at = self.distance(mx, my, mz) if at is None else at
        self.face(points, paint, layer=layer, at=at, bulge=(start, (dx / length, dy / length, dz / length), radius))

    def cylinder(
        self, start: Point, stop: Point, radius: float, paint: Paint, *, cap: Paint | None = None, sides: int = SIDES
    ) -> None:
        """Add a round solid along z from start to the farther stop, with the near end closed by `cap`."""
        (x, y, z0), z1 = start, stop[2]
        at = self.distance(x, y, (z0 + z1) / 2)
        ring = [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in np.linspace(0, 2 * math.pi, sides + 1)]
        for (xa, ya), (xb, yb) in pairwise(ring):
            outward = ((xa + xb) / 2 - x, (ya + yb) / 2 - y)
            if outward[0] * (self.eye[0] - xa) + outward[1] * (self.eye[1] - ya) > 0:
                points = [(xa, ya, z0), (xb, yb, z0), (xb, yb, z1), (xa, ya, z1)]
                self.face(points, paint, at=at, bulge=((x, y, z0), (0, 0, 1), radius), origin=(x, y, z0))
        self.face([(px, py, z0) for px, py in ring[:-1]], cap or paint, at=at, origin=(x, y, z0))

    def lathe(self, x: float, z: float, profile: Sequence[Span], paint: Paint, *, at: float | None = None) -> None:
        """Add a solid turned around a vertical axis (pin, vase, column) from its (height, radius) profile."""
        dx, dz = x - self.eye[0], z - self.eye[2]
        length = max(math.hypot(dx, dz), 1e-6)
        ax, az = dz / length, -dx / length  # horizontal, at right angles to the line of sight
        points = [(x - ax * r, y, z - az * r) for y, r in profile]
        points += [(x + ax * r, y, z + az * r) for y, r in reversed(profile)]
        radius = max(r for _, r in profile)
        middle = (profile[0][0] + profile[-1][0]) / 2
        at = self.distance(x, middle, z) if at is None else at
        self.face(points, paint, at=at, bulge=((x, middle, z), (0, 1, 0), radius), origin=(x, 0, z))
        height, r = profile[-1]
        if self.eye[1] > height and r > 0.03:
            self.disc((x, height, z), r, paint, at=at)

    def disc(self, centre: Point, radius: float, paint: Paint, *, layer: int = SOLID, at: float | None = None) -> None:
        """Add a horizontal circle."""
        x, y, z = centre
        turns = [2 * math.pi * k / SIDES for k in range(SIDES)]
        points = [(x + radius * math.cos(a), y, z + radius * math.sin(a)) for a in turns]
        self.face(points, paint, layer=layer, at=self.distance(x, y, z) if at is None else at, origin=centre)

    def ball(self, centre: Point, radius: float, paint: Paint, *, at: float | None = None) -> None:
        """Add a sphere."""
        x, y, z = centre
        sight = np.subtract(centre, self.eye)
        sight /= np.linalg.norm(sight)
        across = np.cross(sight, (0.0, 1.0, 0.0))
        across /= np.linalg.norm(across)
        up = np.cross(across, sight)
        turns = np.linspace(0, 2 * math.pi, SIDES + 2, endpoint=False)[:, None]
        points = centre + radius * (np.cos(turns) * across + np.sin(turns) * up)
        at = self.distance(x, y, z) if at is None else at
        self.face(points.tolist(), paint, at=at, bulge=(centre, (0, 0, 0), radius), origin=centre)

    def panel(self, wall: str, u: Span, v: Span, paint: Paint, *, out: float = 0.0) -> None:
        """Add a rectangle flat on a wall ("left", "right", "back", "floor" or "ceiling"), `out` metres off it.

        u runs along z on the side walls and along x elsewhere; v is the height, or z on floor and ceiling.
        """
        (u0, u1), (v0, v1) = u, v
        corners = [(u0, v0), (u1, v0), (u1, v1), (u0, v1)]
        if wall == "back":
            points = [(a, b, self.end - out) for a, b in corners]
        elif wall in ("floor", "ceiling"):
            y = out if wall == "floor" else self.top - out
            points = [(a, y, b) for a, b in corners]
        else:
            x = self.left + out if wall == "left" else self.right - out
            points = [(x, b, a) for a, b in corners]
        self.face(points, paint, layer=FITTED, origin=points[0])

    def slab(self, wall: str, u: Span, v: Span, thick: float, paint: Paint) -> None:
        """Add a cuboid that stands out from a side or back wall by `thick` metres; u, v as in `panel`."""
        if wall == "back":
            lo, hi = (u[0], v[0], self.end - thick), (u[1], v[1], self.end)
        else:
            x0, x1 = (self.left, self.left + thick) if wall == "left" else (self.right - thick, self.right)
            lo, hi = (x0, v[0], u[0]), (x1, v[1], u[1])
        self.box(lo, hi, paint, layer=FITTED)

    def shell(self, floor: Paint, wall: Paint, ceiling: Paint) -> None:
        """Add floor, ceiling and the three walls in view; the room goes on for three metres behind the camera."""
        x0, x1, y0, y1, z0, z1 = self.left, self.right, self.floor, self.top, -3.0, self.end
        quads = [
            ([(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)], floor),
            ([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)], ceiling),
            ([(x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)], wall),
            ([(x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)], wall),
            ([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], wall),
        ]
        for points, paint in quads:
            self.face(points, paint, layer=SHELL, origin=points[0])

    def lamp(self, point: Point, power: float = 1.0) -> None:
        """Add a source of light (its glowing body is a face of its own)."""
        self.lamps.append((point, power))
