import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.image_formats import MAX_FILE_PIXELS
from deepdream.scenes.integrity import check_image, read_records, summarize, write_records

MIT67 = Path(__file__).parents[3] / "shared" / "mit67"
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).resize((480, 360))

PALETTE = PHOTO.quantize(16, method=Image.Quantize.FASTOCTREE)


def encoded(image: Image.Image = PHOTO, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, **{"format": "JPEG", **options})
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "mode", "kind", "status"),
    [
        ("plain.jpg", encoded(), "RGB", "JPEG", "ok"),
        ("plain.jpeg", encoded(), "RGB", "JPEG", "ok"),
        ("LOUD.JPG", encoded(), "RGB", "JPEG", "ok"),
        ("plain.png", encoded(format="PNG"), "RGB", "PNG", "ok"),
        ("plain.jfif", encoded(), "RGB", "JPEG", "ok"),
        ("grey.jpg", encoded(PHOTO.convert("L")), "L", "JPEG", "converted"),
        ("cmyk.jpg", encoded(PHOTO.convert("CMYK")), "CMYK", "JPEG", "converted"),
        ("palette.png", encoded(PALETTE, format="PNG"), "P", "PNG", "converted"),
        ("alpha.png", encoded(PHOTO.convert("RGBA"), format="PNG"), "RGBA", "PNG", "converted"),
        ("gif_inside.jpg", encoded(PALETTE, format="GIF"), "P", "GIF", "converted"),
        ("png_inside.jpg", encoded(format="PNG"), "RGB", "PNG", "converted"),
    ],
)
def test_readable_images_are_used_as_rgb(
    tmp_path: Path, name: str, content: bytes, mode: str, kind: str, status: str
) -> None:
    (tmp_path / name).write_bytes(content)
    record, image = check_image(tmp_path, name)
    assert (record.size, record.mode, record.format, record.status) == ("480x360", mode, kind, status)
    assert record.used
    assert image is not None
    assert (image.mode, image.size) == ("RGB", (480, 360))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"format": "PNG"}])
def test_the_rows_of_a_truncated_image_are_used(tmp_path: Path, options: dict[str, object]) -> None:
    content = encoded(**options)
    (tmp_path / "cut.jpg").write_bytes(content[: int(0.8 * len(content))])
    record, image = check_image(tmp_path, "cut.jpg")
    assert record.status.startswith("truncated")
    assert record.used
    assert image is not None
    assert image.width == 480
    there = np.asarray(image, np.float32)
    whole = np.asarray(PHOTO, np.float32)[: image.height]
    assert image.height >= 0.7 * 360
    assert there[-1].std() > 5, "the last row is still photo"
    assert np.corrcoef(there.ravel(), whole.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encoded()[:5000], r"skipped: .*truncated"),
        (encoded(format="PNG")[:9000], r"skipped: .*truncated: it holds .*% of its rows"),
        (b"", "skipped: is empty"),
        (b"<html>404</html>", "skipped: is not an image"),
        (None, "skipped: .*no file"),
    ],
)
def test_unusable_files_are_skipped_with_the_reason(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    record, image = check_image(tmp_path, "bad.jpg")
    assert image is None
    assert not record.used
    assert re.match(reason, record.status), record.status


@pytest.mark.medium
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    side = int(MAX_FILE_PIXELS**0.5) + 1000
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    record, _ = check_image(tmp_path, "bomb.png")
    assert record.status.startswith("skipped: is too large")


def test_records_are_read_as_they_were_written_with_any_names(tmp_path: Path) -> None:
    names = ["a,b.jpg", 'quote".jpg', "größe.jpg", "bad\udcff.jpg", "line\nbreak.jpg"]
    records = [check_image(tmp_path, name)[0] for name in names]
    write_records(tmp_path / "integrity.csv", records)
    assert read_records(tmp_path / "integrity.csv") == records
    assert (
        (tmp_path / "integrity.csv")
        .read_text(errors="surrogateescape")
        .startswith("path,size,mode,format,status,hash\n")
    )
    assert summarize(records) == "5 skipped"


@pytest.mark.skipif(not MIT67.exists(), reason="the original images are not beside this checkout (../shared/mit67)")
def test_all_original_images_can_be_used() -> None:
    entries = sorted(str(path.relative_to(MIT67 / "Images")) for path in (MIT67 / "Images").rglob("*.jpg"))
    records = [check_image(MIT67 / "Images", entry)[0] for entry in entries]
    assert len(records) == 27
    assert all(record.used for record in records)
