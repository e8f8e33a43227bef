"""The camera: a scene in, an image out, with NumPy and Pillow only.

Pillow fills each face's polygon, back to front, with the face's number. The rest is NumPy on that one image of
numbers: a ray per pixel meets the plane of its face, which gives position, normal and perspective-correct texture
coordinates; lamps, corners, soft shadows, reflections on polished floors, glow and film follow.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from deepdream.rooms.materials import MATERIALS, texture
from deepdream.rooms.scene import BACKGROUND, Face, Floats, Paint, Point, Scene

__all__ = ["SUPERSAMPLE", "Film", "View", "bloom", "brightness", "develop", "expose", "look"]

SUPERSAMPLE = 2  # per side; polygons are not antialiased when filled
NEAR = 0.15  # metres; faces are cut here before they are projected
BLANK = Paint(np.full(3, 0.25, np.float32), np.full(3, 0.25, np.float32))  # of a background that is left out


@dataclass(frozen=True, slots=True)
class Film:
    """How the image is taken: everything between the light and the file, sampled alike for every class."""

    ambient: float  # share of light without direction
    light: Floats  # (3,) colour of the lamps
    sky: Floats  # (3,) colour of the light without direction
    haze: float  # per metre
    exposure: float  # mean of the linear image
    vignette: float
    saturation: float
    contrast: float
    noise: float  # standard deviation, in grey levels
    mirrored: bool


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees of a scene at N = side * side points, row by row.

    light: the linear image before the film, (3, N). objects: the names of all objects; owner: the place in it of what
    each point shows, (N,). floor_light: the light that furniture and sun leave to a point as a factor, (N,).
    reflection: the part of `light` that is mirrored by polished surfaces, (3, N).
    """

    light: Floats
    objects: tuple[str, ...]
    owner: NDArray[np.intp]
    floor_light: Floats
    reflection: Floats


# Rows of the table of faces: one column a face.
_N, _K, _A, _B, _U, _V, _GLOW, _SCALE, _GLOSS, _MATERIAL, _ROUND, _C, _AXIS = (
    slice(0, 3), 3, slice(4, 7), slice(7, 10), slice(10, 14), slice(14, 18), 18, 19, 20, 21, 22,
    slice(23, 26), slice(26, 29),
)  # fmt: skip


def _project(scene: Scene, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Camera coordinates (across, up, ahead) of world points, both (P, 3), and their place in the frame, (P, 2)."""
    x, y, z = (points - scene.eye).T
    cos, sin = math.cos(scene.yaw), math.sin(scene.yaw)
    seen = np.stack([x * cos - z * sin, y, x * sin + z * cos], axis=1)
    ahead = np.maximum(seen[:, 2:], NEAR)
    place = seen[:, :2] / ahead * scene.focal
    frame = np.stack([0.5 + scene.shift[0] + place[:, 0], 0.5 - scene.shift[1] - place[:, 1]], axis=1)
    return seen, frame


def _cut_near(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a polygon in camera coordinates (P, 3) that lies beyond the near plane; may be empty."""
    kept: list[NDArray[np.float64]] = []
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            kept.append(a + (b - a) * (NEAR - a[2]) / (b[2] - a[2]))
    return np.array(kept).reshape(-1, 3)


def _fill(
    scene: Scene, polygons: Sequence[Sequence[Point]], side: int, mode: str, values: Sequence[int]
) -> Image.Image:
    """A side x side image with each polygon (world coordinates) filled with its value, later ones on top."""
    canvas = Image.new(mode, (side, side), 128 if mode == "L" else 0)
    if not polygons:
        return canvas
    pen = ImageDraw.Draw(canvas)
    seen, frame = _project(scene, np.array([point for polygon in polygons for point in polygon], np.float64))
    flat = (frame * side - 0.5).tolist()
    near = seen[:, 2] < NEAR
    behind = np.concatenate([[0], np.cumsum(near)]).tolist()
    start = 0
    for polygon, value in zip(polygons, values, strict=True):
        stop = start + len(polygon)
        hidden = behind[stop] - behind[start]
        if hidden == 0:
            pen.polygon([(p[0], p[1]) for p in flat[start:stop]], fill=value)
        elif hidden < len(polygon):
            part = _cut_near(seen[start:stop])
            place = part[:, :2] / part[:, 2:] * scene.focal
            x = (0.5 + scene.shift[0] + place[:, 0]) * side - 0.5
            y = (0.5 - scene.shift[1] - place[:, 1]) * side - 0.5
            pen.polygon(list(zip(x.tolist(), y.tolist(), strict=True)), fill=value)
        start = stop
    return canvas


_ROOM_AXES = np.array([[(0, 0, 1), (0, 1, 0)], [(1, 0, 0), (0, 0, 1)], [(1, 0, 0), (0, 1, 0)]], np.float64)


def _tabulate(scene: Scene, faces: Sequence[Face]) -> Floats:
    """All that a pixel needs to know about its face, (columns, faces) float32."""
    count = len(faces)
    table = np.zeros((29, count))
    corners = np.array([[*face.points[0], *face.points[1], *face.points[2]] for face in faces], np.float64)
    first, second, third = corners[:, 0:3], corners[:, 3:6], corners[:, 6:9]
    normal = np.cross(second - first, third - first)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    offset = ((first - scene.eye) * normal).sum(axis=1)
    normal[offset > 0] *= -1  # towards the camera
    table[_N], table[_K] = normal.T, -np.abs(offset)
    axes = _ROOM_AXES[np.abs(normal).argmax(axis=1)]  # (F, 2, 3)
    for number, face in enumerate(faces):
        paint = face.paint
        table[_A, number], table[_B, number] = paint.colour, paint.second
        table[_GLOW : _MATERIAL + 1, number] = paint.glow, paint.scale, paint.gloss, MATERIALS.index(paint.material)
        if face.axes is not None:
            axes[number] = face.axes
        if paint.turn:
            axes[number] = axes[number, ::-1].copy()
        if face.bulge is not None:
            table[_C, number], table[_AXIS, number], table[_ROUND, number] = face.bulge
    origin = np.array([face.origin for face in faces], np.float64) - scene.eye
    for rows, axis in ((_U, axes[:, 0]), (_V, axes[:, 1])):
        table[rows] = np.vstack([axis.T, -(axis * origin).sum(axis=1)])
    return table.astype(np.float32)


def _round_normals(position: Floats, sight: Floats, centre: Floats, axis: Floats, radius: Floats) -> Floats:
    """Normals (3, N) of the cylinders and balls that flat faces stand for."""
    out = position - centre
    out -= axis * (out * axis).sum(axis=0)
    toward = -sight + axis * (sight * axis).sum(axis=0)
    toward /= np.sqrt((toward**2).sum(axis=0)) + 1e-6
    out -= toward * (out * toward).sum(axis=0) * 0.999
    rise = np.sqrt(np.maximum(radius**2 - (out**2).sum(axis=0), 0.0))
    out += toward * rise
    normals: Floats = out / (np.sqrt((out**2).sum(axis=0)) + 1e-6)
    return normals


def _shade_floor(scene: Scene, side: int, without: Collection[str]) -> Floats:
    """Light that reaches each pixel of the plane y = 0 as a factor, (side * side,): below 1 under furniture."""
    polygons: list[Sequence[Point]] = []
    values: list[int] = []
    lamp, _ = max(scene.lamps, key=lambda lamp: lamp[1], default=((0.0, 3.0, 3.0), 1.0))
    for name, patch in scene.sunlit:
        if name not in without:
            polygons.append(patch)
            values.append(255)
    for name, top in scene.shadows:
        if name in without:
            continue
        foot: list[Point] = [(x, 0.0, z) for x, _, z in top]
        height = top[0][1]
        stretch = min(height / max(lamp[1] - height, 0.3), 0.6)
        cast: list[Point] = [(x + (x - lamp[0]) * stretch, 0.0, z + (z - lamp[2]) * stretch) for x, _, z in top]
        sides: list[list[Point]] = [[foot[k], foot[k - 1], cast[k - 1], cast[k]] for k in range(4)]
        polygons += [cast, *sides, foot]
        values += [58] * 5 + [30]
    canvas = _fill(scene, polygons, side, "L", values).filter(ImageFilter.GaussianBlur(side / 96))
    factor: Floats = np.asarray(canvas, np.float32).reshape(-1) / np.float32(128)
    return factor


def _reflect(scene: Scene, light: Floats, position: Floats, sight: Floats, side: int) -> Floats:
    """What upward mirrors at these positions (3, N) show of the room's walls and ceiling, taken from `light`."""
    sx, sy, sz = sight[0], np.abs(sight[1]) + 1e-4, sight[2]
    to_side = np.where(sx > 0, scene.right - position[0], scene.left - position[0]) / (sx + np.copysign(1e-4, sx))
    reach = np.minimum(np.minimum(to_side, (scene.top - position[1]) / sy), (scene.end - position[2]) / (sz + 1e-4))
    hit = position + reach * np.stack([sx, sy, sz])
    x, y, z = hit - np.asarray(scene.eye, np.float32)[:, None]
    cos, sin = math.cos(scene.yaw), math.sin(scene.yaw)
    ahead = np.maximum(x * sin + z * cos, NEAR)
    column = (0.5 + scene.shift[0] + scene.focal * (x * cos - z * sin) / ahead) * side
    row = (0.5 - scene.shift[1] - scene.focal * y / ahead) * side
    place = np.clip(row, 0, side - 1).astype(np.intp) * side + np.clip(column, 0, side - 1).astype(np.intp)
    seen: Floats = light[:, place]
    return seen


def _repaint(face: Face) -> Face:
    """The same face in other, darker colours."""
    paint = face.paint
    colour, second = (np.roll(tone, 1) * np.float32(0.7) for tone in (paint.colour, paint.second))
    return replace(face, paint=replace(paint, colour=colour, second=second))


def _visible_faces(scene: Scene, without: Collection[str], repainted: Collection[str]) -> list[Face]:
    """The faces to fill, back to front. The room has walls, blank ones, without its background too."""
    faces = [face for face in scene.faces if face.object not in without or face.object == BACKGROUND]
    if BACKGROUND in without:
        faces = [replace(face, paint=BLANK) if face.object == BACKGROUND else face for face in faces]
    if repainted:
        faces = [_repaint(face) if face.object in repainted else face for face in faces]
    return sorted(faces, key=lambda face: face.order)


def look(
    scene: Scene, film: Film, side: int, *, without: Collection[str] = (), repainted: Collection[str] = ()
) -> View:
    """What the camera sees of the scene, some objects left out or painted in other colours."""
    faces = _visible_faces(scene, without, repainted)
    numbers = _fill(scene, [face.points for face in faces], side, "I", range(len(faces)))
    ids = np.asarray(numbers).reshape(-1).astype(np.intp)
    table = _tabulate(scene, faces).take(ids, axis=1)  # (columns, N)

    ticks = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    across = np.tile(ticks - np.float32(scene.shift[0]), side)
    up = np.repeat(-ticks - np.float32(scene.shift[1]), side)
    cos, sin = np.float32(math.cos(scene.yaw)), np.float32(math.sin(scene.yaw))
    focal = np.float32(scene.focal)
    sight = np.stack([across * cos + focal * sin, up, focal * cos - across * sin])  # (3, N)
    normal = table[_N]
    facing = np.minimum((sight * normal).sum(axis=0), -1e-3)
    reach = np.minimum(table[_K] / facing, 60.0)  # in lengths of `sight`, which are not 1
    position = sight * reach
    u = ((position * table[_U][:3]).sum(axis=0) + table[_U][3]) / table[_SCALE]
    v = ((position * table[_V][:3]).sum(axis=0) + table[_V][3]) / table[_SCALE]
    length = np.sqrt((sight**2).sum(axis=0))
    width = reach * length / (side * table[_SCALE] * np.sqrt(-facing / length))  # of a pixel, in texture units
    position += np.asarray(scene.eye, np.float32)[:, None]
    distance = reach * length

    colour = texture(table[_MATERIAL].astype(np.int8), table[_A], table[_B], u, v, width)

    bulging = np.flatnonzero(table[_ROUND])
    if len(bulging):
        normal[:, bulging] = _round_normals(
            position[:, bulging],
            (sight / length)[:, bulging],
            table[_C][:, bulging],
            table[_AXIS][:, bulging],
            table[_ROUND][bulging],
        )

    corners = np.ones_like(reach)  # light lost near the edges of the room
    x, y, z = position
    for gap, own in (
        (x - scene.left, normal[0]), (scene.right - x, normal[0]), (y - scene.floor, normal[1]),
        (scene.top - y, normal[1]), (scene.end - z, normal[2]),
    ):  # fmt: skip
        nearness = 1 / (1 + (np.maximum(gap, 0) * 2.2) ** 2)
        corners -= corners * nearness * np.float32(0.42) * (1 - np.abs(own))

    floor_light = np.ones_like(reach)
    on_floor = np.flatnonzero((np.abs(y) < 0.03) & (normal[1] > 0.9))
    if len(on_floor) and (scene.shadows or scene.sunlit):
        floor_light[on_floor] = _shade_floor(scene, side, without)[on_floor]
    corners *= np.minimum(0.35 + 0.65 * floor_light, 1.2)

    direct = np.zeros_like(reach)
    for point, power in scene.lamps:
        dx, dy, dz = np.float32(point[0]) - x, np.float32(point[1]) - y, np.float32(point[2]) - z
        square = dx * dx + dy * dy + dz * dz + 0.15
        cosine = (dx * normal[0] + dy * normal[1] + dz * normal[2]) / np.sqrt(square)
        direct += np.maximum(0.25 + 0.75 * cosine, 0.0) * np.float32(power) * 9 / (4 + square)
    ambient = film.ambient * (0.78 + 0.24 * normal[1] + 0.12 * normal[2])
    direct *= floor_light
    lit = film.light[:, None] * direct + film.sky[:, None] * ambient
    lit *= corners
    light: Floats = colour * (lit + table[_GLOW])

    reflection = np.zeros_like(light)
    polished = np.flatnonzero(table[_GLOSS])
    if len(polished):
        steep = np.abs(sight[1, polished]) / length[polished]
        share = table[_GLOSS][polished] * (0.12 + 0.88 * (1 - steep) ** 3)
        light[:, polished] *= 1 - 0.6 * share
        reflection[:, polished] = share * _reflect(scene, light, position[:, polished], sight[:, polished], side)
        light += reflection

    clear = np.exp(-film.haze * distance)
    veil = film.sky[:, None] * np.float32(film.ambient * 0.6)
    hazy: Floats = light * clear + veil * (1 - clear)
    objects = tuple(dict.fromkeys(face.object for face in scene.faces))
    owner = np.array([objects.index(face.object) for face in faces])[ids]
    return View(hazy, objects, owner, floor_light, reflection)


def brightness(light: Floats) -> float:
    """What the exposure of a linear image (3, N) is set by: its mean, lamps counted as at most 4 times as bright."""
    return max(float(np.minimum(light, 4 * light.mean()).mean()), 1e-4)


def expose(light: Floats, film: Film, size: int, exposed_for: float) -> Floats:
    """What reaches the film of a linear image (3, N): (3, size, SUPERSAMPLE, size, SUPERSAMPLE).

    exposed_for: the `brightness` that the exposure is set by.
    """
    light = light * np.float32(film.exposure / exposed_for)
    return np.minimum(light, 6.0).reshape(3, size, SUPERSAMPLE, size, SUPERSAMPLE)


def bloom(light: Floats) -> Floats:
    """The light that bright points of an exposed image spill around them, (H, W, 3)."""
    size = light.shape[1]
    spill = np.clip(light.mean(axis=(2, 4)).transpose(1, 2, 0) - 0.9, 0, 2) * 127
    blurred = Image.fromarray(spill.astype(np.uint8)).reduce(2).filter(ImageFilter.GaussianBlur(size / 50))
    whole = blurred.resize((size, size), Image.Resampling.BILINEAR)
    spilt: Floats = np.asarray(whole, np.float32) / np.float32(127) * np.float32(0.35)
    return spilt


def develop(light: Floats, film: Film, noise: np.random.Generator) -> NDArray[np.uint8]:
    """The image (H, W, 3) uint8 of an exposed one: reduced, with bloom and vignette, graded, with sensor noise."""
    exposed = 1 - np.exp(-light)
    size = light.shape[1]
    image = exposed.mean(axis=(2, 4)).transpose(1, 2, 0)  # (H, W, 3)
    image += bloom(light)
    ticks = np.linspace(-1, 1, size, dtype=np.float32)
    image *= (1 - np.float32(film.vignette) * (ticks[:, None] ** 2 + ticks**2) / 2)[..., None]
    image = np.sqrt(np.clip(image, 0, 1))
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * film.saturation
    image += film.contrast * (image - 0.5) * (1 - np.abs(2 * image - 1))
    grain = noise.standard_normal((size, size, 4), dtype=np.float32)
    image = image * 255 + film.noise * (0.7 * grain[..., 3:] + 0.5 * grain[..., :3])
    done = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(done[:, ::-1]) if film.mirrored else done
