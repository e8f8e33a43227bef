"""Integrity check: each listed file is opened once, so that no training stops at a damaged one."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from PIL import Image

from deepdream.image_formats import FORMATS
from deepdream.images import decode
from deepdream.markup import cells, text_of_cell
from deepdream.scenes.duplicates import perceptual_hash

MIN_SHARE = 0.5  # fraction of its rows that a truncated image must hold to be used

OK, CONVERTED, TRUNCATED, SKIPPED = "ok", "converted", "truncated", "skipped"


@dataclass(frozen=True)
class ImageRecord:
    """One row of integrity.csv.

    path: `class/file`. size: "640x480", as stored. mode, format: Pillow's names.
    status: "ok"; "converted": its mode is not RGB, or its suffix is that of another format, or its colour profile is
        ignored, with the reason; "truncated", with the share of the rows that it holds; "skipped", with the reason.
    hash: its perceptual hash (`deepdream.scenes.duplicates`); "" where it is skipped, or of one colour.
    """

    path: str
    size: str
    mode: str
    format: str
    status: str
    hash: str = ""

    @property
    def used(self) -> bool:
        """Whether the image is in its split."""
        return not self.status.startswith(SKIPPED)


def check_image(images: Path, entry: str, shorter_side: int | None = None) -> tuple[ImageRecord, Image.Image | None]:
    """Decode a listed image: its record, and the image in RGB unless it is skipped.

    shorter_side: see `deepdream.images.decode`.
    """
    path = images / entry
    try:
        decoded = decode(path, least=MIN_SHARE, shorter_side=shorter_side)
    except (OSError, ValueError) as error:
        reason = str(error).removeprefix(f"{path} ").partition(";")[0]
        return ImageRecord(entry, "", "", "", f"{SKIPPED}: {reason}"), None
    status = OK
    if decoded.truncated:
        status = f"{TRUNCATED}: {decoded.share:.0%} of its rows are used"
    elif decoded.profile_fault:
        status = f"{CONVERTED}: its colour profile is ignored ({decoded.profile_fault})"
    elif decoded.mode != "RGB" or not entry.lower().endswith(_suffixes(decoded.format)):
        status = CONVERTED
    size = f"{decoded.size[0]}x{decoded.size[1]}"
    record = ImageRecord(entry, size, decoded.mode, decoded.format, status, perceptual_hash(decoded.image))
    return record, decoded.image


def _suffixes(kind: str) -> tuple[str, ...]:
    return FORMATS["JPEG" if kind == "MPO" else kind]  # MPO: a JPEG with more than one image, as some cameras write


def write_records(path: Path, records: Iterable[ImageRecord]) -> None:
    """Write integrity.csv."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(field.name for field in fields(ImageRecord))
        table.writerows(cells(astuple(record)) for record in records)


def read_records(path: Path) -> list[ImageRecord]:
    """Read integrity.csv."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [ImageRecord(**{key: text_of_cell(value) for key, value in row.items()}) for row in csv.DictReader(file)]


def summarize(records: Iterable[ImageRecord]) -> str:
    """The number of images of each status but "ok": "3 skipped, 1 truncated, 12 converted"; empty if all are ok."""
    counts = Counter(record.status.partition(":")[0] for record in records)
    return ", ".join(f"{counts[status]} {status}" for status in (SKIPPED, TRUNCATED, CONVERTED) if counts[status])
