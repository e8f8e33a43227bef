"""Draw the rooms of deepdream/ and the imports between them: `python tools/architecture.py` writes an SVG.

The rooms stand in the order of the import-linter contract in pyproject.toml. A line leaves a room on the right and
ends at the top of the room that it imports, so every import runs down the stairs. Standard library only.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

CAPTIONS = {
    "studio": "all of it, live in a browser",
    "interactive": "one line of Python for what a command does",
    "apps": "the commands: train, dream, explain, evaluate, data ...",
    "callbacks": "every Lightning callback of a run",
    "microscope": "every channel beside its images, as a folder",
    "evaluating": "how good: metrics, intervals, plots, report.html",
    "dreaming": "art: objectives, octaves, tiles, films",
    "explaining": "why: attribution methods and checks of them",
    "training": "SceneClassifier, losses, optimizers, schedulers",
    "scenes": "SceneDataModule: download, check, cache, augment",
    "rooms": "synthetic rooms: renderer and data set",
    "models": "ResNet and Network, the hub of all rooms",
    "acceleration": "the same result, faster; optional",
}

WIDTH, HEIGHT = 780, 62  # of a room
STEP_X, STEP_Y = 30, 78  # from one stair to the next
MARGIN = 20
INSET = 15  # of the arrow from the right edge of its room
CHIP_COLUMNS, CHIP_HEIGHT, CHIP_GAP = 5, 26, 8  # of the single files
COLOURS = 4  # of the arrows, below: blue, orange, green, purple of Okabe and Ito, darker or lighter

STYLE = """
text { font-family: -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2328 }
.name { font-size: 15px; font-weight: bold }
.caption { font-size: 12px }
.files { font-size: 9px; fill: #57606a }
.background { fill: #ffffff }
.room { fill: #eef3f8; stroke: #57606a }
.hub { fill: #fff1d6; stroke: #b35900; stroke-width: 2 }
.ground { fill: #f6f8fa; stroke: #57606a; stroke-dasharray: 4 3 }
.chip { fill: #ffffff; stroke: #8c959f }
.line { fill: none; stroke-width: 1.6 }
.row { stroke: #8c959f }
.c0 { stroke: #0072b2 } .d0 { fill: #0072b2 }
.c1 { stroke: #b35900 } .d1 { fill: #b35900 }
.c2 { stroke: #00795a } .d2 { fill: #00795a }
.c3 { stroke: #a3487f } .d3 { fill: #a3487f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .files { fill: #9da7b3 } .background { fill: #0d1117 }
.room { fill: #1b2430; stroke: #9da7b3 } .hub { fill: #3a2a10; stroke: #e69f00 }
.ground { fill: #11161d; stroke: #9da7b3 } .chip { fill: #1b2430; stroke: #6e7681 } .row { stroke: #6e7681 }
.c0 { stroke: #56b4e9 } .d0 { fill: #56b4e9 } .c1 { stroke: #e69f00 } .d1 { fill: #e69f00 }
.c2 { stroke: #2fbf95 } .d2 { fill: #2fbf95 } .c3 { stroke: #e08fc0 } .d3 { fill: #e08fc0 }
}
"""


def read_rooms(root: Path = ROOT) -> tuple[list[str], list[str]]:
    """The packages and the modules of deepdream/, each in the order of the contract, topmost first."""
    package = root / "deepdream"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    modules = {path.stem for path in package.glob("*.py") if not path.stem.startswith("_")}
    linter = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (contract["layers"] for contract in linter["contracts"] if contract["type"] == "layers")
    order = [name.strip().removeprefix("deepdream.") for layer in layers for name in layer.split("|")]
    if missing := sorted((rooms | modules) - set(order)):
        raise ValueError(f"not in the layers of [tool.importlinter] in pyproject.toml: {', '.join(missing)}")
    if missing := sorted(rooms - set(CAPTIONS)):
        raise ValueError(f"add a caption to CAPTIONS in tools/architecture.py for: {', '.join(missing)}")
    return [name for name in order if name in rooms], [name for name in order if name in modules]


def read_imports(root: Path = ROOT) -> dict[str, set[str]]:
    """For each room and module of deepdream/, the others that its files import, inside functions too."""
    package = root / "deepdream"
    rooms, modules = read_rooms(root)
    imports: dict[str, set[str]] = {name: set() for name in [*rooms, *modules]}
    for path in sorted(package.rglob("*.py")):
        place = ("deepdream", *path.relative_to(package).with_suffix("").parts)
        if place[1] in imports:
            imported = {name for node in ast.walk(ast.parse(path.read_bytes())) for name in _imported(node, place)}
            imports[place[1]] |= imported & set(imports) - {place[1]}
    return imports


def _imported(node: ast.AST, place: tuple[str, ...]) -> list[str]:
    """The parts of deepdream that one statement of the module `place` imports."""
    if isinstance(node, ast.Import):
        names = [alias.name.split(".") for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        parent = list(place[: len(place) - node.level]) if node.level else []
        base = parent + (node.module.split(".") if node.module else [])
        names = [[*base, alias.name] for alias in node.names]
    else:
        return []
    return [name[1] for name in names if name[0] == "deepdream" and len(name) > 1]


@dataclass(frozen=True)
class Stairs:
    """Rooms and modules in the order of the contract, what each imports, and where the rooms stand."""

    rooms: list[str]
    modules: list[str]
    imports: dict[str, set[str]]

    def left(self, room: str) -> int:
        """x of the left edge."""
        return MARGIN + self.rooms.index(room) * STEP_X

    def top(self, room: str) -> int:
        """y of the upper edge."""
        return MARGIN + self.rooms.index(room) * STEP_Y

    def column(self, room: str) -> int:
        """x of the line that ends at this room."""
        return self.left(room) + WIDTH - INSET

    def targets(self, room: str) -> list[str]:
        """The rooms that this one imports."""
        return [target for target in self.rooms if target in self.imports[room]]

    def gate(self, room: str, target: str) -> int:
        """y at which the line from `room` to `target` begins: the farther the target, the lower."""
        targets = self.targets(room)
        return self.top(room) + round((targets.index(target) + 1) * HEIGHT / (len(targets) + 1))


def draw(root: Path = ROOT) -> str:
    """The SVG: rooms as stairs, an arrow for each import between two of them, the single modules as the ground."""
    stairs = Stairs(*read_rooms(root), read_imports(root))
    width = 2 * MARGIN + (len(stairs.rooms) - 1) * STEP_X + WIDTH
    ground = MARGIN + len(stairs.rooms) * STEP_Y
    height = 38 + -(-len(stairs.modules) // CHIP_COLUMNS) * (CHIP_HEIGHT + CHIP_GAP)
    total = ground + height + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" '
        'role="img">',
        "<title>The rooms of deepdream: each arrow runs from a room down to one that it imports</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="background" width="{width}" height="{total}"/>',
        *_lines(stairs),
        *(element for room in stairs.rooms for element in _room(stairs, room)),
        *_ground(stairs.modules, ground, width - 2 * MARGIN, height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _lines(stairs: Stairs) -> list[str]:
    """From each room a grey line to the column of each target, where a dot stands; down the column an arrow."""
    rows, columns, dots = [], [], []
    for number, target in enumerate(stairs.rooms):
        gates = {room: stairs.gate(room, target) for room in stairs.rooms if target in stairs.targets(room)}
        if not gates:
            continue
        x, y, colour = stairs.column(target), stairs.top(target), number % COLOURS
        columns.append(f'<path class="line c{colour}" d="M{x},{min(gates.values())} V{y - 7}"/>')
        columns.append(f'<path class="d{colour}" d="M{x - 5},{y - 9} h10 l-5,9 z"/>')
        for room, gate in gates.items():
            rows.append(f'<path class="line row" d="M{stairs.left(room) + WIDTH},{gate} H{x}"/>')
            dots.append(f'<circle class="d{colour}" cx="{x}" cy="{gate}" r="3.6"/>')
    return rows + columns + dots


def _room(stairs: Stairs, room: str) -> list[str]:
    """A box with name, caption and the single files that the room imports."""
    x, y = stairs.left(room), stairs.top(room)
    kind = "hub" if room == "models" else "room"
    files = " ".join(name for name in stairs.modules if name in stairs.imports[room])
    return [
        f'<rect class="{kind}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>',
        f'<text class="name" x="{x + 12}" y="{y + 20}">{room}</text>',
        f'<text class="caption" x="{x + 12}" y="{y + 37}">{escape(CAPTIONS[room])}</text>',
        f'<text class="files" x="{x + 12}" y="{y + 53}">{files}</text>',
    ]


def _ground(modules: list[str], top: int, width: int, height: int) -> list[str]:
    """The box below the stairs, with a label for each single file."""
    step = (width - 12) // CHIP_COLUMNS
    parts = [
        f'<rect class="ground" x="{MARGIN}" y="{top}" width="{width}" height="{height}" rx="7"/>',
        f'<text class="caption" x="{MARGIN + 12}" y="{top + 21}">single files, for all rooms '
        "(the third line in each box lists those that the room imports)</text>",
    ]
    for number, name in enumerate(modules):
        x = MARGIN + 12 + number % CHIP_COLUMNS * step
        y = top + 34 + number // CHIP_COLUMNS * (CHIP_HEIGHT + CHIP_GAP)
        parts.append(f'<rect class="chip" x="{x}" y="{y}" width="{step - 12}" height="{CHIP_HEIGHT}" rx="5"/>')
        parts.append(f'<text class="caption" x="{x + 9}" y="{y + 17}">{name}.py</text>')
    return parts


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(draw(), encoding="utf-8", newline="\n")
    print(f"written: {PICTURE.relative_to(ROOT)}")
