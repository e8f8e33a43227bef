"""The materials of surfaces: tiles, boards, bricks, book spines, ... as functions of texture coordinates.

A material gets, for N pixels, two linear RGB colours a and b (3, N), texture coordinates u and v (N,) in units of one
tile, board, ..., and w (N,), the width of a pixel in those units, which limits fine lines: what is finer than a
pixel fades to its mean instead of flickering. It returns the colours, (3, N).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from deepdream.rooms.scene import Floats

__all__ = ["MATERIALS", "texture"]

Material = Callable[[Floats, Floats, Floats, Floats, Floats], Floats]

GRAIN = 512  # side of the noise image, which repeats


@cache
def _tables() -> tuple[Floats, Floats]:
    """Fixed noise, the same in every image and process: smooth (GRAIN, GRAIN) of unit deviation; white (4096,)."""
    rng = np.random.default_rng(20090620)
    waves = np.fft.fftfreq(GRAIN)
    strength = 1 / (0.004 + np.hypot(waves[:, None], waves))
    smooth = np.fft.ifft2(np.fft.fft2(rng.standard_normal((GRAIN, GRAIN))) * strength).real
    return (smooth / smooth.std()).astype(np.float32), rng.random(4096, dtype=np.float32)


def _cloud(u: Floats, v: Floats) -> Floats:
    """Smooth noise, mean 0 and deviation 1; 1 unit of u or v is 64 of its points."""
    smooth, _ = _tables()
    rows, columns = (v * 64).astype(np.int32) & (GRAIN - 1), (u * 64).astype(np.int32) & (GRAIN - 1)
    values: Floats = smooth[rows, columns]
    return values


def _haze(u: Floats, v: Floats) -> Floats:
    """As `_cloud`, interpolated: for noise so coarse that its points would show."""
    smooth, _ = _tables()
    u, v = u * np.float32(64), v * np.float32(64)
    left, low = np.floor(u), np.floor(v)
    i, j = left.astype(np.int32), low.astype(np.int32)
    fu, fv = u - left, v - low
    rows, columns = (j & (GRAIN - 1), j + 1 & (GRAIN - 1)), (i & (GRAIN - 1), i + 1 & (GRAIN - 1))
    near = smooth[rows[0], columns[0]] * (1 - fu) + smooth[rows[0], columns[1]] * fu
    far = smooth[rows[1], columns[0]] * (1 - fu) + smooth[rows[1], columns[1]] * fu
    values: Floats = near * (1 - fv) + far * fv
    return values


def _chance(i: Floats, j: Floats, salt: int = 0) -> Floats:
    """A number in [0, 1) for each cell (i, j)."""
    _, white = _tables()
    values: Floats = white[(i.astype(np.int32) * 1021 + j.astype(np.int32) * 337 + salt * 71) & 4095]
    return values


def _line(distance: Floats, half: float, w: Floats) -> Floats:
    """How much of a pixel a line of this half width covers, the line's middle at this distance; 0 to 1."""
    w = np.maximum(w, 1e-4)
    covered: Floats = np.clip((half - distance) / w + 0.5, 0, 1) * np.minimum(1, 2 * half / w + 0.15)
    return covered


def _edge(f: Floats) -> Floats:
    """Distance to the nearest integer of a fraction in [0, 1)."""
    return np.minimum(f, 1 - f)


def _blend(a: Floats, b: Floats, share: Floats) -> Floats:
    return a + (b - a) * share


def plain(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    return a * (1 + 0.025 * _haze(u * 0.35, v * 0.35))


def tiles(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    i, j = np.floor(u), np.floor(v)
    joint = np.maximum(_line(_edge(u - i), 0.03, w), _line(_edge(v - j), 0.03, w))
    return _blend(a * (0.9 + 0.2 * _chance(i, j)), b, joint)


def checker(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    i, j = np.floor(u), np.floor(v)
    odd = (i + j) % 2
    fade = np.clip(1.4 - 1.2 * w, 0, 1)
    return _blend(a, b, 0.5 + (odd - 0.5) * fade) * (0.94 + 0.12 * _chance(i, j))


def planks(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    i = np.floor(u)
    along = v / np.float32(7) + _chance(i, i, 1)
    j = np.floor(along)
    joint: Floats = np.maximum(_line(_edge(u - i), 0.03, w), _line(_edge(along - j) * 7, 0.03, w))
    board: Floats = 0.78 + 0.44 * _chance(i, j)
    return _blend(a * (board + 0.07 * _cloud(u * 0.9 + board * 3, v * 0.08)), b * 0.5, joint * 0.8)


def bricks(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    j = np.floor(v * 2.6)
    along = u + 0.5 * (j % 2)
    i = np.floor(along)
    joint = np.maximum(_line(_edge(along - i), 0.035, w), _line(_edge(v * 2.6 - j) / 2.6, 0.035, w))
    return _blend(a * (0.75 + 0.5 * _chance(i, j) + 0.08 * _cloud(u, v)), b, joint)


def stone(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    return _blend(a, b, np.clip(0.2 + 0.22 * _cloud(u * 0.4, v * 0.4), 0, 1)) * (1 + 0.05 * _cloud(u * 2.3, v * 2.3))


def carpet(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    knot = _chance(np.floor(u * 60), np.floor(v * 60)) - 0.5
    speckle: Floats = knot * np.clip(1.2 - 20 * w, 0.2, 1)
    return a * (1 + 0.22 * speckle + 0.06 * _cloud(u, v))


def stripes(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    return _blend(a, b, 0.55 * _line(np.abs(u - np.floor(u) - 0.5), 0.25, w)) * (1 + 0.03 * _cloud(u, v))


def dots(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    j = np.floor(v)
    fu, fv = (u + 0.5 * (j % 2)) % 1 - 0.5, v - j - 0.5
    return _blend(a, b, 0.7 * _line(np.abs(fu) + np.abs(fv), 0.24, w))


def wood(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    return a * (1 + 0.10 * _cloud(u * 2.0, v * 0.15) + 0.04 * _cloud(u * 0.3, v * 0.3))


def pleats(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    fold = np.sin(2 * np.pi * (u + 0.10 * _cloud(u * 0.05, v * 0.02)))
    wave: Floats = fold * np.clip(1.3 - 1.5 * w, 0, 1)
    return a * (0.85 + 0.4 * wave)


def doors(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """Cabinet fronts side by side, with a gap between and a bar to pull."""
    f = _edge(u - np.floor(u))
    gap = np.maximum(_line(f, 0.025, w), _line(np.abs(v), 0.03, w))
    bar = _line(np.abs(f - 0.13), 0.022, w) * _line(np.abs(v - 0.75), 0.3, w)
    panel = 1 + 0.12 * _line(np.abs(np.minimum(f, 2) - 0.24), 0.02, w)
    return _blend(_blend(a * panel, a * 0.18, gap), b, bar)


def spines(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """Shelves of books, five colours from a to b; one unit is the distance between two shelves."""
    j = np.floor(v)
    fv = v - j
    along = u * 9 + 17 * _chance(j, j)
    i = np.floor(along)
    early = along - i < 0.55 * _chance(i, j, 1)
    book = i - early
    left = np.where(early, along - i + 1 - 0.55 * _chance(book, j, 1), along - i - 0.55 * _chance(i, j, 1))
    height = 0.62 + 0.26 * _chance(book, j, 2)
    pick = _chance(book, j, 3)
    colours = a, b, 0.45 * a + 0.4, 0.5 * a + 0.5 * b, a * b
    kind = (pick * 5).astype(np.int8)
    cover = np.choose(kind, colours) * (0.55 + 0.9 * _chance(book, j, 4))
    band = _line(np.abs(fv - 0.15 - 0.5 * _chance(book, j, 5)), 0.035, w) * 0.6
    cover = _blend(cover, np.minimum(cover + 0.35, 1), band)
    cover *= 1 - 0.55 * _line(np.abs(left), 0.10, w * 9)
    gone = (pick > 0.96) | (fv > height)
    inside = _blend(cover, a * 0.12, gone.astype(np.float32) * np.clip(1.6 - 3 * w, 0.6, 1))
    board = _line(_edge(fv), 0.055, w)
    return _blend(inside, a * 0.7 + 0.08, board)


def bottles(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """A rack of bottles seen end on: discs in a lattice."""
    j = np.floor(v)
    along = u + 0.5 * (j % 2)
    i = np.floor(along)
    du, dv = along - i - 0.5, v - j - 0.5
    r: Floats = np.sqrt(du * du + dv * dv)
    full = (_chance(i, j) > 0.12).astype(np.float32)
    shine: Floats = np.clip(1 - 3.2 * np.sqrt((du + 0.12) ** 2 + (dv - 0.14) ** 2), 0, 1)
    glass: Floats = b * (0.35 + 0.8 * _chance(i, j, 1)) + 0.5 * shine
    glass = _blend(glass, b * 0.2, _line(np.abs(r - 0.15), 0.04, w))
    rack: Floats = a * (0.22 + 0.5 * (r > 0.47).astype(np.float32))
    return _blend(rack, glass, _line(r, 0.40, w) * full)


def panes(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """A glazed sky a behind ribs b."""
    half = v / np.float32(2)
    bars = np.maximum(_line(_edge(u - np.floor(u)), 0.045, w), 0.8 * _line(_edge(half - np.floor(half)) * 2, 0.03, w))
    cloud = np.clip(0.5 + 0.4 * _haze(u * 0.04, v * 0.04), 0, 1)
    sky = a * (0.85 + 0.2 * cloud) + 0.12 * cloud
    return _blend(sky, b * 0.25, bars)


def view(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """What a window shows, its lower edge at v = 0: sky a over hills b."""
    ridge = 0.45 + 0.09 * _cloud(u * 0.25, u * 0.0 + 0.3)
    far = np.clip((ridge - v) * 14, 0, 1)
    sky = a * (0.8 + 0.25 * np.clip(v, 0, 2)) + 0.10 * np.clip(_cloud(u * 0.3, v * 0.6), 0, 2)
    return _blend(sky, b * (0.35 + 0.15 * np.clip(_cloud(u * 1.2, v * 1.2), -2, 2)), far)


def water(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    bent_u: Floats = 0.55 * u + 0.044 * _cloud(u * 0.6, v * 0.6)
    bent_v: Floats = 0.4 * v + 0.032 * _cloud(v * 0.6, u * 0.6)
    web: Floats = np.abs(_cloud(bent_u, bent_v))
    gleam: Floats = np.clip(0.5 - web, 0, 1) * np.clip(1.3 - 3 * w, 0.2, 1)
    lit: Floats = a * (0.85 + 0.9 * gleam) + 0.12 * gleam
    return lit


def mirror(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    slant = u * 1.3 + v
    broad, thin = 1 - 5 * np.abs(slant % 1.1 - 0.5), 1 - 12 * np.abs(slant % 1.1 - 0.8)
    gleam: Floats = np.clip(broad, 0, 1) + np.clip(thin, 0, 1)
    return _blend(a, b, np.clip(v * 0.7, 0, 1)) + 0.28 * gleam


def staves(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """The side of a cask: u runs from its head in radii, v counts the staves; hoops near the head."""
    board = 0.75 + 0.4 * _chance(np.floor(v), np.floor(v))
    joint = _line(_edge(v - np.floor(v)), 0.05, w * 2)
    hoop = np.maximum(_line(np.abs(u - 0.15), 0.07, w), _line(np.abs(u - 0.42), 0.07, w))
    return _blend(a * board * (1 - 0.5 * joint), b, hoop)


def ends(a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """The head of a cask of radius 1: boards within a hoop."""
    r = np.sqrt(u * u + v * v)
    i = np.floor(u * 3.5)
    head = a * (0.65 + 0.45 * _chance(i, i)) * (1 - 0.5 * _line(_edge(u * 3.5 - i), 0.07, w * 3.5))
    head = head * (1 - 0.45 * np.clip((r - 0.62) * 5, 0, 1))
    rim = a * 1.25
    hoop = _line(np.abs(r - 0.95), 0.07, w)
    bung = _line(np.sqrt(u * u + (v + 0.35) ** 2), 0.09, w)
    return _blend(_blend(np.where(r > 0.8, rim, head), b, hoop), a * 0.08, bung)


_ALL: dict[str, Material] = {
    function.__name__: function
    for function in (
        plain, tiles, checker, planks, bricks, stone, carpet, stripes, dots, wood, pleats, doors, spines, bottles,
        panes, view, water, mirror, staves, ends,
    )
}  # fmt: skip
MATERIALS: tuple[str, ...] = tuple(_ALL)


def texture(kinds: NDArray[np.int8], a: Floats, b: Floats, u: Floats, v: Floats, w: Floats) -> Floats:
    """The colour of every pixel, (3, N); kinds (N,) are places in MATERIALS."""
    colour = a.copy()
    for kind in np.flatnonzero(np.bincount(kinds, minlength=len(MATERIALS))):
        mine = np.flatnonzero(kinds == kind)
        paint = _ALL[MATERIALS[kind]]
        colour[:, mine] = paint(a[:, mine], b[:, mine], u[mine], v[mine], w[mine])
    return np.maximum(colour, 0)
