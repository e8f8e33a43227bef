import re
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.evaluating import Evaluation, Predictions, paired_tests, write_evaluation, write_report
from tests.conftest import CHROMIUM


def evaluation(
    folder: Path, *, classes: int = 4, seed: int = 0, share: float = 0.6, name: str = "run & {}", paths: bool = True
) -> Evaluation:
    rng = np.random.default_rng(seed)
    labels = np.arange(10 * classes) % classes
    logits = rng.normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += 3 * share
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    files = [folder / f"{i}.png" for i in range(len(labels))]
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        Image.new("RGB", (20, 16), "teal").save(path)
    features = rng.normal(size=(len(labels), 16)).astype(np.float32)
    names = [f"class <{i}>" for i in range(classes)]
    predictions = Predictions(probabilities, labels, names, features, paths=files if paths else None)
    return write_evaluation(predictions, folder / "figures", name=name.format(seed))


class Tags(HTMLParser):
    """The tags of a page with their attributes, and whether each one is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_has_its_images_inside_and_loads_nothing(tmp_path: Path) -> None:
    page = write_report(tmp_path / "report.html", [evaluation(tmp_path / "a")]).read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert sum(source.startswith("data:image/") for source in sources) == 7
    assert "http" not in page
    assert "run &amp; 0" in page
    anchors = {source[1:] for source in sources if source.startswith("#")}
    identifiers = re.findall(r'id="([^"]*)"', page)
    assert anchors <= set(identifiers)
    assert len(identifiers) == len(set(identifiers))
    assert page.startswith("<!doctype html>")
    assert Tags(page).open == []


@pytest.mark.slow
def test_several_networks_are_compared_with_paired_tests(tmp_path: Path) -> None:
    one, other = (evaluation(tmp_path / str(s), seed=s, share=0.2 + 0.5 * s) for s in (0, 1))
    tests = paired_tests([one.predictions, other.predictions])
    page = write_report(tmp_path / "report.html", [one, other], tests).read_text()
    assert "2 networks on the same images" in page
    assert "run &amp; 0 vs. run &amp; 1" in page
    assert f"<td>{tests[0].first_only}</td>" in page
    for each in (one, other):
        assert f"{100 * each.metrics['mean_per_class_accuracy']:.1f}%" in page


def test_names_cannot_add_tags_to_the_page(tmp_path: Path) -> None:
    """Names of runs come from folders that anybody may name."""
    name = '<script>alert(1)</script><img src="x" onerror="alert(1)">'
    both = [evaluation(tmp_path / str(s), seed=s, name=name, paths=False) for s in (0, 1)]
    both[0].notes.append("</p><script>alert(2)</script>")
    page = write_report(tmp_path / "report.html", both, paired_tests([e.predictions for e in both])).read_text()
    tags = Tags(page)
    assert not [tag for tag, _ in tags.found if tag == "script"]
    assert not [attributes for _, attributes in tags.found if "onerror" in attributes]
    assert page.count("&lt;script&gt;alert(1)") >= 4
    assert tags.open == []


def test_missing_plots_are_explained(tmp_path: Path) -> None:
    """Two images of one class, both predicted correctly: no mistakes, no projection."""
    features = np.ones((2, 3), np.float32)
    labels = np.zeros(2, np.int64)
    predictions = Predictions(np.ones((2, 1), np.float32), labels, ["bar"], features, paths=[tmp_path] * 2)
    found = write_evaluation(predictions, tmp_path, name="a run")
    page = write_report(tmp_path / "report.html", [found]).read_text()
    for note in ("every prediction is correct", "fewer than three images"):
        assert note in page
    assert found.metrics["accuracy"] == 1


def test_template_is_in_the_package() -> None:
    assert (files("deepdream.evaluating") / "templates" / "report.html.j2").is_file()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_browser_decodes_every_image(tmp_path: Path) -> None:
    """Chromium loads the page and runs a script that counts the decoded images."""
    assert CHROMIUM is not None
    path = write_report(tmp_path / "report.html", [evaluation(tmp_path / "a")])
    count = (
        "<script>document.title=[...document.images].filter(i=>i.complete&&i.naturalWidth>100).length+' images, '"
        "+(document.documentElement.scrollWidth<=innerWidth?'fits':'too wide')</script>"
    )
    path.write_text(path.read_text().replace("</body>", f"{count}</body>"))
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom")
    result = subprocess.run([CHROMIUM, *options, str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert "<title>7 images, fits</title>" in result.stdout
