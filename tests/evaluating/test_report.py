import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating import Evaluation, Predictions, paired_tests, write_evaluation, write_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def evaluation(folder: Path, *, classes: int = 4, seed: int = 0, share: float = 0.6) -> Evaluation:
    rng = np.random.default_rng(seed)
    labels = np.arange(10 * classes) % classes
    logits = rng.normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += 3 * share
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    paths = [folder / f"{i}.png" for i in range(len(labels))]
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        Image.new("RGB", (20, 16), "teal").save(path)
    features = rng.normal(size=(len(labels), 16)).astype(np.float32)
    names = [f"class <{i}>" for i in range(classes)]
    predictions = Predictions(probabilities.astype(np.float32), labels, names, features)
    with SummaryWriter(folder / "tensorboard") as writer:
        return write_evaluation(predictions, folder / "figures", writer=writer, name=f"run & {seed}", paths=paths)


def test_the_page_holds_its_pictures_and_asks_for_nothing_else(tmp_path: Path) -> None:
    page = write_page(tmp_path / "report.html", [evaluation(tmp_path / "a")]).read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert sum(source.startswith("data:image/") for source in sources) == 7
    assert "http" not in page
    assert "run &amp; 0" in page
    anchors = {source[1:] for source in sources if source.startswith("#")}
    assert anchors <= set(re.findall(r'id="([^"]*)"', page))


def test_several_networks_stand_side_by_side_with_their_test(tmp_path: Path) -> None:
    one, other = (evaluation(tmp_path / str(s), seed=s, share=0.2 + 0.5 * s) for s in (0, 1))
    tests = paired_tests([one.predictions, other.predictions])
    page = write_page(tmp_path / "report.html", [one, other], tests).read_text()
    assert "2 networks on the same pictures" in page
    assert "run &amp; 0 against run &amp; 1" in page
    assert f"<td>{tests[0].first_only}</td>" in page


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    """Two pictures of one class, all right: nothing to confuse, nothing to lay out."""
    features = np.ones((2, 3), np.float32)
    predictions = Predictions(np.ones((2, 1), np.float32), np.zeros(2, np.int64), ["bar"], features)
    with SummaryWriter(tmp_path / "tensorboard") as writer:
        found = write_evaluation(predictions, tmp_path, writer=writer, name="a run", paths=[tmp_path, tmp_path])
    page = write_page(tmp_path / "report.html", [found]).read_text()
    for note in ("every answer is right", "fewer than three pictures"):
        assert note in page
    assert found.figures["accuracy"] == 1


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_browser_shows_every_picture(tmp_path: Path) -> None:
    """The page that Chromium has after loading, and a script that counts what it decoded."""
    path = write_page(tmp_path / "report.html", [evaluation(tmp_path / "a")])
    count = (
        "<script>document.title=[...document.images].filter(i=>i.complete&&i.naturalWidth>100).length+' pictures, '"
        "+(document.documentElement.scrollWidth<=innerWidth?'fits':'too wide')</script>"
    )
    path.write_text(path.read_text().replace("</body>", f"{count}</body>"))
    result = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=4000",
            "--dump-dom",
            str(path),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "<title>7 pictures, fits</title>" in result.stdout
