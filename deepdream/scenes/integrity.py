"""What the listed files turn out to be: one row a picture, so that nothing is found out in the middle of a training."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from PIL import Image

from deepdream.images import decode

LEAST_SHARE = 0.5  # of a truncated picture's rows, for it to be used

OK, CONVERTED, TRUNCATED, LEFT_OUT = "ok", "converted", "truncated", "left out"
_USUAL_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg")}


@dataclass(frozen=True)
class Finding:
    """One row of scan.csv.

    path: `class/file`. size: "640x480", as stored. mode, format: as Pillow calls them.
    verdict: "ok"; "converted", from another mode than RGB or another format than the name says; "truncated", with the
        share of the rows that is used; "left out", with the reason.
    """

    path: str
    size: str
    mode: str
    format: str
    verdict: str

    @property
    def used(self) -> bool:
        """Whether the picture takes part."""
        return not self.verdict.startswith(LEFT_OUT)


def examine(images: Path, entry: str, shorter_side: int | None = None) -> tuple[Finding, Image.Image | None]:
    """Decode a listed picture: what was found, and the picture in RGB where it can be used.

    shorter_side: see `deepdream.images.decode`.
    """
    path = images / entry
    try:
        decoded = decode(path, least=LEAST_SHARE, shorter_side=shorter_side)
    except (OSError, ValueError) as error:
        reason = str(error).removeprefix(f"{path} ").partition(";")[0]
        return Finding(entry, "", "", "", f"{LEFT_OUT}: {reason}"), None
    verdict = OK
    if decoded.truncated:
        verdict = f"{TRUNCATED}: {decoded.share:.0%} of its rows are used"
    elif decoded.mode != "RGB" or not entry.lower().endswith(_suffixes(decoded.format)):
        verdict = CONVERTED
    size = f"{decoded.size[0]}x{decoded.size[1]}"
    return Finding(entry, size, decoded.mode, decoded.format, verdict), decoded.image


def _suffixes(kind: str) -> tuple[str, ...]:
    return _USUAL_SUFFIXES.get(kind, tuple(end for end, name in Image.registered_extensions().items() if name == kind))


def write_scan(path: Path, findings: Iterable[Finding]) -> None:
    """Write scan.csv."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(field.name for field in fields(Finding))
        table.writerows(astuple(finding) for finding in findings)


def read_scan(path: Path) -> list[Finding]:
    """Read scan.csv."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [Finding(**row) for row in csv.DictReader(file)]


def in_words(findings: Iterable[Finding]) -> str:
    """What is not as it should be, "3 left out, 1 truncated, 12 converted"; empty where all is."""
    counts = Counter(finding.verdict.partition(":")[0] for finding in findings)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in (LEFT_OUT, TRUNCATED, CONVERTED) if counts[verdict])
