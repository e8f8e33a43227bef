from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deepdream.evaluating import read_sweeps, write_comparison_page
from tests.evaluating.test_sweeps import write_run


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The page of two settings of two runs each; one has failed. Class names as a user may have them."""
    write_run(tmp_path / "0", ["loss=bce", "seed=0"], [(0.2, 0.9), (0.4, 0.5)])
    write_run(tmp_path / "1", ["loss=<b>cosine", "seed=0"], [(0.45, 0.3)])
    write_run(tmp_path / "2", ["loss=bce", "seed=1"], [(0.6, 0.7), (0.5, 0.1)])
    write_run(tmp_path / "3", ["loss=<b>cosine", "seed=1"], [])
    for run, accuracy in (("0", 0.5), ("1", 0.25), ("2", 0.7)):
        figures = tmp_path / run / "figures"
        figures.mkdir()
        evaluation = {"accuracy": accuracy, "intervals": {"accuracy": [accuracy - 0.1, accuracy + 0.2]}}
        (figures / "evaluation.json").write_text(json.dumps(evaluation))
        (figures / "confused_pairs.csv").write_text("class,prediction,images,share_of_class\n'=<i>bar,pub,3,0.1\n")
    dreams = {"2": Image.new("RGB", (8, 8), "red")}
    runs = read_sweeps(tmp_path)
    return write_comparison_page(tmp_path / "page.html", runs, title="4 runs", dreams=dreams, photo="china")


def test_each_run_and_setting_stands_on_the_page_the_best_first(page: Path) -> None:
    html = page.read_text()
    assert re.findall(r'id="run-\d">\s*<h3>(\d)</h3>', html) == ["2", "1", "0", "3"]
    bars = re.findall(r'class="bar"><div class="name"><span>(.*?)</span><span>(.*?)</span>', html)
    assert bars == [("loss bce", "60.0% (50.0 to 80.0%)"), ("loss &lt;b&gt;cosine", "25.0% (15.0 to 45.0%)")]
    assert re.findall(r'class="(?:value|interval)" style="(.*?)"', html)[:2] == [
        "width:60.00%",
        "left:50.00%;width:30.00%",
    ]
    assert re.findall(r'class="dot" style="left:(.*?)%"', html)[:2] == ["70.00", "50.00"]
    assert html.count("data:image/jpeg;base64,") == 1
    assert '<polyline points="0.0,96.0 320.0,72.0"' in html  # val of run 0: 0.2, then 0.4
    assert "no result" in html


def test_the_page_opens_without_internet_and_shows_names_as_text(page: Path) -> None:
    html = page.read_text()
    assert "http" not in html
    assert "<i>bar" not in html
    assert "=&lt;i&gt;bar" in html


def test_a_click_on_a_heading_sorts_the_table(browser: Any, page: Path) -> None:
    with closing(browser.new_page(viewport={"width": 390, "height": 800})) as tab:
        tab.goto(page.as_uri())
        orders = []
        for heading in ("val", "val", "loss"):
            tab.locator("th button", has_text=re.compile(rf"^{heading}$")).click()
            orders.append("".join(tab.locator("table.sortable tbody td:first-child").all_inner_texts()))
        width = tab.evaluate("document.documentElement.scrollWidth")
    assert orders[:2] == ["2103", "0123"]
    assert orders[2][:2] in ("02", "20")
    assert width == 390
