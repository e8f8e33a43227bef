import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.images import MAX_FILE_PIXELS
from deepdream.scenes.integrity import examine, in_words, read_scan, write_scan

MIT67 = Path(__file__).parents[3] / "shared" / "mit67"
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).resize((480, 360))


def encoded(picture: Image.Image = PHOTO, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, **{"format": "JPEG", **options})
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "mode", "kind", "verdict"),
    [
        ("plain.jpg", encoded(), "RGB", "JPEG", "ok"),
        ("plain.jpeg", encoded(), "RGB", "JPEG", "ok"),
        ("LOUD.JPG", encoded(), "RGB", "JPEG", "ok"),
        ("plain.png", encoded(format="PNG"), "RGB", "PNG", "ok"),
        ("grey.jpg", encoded(PHOTO.convert("L")), "L", "JPEG", "converted"),
        ("cmyk.jpg", encoded(PHOTO.convert("CMYK")), "CMYK", "JPEG", "converted"),
        ("palette.png", encoded(PHOTO.quantize(16), format="PNG"), "P", "PNG", "converted"),
        ("alpha.png", encoded(PHOTO.convert("RGBA"), format="PNG"), "RGBA", "PNG", "converted"),
        ("gif_inside.jpg", encoded(PHOTO.quantize(16), format="GIF"), "P", "GIF", "converted"),
        ("png_inside.jpg", encoded(format="PNG"), "RGB", "PNG", "converted"),
    ],
)
def test_what_can_be_read_is_used_as_rgb(
    tmp_path: Path, name: str, content: bytes, mode: str, kind: str, verdict: str
) -> None:
    (tmp_path / name).write_bytes(content)
    finding, picture = examine(tmp_path, name)
    assert (finding.size, finding.mode, finding.format, finding.verdict) == ("480x360", mode, kind, verdict)
    assert finding.used
    assert picture is not None
    assert (picture.mode, picture.size) == ("RGB", (480, 360))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"format": "PNG"}])
def test_a_truncated_picture_is_used_as_far_as_it_goes(tmp_path: Path, options: dict[str, object]) -> None:
    content = encoded(**options)
    (tmp_path / "cut.jpg").write_bytes(content[: int(0.8 * len(content))])
    finding, picture = examine(tmp_path, "cut.jpg")
    assert finding.verdict.startswith("truncated")
    assert finding.used
    assert picture is not None
    assert picture.width == 480
    there = np.asarray(picture, np.float32)
    whole = np.asarray(PHOTO, np.float32)[: picture.height]
    assert picture.height >= 0.7 * 360
    assert there[-1].std() > 5, "the last row is still photo"
    assert np.corrcoef(there.ravel(), whole.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encoded()[:5000], r"left out: .*truncated"),
        (encoded(format="PNG")[:9000], r"left out: .*% of its rows are there"),
        (b"", "left out: is empty"),
        (b"<html>404</html>", "left out: is not a picture"),
        (None, "left out: .*no file"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_the_reason(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    finding, picture = examine(tmp_path, "bad.jpg")
    assert picture is None
    assert not finding.used
    assert re.match(reason, finding.verdict), finding.verdict


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    side = int(MAX_FILE_PIXELS**0.5) + 1000
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    finding, _ = examine(tmp_path, "bomb.png")
    assert finding.verdict.startswith("left out: is too large")


def test_a_scan_is_read_as_it_was_written_whatever_the_names(tmp_path: Path) -> None:
    names = ["a,b.jpg", 'quote".jpg', "größe.jpg", "bad\udcff.jpg", "line\nbreak.jpg"]
    findings = [examine(tmp_path, name)[0] for name in names]
    write_scan(tmp_path / "scan.csv", findings)
    assert read_scan(tmp_path / "scan.csv") == findings
    assert (tmp_path / "scan.csv").read_text(errors="surrogateescape").startswith("path,size,mode,format,verdict\n")
    assert in_words(findings) == "5 left out"


@pytest.mark.skipif(not MIT67.exists(), reason="the original pictures are not beside this checkout (../shared/mit67)")
def test_the_original_pictures_can_all_be_used() -> None:
    entries = sorted(str(path.relative_to(MIT67 / "Images")) for path in (MIT67 / "Images").rglob("*.jpg"))
    findings = [examine(MIT67 / "Images", entry)[0] for entry in entries]
    assert len(findings) == 27
    assert all(finding.used for finding in findings)
