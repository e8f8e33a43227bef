"""The documentation site builds without a warning and without a network, and shows what the code has."""

from __future__ import annotations

import functools
import http.server
import importlib
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from deepdream.dreaming.config import DreamConfig
from deepdream.explaining.config import ExplainConfig
from deepdream.scenes.config import DataConfig
from deepdream.schema import SCHEMAS, choices, schema_of
from deepdream.training.config import TrainerConfig
from tests.conftest import ROOT

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}

# What a stranger types into the search; the page of questions is among the first five results.
QUESTIONS = ("dream is noise", "out of memory", "which layer", "slow", "NaN", "Windows", "eyes and dogs", "stopped")
FOUND = "() => [...document.querySelectorAll('.md-search-result__link')].slice(0, 5).some(a => /faq/.test(a.href))"


class Addresses(HTMLParser):
    """What a page loads, where its links lead, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.update(filter(None, (given.get("id"), given.get("name"))))
        if address := given.get(LOADED.get(tag, "")):
            self.loaded.append(address)
        if tag == "a" and (address := given.get("href")):
            self.links.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a warning is an error."""
    pytest.importorskip("material", reason="mkdocs-material is not installed: pip install .[docs]")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: pip install .[docs]")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Addresses]:
    """Path in the site -> what the page of that path has."""
    found = {path.relative_to(site).as_posix(): Addresses(path) for path in site.rglob("*.html")}
    assert len(found) > 30
    return found


def _tool(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        return importlib.import_module(name)


def _text(site: Path, page: str) -> str:
    return (site / page / "index.html").read_text(encoding="utf-8")


def test_no_page_loads_anything_from_another_host(site: Path, pages: dict[str, Addresses]) -> None:
    foreign = [(page, each) for page, found in pages.items() for each in found.loaded if urlsplit(each).netloc]
    styles = [(path.name, url) for path in site.rglob("*.css") for url in _urls(path) if urlsplit(url).netloc]
    assert foreign + styles == []


def test_every_link_and_anchor_leads_somewhere(site: Path, pages: dict[str, Addresses]) -> None:
    broken = []
    for page, found in pages.items():
        for link in found.links if page != "404.html" else ():
            address = urlsplit(urljoin(f"http://site/{page}", link))
            if address.netloc != "site":
                continue
            target = unquote(address.path).lstrip("/")
            target = f"{target}index.html" if target.endswith("/") or not target else target
            anchor = unquote(address.fragment)
            anchor = "" if anchor.startswith("/") else anchor  # a page that the script of a microscope draws
            if not (site / target).is_file() or (anchor and anchor not in pages[target].anchors):
                broken.append(f"{page}: {link}")
    assert broken == []


def test_the_configuration_reference_has_every_key_and_choice(site: Path) -> None:
    for app in SCHEMAS:
        text = _text(site, f"configuration/{app}")
        for field in fields(schema_of(app)):
            marks = (f"<code>{field.name}</code>", f"<code>{field.name}.", f'id="{field.name}"', f"#{field.name}")
            assert any(mark in text for mark in marks), f"{app}: {field.name}"
    typed = {"train": ("data", DataConfig), "dream": ("dream", DreamConfig), "explain": ("explain", ExplainConfig)}
    for app, (group, schema) in typed.items():
        text = _text(site, f"configuration/{app}")
        assert [field.name for field in fields(schema) if f"<code>{field.name}</code>" not in text] == []
        assert [name for name in choices(group) if f"{group}={name}" not in text] == []
    assert all(f"<code>{field.name}</code>" in _text(site, "configuration/train") for field in fields(TrainerConfig))


def test_a_key_has_its_comment_its_type_and_its_names(site: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", _text(site, "configuration/dream"))
    assert re.search(r"smoothing\s+none\s+name\s+cascade: .*\s+One of\s+cascade\s*,\s+laplacian\s*,", text)
    assert re.search(r"octaves\s+4\s+integer\s+levels of the image pyramid, smallest first", text)


def test_the_python_api_has_every_public_name(pages: dict[str, Addresses]) -> None:
    faces = list((ROOT / "deepdream").rglob("__init__.pyi"))
    assert len(faces) > 8
    for path in faces:
        names = re.findall(r"^from \.[\w.]* import \w+ as (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        module = ".".join(path.parent.relative_to(ROOT).parts)
        room = module.removeprefix("deepdream").lstrip(".").replace(".", "_") or "deepdream"
        page = pages.get(f"api/{room}/index.html", pages["api/deepdream/index.html"])
        assert set(names) - {anchor.rpartition(".")[2] for anchor in page.anchors} == set(), module


def test_docstrings_become_lists_and_code() -> None:
    readable = _tool("api_pages").readable
    assert readable("Blurs.\n\nx: an image.\nsigma: pixels, at\n    least 1.\n\n    blur(x)\n\n>>> blur(0)\n0") == (
        "Blurs.\n\n- `x`: an image.\n- `sigma`: pixels, at least 1.\n\n"
        "```python\nblur(x)\n```\n\n```pycon\n>>> blur(0)\n0\n```"
    )
    assert readable("Raises ValueError: never.") == "Raises ValueError: never."


def test_the_gallery_is_filtered_and_nothing_leaves_the_machine(browser: Any, site: Path) -> None:
    faults: list[str] = []
    with _served(site) as address, closing(browser.new_page(viewport={"width": 390, "height": 844})) as page:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.on("request", lambda request: request.url.startswith((address, "data:")) or faults.append(request.url))
        page.goto(f"{address}/gallery/")
        cards = page.locator("#cards figure:visible")
        everything = cards.count()
        assert everything > 10
        page.select_option("#filters select >> nth=0", "gordic")
        assert 0 < cards.count() < everything
        assert all("dream=gordic" in text for text in cards.locator("code").all_inner_texts())
        page.select_option("#filters select >> nth=0", "all")
        assert cards.count() == everything
        page.evaluate("document.getElementById('__search').click()")
        query = page.locator("[data-md-component=search-query]")
        for question in QUESTIONS:
            for words, is_found in ((question, "true"), ("xyzzy", "false")):
                query.fill(words)
                query.press("End")  # the search listens to keys
                page.wait_for_function(f"() => ({FOUND})() === {is_found}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
    assert faults == []


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served on this machine while the block runs."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _urls(path: Path) -> Iterator[str]:
    yield from re.findall(r"url\(['\"]?([^'\")]+)", path.read_text(encoding="utf-8"))
    yield from re.findall(r"@import\s+['\"]([^'\"]+)", path.read_text(encoding="utf-8"))
